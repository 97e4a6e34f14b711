"""Failures: every one has a name, is caught, and never ends in success."""

import ast
import builtins
from pathlib import Path
from typing import get_args

import networkx
import pytest

from crossfade.domain import errors
from crossfade.domain.verdict import Verdict
from faults.files import MACHINES, ROOT, definition, source
from tests.statemachine.definitions import every, states, tasks
from tests.statemachine.expressions import is_expression
from tests.statemachine.flow import graph

FOREIGN = ("States.", "Lambda.", "Runtime.", "Sandbox.", "StepFunctions.")
CODE = sorted((ROOT / "functions").rglob("*.py"))
NAMES = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.CrossfadeError)
}


def _raised(path: Path) -> set[str]:
    """The classes that a file raises or builds to be raised, as far as they are Crossfade's."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {call.func.id for call in calls if isinstance(call.func, ast.Name) and call.func.id in NAMES}


@pytest.mark.parametrize(("machine", "name"), every(tasks))
def test_every_task_catches_everything_last(machine: str, name: str) -> None:
    """Whatever is raised, by a handler or by AWS, is caught; the catch-all stands alone and last."""
    catchers = [catcher["ErrorEquals"] for catcher in states(machine)[name]["Catch"]]
    assert catchers[-1] == ["States.ALL"]
    assert not any("States.ALL" in names for names in catchers[:-1])


GOES_ON = {
    ("ClaimService", "MayPlanAgain"): "the service was taken meanwhile: plan again",
    ("QueueRelease", "MayPlanAgain"): "the service was freed meanwhile: plan again",
    (
        "StartProbe",
        "VerifyRestored",
    ): "the weights are back; without a probe the report says that nothing proves it",
    (
        "WriteReport",
        "RecordOutcome",
    ): "a report is no reason to hold a service: the journal says that there is none",
    ("StopLoser", "LoserRunsOn"): "after a promotion the old slot stays with who sends clients to it",
}


@pytest.mark.parametrize("machine", MACHINES)
def test_no_catch_leads_to_success(machine: str) -> None:
    """A deployment that failed never looks like a success."""
    found = graph(definition(machine))
    caught = {
        catcher["Next"]
        for name, state in tasks(machine).items()
        for catcher in state["Catch"]
        if (name, catcher["Next"]) not in GOES_ON
    }
    reachable = caught.union(*(networkx.descendants(found, name) for name in caught))
    assert {name for name in reachable if states(machine)[name]["Type"] == "Succeed"} == set()


@pytest.mark.parametrize("machine", MACHINES)
def test_a_verdict_to_roll_back_leads_to_failure(machine: str) -> None:
    """What assigns a failure cannot end in success either, caught or not."""
    found = graph(definition(machine))
    starts = {
        choice["Next"]
        for state in states(machine).values()
        for choice in state.get("Choices", [])
        if "failure" in choice.get("Assign", {})
    }
    reachable = starts.union(*(networkx.descendants(found, name) for name in starts))
    assert {name for name in reachable if states(machine)[name]["Type"] == "Succeed"} == set()


@pytest.mark.parametrize("machine", MACHINES)
def test_names_in_error_equals_exist(machine: str) -> None:
    """A name that nothing raises would never match."""
    names = {
        name
        for state in tasks(machine).values()
        for handler in [*state.get("Retry", []), *state["Catch"]]
        for name in handler["ErrorEquals"]
        if not name.startswith(FOREIGN)
    }
    assert names <= NAMES


@pytest.mark.parametrize("machine", MACHINES)
def test_errors_that_a_machine_makes_are_named(machine: str) -> None:
    """The literal Error of a Fail state is one of Crossfade's names."""
    fails = [state for state in states(machine).values() if state["Type"] == "Fail"]
    assert fails
    assert {fail["Error"] for fail in fails if not is_expression(fail["Error"])} <= NAMES


def test_errors_of_verdicts_are_named() -> None:
    """A verdict to roll back becomes the execution's error."""
    literal = get_args(Verdict.model_fields["error"].annotation)[0]
    assert set(get_args(literal)) <= NAMES


def test_no_name_is_dead() -> None:
    """Every error is raised by the code, said by a verdict, or by a definition."""
    raised = set().union(*(_raised(path) for path in CODE))
    said = {
        name for name in NAMES if any(f"Error: {name}\n" in source(machine) for machine in MACHINES)
    } | set(get_args(get_args(Verdict.model_fields["error"].annotation)[0]))
    assert NAMES - raised - said - {"CrossfadeError"} == set()


def test_nothing_raises_a_built_in() -> None:
    """It would reach a person on call as `RuntimeError`; ValueError is pydantic's, which names the field."""
    raised = {
        (path.name, ast.unparse(node.exc.func))
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }
    built_in = {(file, name) for file, name in raised if hasattr(builtins, name) and name != "ValueError"}
    assert built_in == {("cleanup.py", "TimeoutError")}  # told to CloudFormation, not to the workflow


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_says_what_to_do(name: str) -> None:
    """The docstring of an error is its entry for a person on call."""
    assert getattr(errors, name).__doc__.endswith(".")
