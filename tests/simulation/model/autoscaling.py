"""Application Auto Scaling: the scalable targets of the slots."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from tests.simulation.clock import START
from tests.simulation.model.answer import AwsError
from tests.simulation.query import Refused
from tests.unit.examples import ACCOUNT

if TYPE_CHECKING:
    from tests.simulation.world import World

SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
_DIMENSION = "ecs:service:DesiredCount"


class Scaling:
    """Operations of ``application-autoscaling`` on ECS services; ``targets`` by resource id."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.targets: dict[str, dict[str, Any]] = {}

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
        """A new target, or a change of one: what is left out stays as it is."""
        _check(ServiceNamespace, ScalableDimension)
        known = self.targets.get(ResourceId)
        if known is None and not {"MinCapacity", "MaxCapacity"} <= change.keys():
            raise AwsError(
                "ValidationException", "MinCapacity and MaxCapacity must be given for a new target"
            )
        known = known or {
            "ServiceNamespace": ServiceNamespace,
            "ResourceId": ResourceId,
            "ScalableDimension": ScalableDimension,
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/scaling",
            "CreationTime": START,
            "SuspendedState": dict.fromkeys(SUSPENDED, False),
        }
        suspended = known["SuspendedState"] | change.pop("SuspendedState", {})
        if odd := change.keys() - {"MinCapacity", "MaxCapacity"}:
            raise Refused(f"scalable target: {odd}")
        known = known | change | {"SuspendedState": suspended}
        self.targets[ResourceId] = known
        return {}


def _check(namespace: str, dimension: str) -> None:
    if (namespace, dimension) != ("ecs", _DIMENSION):
        raise Refused(f"scalable target: {namespace} {dimension}")
