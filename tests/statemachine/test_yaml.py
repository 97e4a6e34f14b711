"""The definitions are YAML that CloudFormation, Step Functions and the tests read alike."""

import re

import pytest
import yaml

from faults.files import MACHINES, source
from tests.statemachine.definitions import states, strings
from tests.statemachine.expressions import is_expression


def _odd(text: str) -> list[str]:
    """What CloudFormation's reader takes for something else: it has no anchors, aliases and merge keys."""
    events = list(yaml.parse(text, Loader=yaml.SafeLoader))
    named = [f"anchor or alias {event.anchor}" for event in events if getattr(event, "anchor", None)]
    return named + ["merge key" for event in events if getattr(event, "value", None) == "<<"]


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_is_named_once_and_used_twice(machine: str) -> None:
    """CloudFormation makes a string of an alias, where PyYAML puts in what it stands for."""
    assert _odd(source(machine)) == []


@pytest.mark.parametrize("text", ["{a: &x [1], b: *x}", "a: &x {c: 1}", "b: {<<: {c: 1}}"])
def test_what_is_named_is_found(text: str) -> None:
    """The check above can fail."""
    assert _odd(text) != []


@pytest.mark.parametrize("machine", MACHINES)
def test_expressions_stand_on_one_line(machine: str) -> None:
    """Validators refuse an expression with a line break, and a folded one keeps breaks within its texts."""
    texts = [text for state in states(machine).values() for text in strings(state)]
    assert [text for text in texts if is_expression(text) and "\n" in text.strip()] == []
    assert re.findall(r": [>|][-+0-9]*$", source(machine), re.MULTILINE) == []


@pytest.mark.parametrize("machine", MACHINES)
def test_no_partition_is_spelled_out(machine: str) -> None:
    """In China and GovCloud an ARN does not begin with `arn:aws:`."""
    assert "arn:aws" not in source(machine)
