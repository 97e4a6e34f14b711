"""The load balancer: the production rule, its weights, and the health of targets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.errors import ForeignChange, NotYetVisible
from crossfade.domain.model import Model
from crossfade.domain.preparation import passes_login, past_login
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.placed import Placed
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.place import leads_here, listener_gone, target_group_gone
from crossfade.domain.traffic.rule import LiveRule
from crossfade.domain.traffic.weights import Weights


class TargetHealth(Model):
    """A slot's targets that are not draining; ``unhealthy`` says why, in ELB's words."""

    healthy: int
    registered: int
    unhealthy: tuple[str, ...]


class Traffic:
    """Reads and writes one service's production rule through a boto3 ``elbv2`` client.

    Each method raises ``ResourceGone`` where ELB says that it has no such listener or target group.
    """

    def __init__(self, elbv2: Any, spec: Placed) -> None:
        self._elbv2 = elbv2
        self._spec = spec

    def rule(self) -> LiveRule | None:
        """The production rule, as the load balancer shows it; None if it shows none."""
        with self._given():
            return next(
                (rule for rule in rules(self._elbv2, self._spec.listener) if rule.arn == self._spec.rule),
                None,
            )

    def weights(self) -> Weights | None:
        """The weights, as the load balancer shows them; None if it shows no production rule."""
        rule = self.rule()
        return rule.weights(self._spec.target_groups) if rule else None

    def write(self, weights: Weights, known: LiveRule | None = None) -> LiveRule:
        """Set the weights of the rule, as it is ``known`` best or as it is read; returns ELB's own answer.

        Raises
        ------
        ForeignChange
            There is none: it was deleted outside Crossfade.
        """
        rule = known or self.rule()
        if rule is None:
            raise ForeignChange(
                f"The production rule {self._spec.rule} does not exist any more. It was deleted outside "
                "Crossfade. Prepare the service again, then deploy again."
            )
        return self.change(rule, weights)

    def change(self, rule: LiveRule, weights: Weights) -> LiveRule:
        """Set the weights of a rule that was read; returns the load balancer's own answer.

        ModifyRule replaces the list of actions, so it is given all of them. It leaves conditions and
        transforms alone as long as it is given none.

        Raises
        ------
        NotYetVisible
            There is no such rule any more: it was deleted after it was read.
        """
        actions = rule.weighted(self._spec.target_groups, weights)
        try:
            with self._given():
                answer = _live(self._elbv2.modify_rule(RuleArn=rule.arn, Actions=actions)["Rules"][0])
        except ClientError as error:
            if error_code(error) != "RuleNotFound":
                raise
            raise NotYetVisible(
                f"The rule {rule.arn} was deleted after it was read. Crossfade reads the rules again."
            ) from error
        if self._spec.login_bypass:
            self._lead_past_login(answer)
        return answer

    def _lead_past_login(self, users: LiveRule) -> None:
        """Let the rule by which the probe passes the login lead where the users' rule leads by now."""
        for rule in rules(self._elbv2, self._spec.preview.listener):
            if passes_login(rule) and leads_here([self._spec.target_groups], rule):
                self._elbv2.modify_rule(RuleArn=rule.arn, Actions=[past_login(users)])

    def sticky_groups(self) -> list[str]:
        """The service's target groups that have sticky sessions on."""
        groups = [group for slot in SLOTS for group in self._spec.slot_groups(slot)]
        sticky: list[str] = []
        for group in groups:
            with self._given(group):
                if group_attributes(self._elbv2, group).get("stickiness.enabled") == "true":
                    sticky.append(group)
        return sticky

    def health(self, slot: Slot) -> TargetHealth:
        """The health of a slot's targets."""
        group = self._spec.target_groups.of(slot)
        with self._given(group):
            found = self._elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        targets = [target for target in found if target["TargetHealth"]["State"] != "draining"]
        bad = [target for target in targets if target["TargetHealth"]["State"] != "healthy"]
        return TargetHealth(
            healthy=len(targets) - len(bad),
            registered=len(targets),
            unhealthy=tuple(f"{target['Target']['Id']}: {_words(target['TargetHealth'])}" for target in bad),
        )

    @contextmanager
    def _given(self, group: str | None = None) -> Iterator[None]:
        """Name the listener or target group of the spec that ELB says does not exist."""
        try:
            yield
        except ClientError as error:
            if error_code(error) == "ListenerNotFound":
                raise listener_gone(self._spec, self._spec.listener) from error
            if error_code(error) == "TargetGroupNotFound":
                raise target_group_gone(self._spec, group) from error
            raise


def group_attributes(elbv2: Any, group: str) -> dict[str, str]:
    """The attributes of a target group."""
    found = elbv2.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    return {attribute["Key"]: attribute["Value"] for attribute in found}


def rules(elbv2: Any, listener: str) -> list[LiveRule]:
    """All rules of a listener, as the load balancer shows them."""
    pages = elbv2.get_paginator("describe_rules").paginate(ListenerArn=listener)
    return [_live(rule) for page in pages for rule in page["Rules"]]


def listeners_rules(elbv2: Any, spec: ServiceSpec, listener: str) -> list[LiveRule]:
    """All rules of a listener that the spec names.

    Raises
    ------
    ResourceGone
        ELB has no such listener.
    """
    try:
        return rules(elbv2, listener)
    except ClientError as error:
        if error_code(error) != "ListenerNotFound":
            raise
        raise listener_gone(spec, listener) from error


def _live(rule: dict[str, Any]) -> LiveRule:
    return LiveRule(
        arn=rule["RuleArn"],
        priority=rule["Priority"],
        conditions=tuple(rule.get("Conditions", ())),
        actions=tuple(sorted(rule["Actions"], key=lambda action: action.get("Order", 1))),
        transforms=tuple(rule.get("Transforms", ())),
    )


def _words(health: dict[str, str]) -> str:
    return health.get("Description") or health["State"]
