"""Automatic scaling of the sample service's two slots, as its owner has set it up."""

from __future__ import annotations

from tests.sandbox.cloud import Cloud
from tests.sandbox.shell import SERVICE

DIMENSION = "ecs:service:DesiredCount"


def _resources(cloud: Cloud) -> dict[str, str]:
    cluster = cloud.spec["cluster"].partition(":cluster/")[2]
    return {f"service/{cluster}/{SERVICE}-{slot}": slot for slot in ("blue", "green")}


def register(cloud: Cloud) -> None:
    """Let both slots scale from 2 to 4 tasks."""
    for resource in _resources(cloud):
        cloud.aws(
            *("application-autoscaling", "register-scalable-target", "--service-namespace", "ecs"),
            *("--resource-id", resource, "--scalable-dimension", DIMENSION),
            *("--min-capacity", "2", "--max-capacity", "4"),
        )


def suspended(cloud: Cloud) -> dict[str, bool]:
    """By slot, whether its scaling is suspended; without the slots that do not scale."""
    resources = _resources(cloud)
    found = cloud.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=list(resources), ScalableDimension=DIMENSION
    )
    kinds = {resources[each["ResourceId"]]: each["SuspendedState"] for each in found["ScalableTargets"]}
    assert all(len(set(kind.values())) == 1 for kind in kinds.values()), f"suspended by halves: {kinds}"
    return {slot: any(kind.values()) for slot, kind in kinds.items()}
