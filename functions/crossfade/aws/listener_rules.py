"""The load balancer: the production rules, their weights, and the health of targets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.errors import CrossfadeError, ForeignChange, NotYetVisible, ResourceGone
from crossfade.domain.model import Model
from crossfade.domain.preparation import passes_login, past_login
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.placed import Placed
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.place import leads_here, listener_gone, target_group_gone
from crossfade.domain.traffic.rule import LiveRule
from crossfade.domain.traffic.shown import Shown, ShownRoute
from crossfade.domain.traffic.weights import Weights


class TargetHealth(Model):
    """A slot's targets that are not draining; ``unhealthy`` says why, in ELB's words."""

    healthy: int
    registered: int
    unhealthy: tuple[str, ...]


class Traffic:
    """Reads and writes one service's production rules through a boto3 ``elbv2`` client.

    Each method raises ``ResourceGone`` where ELB says that it has no such target group.
    """

    def __init__(self, elbv2: Any, spec: Placed) -> None:
        self._elbv2 = elbv2
        self._spec = spec

    def shown(self) -> Shown:
        """The production rules, as the load balancer shows them."""
        found: dict[str, LiveRule] = {}
        gone: dict[str, ResourceGone] = {}
        for listener in dict.fromkeys(route.listener for route in self._spec.routes):
            try:
                found |= {rule.arn: rule for rule in listeners_rules(self._elbv2, self._spec, listener)}
            except ResourceGone as error:  # the other rules may still have to be put back
                gone[listener] = error
        return Shown(
            tuple(
                ShownRoute(route, found.get(route.rule), gone.get(route.listener))
                for route in self._spec.routes
            )
        )

    def write(self, weights: Weights, known: Sequence[LiveRule] | None = None) -> list[LiveRule]:
        """Set the weights of all rules, as they are ``known`` best or as they are read, in that order.

        Returns ELB's own answers. Each rule is tried, even if another one fails: that moves as many clients
        as it can before a retry.

        Raises
        ------
        ForeignChange
            One is not there: it was deleted outside Crossfade.
        NotYetVisible
            The same, after it was read.
        """
        rules = self._all_rules() if known is None else known
        answers, errors = list[LiveRule](), list[Exception]()
        for rule in rules:
            try:
                answers.append(self._change(rule, weights))
            except (BotoCoreError, ClientError, CrossfadeError) as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return answers

    def _all_rules(self) -> tuple[LiveRule, ...]:
        shown = self.shown()
        for one in shown.routes:
            if one.weights is None:
                raise ForeignChange(
                    f"The production rule {one.route.rule} does not exist any more. It was deleted outside "
                    "Crossfade. Prepare the service again, then deploy again."
                )
        return shown.rules

    def _change(self, rule: LiveRule, weights: Weights) -> LiveRule:
        """Set the weights of a rule; returns the load balancer's own answer.

        ModifyRule replaces the list of actions, so it is given all of them. It leaves conditions and
        transforms alone as long as it is given none.
        """
        groups = self._spec.groups_of(rule.arn)
        actions = rule.weighted(groups, weights)
        try:
            with self._given(groups.blue, groups.green):
                answer = _live(self._elbv2.modify_rule(RuleArn=rule.arn, Actions=actions)["Rules"][0])
        except ClientError as error:
            if error_code(error) != "RuleNotFound":
                raise
            raise NotYetVisible(
                f"The rule {rule.arn} was deleted after it was read. Crossfade reads the rules again."
            ) from error
        if self._spec.login_bypass and rule.arn == self._spec.rule:
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
        """The health of a slot's targets; of several ports the worst, since each task has to serve all."""
        found = [self._health(group) for group in self._spec.slot_groups(slot)]
        return TargetHealth(
            healthy=min(one.healthy for one in found),
            registered=max(one.registered for one in found),
            unhealthy=tuple(dict.fromkeys(words for one in found for words in one.unhealthy)),
        )

    def _health(self, group: str) -> TargetHealth:
        with self._given(group):
            found = self._elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        targets = [target for target in found if target["TargetHealth"]["State"] != "draining"]
        bad = [target for target in targets if target["TargetHealth"]["State"] != "healthy"]
        several = len(self._spec.pattern.targets) > 1
        return TargetHealth(
            healthy=len(targets) - len(bad),
            registered=len(targets),
            unhealthy=tuple(_named(target, with_port=several) for target in bad),
        )

    @contextmanager
    def _given(self, *groups: str) -> Iterator[None]:
        """Name the target group of the spec that ELB says does not exist, or those that it may be."""
        try:
            yield
        except ClientError as error:
            if error_code(error) == "TargetGroupNotFound":
                raise target_group_gone(self._spec, *groups) from error
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


def _named(target: dict[str, Any], *, with_port: bool) -> str:
    """A target, and what ELB says of it."""
    which, health = target["Target"], target["TargetHealth"]
    port = f":{which['Port']}" if with_port else ""
    return f"{which['Id']}{port}: {health.get('Description') or health['State']}"
