"""The deletion of stacks in the running sandbox, nested ones and what is going on in them included."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox_parts.containers.conftest import Sandbox, until
from tests.sandbox_parts.containers.workflows import ACCOUNT, ROLE, Workflows, call

pytestmark = pytest.mark.enable_socket

# Answers the deletion after a while, and as the resource's properties say.
CODE = """\
import json, time, urllib.request
def handler(event, context):
    properties = event["ResourceProperties"]
    deleted = event["RequestType"] == "Delete"
    if deleted: time.sleep(float(properties["Seconds"]))
    answer = {
        "Status": properties["Answer"] if deleted else "SUCCESS",
        "Reason": "tasks are left",
        "PhysicalResourceId": "web",
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], body, method="PUT"), timeout=10)
"""


@pytest.fixture(scope="module")
def cleanup(sandbox: Sandbox, workflows: Workflows) -> str:
    """The function behind the custom resource."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("fn.py", CODE)
    made = sandbox.client("lambda").create_function(
        FunctionName="cleanup",
        Runtime="python3.13",
        Handler="fn.handler",
        Role=ROLE,
        Timeout=60,
        Code={"ZipFile": buffer.getvalue()},
    )
    sandbox.client("s3").create_bucket(Bucket="templates")
    return str(made["FunctionArn"])


def create(sandbox: Sandbox, name: str, resources: dict[str, Any], nested: dict[str, Any]) -> None:
    """Create a stack with a nested one."""
    sandbox.client("s3").put_object(Bucket="templates", Key=name, Body=json.dumps({"Resources": nested}))
    url = f"{sandbox.endpoint}/templates/{name}"
    inner = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    template = {"Resources": {**resources, "Nested": inner}}
    cloudformation = sandbox.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    until(lambda: status(sandbox, name) == "CREATE_COMPLETE")


def status(sandbox: Sandbox, name: str) -> str:
    """The stack's status; a deleted one is not found by its name."""
    try:
        stack = sandbox.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError:
        return "DELETE_COMPLETE"
    return str(stack["StackStatus"])


def custom(function: str, answer: str, seconds: float) -> dict[str, Any]:
    """A custom resource whose deletion takes a while and ends so."""
    properties = {"ServiceToken": function, "Answer": answer, "Seconds": seconds}
    return {"Type": "Custom::CrossfadeService", "Properties": properties}


def test_a_deletion_waits_for_its_custom_resources(
    sandbox: Sandbox, workflows: Workflows, cleanup: str, tmp_path: Path
):
    """The emulator serves on meanwhile; then executions of the stack's state machine end."""
    notes = tmp_path / "notes"
    states = {
        "Work": {**call(note=str(notes)), "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Work"},
    }
    del states["Work"]["End"]
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Work", "States": states})
    properties = {"StateMachineName": "of-a-stack", "RoleArn": ROLE, "DefinitionString": definition}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    create(sandbox, "waiting", {"Machine": machine}, {"Service": custom(cleanup, "SUCCESS", 4)})
    workflows.start(ACCOUNT.format("states", "stateMachine:of-a-stack"))
    until(notes.exists)
    began = time.monotonic()

    sandbox.client("cloudformation").delete_stack(StackName="waiting")
    time.sleep(1)
    during = status(sandbox, "waiting")
    until(lambda: status(sandbox, "waiting") == "DELETE_COMPLETE")
    took = time.monotonic() - began
    time.sleep(1.5)
    after = notes.read_text()
    time.sleep(2)

    assert (during, notes.read_text()) == ("DELETE_IN_PROGRESS", after)
    assert took >= 4


def test_a_failed_deletion_is_the_parents_too(sandbox: Sandbox, cleanup: str):
    """What a custom resource of a nested stack could not do is not passed over."""
    create(sandbox, "failing", {}, {"Service": custom(cleanup, "FAILED", 0)})

    sandbox.client("cloudformation").delete_stack(StackName="failing")
    until(lambda: status(sandbox, "failing").startswith("DELETE_") and status(sandbox, "failing")[7] != "I")

    assert status(sandbox, "failing") == "DELETE_FAILED"
    events = sandbox.client("cloudformation").describe_stack_events(StackName="failing")["StackEvents"]
    assert any("tasks are left" in event.get("ResourceStatusReason", "") for event in events)


def test_a_nested_stack_keeps_what_it_is_told_to(sandbox: Sandbox, cleanup: str):
    """DeletionPolicy: Retain holds in a nested stack as well."""
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}}
    kept = {
        **parameter,
        "DeletionPolicy": "Retain",
        "Properties": {**parameter["Properties"], "Name": "kept"},
    }
    gone = {**parameter, "Properties": {**parameter["Properties"], "Name": "gone"}}
    create(sandbox, "keeping", {}, {"Kept": kept, "Gone": gone})

    sandbox.client("cloudformation").delete_stack(StackName="keeping")
    until(lambda: status(sandbox, "keeping") == "DELETE_COMPLETE")

    found = sandbox.client("ssm").get_parameters(Names=["kept", "gone"])["Parameters"]
    assert [parameter["Name"] for parameter in found] == ["kept"]
