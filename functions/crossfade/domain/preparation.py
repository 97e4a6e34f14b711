"""What Crossfade makes beside the owner's load balancer before it deploys a service, and how that goes again.

Two target groups like that of the pattern; the production rule, where the owner has none; a rule for each
group, the pattern's as well, by a secret header; where a login is to be passed, one more that leads where
the users' one does; and the secret. Target groups, conditions, actions and transforms have the shapes of
ELB's API. What is planned here holds ``{secret}`` in place of the secret, and ``<name>`` in place of the ARN
of what is yet to be made.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from crossfade.domain.errors import NotPrepared, StillLive
from crossfade.domain.slots import SLOTS, Slot, TargetGroups
from crossfade.domain.spec.names import SERVICE_TAG
from crossfade.domain.spec.service import ExistingRule, OwnRule, ServiceSpec
from crossfade.domain.traffic.place import (
    LAST,
    found_rule,
    free_priority,
    production_rule,
    refuse_covering,
)
from crossfade.domain.traffic.rule import DEFAULT, HEADER, LiveRule

PATTERN = "pattern"
"""The rule that leads to the owner's service.

Without it no rule would use that one's target group once a slot is live, and there no target becomes healthy
(``Target.NotInUse`` of botocore's ``TargetHealth``): the service could not be handed back.
"""
LIVE = "live"
"""The rule that leads where the users' rule does, and asks for no login."""
SECRET = "{secret}"  # noqa: S105 - stands in its place
PRODUCTION = "the production rule"
SPEC_TAG = "crossfade:spec"
"""The other tag: the SSM parameter of the service's spec, which tells two Crossfades of an account apart."""
FIXED = (
    "Protocol", "ProtocolVersion", "Port", "VpcId", "TargetType", "IpAddressType", "TargetControlPort",
)  # fmt: skip
"""What CreateTargetGroup sets and ModifyTargetGroup cannot change (botocore elbv2 2015-12-01)."""
HEALTH_CHECK = (
    "HealthCheckProtocol", "HealthCheckPort", "HealthCheckEnabled", "HealthCheckPath",
    "HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount",
    "UnhealthyThresholdCount", "Matcher",
)  # fmt: skip
"""What ModifyTargetGroup changes (botocore elbv2 2015-12-01)."""
NEW_GROUP = {
    "deregistration_delay.timeout_seconds": "300",
    "stickiness.enabled": "false",
    "stickiness.type": "lb_cookie",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.app_cookie.cookie_name": "",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "slow_start.duration_seconds": "0",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
"""The attributes of a target group that was just made (botocore elbv2 2015-12-01, TargetGroupAttribute).

Some are refused where another one does not allow them, so those only are set that are to differ. What ELB
shows besides is compared once the group is there.
"""


class Group(NamedTuple):
    """A target group as DescribeTargetGroups shows it, with its attributes and tags."""

    shown: Mapping[str, Any]
    attributes: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def arn(self) -> str:
        """The group's ARN."""
        return str(self.shown["TargetGroupArn"])


class Names(NamedTuple):
    """How the parts are named: the target groups of the slots, and the SSM parameters of secret and spec."""

    groups: Mapping[Slot, str]
    secret: str
    spec: str


class Found(NamedTuple):
    """What there is of a service's preparation.

    ``pattern`` is the target group of the owner's ECS service; ``groups`` are those of the slots that exist.
    ``rules`` are all of the preview listener, ``tags`` those of each by its ARN, and ``production`` are all
    rules of the listener of production. In their headers ``{secret}`` stands in place of the secret.
    """

    pattern: Group
    groups: Mapping[Slot, Group]
    rules: tuple[LiveRule, ...]
    tags: Mapping[str, Mapping[str, str]]
    production: tuple[LiveRule, ...]
    has_secret: bool


class Call(NamedTuple):
    """A call of AWS by boto3's names, e.g. ``elbv2`` and ``create_rule``."""

    service: str
    operation: str
    arguments: dict[str, Any]


class Step(NamedTuple):
    """A call that is to be made, what it is for, and the call that undoes it.

    ``makes``: the name that stands in other steps in place of the ARN that the answer tells.
    """

    what: str
    call: Call
    inverse: Call
    makes: str | None = None


def steps(spec: ServiceSpec, names: Names, found: Found) -> list[Step]:
    """The calls that are missing until a service can be deployed; none where nothing is missing.

    Raises
    ------
    NotPrepared
        What is there is not Crossfade's, or cannot be changed into what is needed; or there is no place for
        the rules.
    PriorityTaken, RuleCovers
        The production rule cannot stand where the spec puts it.
    """
    made: list[Step] = []
    if not found.has_secret:
        made.append(_secret(names))
    made += groups_like_the_patterns(spec, names, found)
    groups = TargetGroups(
        blue=_arn("blue", names, found), green=_arn("green", names, found), pattern=found.pattern.arn
    )
    entry = spec.route
    users = found_rule(entry, found.production, [groups])
    if isinstance(entry, OwnRule) and users is None:
        refuse_covering(spec, entry, found.production, [groups])
        made.append(_production(spec, entry, names, found, groups))
    else:
        users = production_rule(spec, entry, found.production, [groups])
    return [*made, *_previews(spec, names, found, users)]


def groups_like_the_patterns(spec: ServiceSpec, names: Names, found: Found) -> list[Step]:
    """Of those calls the ones that are of target groups."""
    return [step for slot in SLOTS for step in _group(spec, slot, names, found)]


class Beside(NamedTuple):
    """What there is of Crossfade's beside what is the owner's, and which rules lead to it.

    ``own`` are the rules that Crossfade made, ``owners`` those of others that lead to its groups, and
    ``others`` are all rules of the listeners that others made, default rules among them.
    """

    groups: tuple[Group, ...]
    own: tuple[LiveRule, ...]
    owners: tuple[LiveRule, ...]
    others: tuple[LiveRule, ...]


def removal(names: Names, beside: Beside) -> list[Step]:
    """The calls that remove the preparation of a service: rules before the groups that they lead to."""
    prepare = Call("crossfade", "adopt", {})
    undone = [
        Step(f"the rule {rule.arn}", Call("elbv2", "delete_rule", {"RuleArn": rule.arn}), prepare)
        for rule in beside.own
    ]
    for group in beside.groups:
        deletion = Call("elbv2", "delete_target_group", {"TargetGroupArn": group.arn})
        undone.append(Step(f"the target group {group.shown['TargetGroupName']}", deletion, prepare))
    deletion = Call("ssm", "delete_parameter", {"Name": names.secret})
    return [*undone, Step(f"the parameter {names.secret}", deletion, prepare)]


def handing_back(beside: Beside, pattern: str | None) -> list[Step]:
    """The calls by which the owner's rules lead to no group of Crossfade's any more, in no share.

    ``pattern`` is the target group that gets all traffic; None where only a rule itself can tell.
    """
    groups = {group.arn for group in beside.groups}
    back: list[Step] = []
    for rule in beside.owners:
        target = pattern or next((group for group in rule.forwards if group not in groups), None)
        if target:
            call = Call("elbv2", "modify_rule", {"RuleArn": rule.arn, "Actions": rule.handed_back(target)})
            before = Call("elbv2", "modify_rule", {"RuleArn": rule.arn, "Actions": list(rule.actions)})
            back.append(Step(f"the weights of {rule.arn}", call, before))
    return back


def refuse_live(service: str, beside: Beside) -> None:
    """Let a service leave only while no client is sent to what goes.

    Raises
    ------
    StillLive
        A rule sends clients to a slot of Crossfade's, or only Crossfade's own rule sends them to the owner's.
    """
    groups = {group.arn for group in beside.groups}
    users = [rule for rule in (*beside.own, *beside.owners) if not _values(rule)]
    for rule in users:
        if any(weight for group, weight in rule.forwards.items() if group in groups):
            raise StillLive(
                f"The rule {rule} sends clients of {service} to a slot of Crossfade's, so nothing was "
                'removed. Hand the service back first: start a deployment with {"service": "'
                f'{service}", "leave": true}}, as crossfade leave does, and see it through.'
            )
    for rule in (rule for rule in users if rule in beside.own):
        heir = _heir(rule, beside.others)
        if not set(heir.forwards) & {group for group, weight in rule.forwards.items() if weight}:
            raise StillLive(
                f"Crossfade's own rule {rule} leads the clients of {service} to {', '.join(rule.forwards)}, "
                f"and without it the rule {heir} would get them, which leads elsewhere. Let that, or a rule "
                "behind Crossfade's own that has the same conditions, lead to the same target group first."
            )


def _heir(rule: LiveRule, others: Iterable[LiveRule]) -> LiveRule:
    """The rule that gets all the requests of a rule once that is gone: at last the listener's default one."""
    behind = [one for one in others if _listener_of(one) == _listener_of(rule) and _place(one) > _place(rule)]
    return next(
        one
        for one in sorted(behind, key=_place)
        if one.covers_all() or _same(one.conditions, rule.conditions)
    )


def _place(rule: LiveRule) -> int:
    return LAST + 1 if rule.priority == DEFAULT else int(rule.priority)


def _same(some: Iterable[Mapping[str, Any]], others: Iterable[Mapping[str, Any]]) -> bool:
    """Whether conditions are the same, in whatever order."""
    key = partial(json.dumps, sort_keys=True)
    return sorted(map(key, some)) == sorted(map(key, others))


def _listener_of(rule: LiveRule) -> str:
    return rule.arn.rpartition("/")[0]


def is_made(names: Names, tags: Mapping[str, str]) -> bool:
    """Whether something of the load balancer with these tags was made for the service, by this Crossfade."""
    return tags.get(SPEC_TAG) == names.spec


def is_preview(rule: LiveRule) -> bool:
    """Whether a rule is chosen by the secret header, so that no client meets it."""
    return bool(_values(rule))


def passes_login(rule: LiveRule) -> bool:
    """Whether this is a service's rule that leads where users get to, and asks for no login."""
    return _role(rule) == LIVE


def past_login(users: LiveRule) -> dict[str, Any]:
    """What the users' rule does at last, without what it does before."""
    last = users.actions[-1]
    # ELB shows the TargetGroupArn of a single group beside the ForwardConfig; one of the two is enough.
    both = {"TargetGroupArn"} if "ForwardConfig" in last else set()
    return {key: value for key, value in last.items() if key not in both | {"Order"}}


def tagged(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as ELB takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


# ---- the parts ---------------------------------------------------------------------------------------------


def _secret(names: Names) -> Step:
    # Overwrite: never. Two that prepare at the same time must not have two secrets.
    arguments = {"Name": names.secret, "Value": SECRET, "Type": "SecureString", "Overwrite": False}
    return Step(
        "the secret of the preview rules",
        Call("ssm", "put_parameter", arguments),
        Call("ssm", "delete_parameter", {"Name": names.secret}),
    )


def _group(spec: ServiceSpec, slot: Slot, names: Names, found: Found) -> Iterator[Step]:
    pattern, group, name = found.pattern, found.groups.get(slot), names.groups[slot]
    if group is None:
        tags = {
            key: value for key, value in pattern.tags.items() if not key.startswith(("aws:", "crossfade:"))
        }
        like = {key: pattern.shown[key] for key in (*FIXED, *HEALTH_CHECK) if key in pattern.shown}
        arguments = {"Name": name, **like, "Tags": tagged({**tags, **_own_tags(spec, names)})}
        yield Step(
            f"the target group of {slot}",
            Call("elbv2", "create_target_group", arguments),
            Call("elbv2", "delete_target_group", {"TargetGroupArn": f"<{name}>"}),
            makes=name,
        )
        known = {key: pattern.attributes.get(key, value) for key, value in NEW_GROUP.items()}
        yield from _attributes(f"<{name}>", slot, known, NEW_GROUP)
        return
    _refuse_unlike(spec, names, name, pattern, group)
    arn = group.arn
    # What is live need not pass the check that is made for the next release, and ECS would stop it.
    compared = () if _has_clients(group, found) else HEALTH_CHECK
    wanted = {key: pattern.shown[key] for key in compared if key in pattern.shown}
    if changed := {key: value for key, value in wanted.items() if group.shown.get(key) != value}:
        before = {key: group.shown[key] for key in changed if key in group.shown}
        yield Step(
            f"the health check of {slot}",
            Call("elbv2", "modify_target_group", {"TargetGroupArn": arn, **changed}),
            Call("elbv2", "modify_target_group", {"TargetGroupArn": arn, **before}),
        )
    yield from _attributes(arn, slot, pattern.attributes, group.attributes)


def _has_clients(group: Group, found: Found) -> bool:
    """Whether a rule sends users to a target group, in whatever share."""
    return any(rule.forwards.get(group.arn) for rule in found.production if not _values(rule))


def _attributes(arn: str, slot: Slot, wanted: Mapping[str, str], shown: Mapping[str, str]) -> Iterator[Step]:
    changed = {key: value for key, value in wanted.items() if shown.get(key, "") != value}
    if changed:
        before = {key: shown[key] for key in changed if key in shown}
        yield Step(
            f"the attributes of {slot}'s target group",
            Call("elbv2", _SET, {"TargetGroupArn": arn, "Attributes": tagged(changed)}),
            Call("elbv2", _SET, {"TargetGroupArn": arn, "Attributes": tagged(before)}),
        )


_SET = "modify_target_group_attributes"


def _refuse_unlike(spec: ServiceSpec, names: Names, name: str, pattern: Group, group: Group) -> None:
    if not is_made(names, group.tags):
        raise NotPrepared(
            f"There is a target group {name} already, and it does not carry the tag {SPEC_TAG}: "
            f"{names.spec}, so it is not Crossfade's. It is left alone. Delete it or rename the service, "
            "then prepare again."
        )
    unlike = [
        f"{key} {group.shown.get(key)} where the pattern's has {pattern.shown[key]}"
        for key in FIXED
        if key in pattern.shown and group.shown.get(key) != pattern.shown[key]
    ]
    if unlike:
        raise NotPrepared(
            f"Crossfade's target group {name} has {', '.join(unlike)}, and ELB cannot change that. Let the "
            f"service leave Crossfade (crossfade leave {spec.service}), and adopt it again."
        )


def _arn(slot: Slot, names: Names, found: Found) -> str:
    group = found.groups.get(slot)
    return group.arn if group else f"<{names.groups[slot]}>"


def _own_tags(spec: ServiceSpec, names: Names) -> dict[str, str]:
    return {SERVICE_TAG: spec.service, SPEC_TAG: names.spec}


def _production(spec: ServiceSpec, entry: OwnRule, names: Names, found: Found, groups: TargetGroups) -> Step:
    """The production rule, which leads to the pattern's group: no client is sent elsewhere by it."""
    everything = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    arguments = {
        "ListenerArn": entry.listener,
        "Priority": free_priority(entry, found.production),
        "Conditions": list(entry.conditions) or [everything],
        "Actions": [{"Type": "forward", "TargetGroupArn": groups.pattern}],
        "Tags": tagged(_own_tags(spec, names)),
    }
    deletion = Call("elbv2", "delete_rule", {"RuleArn": f"<{PRODUCTION}>"})
    return Step(PRODUCTION, Call("elbv2", "create_rule", arguments), deletion, makes=PRODUCTION)


def _previews(spec: ServiceSpec, names: Names, found: Found, users: LiveRule | None) -> Iterator[Step]:
    made = [rule for rule in found.rules if is_made(names, found.tags.get(rule.arn, {}))]
    mine = [rule for rule in made if _values(rule)]
    roles = (*SLOTS, PATTERN, *([LIVE] if spec.login_bypass else []))
    taken = {rule.priority for rule in found.rules}
    free = (number for number in range(1, LAST) if str(number) not in taken)
    limit = _limit(spec, found)
    kept: set[str] = set()
    for role in roles:
        action = _leads(role, names, found, users)
        rule = next((rule for rule in mine if _role(rule) == role), None)
        place = int(rule.priority) if rule else next(free)
        if place >= limit:
            raise _no_place(spec, limit)
        if rule:
            kept.add(rule.arn)
            yield from _put_right(role, rule, action, users)
        else:
            yield _preview(spec, names, role, place, action, users)
    for rule in mine:
        if rule.arn not in kept:
            deletion = Call("elbv2", "delete_rule", {"RuleArn": rule.arn})
            yield Step("a preview rule too many", deletion, Call("crossfade", "adopt", {}))


def _leads(role: str, names: Names, found: Found, users: LiveRule | None) -> dict[str, Any]:
    """The action of a rule: to its group, or as the users' rule ends, without what that does before."""
    if role in SLOTS:
        return {
            "Type": "forward",
            "TargetGroupArn": _arn("blue" if role == "blue" else "green", names, found),
        }
    if role == PATTERN or users is None:
        return {"Type": "forward", "TargetGroupArn": found.pattern.arn}
    return past_login(users)


def _preview(
    spec: ServiceSpec,
    names: Names,
    role: str,
    priority: int,
    action: dict[str, Any],
    users: LiveRule | None,
) -> Step:
    name = f"the preview rule of {role}"
    transforms = {"Transforms": list(users.transforms)} if users and users.transforms else {}
    arguments = {
        "ListenerArn": spec.preview.listener,
        "Priority": priority,
        "Conditions": _conditions(role),
        "Actions": [action],
        **transforms,
        "Tags": tagged(_own_tags(spec, names)),
    }
    deletion = Call("elbv2", "delete_rule", {"RuleArn": f"<{name}>"})
    return Step(name, Call("elbv2", "create_rule", arguments), deletion, makes=name)


def _put_right(role: str, rule: LiveRule, action: dict[str, Any], users: LiveRule | None) -> Iterator[Step]:
    """What differs of a rule; where the live one leads is changed with the users' rule, and not here."""
    wanted: dict[str, Any] = {}
    before: dict[str, Any] = {}
    if _values(rule) != [f"{SECRET}-{role}"]:
        wanted["Conditions"], before["Conditions"] = _conditions(role), list(rule.conditions)
    if role != LIVE and (len(rule.actions) > 1 or set(rule.forwards) != {action["TargetGroupArn"]}):
        wanted["Actions"], before["Actions"] = [action], list(rule.actions)
    transforms = list(users.transforms) if users else []
    if transforms != list(rule.transforms):
        wanted |= {"Transforms": transforms} if transforms else {"ResetTransforms": True}
        before |= {"Transforms": list(rule.transforms)} if rule.transforms else {"ResetTransforms": True}
    if wanted:
        yield Step(
            f"the preview rule of {role}",
            Call("elbv2", "modify_rule", {"RuleArn": rule.arn, **wanted}),
            Call("elbv2", "modify_rule", {"RuleArn": rule.arn, **before}),
        )


def _limit(spec: ServiceSpec, found: Found) -> int:
    """The priority that preview rules must stay below: behind it their requests would go elsewhere."""
    existing = {entry.rule for entry in spec.traffic if isinstance(entry, ExistingRule)}
    first = [
        int(rule.priority)
        for rule in found.rules
        if rule.priority != DEFAULT and (rule.arn in existing or rule.covers_all())
    ]
    for entry in spec.traffic:
        if isinstance(entry, OwnRule) and entry.listener == spec.preview.listener:
            first.append(LAST if entry.priority == "last" else entry.priority)
    return min([*first, LAST])


def _no_place(spec: ServiceSpec, limit: int) -> NotPrepared:
    return NotPrepared(
        f"The preview rules of {spec.service} must stand before the rule of priority {limit} on the listener "
        f"{spec.preview.listener}, and there is no free place before it. Give that rule, and those behind it "
        "in their order, higher priorities (aws elbv2 set-rule-priorities), then prepare again."
    )


def _conditions(role: str) -> list[dict[str, Any]]:
    header = {"HttpHeaderName": HEADER, "Values": [f"{SECRET}-{role}"]}
    return [{"Field": "http-header", "HttpHeaderConfig": header}]


def _values(rule: LiveRule) -> list[str]:
    """The values of the header by which a rule is chosen; none where it has other conditions."""
    if len(rule.conditions) != 1:
        return []
    config = rule.conditions[0].get("HttpHeaderConfig", {})
    return list(config.get("Values", [])) if config.get("HttpHeaderName") == HEADER else []


def _role(rule: LiveRule) -> str:
    """Which of the preview rules a rule of Crossfade's is, by the end of its header's value."""
    return next((value.rpartition("-")[2] for value in _values(rule)), "")
