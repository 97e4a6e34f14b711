"""Automatic scaling of the slots' ECS services: not shrunk while traffic moves, resumed on the winner."""

from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.slots import Slot
from crossfade.domain.spec.placed import Placed
from crossfade.domain.tasks.scaling import ScalableTarget, SuspendedState

DIMENSION = "ecs:service:DesiredCount"


class Scaling:
    """Reads and suspends scalable targets through a boto3 ``application-autoscaling`` client."""

    def __init__(self, autoscaling: Any, spec: Placed) -> None:
        self._autoscaling = autoscaling
        self._spec = spec

    def target(self, slot: Slot) -> ScalableTarget | None:
        """How a slot is scaled; None where it has no scalable target."""
        found = target_of(self._autoscaling, self._resource(slot))
        if found is None:
            return None
        state = found.get("SuspendedState", {})
        suspension = SuspendedState(
            scale_in=state.get("DynamicScalingInSuspended", False),
            scale_out=state.get("DynamicScalingOutSuspended", False),
            scheduled=state.get("ScheduledScalingSuspended", False),
        )
        return ScalableTarget(suspension=suspension, least=found["MinCapacity"], most=found["MaxCapacity"])

    def suspend(self, slot: Slot, wanted: SuspendedState) -> None:
        """Suspend or resume the scaling of a slot that runs; nothing is done where there is no target.

        Always written, because what is read may be stale. The slot must run: registering brings its
        count within the target's limits, and so would start a slot that stands at 0.
        """
        shown = self.target(slot) is not None
        try:
            self._autoscaling.register_scalable_target(
                ServiceNamespace="ecs",
                ResourceId=self._resource(slot),
                ScalableDimension=DIMENSION,
                SuspendedState=suspended_state(wanted),
            )
        except ClientError as error:
            # Without limits AWS makes no new target: that it refuses is its word that there is none. A read
            # alone is not, as one that was just registered may not be shown yet.
            if shown or error_code(error) != "ValidationException":
                raise

    def _resource(self, slot: Slot) -> str:
        cluster = self._spec.cluster.partition(":cluster/")[2]
        return f"service/{cluster}/{self._spec.slot_service(slot)}"


def target_of(autoscaling: Any, resource: str) -> dict[str, Any] | None:
    """The scalable target of an ECS service, ``service/<cluster>/<name>``, as AWS shows it."""
    found: list[dict[str, Any]] = autoscaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[resource], ScalableDimension=DIMENSION
    )["ScalableTargets"]
    return found[0] if found else None


def suspended_state(wanted: SuspendedState) -> dict[str, bool]:
    """What is suspended, in AWS's words."""
    return {
        "DynamicScalingInSuspended": wanted.scale_in,
        "DynamicScalingOutSuspended": wanted.scale_out,
        "ScheduledScalingSuspended": wanted.scheduled,
    }
