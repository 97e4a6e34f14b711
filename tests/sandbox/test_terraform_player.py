"""The player makes the calls that the real Terraform makes: terraform/calls.json, written down from its log.

By operation and names of arguments. Reads are left out: Terraform makes more of them than it compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from faults.law import READS
from tests.sandbox.beginning import started
from tests.sandbox.executions import Executions
from tests.sandbox.terraform_player import TerraformPlayer
from tests.sandbox.terraformed import MODULE, TerraformOwner, Variables, network, why_no_terraform

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

Call = tuple[str, list[str]]
CALLED = json.loads(MODULE.with_name("calls.json").read_text(encoding="utf-8"))
STEPS: dict[str, Variables] = {
    "create": {},
    "again": {},
    "tag": {"team": "during"},
    "cpu": {"cpu": 512},
    "paths": {"paths": ["/*", "/shop"]},
    "image": {"image_tag": "1.0.1"},
}
"""What is changed before each apply; after the last one comes `destroy`."""
IN_ORDER = ("cpu", "paths", "image")
"""In the other steps Terraform goes on with several resources at once."""
HIDDEN = ("Targ" + 32 * "*" + "tion", "TargetTrackingScalingPolicyConfiguration")
"""The provider's log hides all words of 40 letters, since a secret key has as many."""


class Heard(Executions):
    """Hears what its clients call."""

    def client_of(self, session: Any, service: str) -> Any:
        """A boto3 client of the sandbox with a session's credentials."""
        client = super().client_of(session, service)
        client.meta.events.register("before-call", self._listen)
        return client

    def _listen(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        self._calls.append(_call(model.name, params["body"]))

    def taken(self) -> list[Call]:
        """The calls since the last time."""
        calls = list(self._calls)
        self._calls.clear()
        return calls

    @cached_property
    def _calls(self) -> list[Call]:
        return []


def _call(operation: str, body: Any) -> Call:
    if not isinstance(body, dict):
        text = body.decode() if isinstance(body, bytes) else str(body)
        body = json.loads(text) if text.startswith("{") else dict(parse_qsl(text, keep_blank_values=True))
    return operation, sorted({name.partition(".")[0] for name in body} - {"Action", "Version"})


def _logged(log: Path) -> list[Call]:
    """The calls in a log of Terraform's since the last time, each at its first attempt."""
    text = log.read_text(encoding="utf-8").replace(*HIDDEN)
    log.write_text("", encoding="utf-8")
    calls = []
    for record in re.split(r"(?m)^(?=\d{4}-\d\d-\d\dT)", text):
        if "HTTP Request Sent" in record and "attempt=1;" in record:
            operation = re.search(r"rpc\.method=(\w+)", record)
            body = re.search(r"http\.request\.body=\n  \| (.*)", record)
            assert operation, record
            calls.append(_call(operation[1], body[1] if body else ""))
    return calls


@contextmanager
def _account(folder: Path, config: pytest.Config) -> Iterator[tuple[Heard, Variables]]:
    for name in ("state", "home", "module"):
        (folder / name).mkdir()
    with started(folder / "state", config) as sandbox:
        shell = Heard(f"http://127.0.0.1:{sandbox.port}", sandbox.production_port, folder / "home")
        shell.aws("ecr", "create-repository", "--repository-name", "team/shop")
        given = {"paths": ["/*"], "image_tag": "1.0.0", "cpu": 256, "team": "before"}
        yield shell, network(shell) | given | {"port": sandbox.production_port}


def _calls(owner: TerraformOwner, taken: Callable[[], list[Call]]) -> dict[str, list[Call]]:
    """By step what an owner changes."""
    taken()
    steps = {}
    for step, change in STEPS.items():
        owner.variables |= change
        owner.apply()
        steps[step] = taken()
    owner.destroy()
    steps["destroy"] = taken()
    writes = {
        step: [call for call in calls if not call[0].startswith(READS)] for step, calls in steps.items()
    }
    return {step: calls if step in IN_ORDER else sorted(calls) for step, calls in writes.items()}


def _known() -> dict[str, list[Call]]:
    return {step: [(name, given) for name, given in calls] for step, calls in CALLED.items()}


def test_the_player_calls_what_terraform_has_called(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """On every machine."""
    with _account(tmp_path, pytestconfig) as (shell, variables):
        owner = TerraformPlayer(shell, tmp_path / "module", MODULE.read_text(encoding="utf-8"), variables)
        assert _calls(owner, shell.taken) == _known()


def test_terraform_calls_what_it_has_called(
    tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is installed, with a provider of any version: whether calls.json is still true."""
    (tmp_path / "provider").mkdir()
    if why := why_no_terraform(tmp_path / "provider"):
        pytest.skip(why)
    log = tmp_path / "log"
    monkeypatch.setenv("TF_LOG", "DEBUG")
    monkeypatch.setenv("TF_LOG_PATH", str(log))
    with _account(tmp_path, pytestconfig) as (shell, variables):
        owner = TerraformOwner(shell, tmp_path / "module", MODULE.read_text(encoding="utf-8"), variables)
        assert _calls(owner, lambda: _logged(log)) == _known()
