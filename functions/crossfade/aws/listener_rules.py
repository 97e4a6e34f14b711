"""The load balancer: the production rule, its weights, and the health of targets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.errors import NotYetVisible
from crossfade.domain.model import Model
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.place import (
    leads_here,
    listener_gone,
    production_rule,
    refuse_covering,
    target_group_gone,
)
from crossfade.domain.traffic.rule import LiveRule, weighted_forward
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

    def __init__(self, elbv2: Any, spec: ServiceSpec) -> None:
        self._elbv2 = elbv2
        self._spec = spec

    def rules(self) -> list[LiveRule]:
        """All rules of the listener, as the load balancer shows them."""
        pages = self._elbv2.get_paginator("describe_rules").paginate(ListenerArn=self._spec.listener)
        with self._given():
            return [_live(rule) for page in pages for rule in page["Rules"]]

    def rule(self) -> LiveRule | None:
        """The production rule, as the load balancer shows it; None if it shows none."""
        return production_rule(self._spec, self.rules())

    def weights(self) -> Weights | None:
        """The weights, as the load balancer shows them; None if it shows no production rule."""
        rule = self.rule()
        return rule.weights(self._spec.target_groups) if rule else None

    def write(self, weights: Weights, known: LiveRule | None = None) -> LiveRule:
        """Set the weights, creating the production rule if need be; returns the load balancer's own answer.

        ``known`` is the rule as it was written last, by whose ARN it is found under another priority.
        """
        if known:
            return self.change(known, weights)
        rules = self.rules()
        rule = production_rule(self._spec, rules)
        if rule:
            return self.change(rule, weights)
        refuse_covering(self._spec, rules)
        return self._create(weights)

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
                return _live(self._elbv2.modify_rule(RuleArn=rule.arn, Actions=actions)["Rules"][0])
        except ClientError as error:
            if error_code(error) != "RuleNotFound":
                raise
            raise NotYetVisible(
                f"The rule {rule.arn} was deleted after it was read. Crossfade reads the rules again."
            ) from error

    def remove(self, known: str | None = None) -> bool:
        """Delete the production rule, so that the listener's default action answers; harmless twice.

        ``known`` is the rule's ARN, by which one is found that was given another priority. False: the load
        balancer tells of none, which may be so because it was made just now. A rule in its place that leads
        to others as well is not Crossfade's, and stays.
        """
        rules = self.rules()
        rule = next((rule for rule in rules if rule.arn == known), production_rule(self._spec, rules))
        if rule is None or not leads_here(self._spec, rule):
            return False
        self.delete(rule)
        return True

    def delete(self, rule: LiveRule) -> None:
        """Delete a rule that was read; harmless when it is gone."""
        try:
            self._elbv2.delete_rule(RuleArn=rule.arn)
        except ClientError as error:
            if error_code(error) != "RuleNotFound":
                raise

    def sticky_groups(self) -> list[str]:
        """The service's target groups that have sticky sessions on."""
        groups = [self._spec.target_groups.of(slot) for slot in SLOTS]
        return [group for group in groups if self._attributes(group).get("stickiness.enabled") == "true"]

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

    def _create(self, weights: Weights) -> LiveRule:
        groups = self._spec.target_groups
        try:
            with self._given():
                answer = self._elbv2.create_rule(
                    ListenerArn=self._spec.listener,
                    Priority=self._spec.rule_priority,
                    Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
                    Actions=[weighted_forward({"Type": "forward"}, groups, weights)],
                )
        except ClientError as error:
            if error_code(error) != "PriorityInUse":
                raise
            # An earlier try of this write may have succeeded; that is known once the rule shows.
            raise NotYetVisible(
                f"The listener has a rule of priority {self._spec.rule_priority} already, but does not show "
                "it yet. Crossfade reads the rules again."
            ) from error
        return _live(answer["Rules"][0])

    @contextmanager
    def _given(self, group: str | None = None) -> Iterator[None]:
        """Name the listener or target group of the spec that ELB says does not exist."""
        try:
            yield
        except ClientError as error:
            if error_code(error) == "ListenerNotFound":
                raise listener_gone(self._spec) from error
            if error_code(error) == "TargetGroupNotFound":
                raise target_group_gone(self._spec, group) from error
            raise

    def _attributes(self, group: str) -> dict[str, str]:
        with self._given(group):
            found = self._elbv2.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
        return {attribute["Key"]: attribute["Value"] for attribute in found}


def _live(rule: dict[str, Any]) -> LiveRule:
    return LiveRule(
        arn=rule["RuleArn"],
        priority=rule["Priority"],
        conditions=tuple(rule.get("Conditions", ())),
        actions=tuple(sorted(rule["Actions"], key=lambda action: action.get("Order", 1))),
    )


def _words(health: dict[str, str]) -> str:
    return health.get("Description") or health["State"]
