"""What the emulator's ELBv2 API answers otherwise than AWS does, put right (all for ministack 1.5.33).

Each handler keeps ministack's own; checks that AWS makes and ministack leaves out come before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import alb

from sandbox.load_balancer import rules
from sandbox.load_balancer.actions import Params, Problem, keep_secret, problem_with, problem_with_secrets
from sandbox.load_balancer.listeners import PortTaken, data_plane
from sandbox.load_balancer.targets import DEFAULT_ATTRIBUTES

DNS_NAME = "localhost"
HIGHEST_PRIORITY = 50_000

Handler = Callable[[Params], Any]
Check = Callable[[Params], Problem | None]


def _members(params: Params, prefix: str) -> list[str]:
    return list(alb._parse_member_list(params, prefix))


def _refuse(handler: Handler, *checks: Check) -> Handler:
    """The handler, after checks that may end the call with an AWS error."""

    def handle(params: Params) -> Any:
        for check in checks:
            if problem := check(params):
                return alb._error(*problem)
        return handler(params)

    return handle


# --- checks -------------------------------------------------------------------------------------------------


def _actions_are_valid(field: str) -> Check:
    return lambda params: problem_with(alb._parse_actions(params, field))


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


def _listeners_exist(*fields: str) -> Check:
    def check(params: Params) -> Problem | None:
        single = [arn] if (arn := alb._p(params, "ListenerArn")) else []
        unknown = [arn for arn in single + _members(params, "ListenerArns") if arn not in alb._listeners]
        return ("ListenerNotFound", f"One or more listeners not found: {unknown[0]}") if unknown else None

    return check


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


# --- handlers -----------------------------------------------------------------------------------------------


def _with_port(handler: Handler) -> Handler:
    """CreateListener and ModifyListener open the port first: a listener that cannot listen is an error."""

    def handle(params: Params) -> Any:
        arn, port = alb._p(params, "ListenerArn"), alb._p(params, "Port")
        if not port:
            return handler(params)
        balancer = alb._p(params, "LoadBalancerArn") or alb._listeners[arn]["LoadBalancerArn"]
        try:
            with data_plane.claim(int(port), balancer, arn):
                return handler(params)
        except PortTaken as taken:
            return alb._error(taken.code, str(taken))

    return handle


def _describe_rules(params: Params) -> Any:
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


def _noted(write: Handler) -> Handler:
    """A write of rules that is met and seen later."""

    def handle(params: Params) -> Any:
        before = rules.snapshot()
        answer = write(params)
        rules.written(before)
        return answer

    return handle


def _with_its_secret(modify_rule: Handler) -> Handler:
    """A login that was changed without its secret has the secret that it had; ministack forgets it."""

    def handle(params: Params) -> Any:
        arn = alb._p(params, "RuleArn")
        stored = alb._rules[arn]["Actions"]
        answer = modify_rule(params)
        keep_secret(alb._rules[arn]["Actions"], stored)
        return answer

    return handle


def _with_load_balancers(handler: Handler) -> Handler:
    """LoadBalancerArns of a group: ministack sets it for a listener's own group only, and for good."""

    def handle(params: Params) -> Any:
        in_use = rules.groups_in_use()
        for arn, group in alb._tgs.items():
            group["LoadBalancerArns"] = in_use.get(arn, [])
        return handler(params)

    return handle


def _with_default_attributes(handler: Handler) -> Handler:
    """A group made by CloudFormation with some attributes has lost the others' defaults in ministack."""

    def handle(params: Params) -> Any:
        arn = alb._p(params, "TargetGroupArn")
        if arn in alb._tgs:
            attributes = alb._tg_attrs.setdefault(arn, [])
            present = {attribute["Key"] for attribute in attributes}
            missing = DEFAULT_ATTRIBUTES.keys() - present
            attributes += [{"Key": key, "Value": DEFAULT_ATTRIBUTES[key]} for key in sorted(missing)]
        return handler(params)

    return handle


def _with_its_listeners(delete_load_balancer: Handler) -> Handler:
    """Deleting a load balancer deletes its listeners and rules; ministack leaves them behind."""

    def handle(params: Params) -> Any:
        balancer = alb._p(params, "LoadBalancerArn")
        for arn in [a for a, each in alb._listeners.items() if each["LoadBalancerArn"] == balancer]:
            alb._delete_listener({"ListenerArn": arn})
        return delete_load_balancer(params)

    return handle


def install() -> None:
    """Put checks and handlers into ministack's table of actions."""
    handlers = alb._ACTION_MAP
    show_load_balancer = alb._lb_xml
    # In what is shown only: ministack's gateway would take a stored `localhost` for a load balancer's host.
    alb._lb_xml = lambda balancer: show_load_balancer({**balancer, "DNSName": DNS_NAME})

    handlers["CreateListener"] = _refuse(
        _with_port(handlers["CreateListener"]), _actions_are_valid("DefaultActions")
    )
    handlers["ModifyListener"] = _refuse(
        _with_port(handlers["ModifyListener"]), _listeners_exist(), _actions_are_valid("DefaultActions")
    )
    handlers["DescribeListeners"] = _refuse(handlers["DescribeListeners"], _listeners_exist())
    handlers["DeleteLoadBalancer"] = _with_its_listeners(handlers["DeleteLoadBalancer"])
    handlers["CreateRule"] = _refuse(
        _noted(handlers["CreateRule"]),
        _listeners_exist(),
        _actions_are_valid("Actions"),
        _logins_have_secrets,
        _priority_is_free,
    )
    handlers["ModifyRule"] = _refuse(
        _noted(_with_its_secret(handlers["ModifyRule"])),
        _rule_exists,
        _actions_are_valid("Actions"),
        _logins_have_secrets,
    )
    handlers["DeleteRule"] = _refuse(_noted(handlers["DeleteRule"]), _rule_exists)
    handlers["DescribeRules"] = _refuse(_describe_rules, _listeners_exist())
    handlers["SetRulePriorities"] = _refuse(_noted(handlers["SetRulePriorities"]), _new_priorities_are_free)
    handlers["DescribeTargetGroups"] = _refuse(
        _with_load_balancers(handlers["DescribeTargetGroups"]), _groups_exist
    )
    handlers["DeleteTargetGroup"] = _refuse(handlers["DeleteTargetGroup"], _group_is_out_of_use)
    for action in ("DescribeTargetGroupAttributes", "ModifyTargetGroupAttributes"):
        handlers[action] = _with_default_attributes(handlers[action])
