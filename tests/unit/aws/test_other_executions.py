"""Executions: started under a name that is used once, asked whether they run, stopped, and counted."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from crossfade.aws.executions import Executions
from crossfade.domain.admission import ENDED
from tests.unit.account import MACHINES, Account
from tests.unit.examples import DEPLOY, EXECUTION, START


@pytest.fixture
def executions(account: Account) -> Executions:
    """Return the account's executions."""
    return Executions(account.stepfunctions)


def test_an_execution_is_started_once(account: Account, executions: Executions) -> None:
    """A second start of the same finds the first, whatever the order of its input's keys."""
    assert executions.start(MACHINES[DEPLOY], "d1", {"service": "web", "image_tag": "1"})
    assert executions.start(MACHINES[DEPLOY], "d1", {"image_tag": "1", "service": "web"})
    assert account.started() == {"d1": {"service": "web", "image_tag": "1"}}


@pytest.mark.parametrize(
    "given", [{"service": "web"}, {"service": "shop"}], ids=["same-input", "other-input"]
)
def test_a_name_that_was_used_starts_nothing_more(
    account: Account, executions: Executions, given: dict[str, str]
) -> None:
    """After the first one's end; whoever tries is told."""
    assert executions.start(MACHINES[DEPLOY], "d1", {"service": "web"})
    account.end(f"{EXECUTION}:d1")
    assert not executions.start(MACHINES[DEPLOY], "d1", given)
    assert account.started() == {"d1": {"service": "web"}}
    assert not executions.runs(f"{EXECUTION}:d1")


def test_executions_run_until_they_end(account: Account, executions: Executions) -> None:
    """However they end."""
    execution = account.start(DEPLOY, "d1")
    assert executions.runs(execution) is True
    account.end(execution)
    assert executions.runs(execution) is False


@pytest.mark.parametrize("execution", [f"{EXECUTION}:just-started", "no ARN"])
def test_what_nobody_knows_is_neither(executions: Executions, execution: str) -> None:
    """Step Functions may not tell yet of an execution that has begun, or not any more of one that ended."""
    assert executions.runs(execution) is None


@pytest.mark.parametrize(
    ("events", "entered"),
    [
        ([("TaskScheduled", None), ("TaskStateEntered", "RollBack"), ("TaskStateExited", None)], "RollBack"),
        ([("ExecutionAborted", None), ("TaskStateEntered", "WatchStage")], ENDED),
        ([("ExecutionFailed", None), ("FailStateEntered", "DeploymentFailed")], ENDED),
        ([("ExecutionStarted", None)], None),
    ],
)
def test_the_state_that_an_execution_is_in(
    executions: Executions, account: Account, events: list[tuple[str, str | None]], entered: str | None
) -> None:
    """By its newest events, the last one first."""
    stub = Stubber(account.stepfunctions)
    answer = [
        {"timestamp": START, "type": kind, "id": n}
        | ({"stateEnteredEventDetails": {"name": name}} if name else {})
        for n, (kind, name) in enumerate(events)
    ]
    asked = {"executionArn": EXECUTION, "reverseOrder": True, "maxResults": 100}
    stub.add_response("get_execution_history", {"events": answer}, asked | {"includeExecutionData": False})
    with stub:
        assert executions.entered(EXECUTION) == entered


@pytest.mark.parametrize("execution", [f"{EXECUTION}:just-started", "no ARN"])
def test_what_nobody_knows_is_in_no_state(executions: Executions, execution: str) -> None:
    """Step Functions may not tell yet of an execution that has begun."""
    assert executions.entered(execution) is None


def test_stopping_twice_is_stopping_once(account: Account, executions: Executions) -> None:
    """And what AWS does not know needs no stop."""
    execution = account.start(DEPLOY, "d1")
    for _ in range(2):
        executions.stop(execution, "why")
    assert not account.runs(execution)
    executions.stop(f"{EXECUTION}:never-was", "why")
    executions.stop("no ARN", "why")


def test_whoever_reads_the_console_learns_why(
    executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An execution that ends ABORTED tells its cause."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(executions._stepfunctions, "stop_execution", asked.update)
    executions.stop("arn", "the stack of web is deleted")
    assert asked == {"executionArn": "arn", "error": "Stopped", "cause": "the stack of web is deleted"}


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("start_execution", lambda executions: executions.start("machine", "d1", {})),
        ("describe_execution", lambda executions: executions.runs("arn")),
        ("stop_execution", lambda executions: executions.stop("arn", "why")),
    ],
    ids=["start", "runs", "stop"],
)
def test_other_refusals_are_passed_on(
    executions: Executions,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    call: Callable[[Executions], object],
) -> None:
    """A refused question is no answer."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)

    monkeypatch.setattr(executions._stepfunctions, operation, refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        call(executions)


def test_transitions_are_counted_over_pages() -> None:
    """What AWS bills: states entered, of all executions."""
    history = {
        "a": [["ExecutionStarted", "TaskStateEntered"], ["TaskStateExited", "ChoiceStateEntered"]],
        "b": [["PassStateEntered"]],
    }

    class StepFunctions:
        """The part of the client that is used."""

        def get_paginator(self, name: str) -> "StepFunctions":
            """Page through the history."""
            assert name == "get_execution_history"
            return self

        def paginate(self, *, executionArn: str, includeExecutionData: bool) -> list[dict[str, Any]]:
            """The pages of an execution."""
            assert not includeExecutionData
            return [{"events": [{"type": kind} for kind in page]} for page in history[executionArn]]

    assert Executions(StepFunctions()).transitions(["a", "b"]) == 3


def test_transitions_of_an_execution_that_was_forgotten_are_not_known(executions: Executions) -> None:
    """After 90 days: a report that is drawn up by hand then has all but this."""
    assert executions.transitions([f"{EXECUTION}:of-long-ago"]) is None
