"""What a person reads of a failure: the function's own sentence, in whatever form Step Functions tells it."""

import json
from typing import Any

import pytest

from crossfade.domain.rollback.assessment import Failure
from faults.workflow.query import evaluate
from tests.statemachine.definitions import states

TIMED_OUT = "2026-11-27T04:00:01.000Z 7e9c1f42 Task timed out after 60.06 seconds"
CAUSES = [
    pytest.param("somebody stopped it", "somebody stopped it", id="a-sentence"),
    pytest.param('{"errorMessage": "no such service", "errorType": "E"}', "no such service", id="json"),
    pytest.param(
        json.dumps({"errorMessage": 'said "no"\n\\ ü', "errorType": "E"}), 'said "no"\n\\ ü', id="escapes"
    ),
    pytest.param(
        json.dumps({"errorMessage": 'read: "errorMessage": "inner"'}),
        'read: "errorMessage": "inner"',
        id="a-message-within-the-message",
    ),
    pytest.param(
        "The cause could not be determined because Lambda did not return an error type. "
        f'Returned payload: {{"errorMessage":"{TIMED_OUT}"}}',
        TIMED_OUT,
        id="lambda-unknown",
    ),
    pytest.param('{"errorMessage": "it is long and', '{"errorMessage": "it is long and', id="cut-off-within"),
    pytest.param('{"errorMessage": "whole", "stackTr', "whole", id="cut-off-behind"),
    pytest.param('{"errorMessage": "a \\', '{"errorMessage": "a \\', id="cut-off-at-an-escape"),
    pytest.param(r'of "errorMessage": "\d"', r'of "errorMessage": "\d"', id="no-json-at-all"),
    pytest.param('{"errorMessage": null}', '{"errorMessage": null}', id="null"),
    pytest.param("{and no more", "{and no more", id="a-brace"),
]


def _cause(machine: str, state: str, failure: dict[str, str]) -> Any:
    return evaluate(states(machine)[state]["Cause"], {"failure": failure, "put_back": None}, {}, 0)


@pytest.mark.parametrize(("cause", "said"), CAUSES)
def test_a_cause_is_told_in_one_way(cause: str, said: str) -> None:
    """By the deployment's end, by the rollback's, and in the certificate's reason."""
    failure = {"Error": "Lambda.Unknown", "Cause": cause}
    assert _cause("deploy", "DeploymentFailed", failure) == said
    assert _cause("rollback", "RollbackFailed", failure) == said
    assert Failure(**failure).sentence == f"Lambda.Unknown: {said}"


def test_without_a_cause_the_name_is_told() -> None:
    """States.Timeout comes without one."""
    failure = {"Error": "States.Timeout"}
    assert _cause("deploy", "DeploymentFailed", failure) == "States.Timeout"
    assert _cause("rollback", "RollbackFailed", failure) == "States.Timeout"
    assert Failure(**failure).sentence == "States.Timeout"


def test_what_the_rollback_could_not_do_is_told_too() -> None:
    """The deployment's reason comes first."""
    failure = {"Error": "E", "Cause": '{"errorMessage": "it crashed"}'}
    put_back = {"outcome": "failed", "traffic": "left as it was"}
    text = states("deploy")["DeploymentFailed"]["Cause"]
    told = evaluate(text, {"failure": failure, "put_back": put_back}, {}, 0)
    assert told == "it crashed The rollback: left as it was"
