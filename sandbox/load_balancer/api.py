"""What the emulator's ELBv2 API does otherwise than AWS, put right. What AWS refuses: `checks.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import alb

from sandbox.load_balancer import rules
from sandbox.load_balancer.gates import Action, Params, keep_secret
from sandbox.load_balancer.listeners import PortTaken, data_plane
from sandbox.load_balancer.targets import DEFAULT_ATTRIBUTES
from sandbox.patching import replaces

DNS_NAME = "localhost"

Handler = Callable[[Params], Any]


def _members(params: Params, prefix: str) -> list[str]:
    return list(alb._parse_member_list(params, prefix))


@replaces(alb, "_ACTION_MAP", "CreateListener", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "ModifyListener", version="1.5.33")
def open_the_port_first(emulator: Handler, params: Params) -> Any:
    """A listener that cannot listen is an error."""
    arn, port = alb._p(params, "ListenerArn"), alb._p(params, "Port")
    if not port:
        return emulator(params)
    balancer = alb._p(params, "LoadBalancerArn") or alb._listeners[arn]["LoadBalancerArn"]
    try:
        with data_plane.claim(int(port), balancer, arn):
            return emulator(params)
    except PortTaken as taken:
        return alb._error(taken.code, str(taken))


@replaces(alb, "_ACTION_MAP", "DescribeRules", version="1.5.33")
def describe_rules(emulator: Handler, params: Params) -> Any:
    """By priority, the default rule last; to a role, what was just written as it was before."""
    wanted, listener = _members(params, "RuleArns"), alb._p(params, "ListenerArn")
    shown = [
        rule
        for rule in rules.as_read()
        if (rule["RuleArn"] in wanted if wanted else rule["ListenerArn"] == listener)
    ]
    if unknown := set(wanted) - {rule["RuleArn"] for rule in shown}:
        return alb._error("RuleNotFound", f"One or more rules not found: {min(unknown)}")
    return alb._xml(200, "DescribeRules", f"<Rules>{''.join(alb._rule_xml(rule) for rule in shown)}</Rules>")


@replaces(alb, "_ACTION_MAP", "ModifyRule", version="1.5.33")
def keep_the_secret(emulator: Handler, params: Params) -> Any:
    """A login that was changed without its secret has the secret that it had; MiniStack forgets it."""
    rule = alb._rules[alb._p(params, "RuleArn")]
    return _with_secrets(emulator, params, rule, "Actions")


@replaces(alb, "_ACTION_MAP", "ModifyListener", version="1.5.33")
def keep_the_default_secret(emulator: Handler, params: Params) -> Any:
    """So has one of a listener's default actions, which are the same objects as its default rule's."""
    listener = alb._listeners[alb._p(params, "ListenerArn")]
    return _with_secrets(emulator, params, listener, "DefaultActions")


def _with_secrets(emulator: Handler, params: Params, record: dict[str, Any], actions: str) -> Any:
    stored: list[Action] = record[actions]
    answer = emulator(params)
    keep_secret(record[actions], stored)
    return answer


@replaces(alb, "_ACTION_MAP", "ModifyListener", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "CreateRule", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "ModifyRule", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "DeleteRule", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "SetRulePriorities", version="1.5.33")
def note_what_was_written(emulator: Handler, params: Params) -> Any:
    """A write of rules, a listener's default rule among them, is met and seen later."""
    before = rules.snapshot()
    answer = emulator(params)
    rules.written(before)
    return answer


@replaces(alb, "_ACTION_MAP", "DescribeTags", version="1.5.33")
def show_tags_escaped(emulator: Handler, params: Params) -> Any:
    """MiniStack writes keys and values into its XML as they are."""
    answer = emulator(params)
    if answer[0] != 200:
        return answer
    shown = "".join(
        f"<member><ResourceArn>{arn}</ResourceArn><Tags>{_tags_xml(alb._tags.get(arn) or [])}</Tags></member>"
        for arn in _members(params, "ResourceArns")
    )
    return alb._xml(200, "DescribeTags", f"<TagDescriptions>{shown}</TagDescriptions>")


def _tags_xml(tags: list[dict[str, str]]) -> str:
    return "".join(
        f"<member><Key>{alb._esc(tag['Key'])}</Key><Value>{alb._esc(tag['Value'])}</Value></member>"
        for tag in tags
    )


@replaces(alb, "_ACTION_MAP", "DescribeTargetGroups", version="1.5.33")
def tell_load_balancers(emulator: Handler, params: Params) -> Any:
    """LoadBalancerArns of a group: MiniStack sets it for a listener's own group only, and for good."""
    in_use = rules.groups_in_use()
    for arn, group in alb._tgs.items():
        group["LoadBalancerArns"] = in_use.get(arn, [])
    return emulator(params)


@replaces(alb, "_ACTION_MAP", "DescribeTargetGroupAttributes", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "ModifyTargetGroupAttributes", version="1.5.33")
def give_default_attributes(emulator: Handler, params: Params) -> Any:
    """A group made by CloudFormation with some attributes has lost the others' defaults in MiniStack."""
    arn = alb._p(params, "TargetGroupArn")
    if arn in alb._tgs:
        attributes = alb._tg_attrs.setdefault(arn, [])
        present = {attribute["Key"] for attribute in attributes}
        missing = DEFAULT_ATTRIBUTES.keys() - present
        attributes += [{"Key": key, "Value": DEFAULT_ATTRIBUTES[key]} for key in sorted(missing)]
    return emulator(params)


@replaces(alb, "_ACTION_MAP", "DeleteLoadBalancer", version="1.5.33")
def delete_its_listeners(emulator: Handler, params: Params) -> Any:
    """Deleting a load balancer deletes its listeners and rules; MiniStack leaves them behind."""
    balancer = alb._p(params, "LoadBalancerArn")
    for arn in [a for a, each in alb._listeners.items() if each["LoadBalancerArn"] == balancer]:
        alb._delete_listener({"ListenerArn": arn})
    return emulator(params)


@replaces(alb, "_lb_xml", version="1.5.33")
def show_a_name_that_resolves(emulator: Callable[[dict[str, Any]], str], balancer: dict[str, Any]) -> str:
    """Shown only: MiniStack's gateway would take a stored `localhost` for a load balancer's host."""
    return emulator({**balancer, "DNSName": DNS_NAME})
