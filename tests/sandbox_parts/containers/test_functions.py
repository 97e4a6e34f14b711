"""Lambda's execution environments in the running sandbox: forked from one process, each begins anew."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox
from tests.sandbox_parts.containers.workflows import ROLE

pytestmark = [pytest.mark.enable_socket, pytest.mark.usefixtures("workflows")]  # theirs is the role

LOOKS = """\
import os, sys, jmespath, own
def handler(event, context):
    own.calls += 1
    environment = {name: os.environ.get(name) for name in event}
    os.environ["LEFT"] = "by a call"
    return {
        "calls": own.calls, "file": own.__file__, "traced": own.fault.__code__.co_filename,
        "jmespath": getattr(jmespath, "OWN", "the runtime's"), "environment": environment,
        "folder": os.getcwd(), "loaded": sorted(sys.modules), "unpacked": os.path.realpath(own.__file__),
    }
"""
OWN = "calls = 0\ndef fault(): raise ValueError\n"
CODE = {"fn.py": LOOKS, "own.py": OWN}


def make(sandbox: Sandbox, name: str, files: dict[str, str], **variables: str) -> None:
    """A function of these files, with `fn.handler`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    sandbox.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="fn.handler",
        Role=ROLE,
        Environment={"Variables": variables},
        Code={"ZipFile": buffer.getvalue()},
    )


def ask(sandbox: Sandbox, name: str, event: object) -> Any:
    """What a function answers."""
    answer = sandbox.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def test_each_function_begins_anew(sandbox: Sandbox):
    """Its code, environment and folder are its own; a second call finds what the first one has left."""
    make(sandbox, "one", CODE, ONE="1")
    make(sandbox, "two", CODE, TWO="2")

    names = ["ONE", "TWO", "LEFT", "AWS_LAMBDA_FUNCTION_NAME"]
    one, two, again = (ask(sandbox, name, names) for name in ("one", "two", "one"))

    assert list(one["environment"].values()) == ["1", None, None, "one"]
    assert list(two["environment"].values()) == [None, "2", None, "two"]
    assert list(again["environment"].values()) == ["1", None, "by a call", "one"]
    assert (one["calls"], two["calls"], again["calls"]) == (1, 1, 2)
    assert one["folder"] != two["folder"]
    assert one["file"] == one["traced"] == f"{one['folder']}/own.py"
    assert one["unpacked"] == two["unpacked"]  # the same code is there once
    assert not [name for name in one["loaded"] if name.startswith(("sandbox", "ministack", "fork_server"))]


def test_a_function_has_the_packages_that_it_brings(sandbox: Sandbox):
    """Its own version of what Lambda's Python has as well; no other function has it."""
    make(sandbox, "bringing", {**CODE, "jmespath/__init__.py": "OWN = 'its own'\n"})
    make(sandbox, "plain", CODE)

    assert [ask(sandbox, name, [])["jmespath"] for name in ("bringing", "plain")] == [
        "its own",
        "the runtime's",
    ]
