"""Scaling policies and scheduled actions in the running sandbox, by calls and in stacks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox
from tests.sandbox_parts.containers.stacks import Resources, Stack

pytestmark = pytest.mark.enable_socket

RESOURCE = "service/policies/web"
TARGET = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": "ecs:service:DesiredCount"}
CPU = {
    "TargetValue": 60.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}
TRACKING = {
    "PolicyName": "cpu",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": CPU,
}
NIGHT = {
    "ScheduledActionName": "night",
    "Schedule": "cron(0 22 * * ? *)",
    "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 2},
}


@pytest.fixture(scope="module")
def service(sandbox: Sandbox) -> None:
    """An ECS service that runs nothing."""
    ecs = sandbox.client("ecs")
    ecs.create_cluster(clusterName="policies")
    ecs.register_task_definition(
        family="policies", containerDefinitions=[{"name": "app", "image": "nothing"}]
    )
    ecs.create_service(cluster="policies", serviceName="web", taskDefinition="policies", desiredCount=0)


@pytest.fixture
def scaling(sandbox: Sandbox, service: None) -> Any:
    """A client, and a target that was just registered."""
    client = sandbox.client("application-autoscaling")
    if client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]:
        client.deregister_scalable_target(**TARGET)
    client.register_scalable_target(**TARGET, MinCapacity=0, MaxCapacity=9)
    return client


def policies(client: Any, **filters: Any) -> list[dict[str, Any]]:
    """The policies that a filter lets through."""
    return list(client.describe_scaling_policies(ServiceNamespace="ecs", **filters)["ScalingPolicies"])


def actions(client: Any, **filters: Any) -> list[dict[str, Any]]:
    """The scheduled actions that a filter lets through."""
    return list(client.describe_scheduled_actions(ServiceNamespace="ecs", **filters)["ScheduledActions"])


def test_target_tracking_has_its_alarms(sandbox: Sandbox, scaling: Any):
    """Two, which name the policy, and go with it."""
    cloudwatch = sandbox.client("cloudwatch")
    put = scaling.put_scaling_policy(**TARGET, **TRACKING)
    (policy,) = policies(scaling, ResourceId=RESOURCE)
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    high = cloudwatch.describe_alarms(AlarmNames=names[:1])["MetricAlarms"][0]
    scaling.delete_scaling_policy(**TARGET, PolicyName="cpu")

    assert policy["PolicyARN"] == put["PolicyARN"]
    assert policy["TargetTrackingScalingPolicyConfiguration"] == CPU
    assert [alarm["AlarmName"] for alarm in put["Alarms"]] == names
    assert names[0].startswith(f"TargetTracking-{RESOURCE}-AlarmHigh-")
    assert names[1].startswith(f"TargetTracking-{RESOURCE}-AlarmLow-")
    assert (high["MetricName"], high["AlarmActions"]) == ("CPUUtilization", [put["PolicyARN"]])
    assert {"Name": "ServiceName", "Value": "web"} in high["Dimensions"]
    assert policies(scaling) == []
    assert cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] == []


def test_a_policy_that_is_changed_keeps_its_arn(scaling: Any):
    """And its type, which only a new one has to name."""
    step = {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [step], "Cooldown": 60}
    given = {**TARGET, "PolicyName": "out"}
    first = scaling.put_scaling_policy(
        **given, PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration
    )
    changed = configuration | {"Cooldown": 30}
    again = scaling.put_scaling_policy(**given, StepScalingPolicyConfiguration=changed)
    with pytest.raises(scaling.exceptions.ValidationException, match="policy type"):
        scaling.put_scaling_policy(**TARGET, PolicyName="in", StepScalingPolicyConfiguration=changed)

    assert again["PolicyARN"] == first["PolicyARN"]
    (policy,) = policies(scaling, PolicyNames=["out"])
    assert policy["StepScalingPolicyConfiguration"] == changed


def test_a_scheduled_action_forgets_times_that_are_not_named_again(scaling: Any):
    """The rest stays."""
    scaling.put_scheduled_action(**TARGET, **NIGHT, StartTime="2030-01-01T00:00:00Z")
    before = actions(scaling, ScheduledActionNames=["night"])[0]
    scaling.put_scheduled_action(**TARGET, ScheduledActionName="night", Timezone="Europe/Berlin")
    after = actions(scaling)[0]
    scaling.delete_scheduled_action(**TARGET, ScheduledActionName="night")

    assert before["StartTime"].year == 2030
    assert "StartTime" not in after
    assert (after["Schedule"], after["Timezone"]) == (NIGHT["Schedule"], "Europe/Berlin")
    assert after["ScheduledActionARN"] == before["ScheduledActionARN"]
    assert actions(scaling) == []


def test_both_go_with_their_target(scaling: Any):
    """And need one."""
    scaling.put_scaling_policy(**TARGET, **TRACKING)
    scaling.put_scheduled_action(**TARGET, **NIGHT)
    scaling.deregister_scalable_target(**TARGET)

    assert (policies(scaling), actions(scaling)) == ([], [])
    with pytest.raises(scaling.exceptions.ObjectNotFoundException, match="No scalable target registered"):
        scaling.put_scheduled_action(**TARGET, **NIGHT)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.delete_scaling_policy(**TARGET, PolicyName="cpu")


def template(most: int = 9, scheduled: bool = True, goal: float = 60.0) -> Resources:
    """A target and its policy."""
    target = {**TARGET, "MinCapacity": 0, "MaxCapacity": most, "RoleARN": "arn:aws:iam::1:role/x"}
    target |= {"ScheduledActions": [NIGHT]} if scheduled else {}
    policy = {**TRACKING, "TargetTrackingScalingPolicyConfiguration": CPU | {"TargetValue": goal}}
    return {
        "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": target},
        "Policy": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {**policy, "ScalingTargetId": {"Ref": "Target"}},
        },
    }


def test_a_stack_has_them(sandbox: Sandbox, scaling: Any):
    """Created, changed and deleted with it."""
    scaling.deregister_scalable_target(**TARGET)
    stack = Stack(sandbox, "scaling")
    assert stack.create(template()) == "CREATE_COMPLETE", stack.reasons
    ids = stack.ids()
    created = policies(scaling)[0], actions(scaling)[0]
    assert stack.update(template(most=5, scheduled=False, goal=70.0)) == "UPDATE_COMPLETE", stack.reasons
    (changed,) = policies(scaling)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    left = actions(scaling)
    deleted = stack.delete()

    assert ids == {
        "Target": f"{RESOURCE}|ecs:service:DesiredCount|ecs",
        "Policy": created[0]["PolicyARN"],
    }
    assert created[1]["ScalableTargetAction"] == NIGHT["ScalableTargetAction"]
    assert (target["MaxCapacity"], left) == (5, [])
    assert changed["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.0
    assert changed["PolicyARN"] == created[0]["PolicyARN"]
    assert (deleted, policies(scaling)) == ("DELETE_COMPLETE", [])


def test_a_stack_says_why_it_is_refused(sandbox: Sandbox, scaling: Any):
    """In the words of Application Auto Scaling."""
    stack = Stack(sandbox, "scaling-refused")
    status = stack.create(template(most=-1))
    stack.delete()

    assert status == "ROLLBACK_COMPLETE"
    assert any("Maximum capacity cannot be less" in reason for reason in stack.reasons), stack.reasons
