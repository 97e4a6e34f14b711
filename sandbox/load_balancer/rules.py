"""Which rule answers a request: priorities, weights, and who refers to which target group.

The rules are the emulator's own, as they were: on AWS a change reaches clients some ten seconds later, when
the load balancer has taken it over, and those who read the rules within seconds or minutes.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from ministack.services import alb

from sandbox.delays import Delay, Past, Stale, delays
from sandbox.load_balancer.actions import forward_weights
from sandbox.load_balancer.conditions import Seen
from sandbox.load_balancer.conditions import met as condition_met
from sandbox.load_balancer.gates import Action

Rule = dict[str, Any]

met = Past(Delay.CLIENTS, delays)
"""What clients still meet."""
read = Past(Delay.RULE_READ, delays)
"""What DescribeRules may still answer."""


def snapshot() -> dict[str, Rule]:
    """Every rule as it is now, by ARN."""
    return copy.deepcopy(dict(alb._rules.items()))


def written(before: dict[str, Rule]) -> None:
    """Note what a write has changed since a snapshot."""
    for arn in dict.fromkeys([*before, *alb._rules]):
        old, new = before.get(arn), alb._rules.get(arn)
        if old != new:
            for past in (met, read):
                past.wrote(arn, old, f"priority {(new or old or {}).get('Priority')}")


def as_met() -> list[Rule]:
    """All rules as clients meet them, in the order of their priority."""
    return _before(met.shown, met)


def as_read() -> list[Rule]:
    """All rules as the caller of the request under way reads them, in the order of their priority."""
    return _before(read.read, read)


def _before(shown: Callable[[str], Stale | None], past: Past) -> list[Rule]:
    found = []
    for arn in dict.fromkeys([*alb._rules, *past.lately()]):
        stale = shown(arn)
        rule = stale.value if stale else alb._rules.get(arn)
        if isinstance(rule, dict):
            found.append(rule)
    return sorted(found, key=alb._rule_sort_key)


def in_order(listener_arn: str) -> list[Rule]:
    """A listener's rules by priority, the default rule last."""
    return sorted(
        (rule for rule in alb._rules.values() if rule.get("ListenerArn") == listener_arn),
        key=alb._rule_sort_key,
    )


def actions_for(listener: dict[str, Any], seen: Seen) -> list[Action]:
    """The actions of the rule that matches, in their order; none when a listener is just being deleted."""
    for rule in as_met():
        if rule.get("ListenerArn") != listener["ListenerArn"]:
            continue
        if rule.get("IsDefault") or all(condition_met(condition, seen) for condition in rule["Conditions"]):
            return sorted(rule["Actions"], key=lambda action: int(action.get("Order", 1)))
    return []


def choose_group(action: Action, chance: random.Random) -> str | None:
    """One target group by weight, or None when every weight is 0."""
    weights = [(arn, weight) for arn, weight in forward_weights(action) if weight > 0]
    if len(weights) < 2:
        return weights[0][0] if weights else None
    return chance.choices([arn for arn, _ in weights], [weight for _, weight in weights])[0]


def groups_in_use() -> dict[str, list[str]]:
    """Target group ARN -> ARNs of the load balancers that some listener or rule connects it to."""
    in_use: dict[str, list[str]] = {}
    for rule in alb._rules.values():
        listener = alb._listeners.get(rule.get("ListenerArn"))
        if listener is None or listener["LoadBalancerArn"] not in alb._lbs:
            continue
        for action in rule.get("Actions") or []:
            for arn, _ in forward_weights(action):
                balancers = in_use.setdefault(arn, [])
                if listener["LoadBalancerArn"] not in balancers:
                    balancers.append(listener["LoadBalancerArn"])
    return in_use


def priority_in_use(listener_arn: str, priority: str, but: set[str] | None = None) -> bool:
    """Whether a rule of the listener other than those in `but` (ARNs) holds that priority."""
    return any(
        str(rule["Priority"]) == str(priority) and rule["RuleArn"] not in (but or set())
        for rule in in_order(listener_arn)
    )
