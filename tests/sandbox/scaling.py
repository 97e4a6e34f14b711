"""Automatic scaling of the sample service's two slots, as its owner has set it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.cloud import Cloud
from tests.sandbox.patience import until

if TYPE_CHECKING:
    from tests.sandbox.rest import Live

DIMENSION = "ecs:service:DesiredCount"
KINDS = {
    "DynamicScalingInSuspended": "in",
    "DynamicScalingOutSuspended": "out",
    "ScheduledScalingSuspended": "scheduled",
}
NOTHING: frozenset[str] = frozenset()
SCALE_IN, EVERYTHING = frozenset({"in"}), frozenset(KINDS.values())
ALL_SUSPENDED = (
    "DynamicScalingInSuspended=true,DynamicScalingOutSuspended=true,ScheduledScalingSuspended=true"
)


def _resources(cloud: Cloud) -> dict[str, str]:
    cluster = cloud.cluster.partition(":cluster/")[2]
    return {f"service/{cluster}/{cloud.service}-{slot}": slot for slot in ("blue", "green")}


def register(cloud: Cloud, live: Live | None) -> None:
    """Let each slot that has an ECS service scale from 2 to 4 tasks.

    AWS brings a service's count within these bounds as it is registered. The idle slot is therefore
    registered without scaling, and set back to 0 tasks, as docs/adopting.md says.
    """
    assert live
    there = cloud.slots()
    for resource, slot in _resources(cloud).items():
        if slot not in there:
            continue
        idle = slot != live.slot
        cloud.aws(
            *("application-autoscaling", "register-scalable-target", "--service-namespace", "ecs"),
            *("--resource-id", resource, "--scalable-dimension", DIMENSION),
            *("--min-capacity", "2", "--max-capacity", "4"),
            *(("--suspended-state", ALL_SUSPENDED) if idle else ()),
        )
        if idle:
            service = resource.rsplit("/", 1)[-1]
            asked = ("--cluster", cloud.cluster, "--service", service, "--desired-count", "0")
            cloud.aws("ecs", "update-service", *asked)
            until(lambda slot=slot: cloud.slots()[slot]["runningCount"] == 0, f"no task of {slot}")


def suspend(cloud: Cloud, slot: str) -> None:
    """Suspend all kinds of a slot's scaling, as a person does before the slot is stopped by hand."""
    if slot in suspended(cloud):
        resource = next(name for name, its in _resources(cloud).items() if its == slot)
        cloud.aws(
            *("application-autoscaling", "register-scalable-target", "--service-namespace", "ecs"),
            *("--resource-id", resource, "--scalable-dimension", DIMENSION),
            *("--suspended-state", ALL_SUSPENDED),
        )


def suspended(cloud: Cloud) -> dict[str, frozenset[str]]:
    """By slot, which kinds of its scaling are suspended; without the slots that do not scale."""
    resources = _resources(cloud)
    found = cloud.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=list(resources), ScalableDimension=DIMENSION
    )
    states = {resources[each["ResourceId"]]: each["SuspendedState"] for each in found["ScalableTargets"]}
    return {
        slot: frozenset(KINDS[kind] for kind, so in state.items() if so) for slot, state in states.items()
    }


def raise_alarm(cloud: Cloud, slot: str, change: int) -> None:
    """A slot's load rises, or falls: an alarm is raised, and its policy asks for so many tasks more."""
    resource = next(name for name, its in _resources(cloud).items() if its == slot)
    service, kind = resource.rsplit("/", 1)[-1], "out" if change > 0 else "in"
    policy = cloud.client("application-autoscaling").put_scaling_policy(
        PolicyName=f"scale-{kind}",
        ServiceNamespace="ecs",
        ResourceId=resource,
        ScalableDimension=DIMENSION,
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": change}],
        },
    )["PolicyARN"]
    cloudwatch, name = cloud.client("cloudwatch"), f"{service}-scale-{kind}"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Dimensions=[{"Name": "ServiceName", "Value": service}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=70,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
        AlarmActions=[policy],
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="the load has changed")
