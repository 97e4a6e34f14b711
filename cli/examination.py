"""A spec and a release, examined without changing anything, by the functions that plan a deployment."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from cli.account import Account
from cli.findings import Findings
from cli.firewall import web_acl
from cli.rights import Rights, needed
from cli.silent import silent_alarms, silent_dashboards
from crossfade.aws.alarms import Alarms
from crossfade.aws.ecr import Image, Registry
from crossfade.aws.listener_rules import Traffic, rules
from crossfade.aws.patterns import Patterns
from crossfade.aws.preparation import slot_groups
from crossfade.aws.scaling_copies import PatternScalings
from crossfade.aws.task_definitions import Checked, TaskDefinitions
from crossfade.domain.admission import busy
from crossfade.domain.errors import NotPrepared
from crossfade.domain.journal import DELETION, State
from crossfade.domain.planning.placing import image_tag, place
from crossfade.domain.planning.plan import Release
from crossfade.domain.preparation import Step
from crossfade.domain.rollout.alarms import refuse_unknown
from crossfade.domain.slots import TargetGroups
from crossfade.domain.spec.names import preview_secret
from crossfade.domain.spec.placed import Pattern, Placed
from crossfade.domain.spec.service import ExistingRule, OwnRule, ServiceSpec
from crossfade.domain.traffic.place import found_rule, listener, production_rule
from crossfade.domain.traffic.rule import DEFAULT, LiveRule, refuse_stickiness


class Examined(NamedTuple):
    """What was found out; None where a refusal kept it from being found out.

    ``steps`` are the calls that prepare the service, ``image`` is the one that would be released, ``placed``
    the spec with all that it names looked up. ``rights`` is all that Crossfade's stack has to be given.
    """

    steps: list[Step] | None = None
    placed: Placed | None = None
    image: Image | None = None
    checked: Checked | None = None
    rights: Rights | None = None


def examine(account: Account, spec: ServiceSpec, tag: str | None, findings: Findings) -> Examined:
    """Examine a spec and the release of a tag, of the one that the pattern runs where it is None."""
    ecs, elbv2 = account.client("ecs"), account.client("elbv2")
    pattern = findings.check("pattern", lambda: _pattern(account, spec))
    if pattern is None:
        return Examined()
    findings.ok("pattern", f"{spec.like} is to run {pattern.desired} tasks of {pattern.task_definition}")
    for warning in pattern.warnings:
        findings.warn("pattern", warning)
    definition = ecs.describe_task_definition(taskDefinition=pattern.task_definition)["taskDefinition"]
    steps = findings.check("preparation", lambda: account.preparation(spec.service).missing(spec))
    placed = findings.check("route", lambda: _placed(account, spec, pattern, findings))
    asked = placed.pattern if placed else pattern
    image = _image(account, spec, asked, definition, tag, findings)
    roles = needed(spec, asked, definition, None).task_roles
    checked = _checked(account, placed, image, tag, roles, findings) if placed and image else None
    findings.check("alarms", partial(_known_alarms, account, spec))
    _goes_silent(account, spec, asked, findings)
    web_acl(account, spec, _balancer(elbv2, asked), findings)
    return Examined(
        steps=steps,
        placed=placed,
        image=image,
        checked=checked,
        rights=needed(spec, asked, definition, checked.streams if checked else None),
    )


def _pattern(account: Account, spec: ServiceSpec) -> Pattern:
    """The pattern as it is now, with how it is scaled."""
    ecs, elbv2, autoscaling, cloudwatch = (
        account.client(name) for name in ("ecs", "elbv2", "application-autoscaling", "cloudwatch")
    )
    found = Patterns(ecs, elbv2).read(spec)
    return PatternScalings(autoscaling, cloudwatch).read(spec, found, datetime.now(UTC))


def _balancer(elbv2: Any, pattern: Pattern) -> str:
    """The load balancer of the pattern's target group, of which there is one: else it is no pattern."""
    (group,) = elbv2.describe_target_groups(TargetGroupArns=[pattern.target_group])["TargetGroups"]
    return str(group["LoadBalancerArns"][0])


def _groups(account: Account, spec: ServiceSpec, pattern: Pattern) -> tuple[TargetGroups, ...]:
    """The service's target groups; without names where Crossfade's are yet to be made."""
    try:
        return slot_groups(account.client("elbv2"), spec, account.stack.specs_path, pattern)
    except NotPrepared:
        return tuple(
            TargetGroups(blue="", green="", pattern=target.target_group) for target in pattern.targets
        )


def _rule(
    account: Account, spec: ServiceSpec, entry: ExistingRule | OwnRule, groups: Sequence[TargetGroups]
) -> LiveRule:
    """The rule of an entry of traffic; before it is made, the default one whose place it takes."""
    shown = rules(account.client("elbv2"), listener(entry))
    rule = found_rule(entry, shown, groups)
    if rule or isinstance(entry, ExistingRule):
        return production_rule(spec, entry, shown, groups)
    return next(rule for rule in shown if rule.priority == DEFAULT)


def _placed(account: Account, spec: ServiceSpec, pattern: Pattern, findings: Findings) -> Placed:
    """The spec with its rule and groups looked up; before the rule is made, by what it takes the place of.

    Raises
    ------
    NotPrepared, PriorityTaken
        There is no rule.
    ForeignChange, StickyTraffic
        Its weights cannot be moved.
    ServiceBusy
        A removal of it has begun, and is not at its end.
    """
    elbv2 = account.client("elbv2")
    groups = _groups(account, spec, pattern)
    shown = [_rule(account, spec, entry, groups) for entry in spec.traffic]
    state = findings.if_allowed("journal", lambda: account.journal().state(spec.service)) or State()
    if state.holder == DELETION:  # nothing would ever be deployed
        raise busy(spec.service, state)
    placed = place(
        spec,
        pattern,
        groups,
        shown,
        state,
        preview_secret=preview_secret(account.stack.specs_path, spec.service),
        leaves=False,
    )
    sticky = Traffic(elbv2, placed).sticky_groups() if all(one.blue and one.green for one in groups) else []
    refuse_stickiness(shown, sticky)
    for rule, route in zip(shown, placed.routes, strict=True):
        if not state.was_deployed:
            rule.weights(route.target_groups)
        findings.ok("route", f"{rule} leads to it")
    return placed


def _image(
    account: Account,
    spec: ServiceSpec,
    pattern: Pattern,
    definition: dict[str, Any],
    tag: str | None,
    findings: Findings,
) -> Image | None:
    registry, repository = Registry(account.client("ecr")), spec.release.repository
    running = _running_image(definition, pattern)
    name = tag or image_tag(running, repository)
    if name is None and "@" in running:
        return findings.check("image", lambda: registry.by_digest(repository, running.rpartition("@")[2]))
    if name is None:
        findings.wrongs(
            "image",
            f"Container {pattern.container} runs {running}, which is not of the repository {repository}. "
            "Correct release.repository in the spec.",
        )
        return None
    image = findings.check("image", lambda: registry.by_tag(repository, name))
    if image:
        findings.ok("image", f"{repository}:{name} is {image.digest}")
    return image


def _running_image(definition: dict[str, Any], pattern: Pattern) -> str:
    containers = definition["containerDefinitions"]
    return next((str(one["image"]) for one in containers if one["name"] == pattern.container), "")


def _checked(
    account: Account,
    placed: Placed,
    image: Image,
    tag: str | None,
    roles: tuple[str, ...],
    findings: Findings,
) -> Checked | None:
    """Whether the release could be registered; the roles that are yet to be given count as given."""
    release = Release(
        version=tag or next(iter(image.tags), "untagged"),
        digest=image.digest,
        image=image.uri,
        pattern=placed.pattern.task_definition,
        pushed=image.pushed,
    )
    allowed = (*account.stack.task_roles, *roles)
    definitions = TaskDefinitions(account.client("ecs"))
    checked = findings.check("task definition", lambda: definitions.check(placed, release, allowed))
    if checked:
        had = checked.contents
        others = "".join(f"; {name} keeps {image}" for name, image in had.kept.items())
        findings.ok("task definition", f"{', '.join(had.released)} gets the new image{others}")
        if had.left_out:
            findings.warn("task definition", f"not copied into a release: {', '.join(had.left_out)}")
    return checked


def _known_alarms(account: Account, spec: ServiceSpec) -> None:
    refuse_unknown(spec, Alarms(account.client("cloudwatch")).states(spec.alarms))


def _goes_silent(account: Account, spec: ServiceSpec, pattern: Pattern, findings: Findings) -> None:
    cloudwatch = account.client("cloudwatch")
    for kind, ask in (("alarms", silent_alarms), ("dashboards", silent_dashboards)):
        names = findings.if_allowed(kind, partial(ask, cloudwatch, spec, pattern))
        if names:
            findings.warn(
                kind,
                f"{', '.join(names)}: by the name of the owner's service or of its target group, so silent "
                "once a slot is live. Measure the load balancer, or the slots as well",
            )
