"""Application Auto Scaling: the scalable targets of the slots, and what alarms and schedules do to them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from faults.aws.answer import AwsError
from faults.aws.functions import Invocation
from faults.aws.names import ACCOUNT, REGION
from faults.aws.views import Resource
from faults.workflow.clock import START
from faults.workflow.query import Refused

if TYPE_CHECKING:
    from faults.world import World

SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
CALLER_NEEDS = {
    "ecs:DescribeServices", "ecs:UpdateService",
    "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms",
}  # fmt: skip
"""What whoever registers a scalable target has to be allowed as well."""
_DIMENSION = "ecs:service:DesiredCount"
_TARGET = f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/"


class Scaling:
    """Operations of ``application-autoscaling`` on ECS services; ``targets`` by resource id."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.targets: dict[str, dict[str, Any]] = {}
        self._tags: dict[str, dict[str, str]] = {}

    def snapshot(self) -> Self:
        """The targets as they are now."""
        frozen = copy.copy(self)
        frozen.targets = dict(self.targets)
        return frozen

    def hold(self, name: str, until: float) -> None:
        """Nothing but what is read of a target depends on when a change of it takes effect."""

    def describe_scalable_targets(
        self, *, ServiceNamespace: str, ResourceIds: list[str], ScalableDimension: str
    ) -> dict[str, Any]:
        """The targets of these resources; one that is not there is left out."""
        _check(ServiceNamespace, ScalableDimension)
        found = [dict(self.targets[name]) for name in ResourceIds if name in self.targets]
        return {"ScalableTargets": found}

    def register_scalable_target(
        self, *, ServiceNamespace: str, ResourceId: str, ScalableDimension: str, **change: Any
    ) -> dict[str, Any]:
        """A new target, or a change of one: what is left out stays as it is.

        The caller needs the rights on the service himself, and the service's count is brought within the
        bounds at once.
        """
        _check(ServiceNamespace, ScalableDimension)
        self._refuse_unauthorised()
        after = self._changed(ResourceId, change)
        self._world.ecs.clamp(ResourceId.rpartition("/")[2], after["MinCapacity"], after["MaxCapacity"])
        self.targets[ResourceId] = after
        return {"ScalableTargetARN": after["ScalableTargetARN"]}

    def describe_scaling_policies(
        self, *, ServiceNamespace: str, ResourceId: str, ScalableDimension: str
    ) -> dict[str, Any]:
        """None: what alarms ask for is told by ``alarm``."""
        _check(ServiceNamespace, ScalableDimension)
        return {"ScalingPolicies": []}

    def describe_scheduled_actions(
        self, *, ServiceNamespace: str, ResourceId: str, ScalableDimension: str
    ) -> dict[str, Any]:
        """None: what schedules ask for is told by ``schedule``."""
        _check(ServiceNamespace, ScalableDimension)
        return {"ScheduledActions": []}

    def tag_resource(self, *, ResourceARN: str, Tags: dict[str, str]) -> dict[str, Any]:
        """Tags of a target that is there."""
        resource = self._tagged(ResourceARN)
        self._tags[resource] = self._tags.get(resource, {}) | Tags
        return {}

    def list_tags_for_resource(self, *, ResourceARN: str) -> dict[str, Any]:
        """All tags of a target."""
        return {"Tags": dict(self._tags.get(self._tagged(ResourceARN), {}))}

    def _tagged(self, arn: str) -> str:
        resource = resource_of(arn)
        if resource not in self.targets:
            raise AwsError("ResourceNotFoundException", f"{arn} does not exist")
        return resource

    def was_registered(self, resource: str, **given: Any) -> None:
        """A target is there since its service ran; whatever that stands at now."""
        self.targets[resource] = self._changed(resource, given)

    def alarm(self, service: str, change: int) -> None:
        """A policy's alarm asks for so many tasks more, or fewer; nothing is done while that is suspended."""
        target = self._target_of(service)
        if target["SuspendedState"][SUSPENDED[change > 0]]:
            return
        least, most = target["MinCapacity"], target["MaxCapacity"]
        wanted = min(max(self._world.ecs.services[service].desired, least) + change, most)
        wanted = max(wanted, least)
        self._bring_within(service, wanted, wanted)

    def schedule(self, service: str, least: int, most: int) -> None:
        """A scheduled action sets other bounds; nothing is done while that is suspended."""
        target = self._target_of(service)
        if not target["SuspendedState"][SUSPENDED[2]]:
            self.targets[target["ResourceId"]] = target | {"MinCapacity": least, "MaxCapacity": most}
            self._bring_within(service, least, most)

    def _target_of(self, service: str) -> dict[str, Any]:
        return next(target for name, target in self.targets.items() if name.endswith(f"/{service}"))

    def _bring_within(self, service: str, least: int, most: int) -> None:
        self._world.views.wrote(Resource("ecs", service))
        self._world.ecs.clamp(service, least, most)

    def _changed(self, resource: str, change: dict[str, Any]) -> dict[str, Any]:
        known = self.targets.get(resource)
        if known is None and not {"MinCapacity", "MaxCapacity"} <= change.keys():
            raise AwsError(
                "ValidationException", "MinCapacity and MaxCapacity must be given for a new target"
            )
        known = known or {
            "ServiceNamespace": "ecs",
            "ResourceId": resource,
            "ScalableDimension": _DIMENSION,
            "ScalableTargetARN": f"{_TARGET}{resource}",
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/scaling",
            "CreationTime": START,
            "SuspendedState": dict.fromkeys(SUSPENDED, False),
        }
        if odd := change.keys() - {"MinCapacity", "MaxCapacity", "SuspendedState"}:
            raise Refused(f"scalable target: {odd}")
        suspended = known["SuspendedState"] | change.get("SuspendedState", {})
        return known | change | {"SuspendedState": suspended}

    def _refuse_unauthorised(self) -> None:
        caller = self._world.clock.strand
        if isinstance(caller, Invocation) and (missing := CALLER_NEEDS - caller.function.actions):
            raise AwsError("ValidationException", f"The caller is not authorized to perform: {missing}")


def resource_of(arn: str) -> str:
    """The resource id of a target; on AWS its ARN ends with an id that tells nothing."""
    return arn.removeprefix(_TARGET)


def _check(namespace: str, dimension: str) -> None:
    if (namespace, dimension) != ("ecs", _DIMENSION):
        raise Refused(f"scalable target: {namespace} {dimension}")
