"""State machines and a Lambda function for them, in the running sandbox."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from tests.sandbox_parts.containers.conftest import Sandbox, until

ACCOUNT = "arn:aws:{}:us-east-1:000000000000:{}"
ROLE = "arn:aws:iam::000000000000:role/workflows"
FUNCTION = ACCOUNT.format("lambda", "function:workflows")
# Does what its event says: notes that it was called, takes time or memory, fails, or makes a call to AWS.
CODE = """\
import json, os, time
class StableSlotUnhealthy(Exception): pass
def handler(event, context):
    if "note" in event:
        with open(event["note"], "a") as file: file.write(json.dumps(event) + "\\n")
    taken = b"x" * (event.get("megabytes", 0) << 20)
    time.sleep(event.get("seconds", 0))
    if event.get("fail"): raise StableSlotUnhealthy("what to do")
    if "call" in event:
        import boto3
        service, operation, parameters = event["call"]
        return json.loads(json.dumps(getattr(boto3.client(service), operation)(**parameters), default=str))
    return os.getpid()
"""


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def make_function(
    sandbox: Sandbox, name: str = "workflows", *allowed: dict[str, Any], timeout: int = 30
) -> str:
    """A Lambda function with a role of the same name that allows what is given; returns its ARN."""
    services = ["lambda.amazonaws.com", "states.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    iam = sandbox.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    if allowed:
        iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=policy(*allowed))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("fn.py", CODE)
    made = sandbox.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Architectures=["arm64"],
        Handler="fn.handler",
        Role=role,
        Timeout=timeout,
        Code={"ZipFile": buffer.getvalue()},
    )
    return str(made["FunctionArn"])


def call(function: str = FUNCTION, **payload: Any) -> dict[str, Any]:
    """A Task state that calls the function, or another one."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": payload},
        "TimeoutSeconds": 20,
        "End": True,
    }


@dataclass
class Workflows:
    """Step Functions of the running sandbox."""

    sandbox: Sandbox

    def __post_init__(self) -> None:
        self.states = self.sandbox.client("stepfunctions")

    def machine(self, name: str, states: dict[str, Any], **definition: Any) -> str:
        """Make a state machine that starts with the first state; returns its ARN."""
        text = json.dumps(
            {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **definition}
        )
        made = self.states.create_state_machine(name=name, definition=text, roleArn=ROLE)
        return str(made["stateMachineArn"])

    def start(self, machine: str, given: object = None, **options: Any) -> str:
        """Start an execution; returns its ARN."""
        started = self.states.start_execution(
            stateMachineArn=machine, input=json.dumps({} if given is None else given), **options
        )
        return str(started["executionArn"])

    def describe(self, arn: str) -> dict[str, Any]:
        """DescribeExecution."""
        return dict(self.states.describe_execution(executionArn=arn))

    def ended(self, arn: str) -> dict[str, Any]:
        """The execution, once it has ended."""
        return dict(until(lambda: (found := self.describe(arn))["status"] != "RUNNING" and found))

    def execute(self, name: str, states: dict[str, Any], given: object = None, **definition: Any) -> Any:
        """Make a state machine and run it to its end."""
        return self.ended(self.start(self.machine(name, states, **definition), given))

    def output(self, name: str, states: dict[str, Any], given: object = None) -> Any:
        """What came out of a state machine that succeeded."""
        execution = self.execute(name, states, given)
        assert execution["status"] == "SUCCEEDED", execution
        return json.loads(execution["output"])

    def executions(self, machine: str) -> list[dict[str, Any]]:
        """The executions of a state machine."""
        return list(self.states.list_executions(stateMachineArn=machine)["executions"])

    def history(self, arn: str) -> list[dict[str, Any]]:
        """The events of an execution."""
        return list(self.states.get_execution_history(executionArn=arn)["events"])

    def entered(self, arn: str, state: str) -> None:
        """Wait until an execution is in a state."""
        until(
            lambda: any(
                event.get("stateEnteredEventDetails", {}).get("name") == state for event in self.history(arn)
            )
        )
