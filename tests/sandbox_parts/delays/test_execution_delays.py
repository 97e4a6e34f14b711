"""Executions right after they began or ended, as a role reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ministack.services import stepfunctions

from sandbox import patching
from sandbox.delays import PACES, Delay
from sandbox.states import delays as execution_delays

ARN = "arn:aws:states:us-east-1:000000000000:execution:deploy:one"


def moment(seconds_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()


@pytest.fixture(autouse=True)
def executions(monkeypatch: pytest.MonkeyPatch, as_role: str) -> Iterator[None]:
    """Step Functions without an execution."""
    for name in ("_describe_execution", "_list_executions"):
        monkeypatch.setattr(stepfunctions, name, getattr(stepfunctions, name))
    monkeypatch.setitem(PACES["rehearsal"], Delay.EXECUTION_READ, (20.0, 30.0))
    patching.install(execution_delays)
    yield
    stepfunctions._executions.clear()
    execution_delays.seen.forget()
    execution_delays._noted.clear()


def put(began: float, ended: float | None = None, status: str = "RUNNING") -> None:
    """An execution that began and ended so many seconds ago."""
    stepfunctions._executions[ARN] = {
        "executionArn": ARN,
        "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:deploy",
        "name": "one",
        "status": status,
        "startDate": moment(began),
        "stopDate": None if ended is None else moment(ended),
        "input": "{}",
        "output": None if status == "RUNNING" else "{}",
    }


def described() -> tuple[int, dict[str, Any]]:
    status, _, body = stepfunctions._describe_execution({"executionArn": ARN})
    return status, json.loads(body)


def listed(**asked: Any) -> list[str]:
    return [each["status"] for each in json.loads(stepfunctions._list_executions(asked)[2])["executions"]]


def test_one_that_has_just_begun_is_unknown():
    """To those who describe it and to those who list."""
    put(began=1)

    assert described()[1]["__type"] == "ExecutionDoesNotExist"
    assert listed() == []


def test_one_that_has_just_ended_runs():
    """It has no output and no end yet, and a list of those that succeeded leaves it out."""
    put(began=60, ended=1, status="SUCCEEDED")
    status, found = described()

    assert (status, found["status"]) == (200, "RUNNING")
    assert not {"output", "stopDate"} & found.keys()
    assert (listed(), listed(statusFilter="SUCCEEDED"), listed(statusFilter="RUNNING")) == (
        ["RUNNING"],
        [],
        ["RUNNING"],
    )


def test_all_is_seen_in_the_end():
    """What began and ended long enough ago is shown as it is."""
    put(began=90, ended=60, status="FAILED")

    assert described()[1]["status"] == "FAILED"
    assert listed(statusFilter="FAILED") == ["FAILED"]


def test_one_that_does_not_exist():
    """It is unknown for good."""
    assert described()[0] == 400
