"""EventBridge: which events fit a pattern, and what a target is handed."""

from typing import Any

import pytest

from faults.aws.events import matches, transformed
from faults.aws.stack import rules
from faults.workflow.query import Refused

EVENT: dict[str, Any] = {
    "source": "aws.states",
    "detail": {"status": "FAILED", "executionArn": 'arn:"x"', "tag": "", "count": 3},
}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ({"source": ["aws.states"]}, True),
        ({"source": ["aws.ecr", "aws.states"]}, True),
        ({"source": ["aws.ecr"]}, False),
        ({"detail": {"status": ["FAILED"]}}, True),
        ({"detail": {"status": ["FAILED"], "tag": [{"anything-but": ""}]}}, False),
        ({"detail": {"status": [{"anything-but": ["ABORTED", ""]}]}}, True),
        ({"detail": {"executionArn": [{"prefix": "arn:"}]}}, True),
        ({"detail": {"nothing": ["x"]}}, False),
    ],
)
def test_patterns(pattern: dict[str, Any], fits: bool) -> None:
    """Every key of the pattern must be there, with one of its values."""
    assert matches(pattern, EVENT) is fits


@pytest.mark.parametrize("wanted", [{"suffix": "x"}, {"exists": True}, {"prefix": "a", "suffix": "b"}])
def test_patterns_that_are_refused(wanted: dict[str, Any]) -> None:
    """Comparisons that the simulation does not have."""
    with pytest.raises(Refused):
        matches({"source": [wanted]}, EVENT)


def test_a_transformer_quotes_by_itself() -> None:
    """A string is put in quotes unless the template has it within some."""
    found = transformed(
        {
            "InputPathsMap": {"arn": "$.detail.executionArn", "n": "$.detail.count"},
            "InputTemplate": '{"ended": <arn>, "count": <n>, "text": "it was <arn>", "again": true}',
        },
        EVENT,
    )
    assert found == {"ended": 'arn:"x"', "count": 3, "text": 'it was arn:"x"', "again": True}


def test_without_a_transformer_the_event_is_handed_on() -> None:
    """As an image push is."""
    assert transformed(None, EVENT) == EVENT


def test_the_template_has_its_watchdogs() -> None:
    """The rules are the real ones."""
    assert {(name, machine) for name, machine, _ in rules()} >= {
        ("ImagePushed", "deploy"),
        ("DeploymentEnded", "rollback"),
        ("RollbackEnded", "rollback"),
    }
