"""A listener rule as the load balancer describes it: what of it is Crossfade's, and what is its owner's.

Of the production rule Crossfade owns the two weights, and nothing else. Actions and conditions have the
shapes of ELB's ``Action`` and ``RuleCondition``.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from crossfade.domain.errors import ForeignChange, StickyTraffic
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.slots import SLOTS, TargetGroups
from crossfade.domain.spec.placed import Placed, Route
from crossfade.domain.text import visible
from crossfade.domain.traffic.weights import RULE_SECONDS, Weights

OIDC = "authenticate-oidc"
KEPT = (OIDC, "authenticate-cognito", "jwt-validation")
"""What may stand before the forward, and is written back as it was read (botocore elbv2 2015-12-01)."""
EVERYTHING = {"path-pattern": {"*", "/*"}, "host-header": {"*"}}
"""Values with which a condition is true of every request."""
HEADER = "x-crossfade-slot"
"""The header of the preview rules: its value is the secret, a hyphen, and a slot, ``pattern`` or ``live``."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT = "default"
"""The priority of a listener's default rule."""


class LiveRule(Model):
    """A rule; its actions are in their order, the last one ends the request."""

    arn: str
    priority: str
    conditions: tuple[dict[str, Any], ...]
    actions: tuple[dict[str, Any], ...]
    transforms: tuple[dict[str, Any], ...] = ()

    @property
    def forwards(self) -> dict[str, int]:
        """The weight of each target group, by its ARN; empty where the rule answers by itself."""
        last = self.actions[-1]
        groups = last.get("ForwardConfig", {}).get("TargetGroups", [])
        # ELB may show a forward to one group without a weight, and an old one without a ForwardConfig.
        alone = {last["TargetGroupArn"]: 1} if "TargetGroupArn" in last else {}
        return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups} or alone

    @property
    def sticky(self) -> bool:
        """Whether a client stays with the group that it met first."""
        stickiness = self.actions[-1].get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {})
        return bool(stickiness.get("Enabled", False))

    def weights(self, groups: TargetGroups) -> Weights:
        """The rule in terms of slots.

        Raises
        ------
        ForeignChange
            The rule does what Crossfade could not keep: it forwards to a group that is not one of the
            service's, answers by itself, or does something before that is not known here.
        """
        own = {groups.blue, groups.green}
        beside = {groups.pattern, groups.replaced} - own
        foreign = set(self.forwards) - own - beside
        if foreign:
            raise self._changed(f"forwards to {', '.join(sorted(foreign))}", groups)
        if not self.forwards:
            raise self._changed(f"answers by {self.actions[-1]['Type']} and forwards to no group", groups)
        unknown = [action["Type"] for action in self.actions[:-1] if action["Type"] not in KEPT]
        if unknown:
            raise ForeignChange(
                f"The production rule {self.arn} does {', '.join(unknown)} before it forwards. Crossfade "
                f"could not write that back, so it leaves the rule alone; it can keep {', '.join(KEPT)}. "
                "Take the action out of the rule, or update Crossfade, then deploy again."
            )
        blue, green = (self.forwards.get(groups.of(slot), 0) for slot in SLOTS)
        return Weights.shares(blue, green, sum(self.forwards.get(group, 0) for group in beside))

    @property
    def of_owner(self) -> str:
        """What of the actions is not Crossfade's, as a text: all but where the forward leads.

        Their order is that of the list, so the numbers say nothing; nor does what a write says of a secret.
        """
        *before, forward = ({**_kept(action), "Order": 0} for action in self.actions)
        stickiness = forward.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {})
        rest = {
            key: value for key, value in forward.items() if key not in {"ForwardConfig", "TargetGroupArn"}
        }
        return json.dumps([*before, rest, {"Enabled": False} | stickiness], sort_keys=True)

    def weighted(self, groups: TargetGroups, weights: Weights) -> list[dict[str, Any]]:
        """The rule's actions with other weights: all of them, since ModifyRule replaces the whole list."""
        *before, forward = self.actions
        return [*(_kept(action) for action in before), weighted_forward(forward, groups, weights)]

    def handed_back(self, group: str) -> list[dict[str, Any]]:
        """The rule's actions with all traffic to one group, and to no other one any more."""
        *before, forward = self.actions
        rest = {key: value for key, value in forward.items() if key != "TargetGroupArn"}
        config = {
            **forward.get("ForwardConfig", {}),
            "TargetGroups": [{"TargetGroupArn": group, "Weight": 1}],
        }
        return [*(_kept(action) for action in before), {**rest, "ForwardConfig": config}]

    def covers_all(self) -> bool:
        """Whether every request fits the rule's conditions."""
        return all(
            not EVERYTHING.get(condition["Field"], set()).isdisjoint(_values(condition))
            for condition in self.conditions
        )

    def __str__(self) -> str:
        place = "the default rule" if self.priority == DEFAULT else f"priority {self.priority}"
        words = [_in_words(condition) for condition in self.conditions]
        return f"{self.arn} ({', '.join([place, *words])})"

    def _changed(self, found: str, groups: TargetGroups) -> ForeignChange:
        return ForeignChange(
            f"The production rule {self.arn} {found}. It should forward to {groups.blue} and {groups.green}, "
            "and to no other group. It was changed outside Crossfade."
        )


class SeenRule(Model):
    """A production rule as it was seen; ``actions`` is JSON, ``at`` is when it was seen so last."""

    arn: str
    actions: str
    at: Timestamp

    def over(self, read: LiveRule) -> LiveRule:
        """The rule that was read, with its actions as they were seen."""
        return read.model_copy(update={"actions": tuple(json.loads(self.actions))})

    def may_be_newer(self, now: datetime) -> bool:
        """Whether what the load balancer answers now may be of before it was seen so."""
        return now < self.at + timedelta(seconds=RULE_SECONDS)


class LastRule(SeenRule):
    """A production rule by the load balancer's answer to the last write of it, and where its groups were.

    ``at`` is when it was written, and is that of the journal's weights. ``again``: a read with these weights
    may have been from before this write.
    """

    cluster: str
    target_groups: TargetGroups
    again: bool = False

    @classmethod
    def of(cls, spec: Placed, answer: LiveRule, at: datetime, *, again: bool = False) -> Self:
        """What is to be remembered of a write."""
        return cls(
            arn=answer.arn,
            cluster=spec.cluster,
            target_groups=spec.groups_of(answer.arn),
            actions=json.dumps(answer.actions),
            at=at,
            again=again,
        )

    @classmethod
    def unwritten(cls, spec: Placed, route: Route) -> Self:
        """The same of a rule that was never written: where it is."""
        return cls(
            arn=route.rule, cluster=spec.cluster, target_groups=route.target_groups, actions="[]", at=NEVER
        )


def weighted_forward(action: Mapping[str, Any], groups: TargetGroups, weights: Weights) -> dict[str, Any]:
    """A forward with other weights; beside two groups there may be no TargetGroupArn."""
    tuples = [{"TargetGroupArn": groups.of(slot), "Weight": weights.of(slot)} for slot in SLOTS]
    rest = {key: value for key, value in action.items() if key != "TargetGroupArn"}
    return {**rest, "ForwardConfig": {**action.get("ForwardConfig", {}), "TargetGroups": tuples}}


def refuse_stickiness(rules: Iterable[LiveRule], sticky_groups: Sequence[str] = ()) -> None:
    """Refuse sticky sessions: they keep clients on a version whatever the weights say."""
    sticky = [*sticky_groups, *(rule.arn for rule in rules if rule.sticky)]
    if sticky:
        raise StickyTraffic(
            f"Sticky sessions are on for {', '.join(sticky)}; they override weights, so traffic could not be "
            "shifted. Turn stickiness off, then deploy again."
        )


def _kept(action: Mapping[str, Any]) -> dict[str, Any]:
    """An action as it was read; ELB never shows a login's secret, and keeps it if the action says so."""
    if action["Type"] != OIDC:
        return dict(action)
    login = {key: value for key, value in action["AuthenticateOidcConfig"].items() if key != "ClientSecret"}
    return {**action, "AuthenticateOidcConfig": {**login, "UseExistingClientSecret": True}}


def kept_most(rules: Iterable[LiveRule]) -> LiveRule:
    """Of what a rule may be by now the one that does most before it forwards, else the first one.

    A login that is put back once more is a nuisance; one that is lost opens the service.
    """
    return max(rules, key=lambda rule: len(rule.actions))


def _values(condition: Mapping[str, Any]) -> Iterator[str]:
    """A condition's values, which stand in it or in its field's own config; no regular expressions."""
    for found in (condition, *_configs(condition)):
        yield from (value for value in found.get("Values", []) if isinstance(value, str))


def _in_words(condition: Mapping[str, Any]) -> str:
    """A condition for a person, e.g. ``path-pattern /api/* or /v1/*``."""
    configs = _configs(condition)
    names = [str(config["HttpHeaderName"]) for config in configs if "HttpHeaderName" in config]
    pairs = [pair for config in configs for pair in config.get("Values", []) if isinstance(pair, dict)]
    queries = ["=".join(filter(None, (pair.get("Key"), pair["Value"]))) for pair in pairs]
    expressions = [value for found in (condition, *configs) for value in found.get("RegexValues", [])]
    shown = [_without_secret(value) if names == [HEADER] else value for value in _values(condition)]
    values = dict.fromkeys([*shown, *queries, *(f"regex {value}" for value in expressions)])
    return " ".join([condition["Field"], *names, " or ".join(visible(value) for value in values)])


def _without_secret(value: str) -> str:
    """The value of a preview rule's header: who knows all of it reaches a slot, so no message has it."""
    return f"(secret)-{value.rpartition('-')[2]}"


def _configs(condition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [value for value in condition.values() if isinstance(value, dict)]
