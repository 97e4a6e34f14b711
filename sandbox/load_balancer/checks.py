"""What AWS refuses and the emulator's ELBv2 API takes.

The codes are those that botocore's elbv2 model lists for each call, where it lists one; the sentences are
AWS's own as people have met them, as far as they are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ministack.services import alb

from sandbox.load_balancer import conditions, rules
from sandbox.load_balancer.actions import forward_weights, problem_with
from sandbox.load_balancer.gates import Params, Problem, problem_with_secrets
from sandbox.patching import replaces

HIGHEST_PRIORITY = 50_000
MOST_RULES = 100
MOST_GROUPS = 100
"""Of a load balancer, default rules aside: its quotas, unless they are raised."""
LONGEST_NAME = 32

Handler = Callable[[Params], Any]
Check = Callable[[Params], Problem | None]


def _members(params: Params, prefix: str) -> list[str]:
    return list(alb._parse_member_list(params, prefix))


def _default_actions_are_valid(params: Params) -> Problem | None:
    return problem_with(alb._parse_actions(params, "DefaultActions"))


def _actions_are_valid(params: Params) -> Problem | None:
    return problem_with(alb._parse_actions(params, "Actions"))


def _logins_have_secrets(params: Params) -> Problem | None:
    stored = alb._rules.get(alb._p(params, "RuleArn"), {}).get("Actions") or []
    return problem_with_secrets(alb._parse_actions(params, "Actions"), stored)


def _default_logins_have_secrets(params: Params) -> Problem | None:
    stored = alb._listeners.get(alb._p(params, "ListenerArn"), {}).get("DefaultActions") or []
    return problem_with_secrets(alb._parse_actions(params, "DefaultActions"), stored)


def _conditions_are_valid(params: Params) -> Problem | None:
    return conditions.problem_with(alb._parse_conditions(params))


def _tags_are_the_callers(params: Params) -> Problem | None:
    reserved = [tag["Key"] for tag in alb._parse_tags(params) if tag["Key"].lower().startswith("aws:")]
    return ("ValidationError", f"Tag key '{reserved[0]}' cannot start with 'aws:'") if reserved else None


def _name_is_short(params: Params) -> Problem | None:
    name = alb._p(params, "Name")
    if len(name) <= LONGEST_NAME:
        return None
    return "ValidationError", f"Target group name '{name}' cannot be longer than '{LONGEST_NAME}' characters"


def _listener_has_a_certificate(params: Params) -> Problem | None:
    known = alb._listeners.get(alb._p(params, "ListenerArn"), {})
    given = alb._parse_certificate_arns(params) or known.get("Certificates") or []
    return problem_with_certificates(alb._p(params, "Protocol") or known.get("Protocol"), given)


def problem_with_certificates(protocol: str | None, certificates: Sequence[Any]) -> Problem | None:
    """Why AWS refuses a listener of this protocol with these certificates, or None."""
    if protocol == "HTTPS" and not certificates:
        return "ValidationError", "A certificate must be specified for HTTPS listeners"
    return None


def _balancer_has_room(params: Params) -> Problem | None:
    """For a rule, and for the target groups of its actions."""
    balancer = alb._listeners[alb._p(params, "ListenerArn")]["LoadBalancerArn"]
    others = [
        rule
        for rule in alb._rules.values()
        if alb._listeners.get(rule["ListenerArn"], {}).get("LoadBalancerArn") == balancer
    ]
    if sum(not rule["IsDefault"] for rule in others) >= MOST_RULES:
        return "TooManyRules", f"The maximum number of rules has been reached on load balancer '{balancer}'"
    actions = [action for rule in others for action in rule["Actions"]]
    actions += alb._parse_actions(params, "Actions")
    if len({arn for action in actions for arn, _ in forward_weights(action)}) > MOST_GROUPS:
        return (
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            f"You have reached the maximum number of unique target groups on load balancer '{balancer}'",
        )
    return None


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
    """Its default actions can be done, and its clients shown a certificate."""
    return _checked(
        emulator,
        params,
        _tags_are_the_callers,
        _listener_has_a_certificate,
        _default_actions_are_valid,
        _default_logins_have_secrets,
    )


@replaces(alb, "_ACTION_MAP", "ModifyListener", version="1.5.33")
def check_a_changed_listener(emulator: Handler, params: Params) -> Any:
    """It exists, and what a new one needs."""
    return _checked(
        emulator,
        params,
        _listeners_exist,
        _listener_has_a_certificate,
        _default_actions_are_valid,
        _default_logins_have_secrets,
    )


@replaces(alb, "_ACTION_MAP", "DescribeListeners", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "DescribeRules", version="1.5.33")
def check_its_listeners(emulator: Handler, params: Params) -> Any:
    """They exist."""
    return _checked(emulator, params, _listeners_exist)


@replaces(alb, "_ACTION_MAP", "CreateRule", version="1.5.33")
def check_a_new_rule(emulator: Handler, params: Params) -> Any:
    """Its listener exists, conditions can be met and actions done, and there is room for it."""
    return _checked(
        emulator,
        params,
        _tags_are_the_callers,
        _listeners_exist,
        _conditions_are_valid,
        _actions_are_valid,
        _logins_have_secrets,
        _priority_is_free,
        _balancer_has_room,
    )


@replaces(alb, "_ACTION_MAP", "ModifyRule", version="1.5.33")
def check_a_changed_rule(emulator: Handler, params: Params) -> Any:
    """It exists, its conditions can be met and its actions done."""
    return _checked(
        emulator, params, _rule_exists, _conditions_are_valid, _actions_are_valid, _logins_have_secrets
    )


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


@replaces(alb, "_ACTION_MAP", "CreateTargetGroup", version="1.5.33")
def check_a_new_group(emulator: Handler, params: Params) -> Any:
    """Its name is short, and its tags are the caller's own."""
    return _checked(emulator, params, _name_is_short, _tags_are_the_callers)


@replaces(alb, "_ACTION_MAP", "AddTags", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "CreateLoadBalancer", version="1.5.33")
def check_tags(emulator: Handler, params: Params) -> Any:
    """They are the caller's own."""
    return _checked(emulator, params, _tags_are_the_callers)
