"""Automatic scaling of the sample service's two slots, as its owner has set it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.cloud import Cloud
from tests.sandbox.patience import until
from tests.sandbox.shell import SERVICE

if TYPE_CHECKING:
    from tests.sandbox.rest import Live

DIMENSION = "ecs:service:DesiredCount"
ALL_SUSPENDED = (
    "DynamicScalingInSuspended=true,DynamicScalingOutSuspended=true,ScheduledScalingSuspended=true"
)


def _resources(cloud: Cloud) -> dict[str, str]:
    cluster = cloud.spec["cluster"].partition(":cluster/")[2]
    return {f"service/{cluster}/{SERVICE}-{slot}": slot for slot in ("blue", "green")}


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
            asked = ("--cluster", cloud.spec["cluster"], "--service", service, "--desired-count", "0")
            cloud.aws("ecs", "update-service", *asked)
            until(lambda slot=slot: cloud.slots()[slot]["runningCount"] == 0, f"no task of {slot}")


def suspended(cloud: Cloud) -> dict[str, bool]:
    """By slot, whether its scaling is suspended; without the slots that do not scale."""
    resources = _resources(cloud)
    found = cloud.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=list(resources), ScalableDimension=DIMENSION
    )
    kinds = {resources[each["ResourceId"]]: each["SuspendedState"] for each in found["ScalableTargets"]}
    assert all(len(set(kind.values())) == 1 for kind in kinds.values()), f"suspended by halves: {kinds}"
    return {slot: any(kind.values()) for slot, kind in kinds.items()}
