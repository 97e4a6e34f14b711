"""What Crossfade makes beside the owner's load balancer before it deploys a service, and how that goes again.

Two target groups like each of the pattern's; the production rules, where the owner has none; a rule for each
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
from crossfade.domain.spec.names import SPEC_TAG, own_tags, preview_role, preview_secret, target_group_name
from crossfade.domain.spec.service import ExistingRule, OwnRule, ServiceSpec
from crossfade.domain.traffic.place import (
    LAST,
    found_rule,
    free_priority,
    groups_of,
    listener,
    named_groups,
    production_rule,
    refuse_covering,
    refuse_unreached,
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
    """How the parts are named; ``path`` is where Crossfade's stack looks for specs."""

    path: str
    service: str

    def group(self, slot: Slot, port: str = "") -> str:
        """The target group of a slot; ``port`` is which one, where there are several."""
        return target_group_name(self.path, self.service, slot, port)

    @property
    def secret(self) -> str:
        """The SSM parameter of the secret."""
        return preview_secret(self.path, self.service)

    @property
    def spec(self) -> str:
        """The SSM parameter of the spec."""
        return f"{self.path}{self.service}"


class Port(NamedTuple):
    """A port of the service: ``pattern`` is its target group, ``groups`` are those of the slots that exist.

    ``name`` tells it from the others, see ``Pattern.port_names``.
    """

    name: str
    pattern: Group
    groups: Mapping[Slot, Group]

    @property
    def suffix(self) -> str:
        """How the name of a step ends; empty where there is one port."""
        return f" for {self.name}" if self.name else ""


class Found(NamedTuple):
    """What there is of a service's preparation.

    ``rules`` are all of the preview listener, ``tags`` those of each by its ARN, and ``production`` has all
    rules of each listener of production. In their headers ``{secret}`` stands in place of the secret.
    """

    ports: tuple[Port, ...]
    rules: tuple[LiveRule, ...]
    tags: Mapping[str, Mapping[str, str]]
    production: Mapping[str, tuple[LiveRule, ...]]
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


class Lead(NamedTuple):
    """A production rule, which is there or planned, and the target groups of the port that it leads to."""

    rule: LiveRule
    groups: TargetGroups
    step: Step | None = None


def steps(spec: ServiceSpec, names: Names, found: Found) -> list[Step]:
    """The calls that are missing until a service can be deployed; none where nothing is missing.

    Raises
    ------
    NotPrepared
        What is there is not Crossfade's, or cannot be changed into what is needed; or there is no place for
        the rules.
    PriorityTaken, RuleCovers
        A production rule cannot stand where the spec puts it.
    PatternUnusable
        Not each port of the pattern is led to, or one that it has not.
    """
    made: list[Step] = []
    if not found.has_secret:
        made.append(_secret(names))
    made += groups_like_the_patterns(spec, names, found)
    leads = list(_leads(spec, names, found))
    ports = {port.pattern.arn: port.name for port in found.ports}
    refuse_unreached(spec, ports, [lead.groups.pattern for lead in leads])
    made += [lead.step for lead in leads if lead.step]
    return [*made, *_previews(spec, names, found, leads)]


def groups_like_the_patterns(spec: ServiceSpec, names: Names, found: Found) -> list[Step]:
    """Of those calls the ones that are of target groups."""
    return [step for port in found.ports for slot in SLOTS for step in _group(spec, slot, port, names, found)]


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


def handing_back(beside: Beside, patterns: Mapping[str, str]) -> list[Step]:
    """The calls by which the owner's rules lead to no group of Crossfade's any more, in no share.

    ``patterns`` has the pattern's target group for each of the slots', which gets all traffic; where it does
    not know, the rule itself tells.
    """
    groups = {group.arn for group in beside.groups}
    alone = set(patterns.values()) if len(set(patterns.values())) == 1 else set()
    back: list[Step] = []
    for rule in beside.owners:
        known = [patterns[group] for group in rule.forwards if group in patterns]
        theirs = [group for group in rule.forwards if group not in groups]
        target = next(iter([*known, *alone, *theirs]), None)
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


def _group(spec: ServiceSpec, slot: Slot, port: Port, names: Names, found: Found) -> Iterator[Step]:
    pattern, group, name = port.pattern, port.groups.get(slot), names.group(slot, port.name)
    if group is None:
        tags = {
            key: value for key, value in pattern.tags.items() if not key.startswith(("aws:", "crossfade:"))
        }
        like = {key: pattern.shown[key] for key in (*FIXED, *HEALTH_CHECK) if key in pattern.shown}
        arguments = {"Name": name, **like, "Tags": tagged({**tags, **own_tags(spec.service, names.spec)})}
        yield Step(
            f"the target group of {slot}{port.suffix}",
            Call("elbv2", "create_target_group", arguments),
            Call("elbv2", "delete_target_group", {"TargetGroupArn": f"<{name}>"}),
            makes=name,
        )
        known = {key: pattern.attributes.get(key, value) for key, value in NEW_GROUP.items()}
        yield from _attributes(f"<{name}>", f"{slot}'s target group{port.suffix}", known, NEW_GROUP)
        return
    _refuse_unlike(spec, names, name, pattern, group)
    arn = group.arn
    # What is live need not pass the check that is made for the next release, and ECS would stop it.
    compared = () if _has_clients(group, found) else HEALTH_CHECK
    wanted = {key: pattern.shown[key] for key in compared if key in pattern.shown}
    if changed := {key: value for key, value in wanted.items() if group.shown.get(key) != value}:
        before = {key: group.shown[key] for key in changed if key in group.shown}
        yield Step(
            f"the health check of {slot}{port.suffix}",
            Call("elbv2", "modify_target_group", {"TargetGroupArn": arn, **changed}),
            Call("elbv2", "modify_target_group", {"TargetGroupArn": arn, **before}),
        )
    yield from _attributes(arn, f"{slot}'s target group{port.suffix}", pattern.attributes, group.attributes)


def _has_clients(group: Group, found: Found) -> bool:
    """Whether a rule sends users to a target group, in whatever share."""
    rules = [rule for listener in found.production.values() for rule in listener]
    return any(rule.forwards.get(group.arn) for rule in rules if not _values(rule))


def _attributes(arn: str, what: str, wanted: Mapping[str, str], shown: Mapping[str, str]) -> Iterator[Step]:
    changed = {key: value for key, value in wanted.items() if shown.get(key, "") != value}
    if changed:
        before = {key: shown[key] for key in changed if key in shown}
        yield Step(
            f"the attributes of {what}",
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


def _slot_groups(names: Names, port: Port) -> TargetGroups:
    """The target groups of a port, also those that are yet to be made."""
    blue, green = (
        port.groups[slot].arn if slot in port.groups else f"<{names.group(slot, port.name)}>"
        for slot in SLOTS
    )
    return TargetGroups(blue=blue, green=green, pattern=port.pattern.arn)


def _leads(spec: ServiceSpec, names: Names, found: Found) -> Iterator[Lead]:
    """The rules of ``traffic``; those that are missing lead to the pattern, as their clients do before."""
    groups = [_slot_groups(names, port) for port in found.ports]
    with_planned = {arn: list(rules) for arn, rules in found.production.items()}
    for n, entry in enumerate(spec.traffic):
        shown = found.production[listener(entry)]
        if isinstance(entry, OwnRule) and found_rule(entry, shown, groups) is None:
            rules, theirs = with_planned[listener(entry)], named_groups(entry, groups)
            refuse_covering(spec, entry, rules, groups)
            name = PRODUCTION if len(spec.traffic) == 1 else f"{PRODUCTION} traffic[{n}]"
            planned = _production(entry, f"<{name}>", rules, theirs)
            rules.append(planned)
            yield Lead(planned, theirs, _make(spec, names, name, entry.listener, planned))
        else:
            rule = production_rule(spec, entry, shown, groups)
            yield Lead(rule, groups_of(entry, rule, groups))


def _production(entry: OwnRule, arn: str, rules: Iterable[LiveRule], groups: TargetGroups) -> LiveRule:
    """A production rule, which leads to the pattern's group: no client is sent elsewhere by it."""
    everything = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    return LiveRule(
        arn=arn,
        priority=str(free_priority(entry, rules)),
        conditions=entry.conditions or (everything,),
        actions=({"Type": "forward", "TargetGroupArn": groups.pattern},),
    )


def _make(spec: ServiceSpec, names: Names, name: str, listener: str, rule: LiveRule) -> Step:
    """The call that makes a rule on a listener."""
    arguments = {
        "ListenerArn": listener,
        "Priority": int(rule.priority),
        "Conditions": list(rule.conditions),
        "Actions": list(rule.actions),
        **({"Transforms": list(rule.transforms)} if rule.transforms else {}),
        "Tags": tagged(own_tags(spec.service, names.spec)),
    }
    deletion = Call("elbv2", "delete_rule", {"RuleArn": f"<{name}>"})
    return Step(name, Call("elbv2", "create_rule", arguments), deletion, makes=name)


def _previews(spec: ServiceSpec, names: Names, found: Found, leads: list[Lead]) -> Iterator[Step]:
    made = [rule for rule in found.rules if is_made(names, found.tags.get(rule.arn, {}))]
    mine = [rule for rule in made if _values(rule)]
    taken = {rule.priority for rule in found.rules}
    free = (number for number in range(1, LAST) if str(number) not in taken)
    limit = _limit(spec, found)
    kept: set[str] = set()
    for role, action, users in _roles(spec, names, found, leads):
        rule = next((rule for rule in mine if _role(rule) == role), None)
        place = int(rule.priority) if rule else next(free)
        if place >= limit:
            raise _no_place(spec, limit)
        if rule:
            kept.add(rule.arn)
            yield from _put_right(role, rule, action, users)
        else:
            wanted = LiveRule(
                arn="",
                priority=str(place),
                conditions=tuple(_conditions(role)),
                actions=(action,),
                transforms=users.transforms,
            )
            yield _make(spec, names, f"the preview rule of {role}", spec.preview.listener, wanted)
    for rule in mine:
        if rule.arn not in kept:
            deletion = Call("elbv2", "delete_rule", {"RuleArn": rule.arn})
            yield Step("a preview rule too many", deletion, Call("crossfade", "adopt", {}))


def _roles(
    spec: ServiceSpec, names: Names, found: Found, leads: list[Lead]
) -> Iterator[tuple[str, dict[str, Any], LiveRule]]:
    """What each rule by the secret header is called, its action, and the users' rule to the same port.

    Those of the port that the probe asks come first. The live one does as its users' rule does at last.
    """
    first = leads[0]
    for port in sorted(found.ports, key=lambda port: port.pattern.arn != first.groups.pattern):
        groups = _slot_groups(names, port)
        users = next(lead.rule for lead in leads if lead.groups.pattern == groups.pattern)
        name = "" if groups.pattern == first.groups.pattern else port.name
        for kind, group in zip((*SLOTS, PATTERN), (groups.blue, groups.green, groups.pattern), strict=True):
            yield preview_role(kind, name), {"Type": "forward", "TargetGroupArn": group}, users
        if spec.login_bypass and not name:
            yield LIVE, past_login(users), users


def _put_right(role: str, rule: LiveRule, action: dict[str, Any], users: LiveRule) -> Iterator[Step]:
    """What differs of a rule; where the live one leads is changed with the users' rule, and not here."""
    wanted: dict[str, Any] = {}
    before: dict[str, Any] = {}
    if _values(rule) != [f"{SECRET}-{role}"]:
        wanted["Conditions"], before["Conditions"] = _conditions(role), list(rule.conditions)
    if role != LIVE and (len(rule.actions) > 1 or set(rule.forwards) != {action["TargetGroupArn"]}):
        wanted["Actions"], before["Actions"] = [action], list(rule.actions)
    transforms = list(users.transforms)
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
