"""The production rule's place: beside which other rules it stands, and whether the spec still says so.

The rule that Crossfade makes takes every request of its listener (``/*``), so it may stand neither before
another service's rule nor behind one that takes every request as well.
"""

from collections.abc import Iterable

from crossfade.domain.errors import PriorityTaken, ResourceGone, RuleCovers, ServiceMoved
from crossfade.domain.slots import TargetGroups
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.rule import DEFAULT, LastRule, LiveRule

ALONE = "Give the service a listener of its own in its spec, then deploy again."


def production_rule(spec: ServiceSpec, rules: Iterable[LiveRule]) -> LiveRule | None:
    """The rule of the listener that stands at the service's priority; None where there is none."""
    return next((rule for rule in rules if rule.priority == str(spec.rule_priority)), None)


def leads_here(spec: ServiceSpec, rule: LiveRule) -> bool:
    """Whether a rule forwards to the service's target groups, and to no others."""
    groups = set(rule.forwards)
    return bool(groups) and groups <= {spec.target_groups.blue, spec.target_groups.green}


def listener_gone(spec: ServiceSpec) -> ResourceGone:
    """The error for a listener that ELB says it does not have."""
    return ResourceGone(
        f"The listener {spec.listener}, which the spec of {spec.service} names, does not exist, and so there "
        f"is no production rule: no client reaches {spec.service} by it. {_PUT_THERE}"
    )


def target_group_gone(spec: ServiceSpec, group: str | None = None) -> ResourceGone:
    """The error for a target group that ELB says it does not have; None where it does not say which."""
    groups = spec.target_groups
    which = f"The target group {group}" if group else f"One of the groups {groups.blue} and {groups.green}"
    return ResourceGone(f"{which}, which the spec of {spec.service} names, does not exist. {_PUT_THERE}")


def cluster_gone(spec: ServiceSpec) -> ResourceGone:
    """The error for a cluster that ECS says it does not have."""
    return ResourceGone(
        f"The cluster {spec.cluster}, which the spec of {spec.service} names, does not exist. {_PUT_THERE}"
    )


_PUT_THERE = (
    "Crossfade makes none. If the spec names the wrong one, correct it in the service's stack. If it was "
    'deleted: docs/operations.md says what to do, under "When a listener or a target group is gone".'
)


def refuse_moved(spec: ServiceSpec, last: LastRule | None) -> None:
    """Refuse a spec that puts a live service elsewhere: what is live would be looked for where it is not.

    ``last`` is the rule as Crossfade wrote it last; None where nothing is live.

    Raises
    ------
    ServiceMoved
        The spec was changed since.
    """
    changed = [
        f"{field} from {_shown(was)} to {_shown(is_now)}"
        for field in ("cluster", "listener", "target_groups")
        if last and (was := getattr(last, field)) != (is_now := getattr(spec, field))
    ]
    if changed:
        raise ServiceMoved(
            f"{spec.service} is live, and its spec was changed since: {'; '.join(changed)}. What is live "
            "would be left behind. Change that back in the service's stack, then deploy again. To move the "
            "service, set it up in its new place under another name, and delete this one when no client "
            "needs it any more."
        )


def refuse_renumbered(spec: ServiceSpec, last: LastRule | None, rules: Iterable[LiveRule]) -> None:
    """The same for the rule's priority, unless the rule itself has the new one.

    ``rules`` are all rules of the listener.
    """
    if last is None or spec.rule_priority == last.rule_priority:
        return
    rule = next((rule for rule in rules if rule.arn == last.arn), None)
    if rule is None or rule.priority != str(spec.rule_priority):
        found = f"still stands at {rule.priority}" if rule else "is not seen at the listener"
        raise ServiceMoved(
            f"{spec.service} is live, and its spec was changed since: rule_priority from "
            f"{last.rule_priority} to {spec.rule_priority}. The production rule {last.arn} {found}. "
            "Change that back in the service's stack, then deploy again. Or give the rule its new priority "
            "first, if no rule between the two needs its requests: aws elbv2 set-rule-priorities "
            f"--rule-priorities RuleArn={last.arn},Priority={spec.rule_priority}"
        )


def refuse_taken(spec: ServiceSpec, rule: LiveRule | None) -> None:
    """Refuse a first release where a rule that has nothing to do with the service stands in its place.

    Raises
    ------
    PriorityTaken
        The rule leads to none of the service's target groups.
    """
    if rule and not set(rule.forwards) & {spec.target_groups.blue, spec.target_groups.green}:
        raise PriorityTaken(
            f"The spec of {spec.service} says rule_priority {spec.rule_priority}, and there the listener has "
            f"a rule that is not of this service: {rule}. It is left alone. {ALONE}"
        )


def refuse_covering(spec: ServiceSpec, rules: Iterable[LiveRule]) -> None:
    """Refuse to make the production rule where it would take others' requests, or get none.

    ``rules`` are all rules of the listener.

    Raises
    ------
    RuleCovers
        One rule would take all the requests of another: the sentence names it, its place and its conditions.
    """
    mine = f"the production rule of {spec.service} (priority {spec.rule_priority}, path-pattern /*)"
    all_rules = list(rules)
    covered = [str(rule) for rule in all_rules if _would_be_covered(spec, rule)]
    if covered:
        raise RuleCovers(
            f"These rules of the listener would get no request any more: {'; '.join(covered)}. For {mine} "
            f"would stand before them and take all of them. {ALONE}"
        )
    for rule in all_rules:
        if rule.priority != DEFAULT and int(rule.priority) < spec.rule_priority and rule.covers_all():
            raise RuleCovers(
                f"The listener's rule {rule} takes every request, so that {mine} would get none behind it. "
                f"{ALONE}"
            )


def _would_be_covered(spec: ServiceSpec, rule: LiveRule) -> bool:
    """Whether a rule would lose its requests; a default rule that answers by itself loses nothing."""
    if rule.priority == DEFAULT:
        return bool(rule.forwards) and not leads_here(spec, rule)
    return int(rule.priority) > spec.rule_priority


def _shown(value: str | TargetGroups) -> str:
    return value if isinstance(value, str) else f"blue {value.blue}, green {value.green}"
