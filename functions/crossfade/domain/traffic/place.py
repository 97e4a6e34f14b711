"""A production rule's place: which rule an entry of ``traffic`` means, and beside which others it stands.

``groups`` are the service's target groups, one ``TargetGroups`` for each target of the pattern, with that
target's own as ``pattern``. An owner's rule is named by its ARN. A rule that Crossfade makes may stand
neither before another service's rule that it covers, nor behind one that covers it.
"""

from collections.abc import Iterable, Mapping, Sequence

from crossfade.domain.errors import (
    ForeignChange,
    NotPrepared,
    PatternUnusable,
    PriorityTaken,
    ResourceGone,
    RuleCovers,
    ServiceMoved,
)
from crossfade.domain.slots import Slot, TargetGroups
from crossfade.domain.spec.placed import Pattern, Placed
from crossfade.domain.spec.service import ExistingRule, OwnRule, ServiceSpec
from crossfade.domain.traffic.rule import DEFAULT, LastRule, LiveRule

LAST = 50_000
"""The highest priority of a rule.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
"""
ALONE = "Give the service a listener of its own, or conditions, in its spec, then prepare it again."


def listener_of(rule: str) -> str:
    """The ARN of the listener that a rule belongs to."""
    return rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def balancer_of(listener: str) -> str:
    """The ARN of the load balancer that a listener belongs to.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
    has the forms of both.
    """
    return listener.replace(":listener/", ":loadbalancer/").rpartition("/")[0]


def listener(entry: ExistingRule | OwnRule) -> str:
    """The ARN of the listener that the rule of an entry belongs to."""
    return listener_of(entry.rule) if isinstance(entry, ExistingRule) else entry.listener


def production_rule(
    spec: ServiceSpec,
    entry: ExistingRule | OwnRule,
    rules: Iterable[LiveRule],
    groups: Sequence[TargetGroups],
) -> LiveRule:
    """The rule by which production traffic comes, found for a deployment that begins.

    Raises
    ------
    NotPrepared
        The listener shows none.
    PriorityTaken
        The rule in its place leads to others.
    """
    rule = found_rule(entry, rules, groups)
    if rule is None:
        wanted = entry.rule if isinstance(entry, ExistingRule) else f"of priority {entry.priority}"
        raise NotPrepared(
            f"The listener {listener(entry)} shows no rule {wanted} for {spec.service}. Prepare the service: "
            "crossfade adopt, or an update of the stack that has its Custom::CrossfadeService. If that was "
            "done less than five minutes ago, ELB may not show the rule yet: deploy again."
        )
    if isinstance(entry, OwnRule) and not set(rule.forwards) & _all(groups):
        raise PriorityTaken(
            f"The spec of {spec.service} says priority {entry.priority}, and there the listener has a rule "
            f"that is not of this service: {rule}. It is left alone. {ALONE}"
        )
    return rule


def found_rule(
    entry: ExistingRule | OwnRule, rules: Iterable[LiveRule], groups: Sequence[TargetGroups]
) -> LiveRule | None:
    """The rule in the place that an entry names; None where the listener shows none.

    With ``priority: last`` that is the last one that leads to the service alone and takes every request.
    """
    if isinstance(entry, ExistingRule):
        return next((rule for rule in rules if rule.arn == entry.rule), None)
    numbered = [rule for rule in rules if rule.priority != DEFAULT]
    if entry.priority != "last":
        return next((rule for rule in numbered if rule.priority == str(entry.priority)), None)
    mine = [rule for rule in numbered if rule.covers_all() and leads_here(groups, rule)]
    return max(mine, key=lambda rule: int(rule.priority), default=None)


def groups_of(entry: ExistingRule | OwnRule, rule: LiveRule, groups: Sequence[TargetGroups]) -> TargetGroups:
    """Those of the groups that a rule leads to: by the entry, or an owner's rule as it was read.

    Raises
    ------
    ForeignChange
        It leads to those of no target, or of several.
    PatternUnusable
        The entry names a target group that the pattern has not, or none where it has several.
    """
    if isinstance(entry, OwnRule):
        return named_groups(entry, groups)
    found = [one for one in groups if set(rule.forwards) & _all([one])] if len(groups) > 1 else groups
    if len(found) != 1:
        raise ForeignChange(
            f"The production rule {rule} leads to {', '.join(rule.forwards) or 'no target group'}. It should "
            "lead to the target groups of one port of the service, so that its weights can be moved. It is "
            "left alone. Put it right, or correct traffic in the spec, then deploy again."
        )
    return found[0]


def named_groups(entry: OwnRule, groups: Sequence[TargetGroups]) -> TargetGroups:
    """Those of the groups that a rule of Crossfade's is to lead to.

    Raises
    ------
    PatternUnusable
        The entry names a target group that the pattern has not, or none where it has several.
    """
    wanted = entry.target_group
    named = [one for one in groups if one.pattern == wanted] if wanted else groups
    if len(named) != 1:
        has = f"the target group {wanted}, and the pattern has only" if wanted else "the service, which has"
        raise PatternUnusable(
            f"traffic says that {entry.place} leads to {has} {', '.join(one.pattern for one in groups)}. Say "
            "in target_group of the spec which one it is."
        )
    return named[0]


def refuse_unreached(spec: ServiceSpec, ports: Mapping[str, str], reached: Iterable[str]) -> None:
    """Refuse a port of the pattern that no rule of ``traffic`` leads to.

    ``ports`` are their names by the pattern's target groups, of which those that are ``reached`` are named.

    Raises
    ------
    PatternUnusable
        There is one.
    """
    known = set(reached)
    unreached = [f"{name} ({group})" for group, name in ports.items() if group not in known]
    if unreached:
        raise PatternUnusable(
            f"No rule in traffic of {spec.service} leads to {', '.join(unreached)} of {spec.like}, so that "
            "Crossfade would not move its clients. Name each rule that leads there, or take the target group "
            "out of the ECS service."
        )


def free_priority(entry: OwnRule, rules: Iterable[LiveRule]) -> int:
    """Where the rule of an ``OwnRule`` is to be made."""
    if entry.priority != "last":
        return entry.priority
    taken = {int(rule.priority) for rule in rules if rule.priority != DEFAULT}
    return next(place for place in range(LAST, 0, -1) if place not in taken)


def leads_here(groups: Iterable[TargetGroups], rule: LiveRule) -> bool:
    """Whether a rule forwards to the service's target groups, and to no others."""
    forwards = set(rule.forwards)
    return bool(forwards) and forwards <= _all(groups)


def _all(groups: Iterable[TargetGroups]) -> set[str]:
    return {arn for one in groups for arn in (one.blue, one.green, one.pattern, one.replaced)}


def listener_gone(spec: ServiceSpec, listener: str) -> ResourceGone:
    """The error for a listener that ELB says it does not have."""
    return ResourceGone(
        f"The listener {listener}, which the spec of {spec.service} names, does not exist, and so "
        f"there is no production rule: no client reaches {spec.service} by it. {_PUT_THERE}"
    )


def target_group_gone(spec: Placed, *groups: str) -> ResourceGone:
    """The error for a target group that ELB says it does not have; several where it does not say which."""
    which = (
        f"One of the groups {' and '.join(groups)}" if len(groups) > 1 else f"The target group {groups[0]}"
    )
    return ResourceGone(f"{which} of {spec.service} does not exist. {_PUT_THERE}")


def cluster_gone(spec: ServiceSpec) -> ResourceGone:
    """The error for a cluster that ECS says it does not have."""
    return ResourceGone(
        f"The cluster {spec.cluster}, which the spec of {spec.service} names, does not exist. {_PUT_THERE}"
    )


_PUT_THERE = (
    "If the spec names the wrong one, correct it. If it was deleted: docs/operations.md says what to do, "
    'under "When a listener or a target group is gone".'
)


def refuse_moved(spec: Placed, last: Sequence[LastRule], stable: Slot | None) -> None:
    """Refuse a spec that puts a live service elsewhere: what is live would be looked for where it is not.

    ``last`` are the rules as Crossfade wrote them last; none where nothing is live. ``stable`` is the live
    slot.

    Raises
    ------
    ServiceMoved
        The spec, or its pattern, was changed since.
    """
    if not last:
        return
    now = {route.rule: route.target_groups for route in spec.routes}
    was = {one.arn: one.target_groups for one in last}
    places = [("cluster", last[0].cluster, spec.cluster)]
    if was.keys() != now.keys():
        places.append(("rule", ", ".join(was), ", ".join(now)))
    elif (first := now[last[0].arn].pattern) != spec.target_groups.pattern:  # the probe's rules lead there
        places.append(("first port", first, spec.target_groups.pattern))
    elif stable:
        places += [(f"target group of {stable}", was[arn].of(stable), now[arn].of(stable)) for arn in now]
    _refuse_changed(spec, places)


def refuse_other_ports(
    spec: ServiceSpec, pattern: Pattern, last: Sequence[LastRule], stable: Slot | None
) -> None:
    """Refuse a pattern with other target groups than it had: one more or fewer gives the slots' other names.

    One alone may be another one by now. The arguments are those of ``refuse_moved``.

    Raises
    ------
    ServiceMoved
        The pattern was changed since.
    """
    was = dict.fromkeys(one.target_groups.pattern for one in last)
    now = dict.fromkeys(target.target_group for target in pattern.targets)
    if stable and last and was.keys() != now.keys() and max(len(was), len(now)) > 1:
        groups = (f"target groups of {spec.pattern_service}", ", ".join(was), ", ".join(now))
        _refuse_changed(spec, [groups], "pattern")


def _refuse_changed(spec: ServiceSpec, places: Iterable[tuple[str, str, str]], by: str = "spec") -> None:
    changed = [f"{what} from {was} to {is_now}" for what, was, is_now in places if was != is_now]
    if changed:
        raise ServiceMoved(
            f"{spec.service} is live, and its {by} was changed since: {'; '.join(changed)}. What is live "
            "would be left behind. Change that back, then deploy again. To move the service, hand it back "
            "to its owner first (crossfade leave), then adopt it in its new place."
        )


def refuse_covering(
    spec: ServiceSpec, entry: OwnRule, rules: Iterable[LiveRule], groups: Sequence[TargetGroups]
) -> None:
    """Refuse to make the production rule where it would take others' requests, or get none.

    ``rules`` are all rules of the listener.

    Raises
    ------
    RuleCovers
        One rule would take all the requests of another: the sentence names it, its place and its conditions.
    """
    all_rules = list(rules)
    place = free_priority(entry, all_rules)
    mine = f"the production rule of {spec.service} (priority {place})"
    covered = [str(rule) for rule in all_rules if _would_be_covered(place, rule, groups)]
    if covered and not entry.conditions:
        raise RuleCovers(
            f"These rules of the listener would get no request any more: {'; '.join(covered)}. For {mine} "
            f"would stand before them and take all of them. {ALONE}"
        )
    for rule in all_rules:
        if rule.priority != DEFAULT and int(rule.priority) < place and rule.covers_all():
            raise RuleCovers(
                f"The listener's rule {rule} takes every request, so that {mine} would get none behind it. "
                f"{ALONE}"
            )


def _would_be_covered(place: int, rule: LiveRule, groups: Sequence[TargetGroups]) -> bool:
    """Whether a rule would lose its requests; a default rule that answers by itself loses nothing."""
    if rule.priority == DEFAULT:
        return bool(rule.forwards) and not leads_here(groups, rule)
    return int(rule.priority) > place
