"""The web ACL of a resource that has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.services import waf

from sandbox.patching import replaces

Answer = tuple[int, dict[str, str], bytes]


@replaces(waf, "_get_web_acl_for_resource", version="1.5.33")
def none_where_none_is(emulator: Callable[[dict[str, Any]], Answer], data: dict[str, Any]) -> Answer:
    """MiniStack: WAFNonexistentItemException. AWS answers without a web ACL (botocore wafv2 2019-07-29)."""
    if data.get("ResourceArn", "") in waf._associations:
        return emulator(data)
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({}).encode()
