"""A state machine that waits for another one, as a deployment waits for its rollback."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from faults.aws import machines
from faults.aws.stack import machine_arn
from faults.cases.scenarios import SPEC
from faults.cases.service import document
from faults.workflow.definition import START_AND_WAIT, Definition, read
from faults.workflow.execution import Execution
from faults.world import World
from tests.faults.small_machine import machine

SUCCEEDS = {"Type": "Pass", "Output": {"a": [1], "given": "{% $states.input %}"}, "Next": "End"}
FAILS = {"Type": "Fail", "Error": "Broken", "Cause": "because"}
TAKES_LONG = {"Type": "Wait", "Seconds": 100, "Next": "End"}

Family = Callable[..., tuple[Execution, World]]


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Family:
    """Return a function that starts a deployment which waits for a rollback of one state."""

    def start(child: dict[str, Any], **fields: Any) -> tuple[Execution, World]:
        caught = {"Output": "{% $states.errorOutput %}", "Next": "End", "ErrorEquals": ["States.ALL"]}
        parent = {
            "Type": "Task",
            "Resource": START_AND_WAIT,
            "Arguments": {"StateMachineArn": machine_arn("rollback"), "Input": {"x": 1}},
            "TimeoutSeconds": 60,
            "Catch": [caught],
            "Next": "End",
        }
        known: dict[str, Definition] = {
            "deploy": read(machine({"Parent": parent | fields})),
            "rollback": read(machine({"Child": child})),
        }
        monkeypatch.setattr(machines, "definition", known.__getitem__)
        monkeypatch.setattr("faults.aws.events.rules", list)
        world = World(document(**SPEC))
        return world.machines.start("deploy", None, "parent"), world

    return start


def test_a_child_that_succeeds(family: Family) -> None:
    """Its output comes parsed, with what DescribeExecution tells, in capitals."""
    parent, world = family(SUCCEEDS)
    world.clock.run()
    assert parent.output["Output"] == {"a": [1], "given": {"x": 1}}
    assert parent.output["Status"] == "SUCCEEDED"


def test_a_child_that_fails(family: Family) -> None:
    """The parent gets States.TaskFailed; the child's own error is in the cause, a JSON document."""
    parent, world = family(FAILS)
    world.clock.run()
    cause = json.loads(parent.output["Cause"])
    assert parent.output["Error"] == "States.TaskFailed"
    assert (cause["Error"], cause["Cause"], cause["Status"]) == ("Broken", "because", "FAILED")
    assert json.loads(cause["Input"]) == {"x": 1}


def test_a_child_that_is_stopped(family: Family) -> None:
    """For its parent that is a failure like any other."""
    parent, world = family(TAKES_LONG)
    world.clock.run_for(10)
    world.machines.executions[1].stop()
    world.clock.run()
    assert json.loads(parent.output["Cause"])["Status"] == "ABORTED"


def test_stopping_the_parent_stops_the_child(family: Family) -> None:
    """And so does the end of its time."""
    parent, world = family(TAKES_LONG)
    world.clock.run_for(10)
    parent.stop()
    assert [execution.status for execution in world.machines.executions] == ["ABORTED", "ABORTED"]


def test_a_child_that_takes_too_long_is_stopped(family: Family) -> None:
    """The Task's own limit."""
    parent, world = family(TAKES_LONG, TimeoutSeconds=5)
    world.clock.run()
    assert parent.output == {"Error": "States.Timeout"}
    assert world.machines.executions[1].status == "ABORTED"
