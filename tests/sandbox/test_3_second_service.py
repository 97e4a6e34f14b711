"""A second service that would take the first one's requests is refused, and nobody notices it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.sandbox.cloud import Cloud
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import GoodRelease

pytestmark = pytest.mark.enable_socket

SECOND = "second"


@pytest.fixture(scope="module")
def refused(cloud: Cloud, good_release: GoodRelease) -> str:
    """Its stack: like the first one's ECS service, with a rule that would stand before its rule."""
    spec = {**cloud.spec, "service": SECOND, "traffic": [{"listener": cloud.listener, "priority": 50}]}
    parameter = {"Name": f"{cloud.outputs['SpecsPath']}{SECOND}", "Type": "String", "Value": json.dumps(spec)}
    service = {
        "ServiceToken": cloud.outputs["CleanupFunction"],
        "Service": SECOND,
        "Spec": {"Fn::GetAtt": ["Spec", "Value"]},
    }
    resources: dict[str, Any] = {
        "Spec": {"Type": "AWS::SSM::Parameter", "Properties": parameter},
        "Second": {"Type": "Custom::CrossfadeService", "Properties": service},
    }
    client = cloud.client("cloudformation")
    arn = client.create_stack(StackName=SECOND, TemplateBody=json.dumps({"Resources": resources}))["StackId"]

    def rolled_back() -> bool:
        return bool(client.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")

    until(rolled_back, "the end of the second service's stack")
    (reason,) = (
        event["ResourceStatusReason"]
        for event in client.describe_stack_events(StackName=arn)["StackEvents"]
        if event["ResourceStatus"] == "CREATE_FAILED"
    )
    cloud.delete_stack(arn)
    return str(reason)


def test_it_is_refused_by_name(cloud: Cloud, refused: str) -> None:
    """The reason names a rule of the first one that leads there already, without its secret."""
    assert "PatternUnusable" in refused
    assert "http-header x-crossfade-slot (secret)-pattern) leads to it as well" in refused


def test_the_first_services_clients_get_its_version(cloud: Cloud, refused: str) -> None:
    """All of them, and by its own rule alone."""
    found = [requests.get(f"{cloud.url}/version", timeout=10).json()["version"] for _ in range(20)]
    assert found == ["0.0.2"] * 20
    rules = cloud.client("elbv2").describe_rules(ListenerArn=cloud.listener)["Rules"]
    assert "50" not in {rule["Priority"] for rule in rules}


def test_nothing_was_made_for_it(cloud: Cloud, refused: str) -> None:
    """No target group of it is left, and no secret."""
    groups = cloud.client("elbv2").describe_target_groups()["TargetGroups"]
    assert not [group for group in groups if group["TargetGroupName"].startswith(f"cf-{SECOND}-")]
    found = cloud.client("ssm").get_parameters_by_path(Path="/crossfade/preview")["Parameters"]
    assert not [parameter for parameter in found if parameter["Name"].endswith(f"/{SECOND}")]
