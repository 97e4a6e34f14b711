"""Step Functions and Lambda in the running sandbox, where the emulator alone differs from AWS."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.unit.sandbox_containers.conftest import Sandbox, until

pytestmark = pytest.mark.enable_socket

ROLE = "arn:aws:iam::000000000000:role/workflows"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:workflows"
CODE = """\
import os
class StableSlotUnhealthy(Exception): pass
def handler(event, context):
    if event.get("fail"): raise StableSlotUnhealthy("what to do")
    return os.getpid()
"""


@pytest.fixture(scope="module")
def function(sandbox: Sandbox) -> str:
    """A Lambda function that fails when told to."""
    services = ["lambda.amazonaws.com", "states.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    sandbox.client("iam").create_role(RoleName="workflows", AssumeRolePolicyDocument=document)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("code.py", "")
        archive.writestr("fn.py", CODE)
    sandbox.client("lambda").create_function(
        FunctionName="workflows",
        Runtime="python3.13",
        Architectures=["arm64"],
        Handler="fn.handler",
        Role=ROLE,
        Code={"ZipFile": buffer.getvalue()},
    )
    return FUNCTION


def execute(sandbox: Sandbox, name: str, **definition: Any) -> dict[str, Any]:
    """Run a state machine to its end."""
    states = sandbox.client("stepfunctions")
    text = json.dumps({"QueryLanguage": "JSONata", **definition})
    machine = states.create_state_machine(name=name, definition=text, roleArn=ROLE)["stateMachineArn"]
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]

    def ended() -> dict[str, Any] | None:
        execution = states.describe_execution(executionArn=arn)
        return execution if execution["status"] != "RUNNING" else None

    return dict(until(ended))


def test_an_exception_is_known_by_its_class(sandbox: Sandbox, function: str):
    """ErrorEquals matches the class's name, and the cause holds the message, as on AWS."""
    catch = {
        "ErrorEquals": ["StableSlotUnhealthy"],
        "Assign": {"e": "{% $states.errorOutput %}"},
        "Next": "End",
    }
    execution = execute(
        sandbox,
        "errors",
        StartAt="Work",
        States={
            "Work": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": function, "Payload": {"fail": True}},
                "TimeoutSeconds": 10,
                "Catch": [catch],
                "End": True,
            },
            "End": {
                "Type": "Fail",
                "Error": "{% $e.Error %}",
                "Cause": "{% $parse($e.Cause).errorMessage %}",
            },
        },
    )

    assert (execution["error"], execution["cause"]) == ("StableSlotUnhealthy", "what to do")


def test_an_exception_does_not_end_the_worker(sandbox: Sandbox, function: str):
    """The call after a failed one is a warm one: the same process answers."""
    client = sandbox.client("lambda")

    def invoke(fail: bool) -> dict[str, Any]:
        return dict(client.invoke(FunctionName="workflows", Payload=json.dumps({"fail": fail})))

    before = invoke(fail=False)["Payload"].read()
    failed = invoke(fail=True)

    assert failed["FunctionError"] == "Unhandled"
    assert before == invoke(fail=False)["Payload"].read()


def test_succeed_has_an_output(sandbox: Sandbox, function: str):
    """What a Succeed state's Output says is the execution's output."""
    end = {"Type": "Succeed", "Output": {"sum": "{% 1 + 1 %}"}}
    execution = execute(sandbox, "output", StartAt="End", States={"End": end})

    assert json.loads(execution["output"]) == {"sum": 2}


def test_an_execution_times_out(sandbox: Sandbox, function: str):
    """TimeoutSeconds of the state machine ends it as TIMED_OUT."""
    wait = {"Type": "Wait", "Seconds": 30, "End": True}
    execution = execute(sandbox, "timeout", StartAt="Wait", States={"Wait": wait}, TimeoutSeconds=1)

    assert execution["status"] == "TIMED_OUT"
