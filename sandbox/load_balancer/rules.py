"""Which rule answers a request: conditions, priorities, weights, and who refers to which target group.

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
from sandbox.load_balancer.actions import Action, forward_weights
from sandbox.patching import replaces

Rule = dict[str, Any]
Condition = dict[str, Any]

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


def actions_for(
    listener: dict[str, Any], method: str, path: str, headers: dict[str, str], query: dict[str, list[str]]
) -> list[Action]:
    """The actions of the rule that matches, in their order; none when a listener is just being deleted."""
    for rule in as_met():
        if rule.get("ListenerArn") != listener["ListenerArn"]:
            continue
        if rule.get("IsDefault") or all(
            alb._match_condition(condition, method, path, headers, query) for condition in rule["Conditions"]
        ):
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


def query_condition(condition: Condition, pairs: list[dict[str, str]]) -> Condition:
    """The stored form of a query-string condition: typed pairs, no flat values."""
    return {**condition, "Values": [], "QueryStringConfig": {"Values": pairs}}


def _query_matches(pairs: list[dict[str, str]], query: dict[str, list[str]]) -> bool:
    return any(
        alb._header_value_matches(value, pair.get("Value", ""))
        for pair in pairs
        for key, values in query.items()
        if not pair.get("Key") or alb._header_value_matches(key, pair["Key"])
        for value in values
    )


# --- query-string conditions: MiniStack drops their values, and then matches every request ------------------


@replaces(alb, "_parse_conditions", version="1.5.33")
def parse_query_strings(
    emulator: Callable[..., list[Condition]], params: dict[str, Any], prefix: str = "Conditions"
) -> list[Condition]:
    """The conditions of a call, with their query strings."""
    conditions = emulator(params, prefix)
    for number, condition in enumerate(conditions, start=1):
        if condition["Field"] != "query-string":
            continue
        at = f"{prefix}.member.{number}.QueryStringConfig.Values.member"
        pairs: list[dict[str, str]] = []
        while value := alb._p(params, f"{at}.{len(pairs) + 1}.Value"):
            pairs.append({"Key": alb._p(params, f"{at}.{len(pairs) + 1}.Key"), "Value": value})
        conditions[number - 1] = query_condition(condition, pairs)
    return conditions


@replaces(alb, "_condition_xml", version="1.5.33")
def show_query_strings(emulator: Callable[[Condition], str], condition: Condition) -> str:
    """A condition in an answer, with its query strings; MiniStack does not escape values either."""
    xml = emulator({**condition, "Values": [alb._esc(value) for value in condition.get("Values", [])]})
    if config := condition.get("QueryStringConfig"):
        pairs = "".join(
            "<member>"
            + (f"<Key>{alb._esc(pair['Key'])}</Key>" if pair.get("Key") else "")
            + f"<Value>{alb._esc(pair['Value'])}</Value></member>"
            for pair in config["Values"]
        )
        pairs = f"<QueryStringConfig><Values>{pairs}</Values></QueryStringConfig>"
        xml = xml.removesuffix("</member>") + pairs + "</member>"
    return xml


@replaces(alb, "_match_condition", version="1.5.33")
def match_query_strings(
    emulator: Callable[..., object],
    condition: Condition,
    method: str,
    path: str,
    headers: dict[str, str],
    query: dict[str, list[str]],
) -> bool:
    """Whether a request meets a condition."""
    if config := condition.get("QueryStringConfig"):
        return _query_matches(config["Values"], query)
    return bool(emulator(condition, method, path, headers, query))
