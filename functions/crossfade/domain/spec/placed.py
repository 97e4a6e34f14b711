"""A spec with all that it names looked up: where the slots are, and what the pattern says."""

import hashlib
import json
from typing import Any, Self

from pydantic import Field

from crossfade.domain.model import Model
from crossfade.domain.slots import Slot, TargetGroups
from crossfade.domain.spec.names import own_tags, spec_parameter
from crossfade.domain.spec.service import Network, ServiceSpec


class PatternScaling(Model):
    """How the owner's ECS service is scaled, as it was read for a deployment; the slots get the same.

    ``least`` and ``most`` are MinCapacity and MaxCapacity. ``policies``, ``actions`` and ``alarms`` have the
    shapes of PutScalingPolicy, PutScheduledAction and PutMetricAlarm, without what names the target. The
    alarms are those of step scaling, and their actions are names of policies.
    """

    least: int
    most: int
    policies: tuple[dict[str, Any], ...] = ()
    actions: tuple[dict[str, Any], ...] = ()
    alarms: tuple[dict[str, Any], ...] = ()


class Target(Model):
    """What the load balancer reaches of an ECS service: the port of a container, by a target group.

    ``digest`` is that of the image which ECS has started the container with; empty where ECS does not say:
    a tag may have been moved since.
    """

    target_group: str
    container: str
    port: int
    digest: str = ""

    @property
    def name(self) -> str:
        """The port as it is called among those of its tasks, e.g. ``app:8080``."""
        return f"{self.container}:{self.port}"


class Pattern(Model):
    """The owner's ECS service, as it was read for a deployment.

    ``settings`` are those that the slots get, with the names that they have in CreateService; ``tags`` are
    the service's, without AWS's own. ``left_out`` names what it has and the slots do not get, ``warnings``
    say what its owner should know. ``container``, ``port``, ``digest`` and ``target_group``, which is its own
    one, are of the target that the probe asks, see ``Target``; ``also`` are the further ones that it has.
    ``scaling`` is None where it has no scalable target. ``own_copy``: where an older release comes back, the
    ARN of what it was launched with, which is read in place of ``task_definition`` unless ECS has it no more.
    """

    task_definition: str
    target_group: str
    container: str
    port: int
    network: Network
    desired: int
    digest: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    scaling: PatternScaling | None = None
    own_copy: str = ""
    also: tuple[Target, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that the load balancer reaches of it, what the probe asks first."""
        first = Target(
            target_group=self.target_group, container=self.container, port=self.port, digest=self.digest
        )
        return (first, *self.also)

    @property
    def port_names(self) -> tuple[str, ...]:
        """What tells its targets apart in names, in their order: empty where there is one target alone."""
        return tuple(target.name if self.also else "" for target in self.targets)

    def with_first(self, target_group: str) -> Self:
        """The same pattern, whose target of this group is what the probe asks first."""
        first = next(target for target in self.targets if target.target_group == target_group)
        rest = tuple(target for target in self.targets if target != first)
        return self.model_copy(update={**first.model_dump(), "also": rest})

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that differ where settings, tags or scaling do.

        The order of a list says nothing.
        """
        scaling = [self.scaling.model_dump(mode="json")] if self.scaling else []
        text = json.dumps(_in_order([self.settings, self.tags, *scaling]), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def steady(self) -> str:
        """The fingerprint without what time alone changes.

        That is the bounds that recurring scheduled actions set, and actions that come once.
        """
        scaling = self.scaling
        if scaling and scaling.actions:
            recurring = tuple(one for one in scaling.actions if not one["Schedule"].startswith("at("))
            bounds = {"least": 0, "most": 0} if recurring else {}
            scaling = scaling.model_copy(update={"actions": recurring, **bounds})
        return self.model_copy(update={"scaling": scaling}).fingerprint


def _in_order(value: Any) -> Any:
    """The same with each list in one order: AWS promises none, e.g. for subnets."""
    if isinstance(value, dict):
        return {key: _in_order(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted(
            (_in_order(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True)
        )
    return value


class Route(Model):
    """A production rule, by its ARN and its listener's, and the target groups that its weights are of."""

    rule: str
    listener: str
    target_groups: TargetGroups


class Placed(ServiceSpec):
    """What a deployment keeps of the spec: found once, by PlanRelease, and never looked up again.

    ``rule`` is the ARN of the production rule by which the probe asks, ``listener`` that of its listener, and
    ``target_groups`` are those of the slots that it leads to. ``also`` are the further routes, whose weights
    move with it; they may lead to further ports of the same tasks. ``origin`` is the slot whose place the
    owner's own ECS service takes: at first it is live, and it is again when the service leaves Crossfade.
    ``leftover``: the deployment before has kept a service warm that is in no slot's place any more, and this
    one is to stop it. ``preview_secret`` is the SSM parameter that holds the secret of the preview rules.
    """

    pattern: Pattern
    listener: str
    rule: str
    target_groups: TargetGroups
    also: tuple[Route, ...] = ()
    origin: Slot | None = None
    leftover: bool = False
    preview_secret: str

    @property
    def routes(self) -> tuple[Route, ...]:
        """All production rules; their weights move together."""
        first = Route(rule=self.rule, listener=self.listener, target_groups=self.target_groups)
        return (first, *self.also)

    @property
    def ports(self) -> tuple[tuple[Target, TargetGroups], ...]:
        """Each of the pattern's targets, with the slots' target groups for it, what the probe asks first."""
        groups = {route.target_groups.pattern: route.target_groups for route in self.routes}
        return tuple((target, groups[target.target_group]) for target in self.pattern.targets)

    def groups_of(self, rule: str) -> TargetGroups:
        """The target groups that the weights of a production rule are of."""
        return next(route.target_groups for route in self.routes if route.rule == rule)

    def slot_groups(self, slot: Slot) -> tuple[str, ...]:
        """The target groups of a slot, one for each port, what the probe asks first."""
        return tuple(dict.fromkeys(route.target_groups.of(slot) for route in self.routes))

    def slot_service(self, slot: Slot) -> str:
        """The name of the ECS service that runs a slot."""
        return self.pattern_service if slot == self.origin else self.own_service(slot)

    @property
    def parameter(self) -> str:
        """The SSM parameter of the spec."""
        return spec_parameter(self.preview_secret)

    @property
    def own_tags(self) -> dict[str, str]:
        """What all that Crossfade makes for the service is tagged with."""
        return own_tags(self.service, self.parameter)

    @property
    def leftover_service(self) -> str | None:
        """The name of the ECS service that was kept warm and is in no slot's place; None if there is none."""
        if not self.leftover:
            return None
        return self.own_service(self.origin) if self.origin else self.pattern_service

    def copies_scaling(self, slot: Slot) -> bool:
        """Whether a slot is scaled as the pattern says at its launch; the origin is so by itself."""
        return self.pattern.scaling is not None and slot != self.origin
