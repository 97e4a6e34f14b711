"""A rollback: what it is asked to do, and what it finds to do."""

import re
from typing import Any

import pytest

from crossfade.domain.certificate import History
from crossfade.domain.errors import InvalidInput
from crossfade.domain.rollback import EXAMPLE, Ended, Failure, Order, Survey, read_input, survey
from tests.unit.examples import EXECUTION, at, plan

MINE = plan(execution=f"{EXECUTION}:rollback")


def _event(**detail: Any) -> dict[str, Any]:
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": f"{EXECUTION}:d1", "status": "ABORTED", "name": "d1", **detail},
    }


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({"service": "web"}, Order(service="web"), id="person"),
        pytest.param(
            {"service": "web", "deployment": "d1", "failure": {"Error": "States.Timeout"}},
            Order(service="web", deployment="d1", failure=Failure(Error="States.Timeout")),
            id="catch-without-cause",
        ),
        pytest.param(_event(), Ended(execution=f"{EXECUTION}:d1", status="ABORTED"), id="status-event"),
    ],
)
def test_accepted_forms(raw: Any, expected: Order | Ended) -> None:
    """A person's, the deployment's own Catch's, and EventBridge's."""
    assert read_input(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="array"),
        pytest.param({}, id="empty"),
        pytest.param({"service": ""}, id="no-name"),
        pytest.param({"servise": "web"}, id="slip-of-the-pen"),
        pytest.param({"source": "aws.states"}, id="event-without-detail"),
        pytest.param({"source": "aws.states", "detail": "x"}, id="event-with-odd-detail"),
    ],
)
def test_anything_else_is_refused_with_an_example(raw: Any) -> None:
    """A person who is in a hurry sees what is right."""
    with pytest.raises(InvalidInput, match=re.escape(EXAMPLE)):
        read_input(raw)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Order(service="web"), "rolled back by hand"),
        (Ended(execution=f"{EXECUTION}:d1", status="TIMED_OUT"), "the deployment ended TIMED_OUT"),
        pytest.param(
            Order(service="web", failure=Failure(Error="CandidateWorse", Cause="5 of 30")),
            "CandidateWorse: 5 of 30",
            id="verdict",
        ),
        pytest.param(
            Order(service="web", failure=Failure(Error="AwsRefused", Cause='{"errorMessage": "no"}')),
            "AwsRefused: no",
            id="cause-of-a-function",
        ),
        pytest.param(
            Order(service="web", failure=Failure(Error="X", Cause='{"a": 1}')), 'X: {"a": 1}', id="other-json"
        ),
        pytest.param(Order(service="web", failure=Failure(Error="X", Cause="7")), "X: 7", id="a-bare-number"),
        pytest.param(
            Order(service="web", failure=Failure(Error="States.Timeout")), "States.Timeout", id="no-cause"
        ),
    ],
)
def test_reasons(order: Order | Ended, reason: str) -> None:
    """One line, for the certificate."""
    assert order.reason == reason


def test_an_ended_deployment_is_known_by_its_execution() -> None:
    """The execution's name is the deployment's."""
    assert Ended(execution=f"{EXECUTION}:d1", status="FAILED").deployment == "d1"


def test_before_the_promotion_the_candidate_goes() -> None:
    """Everything that the rollback needs, and nothing else."""
    history = History(plan=plan(), probe="task", cursor="c")
    assert survey(history, MINE, "why") == Survey(
        action="roll_back",
        reason="why",
        plan=MINE,
        loser="green",
        probe="task",
        cursor="c",
        held_by=f"{EXECUTION}:d1",
    )


def test_after_the_promotion_only_the_rest_is_done() -> None:
    """There is no way back by weights once the old slot may be gone."""
    found = survey(History(plan=plan(), promoted=at(50)), MINE, "why")
    assert (found.action, found.loser) == ("finish", "blue")
