"""The states language and Lambda in the running sandbox, where the emulator alone differs from AWS."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox
from tests.sandbox_parts.containers.workflows import Workflows, call, make_function

pytestmark = pytest.mark.enable_socket


def test_an_exception_is_known_by_its_class(workflows: Workflows):
    """ErrorEquals matches the class's name, and the cause holds the message, as on AWS."""
    catch = {
        "ErrorEquals": ["StableSlotUnhealthy"],
        "Assign": {"e": "{% $states.errorOutput %}"},
        "Next": "End",
    }
    end = {"Type": "Fail", "Error": "{% $e.Error %}", "Cause": "{% $parse($e.Cause).errorMessage %}"}
    execution = workflows.execute("errors", {"Work": {**call(fail=True), "Catch": [catch]}, "End": end})

    assert (execution["error"], execution["cause"]) == ("StableSlotUnhealthy", "what to do")
    assert not execution.get("output")


def test_an_exception_does_not_end_the_worker(sandbox: Sandbox, workflows: Workflows):
    """The call after a failed one is a warm one: the same process answers."""
    client = sandbox.client("lambda")

    def invoke(fail: bool) -> dict[str, Any]:
        return dict(client.invoke(FunctionName="workflows", Payload=json.dumps({"fail": fail})))

    before = invoke(fail=False)["Payload"].read()
    failed = invoke(fail=True)

    assert failed["FunctionError"] == "Unhandled"
    assert before == invoke(fail=False)["Payload"].read()


def test_a_function_has_its_memory_and_no_more(workflows: Workflows):
    """It is killed when it takes more, and a workflow is told so in Lambda's words; the next call works."""
    execution = workflows.execute("memory", {"Work": call(megabytes=200, seconds=5)})
    cause = json.loads(execution["cause"])

    assert (execution["error"], cause["errorType"]) == ("Runtime.ExitError", "Runtime.ExitError")
    assert re.fullmatch(
        r"RequestId: [0-9a-f-]{36} Error: Runtime exited with error: signal: killed", cause["errorMessage"]
    )
    assert workflows.output("memory-again", {"Work": call(megabytes=20)})


def test_a_time_out_is_told_as_a_sentence(sandbox: Sandbox, workflows: Workflows):
    """Not as JSON: whoever parses the cause has to look first."""
    slow = make_function(sandbox, "slow", timeout=1)
    execution = workflows.execute("time-out", {"Work": call(slow, seconds=20)})
    sentence, _, payload = execution["cause"].partition(" Returned payload: ")

    assert execution["error"] == "Lambda.Unknown"
    assert sentence == "The cause could not be determined because Lambda did not return an error type."
    assert re.fullmatch(
        r"\S+Z \S{36} Task timed out after 1\.00 seconds", json.loads(payload)["errorMessage"]
    )


def test_succeed_has_an_output(workflows: Workflows):
    """What a Succeed state's Output says is the execution's output."""
    assert workflows.output("output", {"End": {"Type": "Succeed", "Output": {"sum": "{% 1 + 1 %}"}}}) == {
        "sum": 2
    }


def choice(**default: Any) -> dict[str, Any]:
    """A state machine that chooses: a rule for input 1, the rest is the default."""
    rule = {"Condition": "{% $states.input = 1 %}", "Output": "rule", "Assign": {"a": "rule"}, "Next": "End"}
    end = {"Type": "Succeed", "Output": ["{% $states.input %}", "{% $a %}"]}
    start = {"Type": "Pass", "Assign": {"a": "start"}, "Next": "Choose"}
    return {
        "Start": start,
        "Choose": {"Type": "Choice", "Choices": [rule], "Default": "End", **default},
        "End": end,
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(1, ["rule", "rule"], id="a-rule-has-its-own"),
        pytest.param(2, ["default", "start default"], id="the-states-own-are-the-defaults"),
    ],
)
def test_a_choice_has_an_output(workflows: Workflows, given: int, expected: list[str]):
    """Output and Assign of a rule, or of the state when no rule fits."""
    states = choice(Output="default", Assign={"a": "{% $a & ' default' %}"})

    assert workflows.output(f"choice-{given}", states, given) == expected


def test_a_choice_without_output_hands_its_input_on(workflows: Workflows):
    """Nothing changes on the way to the default."""
    assert workflows.output("choice-plain", choice(), 3) == [3, "start"]


def test_an_assign_sees_the_variables_as_they_were(workflows: Workflows):
    """All expressions of an Assign are evaluated at once."""
    states = {
        "A": {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"a": "{% $b %}", "b": "{% $a %}"}, "Next": "C"},
        "C": {"Type": "Pass", "Output": "{% [$a, $b] %}", "End": True},
    }

    assert workflows.output("swap", states) == [2, 1]


def test_the_input_is_in_the_context(workflows: Workflows):
    """$states.context.Execution.Input is what the execution was started with."""
    states = {
        "Forget": {"Type": "Pass", "Output": {}, "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": "{% $states.context.Execution.Input.seconds %}", "Next": "Tell"},
        "Tell": {"Type": "Pass", "Output": "{% $states.context.Execution.Input %}", "End": True},
    }
    began = time.monotonic()

    assert workflows.output("context", states, {"seconds": 1}) == {"seconds": 1}
    assert time.monotonic() - began >= 1


def test_retries_come_before_a_catch(workflows: Workflows, tmp_path):
    """The first Retry that fits is used up, then the first Catch that fits; MaxDelaySeconds is kept."""
    notes = tmp_path / "notes"
    retry = [
        {"ErrorEquals": ["Other"], "MaxAttempts": 9},
        {
            "ErrorEquals": ["StableSlotUnhealthy"],
            "MaxAttempts": 2,
            "IntervalSeconds": 20,
            "MaxDelaySeconds": 0.1,
            "JitterStrategy": "FULL",
        },
        {"ErrorEquals": ["States.ALL"], "MaxAttempts": 9},
    ]
    catch = [
        {"ErrorEquals": ["Other"], "Next": "Wrong"},
        {"ErrorEquals": ["States.TaskFailed"], "Next": "Right"},
        {"ErrorEquals": ["States.ALL"], "Next": "Wrong"},
    ]
    states = {
        "Work": {**call(fail=True, note=str(notes)), "Retry": retry, "Catch": catch},
        "Wrong": {"Type": "Fail"},
        "Right": {"Type": "Succeed"},
    }

    assert workflows.execute("order", states)["status"] == "SUCCEEDED"
    assert len(notes.read_text().splitlines()) == 3
