"""Application Auto Scaling in the running sandbox: targets that are registered, suspended and read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox_parts.containers.conftest import Sandbox, until
from tests.sandbox_parts.containers.workflows import make_function

pytestmark = pytest.mark.enable_socket

RESOURCE = "service/scaled/web-green"
TARGET = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": "ecs:service:DesiredCount"}
SUSPENDED = {
    "DynamicScalingInSuspended": True,
    "DynamicScalingOutSuspended": True,
    "ScheduledScalingSuspended": True,
}
RESUMED = dict.fromkeys(SUSPENDED, False)


@pytest.fixture(scope="module")
def service(sandbox: Sandbox) -> None:
    """An ECS service that runs nothing."""
    ecs = sandbox.client("ecs")
    ecs.create_cluster(clusterName="scaled")
    container = {"name": "app", "image": "nothing"}
    ecs.register_task_definition(family="scaled", containerDefinitions=[container])
    ecs.create_service(cluster="scaled", serviceName="web-green", taskDefinition="scaled", desiredCount=0)


@pytest.fixture
def scaling(sandbox: Sandbox, service: None) -> Any:
    """A client, and no target registered."""
    client = sandbox.client("application-autoscaling")
    for target in client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]:
        names = ("ServiceNamespace", "ResourceId", "ScalableDimension")
        client.deregister_scalable_target(**{name: target[name] for name in names})
    return client


def read(client: Any, **filters: Any) -> list[dict[str, Any]]:
    """The targets that a filter lets through."""
    return list(client.describe_scalable_targets(ServiceNamespace="ecs", **filters)["ScalableTargets"])


def test_a_suspension_leaves_the_capacity(scaling: Any):
    """Registering again with a SuspendedState only changes nothing else, nor its creation."""
    arn = scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9)["ScalableTargetARN"]
    before = read(scaling)[0]
    again = scaling.register_scalable_target(**TARGET, SuspendedState=SUSPENDED)

    found = read(scaling, ResourceIds=[RESOURCE], ScalableDimension=TARGET["ScalableDimension"])[0]

    assert before["SuspendedState"] == RESUMED
    assert found == before | {"SuspendedState": SUSPENDED}
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 9)
    assert again["ScalableTargetARN"] == found["ScalableTargetARN"] == arn
    assert "AWSServiceRoleForApplicationAutoScaling_ECSService" in found["RoleARN"]


def test_only_what_is_given_is_suspended(scaling: Any):
    """A part that is not named stays as it is."""
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9, SuspendedState=SUSPENDED)
    scaling.register_scalable_target(**TARGET, SuspendedState={"DynamicScalingInSuspended": False})

    assert read(scaling)[0]["SuspendedState"] == SUSPENDED | {"DynamicScalingInSuspended": False}


def test_a_service_without_a_target(scaling: Any):
    """Nothing is found, and nothing can be taken away."""
    assert read(scaling, ResourceIds=[RESOURCE]) == []
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.deregister_scalable_target(**TARGET)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"MinCapacity": 1}, "MaxCapacity", id="without-a-maximum"),
        pytest.param({"SuspendedState": SUSPENDED}, "MinCapacity", id="suspends-what-is-not-registered"),
        pytest.param({"MinCapacity": 5, "MaxCapacity": 1}, "less than", id="upside-down"),
        pytest.param(
            {"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "service/scaled/web-red"},
            "ECS service doesn't exist: service/scaled/web-red",
            id="no-such-service",
        ),
    ],
)
def test_what_is_refused(scaling: Any, given: dict[str, Any], reason: str):
    """Each is a ValidationException."""
    with pytest.raises(scaling.exceptions.ValidationException, match=reason):
        scaling.register_scalable_target(**{**TARGET, **given})


def test_the_command_line(sandbox: Sandbox, scaling: Any, tmp_path: Path):
    """`aws application-autoscaling` works as its documentation shows it."""
    env = os.environ | {
        "AWS_ENDPOINT_URL": sandbox.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "HOME": str(tmp_path),
    }
    aws = [str(Path(sys.executable).with_name("aws")), "application-autoscaling"]
    names = ["--service-namespace", "ecs", "--resource-id", RESOURCE]
    names += ["--scalable-dimension", TARGET["ScalableDimension"]]
    register = [*aws, "register-scalable-target", *names, "--min-capacity", "2", "--max-capacity", "4"]
    subprocess.run(register, env=env, check=True, timeout=60, capture_output=True)

    describe = [*aws, "describe-scalable-targets", "--service-namespace", "ecs", "--resource-ids", RESOURCE]
    printed = subprocess.run(describe, env=env, check=True, timeout=60, capture_output=True).stdout

    assert [target["MaxCapacity"] for target in json.loads(printed)["ScalableTargets"]] == [4]


def test_the_count_is_brought_within_the_bounds(sandbox: Sandbox, scaling: Any):
    """Of a service that stands at 0 as well, and when only a suspension is written."""
    ecs = sandbox.client("ecs")

    def count() -> int:
        found = ecs.describe_services(cluster="scaled", services=["web-green"])["services"][0]
        return int(found["desiredCount"])

    ecs.update_service(cluster="scaled", service="web-green", desiredCount=0)
    scaling.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=4)
    registered = count()
    ecs.update_service(cluster="scaled", service="web-green", desiredCount=9)
    scaling.register_scalable_target(**TARGET, SuspendedState=SUSPENDED)
    suspended = count()
    ecs.update_service(cluster="scaled", service="web-green", desiredCount=0)

    assert (registered, suspended) == (2, 4)


def test_an_alarm_scales_unless_that_is_suspended(sandbox: Sandbox, scaling: Any):
    """Each time that it is raised, within the bounds."""
    ecs, cloudwatch = sandbox.client("ecs"), sandbox.client("cloudwatch")
    policy = {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}],
    }
    given = {"PolicyName": "out", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": policy}
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.put_scaling_policy(**TARGET, **given)
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=5, SuspendedState=SUSPENDED)
    arn = scaling.put_scaling_policy(**TARGET, **given)["PolicyARN"]
    cloudwatch.put_metric_alarm(
        AlarmName="busy", Namespace="Web", MetricName="Load", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore", AlarmActions=[arn],
    )  # fmt: skip

    def raised() -> int:
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName="busy", StateValue=state, StateReason="told to")
        found = ecs.describe_services(cluster="scaled", services=["web-green"])["services"][0]
        return int(found["desiredCount"])

    ecs.update_service(cluster="scaled", service="web-green", desiredCount=1)
    suspended = raised()
    scaling.register_scalable_target(**TARGET, SuspendedState={"DynamicScalingOutSuspended": False})
    counts = [raised(), raised()]
    ecs.update_service(cluster="scaled", service="web-green", desiredCount=0)

    assert (suspended, counts) == (1, [4, 5])


def test_a_function_needs_the_right(sandbox: Sandbox, scaling: Any):
    """A role may read all, and register where the conditions of its policy fit and it may scale itself."""
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9)
    prefix = "application-autoscaling"
    reading = {"Effect": "Allow", "Action": f"{prefix}:DescribeScalableTargets", "Resource": "*"}
    writing = {
        "Effect": "Allow",
        "Action": f"{prefix}:RegisterScalableTarget",
        "Resource": f"arn:aws:{prefix}:us-east-1:000000000000:scalable-target/*",
        "Condition": {"StringEquals": {f"{prefix}:service-namespace": "ecs"}},
    }
    service = "arn:aws:ecs:us-east-1:000000000000:" + RESOURCE
    scaling_itself = [
        {"Effect": "Allow", "Action": ["ecs:DescribeServices", "ecs:UpdateService"], "Resource": service},
        {"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"],
            "Resource": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:",
        },
    ]
    make_function(sandbox, "scaling-reader", reading)
    make_function(sandbox, "scaling-writer", reading, writing, *scaling_itself)
    make_function(sandbox, "scaling-stranger", reading, writing, *scaling_itself[1:])

    def attempt(function: str, operation: str, **parameters: Any) -> dict[str, Any]:
        payload = json.dumps({"call": [prefix, operation, parameters]})
        answer = sandbox.client("lambda").invoke(FunctionName=function, Payload=payload)
        return dict(json.loads(answer["Payload"].read()))

    refused = attempt("scaling-reader", "register_scalable_target", **TARGET, SuspendedState=SUSPENDED)
    stranger = attempt("scaling-stranger", "register_scalable_target", **TARGET, SuspendedState=SUSPENDED)
    allowed = attempt("scaling-writer", "register_scalable_target", **TARGET, SuspendedState=SUSPENDED)

    def shown() -> bool:
        found = attempt("scaling-reader", "describe_scalable_targets", ServiceNamespace="ecs")
        return [target["SuspendedState"] for target in found["ScalableTargets"]] == [SUSPENDED]

    assert "AccessDenied" in refused["errorMessage"]
    assert "ValidationException" in stranger["errorMessage"]
    assert (
        f"not authorized to perform: ecs:DescribeServices on resource: {service}" in stranger["errorMessage"]
    )
    assert "ScalableTargetARN" in allowed
    until(shown)  # a role reads what was just written a while later


def test_pages(scaling: Any):
    """A long answer comes in pages."""
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9)

    pages = scaling.get_paginator("describe_scalable_targets").paginate(
        ServiceNamespace="ecs", PaginationConfig={"PageSize": 1}
    )

    assert [target["ResourceId"] for page in pages for target in page["ScalableTargets"]] == [RESOURCE]


def test_another_service_is_not_there(scaling: Any):
    """What the sandbox lacks says so."""
    with pytest.raises(ClientError, match="not in the sandbox"):
        scaling.describe_scaling_activities(ServiceNamespace="ecs")
