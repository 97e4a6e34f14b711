"""The web ACL of a load balancer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ministack.services import waf

from sandbox.waf.web_acls import none_where_none_is


def emulator(data: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({"WebACL": {"Name": "of-the-emulator"}}).encode()


def test_a_load_balancer_without_a_web_acl_has_none(monkeypatch: pytest.MonkeyPatch):
    """An answer that names none, and no error."""
    monkeypatch.setattr(waf, "_associations", {"with": "an-acl"})

    status, _, body = none_where_none_is(emulator, {"ResourceArn": "without"})
    _, _, other = none_where_none_is(emulator, {"ResourceArn": "with"})

    assert (status, json.loads(body)) == (200, {})
    assert json.loads(other)["WebACL"]["Name"] == "of-the-emulator"
