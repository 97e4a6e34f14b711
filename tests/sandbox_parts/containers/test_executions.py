"""How executions begin, end and wait for each other in the running sandbox."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.sandbox_parts.containers.conftest import until
from tests.sandbox_parts.containers.workflows import Workflows, call

pytestmark = pytest.mark.enable_socket

WAIT = {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}


def parent_of(child: str, **state: object) -> dict[str, object]:
    """States that run another state machine and hand on what came of it."""
    return {
        "Child": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Arguments": {"StateMachineArn": child, "Input": {"service": "web"}},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "End"}],
            "Next": "End",
            **state,
        },
        "End": {"Type": "Succeed"},
    }


def test_an_execution_times_out(workflows: Workflows):
    """TimeoutSeconds of the state machine ends it as TIMED_OUT."""
    assert workflows.execute("timeout", WAIT, TimeoutSeconds=1)["status"] == "TIMED_OUT"


class TestStart:
    """StartExecution with a name."""

    def test_the_same_again_while_it_runs(self, workflows: Workflows):
        """Same name, same input: the first answer."""
        machine = workflows.machine("again", WAIT)
        first = workflows.states.start_execution(stateMachineArn=machine, name="n", input='{"a": 1}')

        second = workflows.states.start_execution(stateMachineArn=machine, name="n", input='{"a": 1}')

        assert first["executionArn"] == second["executionArn"]
        assert first["startDate"] == second["startDate"]
        assert len(workflows.executions(machine)) == 1

    @pytest.mark.parametrize(
        "ended", [pytest.param(False, id="another-input"), pytest.param(True, id="ended")]
    )
    def test_a_name_is_used_once(self, workflows: Workflows, ended: bool):
        """With another input, or after the end, the name is taken."""
        machine = workflows.machine(f"taken-{ended}", WAIT)
        arn = workflows.start(machine, {"a": 1}, name="n")
        if ended:
            workflows.states.stop_execution(executionArn=arn)

        with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
            workflows.start(machine, {"a": 1} if ended else {"a": 2}, name="n")

    @pytest.mark.parametrize("name", ["a" * 81, "with space", "a:b"])
    def test_a_name_has_its_limits(self, workflows: Workflows, name: str):
        """At most 80 characters, and not all of them."""
        machine = workflows.machine("limits", WAIT)

        with pytest.raises(ClientError, match="InvalidName"):
            workflows.start(machine, name=name)


class TestStop:
    """StopExecution."""

    def test_no_state_is_entered_any_more(self, workflows: Workflows, tmp_path: Path):
        """The call under way goes on to its end; nothing is retried, and no state follows."""
        notes = tmp_path / "notes"
        retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}]
        states = {
            "Work": {**call(note=str(notes), seconds=1, fail=True), "Retry": retry},
        }
        arn = workflows.start(workflows.machine("stopped", states))
        until(notes.exists)

        workflows.states.stop_execution(executionArn=arn, error="Stopped", cause="by a person")
        time.sleep(3)

        found = workflows.describe(arn)
        assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Stopped", "by a person")
        assert len(notes.read_text().splitlines()) == 1
        assert workflows.history(arn)[-1]["type"] == "ExecutionAborted"

    def test_branches_end_too(self, workflows: Workflows, tmp_path: Path):
        """A branch that waits does not go on to its next state."""
        notes = tmp_path / "notes"
        branch = {
            "StartAt": "Wait",
            "States": {
                "Wait": {"Type": "Wait", "Seconds": 2, "Next": "Work"},
                "Work": call(note=str(notes)),
            },
        }
        states = {"Both": {"Type": "Parallel", "Branches": [branch, branch], "End": True}}
        arn = workflows.start(workflows.machine("branches", states))
        workflows.entered(arn, "Both")

        workflows.states.stop_execution(executionArn=arn)
        time.sleep(3)

        assert not notes.exists()

    def test_the_child_is_stopped_with_its_parent(self, workflows: Workflows):
        """What a parent waits for does not outlive it."""
        child = workflows.machine("stopped-child", WAIT)
        arn = workflows.start(workflows.machine("stopped-parent", parent_of(child)))
        started = until(lambda: workflows.executions(child))[0]["executionArn"]

        workflows.states.stop_execution(executionArn=arn)

        assert workflows.ended(started)["status"] == "ABORTED"
        assert workflows.describe(arn)["status"] == "ABORTED"

    def test_a_deleted_machine_takes_its_executions_along(self, workflows: Workflows, tmp_path: Path):
        """They end at the next transition."""
        notes = tmp_path / "notes"
        states = {
            "Wait": {"Type": "Wait", "Seconds": 2, "Next": "Work"},
            "Work": call(note=str(notes)),
        }
        machine = workflows.machine("deleted", states)
        workflows.entered(workflows.start(machine), "Wait")

        workflows.states.delete_state_machine(stateMachineArn=machine)
        time.sleep(3)

        assert not notes.exists()


class TestChild:
    """startExecution.sync:2."""

    def test_its_output_is_parsed(self, workflows: Workflows):
        """Output is JSON, and times are in milliseconds."""
        child = workflows.machine(
            "good-child", {"End": {"Type": "Succeed", "Output": {"outcome": "restored"}}}
        )

        found = workflows.output("good-parent", parent_of(child))

        assert found["Output"] == {"outcome": "restored"}
        assert found["Status"] == "SUCCEEDED"
        assert json.loads(found["Input"]) == {"service": "web"}
        assert found["StartDate"] <= found["StopDate"]

    @pytest.mark.parametrize("language", ["JSONata", "JSONPath"])
    def test_its_failure_is_wrapped(self, workflows: Workflows, language: str):
        """The error is States.TaskFailed; the child's own is in the cause."""
        fail = {"End": {"Type": "Fail", "Error": "StableSlotUnhealthy", "Cause": "look at blue"}}
        child = workflows.machine(f"bad-child-{language}", fail, QueryLanguage=language)

        found = workflows.output(f"bad-parent-{language}", parent_of(child))

        cause = json.loads(found["Cause"])
        assert found["Error"] == "States.TaskFailed"
        assert (cause["Status"], cause["Error"], cause["Cause"]) == (
            "FAILED",
            "StableSlotUnhealthy",
            "look at blue",
        )
        assert cause["ExecutionArn"] == workflows.executions(child)[0]["executionArn"]
        assert {"StateMachineArn", "Name", "StartDate", "StopDate", "Input"} <= set(cause)

    def test_its_end_by_a_person_is_a_failure(self, workflows: Workflows):
        """A child that is stopped fails its parent's task."""
        child = workflows.machine("aborted-child", WAIT)
        arn = workflows.start(workflows.machine("aborted-parent", parent_of(child)))
        started = until(lambda: workflows.executions(child))[0]["executionArn"]

        workflows.states.stop_execution(executionArn=started, error="E", cause="C")

        found = json.loads(workflows.ended(arn)["output"])
        assert found["Error"] == "States.TaskFailed"
        assert json.loads(found["Cause"])["Status"] == "ABORTED"
