"""What EventBridge tells a state machine in the running sandbox, with rules that SAM has made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox, until
from tests.sandbox_parts.containers.workflows import ACCOUNT, ROLE, Workflows

pytestmark = pytest.mark.enable_socket

WATCHED = ACCOUNT.format("states", "stateMachine:events-watched")
PARENT = ACCOUNT.format("states", "stateMachine:events-parent")
LISTENER = ACCOUNT.format("states", "stateMachine:events-listener")


def machine(name: str, states: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A state machine of a SAM template."""
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    definition["TimeoutSeconds"] = 4
    return {
        "Type": "AWS::Serverless::StateMachine",
        "Properties": {"Name": name, "Role": ROLE, "Definition": definition, **properties},
    }


@pytest.fixture(scope="module")
def listening(sandbox: Sandbox, workflows: Workflows) -> None:
    """A stack in which one state machine is told how the other ended."""
    ended = {
        "Pattern": {
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {"stateMachineArn": [WATCHED], "status": ["ABORTED", "TIMED_OUT", "FAILED"]},
        },
        "InputTransformer": {
            "InputPathsMap": {"execution": "$.detail.executionArn", "status": "$.detail.status"},
            "InputTemplate": '{"ended": <execution>, "status": "<status>"}',
        },
    }
    watched = {
        "Wait": {"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "Next": "Fail"},
        "Fail": {"Type": "Fail", "Error": "Wrong"},
    }
    parent = {
        "Child": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Arguments": {"StateMachineArn": WATCHED, "Input": {"seconds": 0}},
            "End": True,
        }
    }
    events = {"Ended": {"Type": "EventBridgeRule", "Properties": ended}}
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Watched": machine("events-watched", watched),
            "Parent": machine("events-parent", parent),
            "Listener": machine("events-listener", {"End": {"Type": "Succeed"}}, Events=events),
        },
    }
    cloudformation = sandbox.client("cloudformation")
    cloudformation.create_stack(
        StackName="events",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName="events")["Stacks"][0]["StackStatus"])

    until(lambda: status() == "CREATE_COMPLETE")


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        pytest.param(0, "FAILED", id="failed"),
        pytest.param(20, "TIMED_OUT", id="timed-out"),
        pytest.param(30, "ABORTED", id="stopped"),
    ],
)
def test_every_bad_end_is_told(workflows: Workflows, listening: None, seconds: int, status: str):
    """The execution that it starts gets the transformed input."""
    arn = workflows.start(WATCHED, {"seconds": seconds})
    if status == "ABORTED":
        workflows.states.stop_execution(executionArn=arn)

    assert until(lambda: told(workflows, arn)) == {"ended": arn, "status": status}


def test_the_bad_end_of_a_child_is_told(workflows: Workflows, listening: None):
    """An execution that another one waits for raises its events too."""
    before = {execution["executionArn"] for execution in workflows.executions(WATCHED)}
    workflows.start(PARENT)
    child = until(lambda: {e["executionArn"] for e in workflows.executions(WATCHED)} - before).pop()

    assert until(lambda: told(workflows, child)) == {"ended": child, "status": "FAILED"}


def told(workflows: Workflows, arn: str) -> dict[str, str] | None:
    """The input of the execution that was started because of another one's end."""
    inputs = [
        workflows.describe(execution["executionArn"])["input"] for execution in workflows.executions(LISTENER)
    ]
    return next((found for found in map(json.loads, inputs) if found.get("ended") == arn), None)
