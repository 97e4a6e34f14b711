"""A spec with all that it names looked up: where the slots are, and what the pattern says."""

from typing import Any

from pydantic import Field

from crossfade.domain.model import Model
from crossfade.domain.slots import Slot, TargetGroups
from crossfade.domain.spec.service import Network, ServiceSpec


class Pattern(Model):
    """The owner's ECS service, as it was read for a deployment.

    ``settings`` are those that the slots get, with the names that they have in CreateService; ``tags`` are
    the service's, without AWS's own. ``left_out`` names what it has and the slots do not get, ``warnings``
    say what its owner should know. ``container`` and ``port`` are what the load balancer reaches,
    ``target_group`` is its own one.
    """

    task_definition: str
    target_group: str
    container: str
    port: int
    network: Network
    desired: int
    settings: dict[str, Any] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Placed(ServiceSpec):
    """What a deployment keeps of the spec: found once, by PlanRelease, and never looked up again.

    ``rule`` is the ARN of the production rule, ``listener`` that of its listener. ``target_groups`` are those
    of the slots. ``origin`` is the slot whose place the owner's own ECS service takes: at first it is live,
    and it is again when the service leaves Crossfade. ``leftover``: the deployment before has kept the origin
    warm, and this one is to stop it. ``preview_secret`` is the SSM parameter that holds the secret of the
    preview rules.
    """

    pattern: Pattern
    listener: str
    rule: str
    target_groups: TargetGroups
    origin: Slot | None = None
    leftover: bool = False
    preview_secret: str

    def slot_service(self, slot: Slot) -> str:
        """The name of the ECS service that runs a slot."""
        return self.like.rpartition("/")[2] if slot == self.origin else f"{self.service}-{slot}"
