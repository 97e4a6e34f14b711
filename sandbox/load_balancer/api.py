"""What the emulator's ELBv2 API answers otherwise than AWS does, put right.

Checks that AWS makes and MiniStack leaves out come before what a call does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import alb

from sandbox.load_balancer import rules
from sandbox.load_balancer.actions import Params, Problem, keep_secret, problem_with, problem_with_secrets
from sandbox.load_balancer.listeners import PortTaken, data_plane
from sandbox.load_balancer.targets import DEFAULT_ATTRIBUTES
from sandbox.patching import replaces

DNS_NAME = "localhost"
HIGHEST_PRIORITY = 50_000

Handler = Callable[[Params], Any]
Check = Callable[[Params], Problem | None]


def _members(params: Params, prefix: str) -> list[str]:
    return list(alb._parse_member_list(params, prefix))


# --- checks -------------------------------------------------------------------------------------------------


def _default_actions_are_valid(params: Params) -> Problem | None:
    return problem_with(alb._parse_actions(params, "DefaultActions"))


def _actions_are_valid(params: Params) -> Problem | None:
    return problem_with(alb._parse_actions(params, "Actions"))


def _logins_have_secrets(params: Params) -> Problem | None:
    stored = alb._rules.get(alb._p(params, "RuleArn"), {}).get("Actions") or []
    return problem_with_secrets(alb._parse_actions(params, "Actions"), stored)


def _priority_is_free(params: Params) -> Problem | None:
    priority = alb._p(params, "Priority")
    if problem := _priority_in_range(priority):
        return problem
    if rules.priority_in_use(alb._p(params, "ListenerArn"), priority):
        return "PriorityInUse", f"Priority '{priority}' is currently in use"
    return None


def _priority_in_range(priority: str) -> Problem | None:
    if priority.isdigit() and 1 <= int(priority) <= HIGHEST_PRIORITY:
        return None
    return "ValidationError", f"Priority must be between 1 and {HIGHEST_PRIORITY}, not '{priority}'"


def _listeners_exist(params: Params) -> Problem | None:
    single = [arn] if (arn := alb._p(params, "ListenerArn")) else []
    unknown = [arn for arn in single + _members(params, "ListenerArns") if arn not in alb._listeners]
    return ("ListenerNotFound", f"One or more listeners not found: {unknown[0]}") if unknown else None


def _rule_exists(params: Params) -> Problem | None:
    arn = alb._p(params, "RuleArn")
    return None if arn in alb._rules else ("RuleNotFound", f"One or more rules not found: {arn}")


def _new_priorities_are_free(params: Params) -> Problem | None:
    wanted: dict[str, str] = {}
    while arn := alb._p(params, f"RulePriorities.member.{len(wanted) + 1}.RuleArn"):
        wanted[arn] = alb._p(params, f"RulePriorities.member.{len(wanted) + 1}.Priority")
    for arn, priority in wanted.items():
        rule = alb._rules.get(arn)
        if rule is None:
            return "RuleNotFound", f"One or more rules not found: {arn}"
        if rule["IsDefault"]:
            return "OperationNotPermitted", f"The priority of the default rule '{arn}' cannot be set"
        if problem := _priority_in_range(priority):
            return problem
        twice = list(wanted.values()).count(priority) > 1
        if twice or rules.priority_in_use(rule["ListenerArn"], priority, but=set(wanted)):
            return "PriorityInUse", f"Priority '{priority}' is currently in use"
    return None


def _groups_exist(params: Params) -> Problem | None:
    names = {group["TargetGroupName"] for group in alb._tgs.values()}
    unknown = [arn for arn in _members(params, "TargetGroupArns") if arn not in alb._tgs]
    unknown += [name for name in _members(params, "Names") if name not in names]
    return ("TargetGroupNotFound", f"One or more target groups not found: {unknown[0]}") if unknown else None


def _group_is_out_of_use(params: Params) -> Problem | None:
    arn = alb._p(params, "TargetGroupArn")
    if arn in rules.groups_in_use():
        return "ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule"
    return None


# --- what a call does ---------------------------------------------------------------------------------------


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
    arn = alb._p(params, "RuleArn")
    stored = alb._rules[arn]["Actions"]
    answer = emulator(params)
    keep_secret(alb._rules[arn]["Actions"], stored)
    return answer


@replaces(alb, "_ACTION_MAP", "CreateRule", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "ModifyRule", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "DeleteRule", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "SetRulePriorities", version="1.5.33")
def note_what_was_written(emulator: Handler, params: Params) -> Any:
    """A write of rules is met and seen later."""
    before = rules.snapshot()
    answer = emulator(params)
    rules.written(before)
    return answer


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


# --- what a call is checked for -----------------------------------------------------------------------------
# Below what the calls do: of two patches of one target the later one is asked first.


def _checked(emulator: Handler, params: Params, *checks: Check) -> Any:
    """The call, after checks that may end it with an AWS error."""
    for check in checks:
        if problem := check(params):
            return alb._error(*problem)
    return emulator(params)


@replaces(alb, "_ACTION_MAP", "CreateListener", version="1.5.33")
def check_a_new_listener(emulator: Handler, params: Params) -> Any:
    """Its default actions can be done."""
    return _checked(emulator, params, _default_actions_are_valid)


@replaces(alb, "_ACTION_MAP", "ModifyListener", version="1.5.33")
def check_a_changed_listener(emulator: Handler, params: Params) -> Any:
    """It exists, and its default actions can be done."""
    return _checked(emulator, params, _listeners_exist, _default_actions_are_valid)


@replaces(alb, "_ACTION_MAP", "DescribeListeners", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "DescribeRules", version="1.5.33")
def check_its_listeners(emulator: Handler, params: Params) -> Any:
    """They exist."""
    return _checked(emulator, params, _listeners_exist)


@replaces(alb, "_ACTION_MAP", "CreateRule", version="1.5.33")
def check_a_new_rule(emulator: Handler, params: Params) -> Any:
    """Its listener exists, its actions can be done, its priority is free."""
    return _checked(
        emulator, params, _listeners_exist, _actions_are_valid, _logins_have_secrets, _priority_is_free
    )


@replaces(alb, "_ACTION_MAP", "ModifyRule", version="1.5.33")
def check_a_changed_rule(emulator: Handler, params: Params) -> Any:
    """It exists, and its actions can be done."""
    return _checked(emulator, params, _rule_exists, _actions_are_valid, _logins_have_secrets)


@replaces(alb, "_ACTION_MAP", "DeleteRule", version="1.5.33")
def check_a_deleted_rule(emulator: Handler, params: Params) -> Any:
    """It exists."""
    return _checked(emulator, params, _rule_exists)


@replaces(alb, "_ACTION_MAP", "SetRulePriorities", version="1.5.33")
def check_new_priorities(emulator: Handler, params: Params) -> Any:
    """They are free."""
    return _checked(emulator, params, _new_priorities_are_free)


@replaces(alb, "_ACTION_MAP", "DescribeTargetGroups", version="1.5.33")
def check_its_groups(emulator: Handler, params: Params) -> Any:
    """They exist."""
    return _checked(emulator, params, _groups_exist)


@replaces(alb, "_ACTION_MAP", "DeleteTargetGroup", version="1.5.33")
def check_a_deleted_group(emulator: Handler, params: Params) -> Any:
    """Nothing sends requests to it."""
    return _checked(emulator, params, _group_is_out_of_use)
