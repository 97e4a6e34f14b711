"""PlanRelease: from an input to a plan, with every check that can be made before anything is changed."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import JsonValue

from crossfade import stack
from crossfade.aws.alarms import Alarms
from crossfade.aws.clients import client
from crossfade.aws.ecr import Image, Registry
from crossfade.aws.ecs_services import Slots, SlotService
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic, listeners_rules, rules
from crossfade.aws.outcome_feed import FeedLog
from crossfade.aws.preparation import slot_groups
from crossfade.aws.routes import listeners_of
from crossfade.aws.scalable_targets import Scaling
from crossfade.aws.task_definitions import Checked, TaskDefinitions
from crossfade.domain.admission import (
    busy,
    decline,
    enqueue,
    held,
    is_given_up,
    is_late_tag,
    is_under_way,
    is_warm,
    released_before,
)
from crossfade.domain.errors import (
    CrossfadeError,
    ForeignChange,
    ImageNotInRepository,
    InvalidInput,
    NotYetVisible,
    PatternUnusable,
    PlanOutdated,
)
from crossfade.domain.journal import Noticed, State, machine_of
from crossfade.domain.model import Timestamp
from crossfade.domain.planning.changes import changes
from crossfade.domain.planning.drift import SlotCount, refuse_drift, refuse_old_release
from crossfade.domain.planning.naming import as_it_answers, refuse_unnamed
from crossfade.domain.planning.older import no_such_number, not_as_it_was, pattern_of, spec_of
from crossfade.domain.planning.placing import image_tag, place, refuse_others_traffic
from crossfade.domain.planning.plan import (
    Decision,
    Feed,
    LogStreams,
    Release,
    RunningRelease,
    built_by_nobody,
    choose_service,
    decide,
    nothing_live,
    unknown_service,
)
from crossfade.domain.planning.request import DeployRequest, ImagePushed, NoConcern, read_input
from crossfade.domain.planning.task_definition import feed_unreadable
from crossfade.domain.preparation import is_preview
from crossfade.domain.proof.certificate import History
from crossfade.domain.rollout.alarms import refuse_unknown
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.names import preview_secret
from crossfade.domain.spec.placed import Pattern, Placed
from crossfade.domain.spec.service import OwnRule, ServiceSpec, read_spec, repository_of
from crossfade.domain.tasks.capacity import refuse_narrow
from crossfade.domain.traffic.place import (
    balancer_of,
    listener,
    production_rule,
    refuse_moved,
    refuse_other_ports,
)
from crossfade.domain.traffic.routes import Listener, refuse_routes
from crossfade.domain.traffic.rule import LiveRule, SeenRule, refuse_stickiness
from crossfade.domain.traffic.weights import PUT_RIGHT, Weights, stable_slot
from crossfade.step import step, utc_now

ECR_LAG = timedelta(minutes=1)
"""How long after its event an image may be missing from ECR's answers."""


@step
def handler(input: JsonValue, execution: str, deployment: str) -> Decision:
    """Decide what to deploy; see ``domain/planning/plan.py``.

    ``input`` is the execution's own, whatever it is; ``deployment`` is the execution's name.
    """
    request = read_input(input, execution)
    if isinstance(request, NoConcern):
        return Decision(action="ignore", reason=request.reason)
    spec = _find_spec(request)
    if isinstance(spec, NoConcern):
        return Decision(action="ignore", reason=spec.reason)
    if isinstance(request, ImagePushed) and not (request.tag and spec.deploys(request.tag)):
        return Decision(
            action="ignore",
            reason=f"tag {request.tag or '(none)'} does not match {spec.release.push_tags}",
        )
    return _plan(request, spec, execution, deployment)


def _plan(
    request: DeployRequest | ImagePushed, spec: ServiceSpec, execution: str, deployment: str
) -> Decision:
    journal = stack.journal()
    state = journal.state(spec.service)
    pattern = now = stack.pattern(spec, utc_now())
    number = request.release if isinstance(request, DeployRequest) else None
    older = _older(spec.service, number, journal) if number else None
    if older:
        then = older.plan
        spec, pattern = spec_of(spec, then), pattern_of(pattern, then, older.task_definition)
        image = {"image_tag": then.release.version, "image_digest": then.release.digest}
        request = request.model_copy(update=image)
    try:
        decision = _planned(request, spec, pattern, state, journal, execution, deployment)
    except (ImageNotInRepository, PatternUnusable) as gone:
        if number is None or older is None:
            raise
        raise not_as_it_was(spec.service, number, str(gone), older.plan) from gone
    return _answering(decision, now, by_number=older is not None)


def _answering(decision: Decision, pattern: Pattern, *, by_number: bool) -> Decision:
    """The same, with the pattern that the deployment answers: with the live image, or by an older release."""
    plan = decision.plan
    if plan is None or not (by_number or (plan.previous and plan.previous.digest == plan.release.digest)):
        return decision
    noticed = Noticed(
        digest=plan.release.digest,
        pattern=pattern.task_definition,
        settings=pattern.steady,
        at=plan.began,
        tried=True,
    )
    return decision.model_copy(update={"plan": plan.model_copy(update={"noticed": noticed})})


def _older(service: str, number: int, journal: Journal) -> History:
    """The deployment that has promoted the release of a number.

    Raises
    ------
    NotAsItWas
        The journal has none of that number, or not in a form that can be read.
    """
    try:
        found = journal.history.released(service, number)
    except PlanOutdated as outdated:
        raise not_as_it_was(service, number, str(outdated)) from outdated
    if found is None:
        raise no_such_number(service, number)
    return found


def _planned(
    request: DeployRequest | ImagePushed,
    spec: ServiceSpec,
    pattern: Pattern,
    state: State,
    journal: Journal,
    execution: str,
    deployment: str,
) -> Decision:
    release = _release(request, spec, state, pattern, deployment)
    if isinstance(request, ImagePushed) and request.at and is_late_tag(release, state, request.at):
        release = _tagged(spec, release, state, journal, request.at)
    if state.holder == execution:
        state = state.model_copy(update={"candidate": None})  # an earlier try of this very deployment
    leaves = isinstance(request, DeployRequest) and request.leave
    force = isinstance(request, DeployRequest) and request.force
    if isinstance(request, DeployRequest) and not request.waits and state.holder not in {None, execution}:
        if request.follow_pattern:  # the next look sees what has become of it
            return Decision(action="ignore", reason=str(busy(spec.service, state)))
        raise busy(spec.service, state)
    instead = None if force else _instead(execution, request, spec, release, state, journal)
    if instead:
        return instead
    placed, known = _placed(spec, pattern, state, leaves=leaves)
    checked = TaskDefinitions(client("ecs")).check(placed, release, stack.task_roles())
    refuse_unknown(spec, Alarms(client("cloudwatch")).states(spec.alarms) if spec.alarms else {})
    if state.holder and state.holder != execution:
        return _wait(execution, spec, release, state, _place_in_time(request, release))
    asked_by = request.asked_by if isinstance(request, DeployRequest) else None
    try:
        return _decide(
            deployment,
            execution,
            placed,
            known,
            release,
            state,
            checked,
            asked_by,
            leaves=leaves,
            force=force,
        )
    except CrossfadeError as refused:
        now = journal.state(spec.service)
        if (now.holder, now.freed) == (state.holder, state.freed):
            raise
        # Two pushes at once: what the faster one changes is no drift.
        who = now.holder or "A deployment"
        raise NotYetVisible(f"{refused} {who} was at work at the same time.") from refused


def _place_in_time(request: DeployRequest | ImagePushed, release: Release) -> datetime | None:
    return release.came if isinstance(request, ImagePushed) else request.asked


def _instead(
    execution: str,
    request: DeployRequest | ImagePushed,
    spec: ServiceSpec,
    release: Release,
    state: State,
    journal: Journal,
) -> Decision | None:
    """What is done in place of a deployment of the release; None where it is to be deployed, or to wait."""
    ordered_at = _place_in_time(request, release)
    given_up = is_under_way(release, state) and _is_given_up(execution, spec, state, journal)
    put_off = decline(spec.service, release, state, ordered_at=ordered_at, given_up=given_up)
    if put_off:
        return Decision(action=put_off.action, reason=put_off.reason)
    by_tag = isinstance(request, DeployRequest) and not request.leave
    if by_tag and state.warm and _is_warm(spec, release, state, journal):
        return Decision(
            action="go_back",
            reason=f"{release.version} still runs in {state.warm.slot}, which is warm",
            service=spec.service,
            warm=state.warm.deployment,
        )
    return None


def _find_spec(request: DeployRequest | ImagePushed) -> ServiceSpec | NoConcern:
    specs = stack.specs()
    if isinstance(request, DeployRequest):
        document = specs.get(request.service)
        if document is None:
            raise unknown_service(request.service, list(specs.all()), os.environ["SPECS_PATH"])
        return read_spec(request.service, document)
    documents = specs.all()
    repositories = {name: repository_of(text) for name, text in documents.items()}
    name = choose_service(request, repositories)
    if name is None:
        return NoConcern(reason=built_by_nobody(request, repositories))
    return read_spec(name, documents[name])


def _placed(
    spec: ServiceSpec, pattern: Pattern, state: State, *, leaves: bool
) -> tuple[Placed, list[LiveRule]]:
    """The spec with its slots, rules and pattern looked up, and the rules as they were read."""
    elbv2, path = client("elbv2"), os.environ["SPECS_PATH"]
    refuse_other_ports(spec, pattern, state.last_rules, state.stable)
    groups = slot_groups(elbv2, spec, path, pattern)
    shown = {arn: listeners_rules(elbv2, spec, arn) for arn in map(listener, spec.traffic)}
    rules = [production_rule(spec, entry, shown[listener(entry)], groups) for entry in spec.traffic]
    placed = place(
        spec,
        pattern,
        groups,
        rules,
        state,
        preview_secret=preview_secret(path, spec.service),
        leaves=leaves,
    )
    return placed, rules


def _release(
    request: DeployRequest | ImagePushed, spec: ServiceSpec, state: State, pattern: Pattern, deployment: str
) -> Release:
    registry = Registry(client("ecr"))
    repository = spec.release.repository
    if isinstance(request, ImagePushed):
        image, version = _pushed(registry, spec, request), request.tag
    elif not (request.image_tag or request.image_digest):
        if not state.digest:
            raise nothing_live(spec, leave=request.leave)
        image = registry.by_digest(repository, state.digest)
        version = state.version or _version(image, spec)
    elif request.image_digest:
        image = registry.by_digest(repository, request.image_digest)
        version = request.image_tag or _version(image, spec)
    else:
        version = str(request.image_tag)
        image = registry.by_tag(repository, version)
    refuse_unnamed(spec, version)
    return Release(
        version=version,
        digest=image.digest,
        image=image.uri,
        pattern=pattern.task_definition,
        settings=pattern.fingerprint,
        run=hashlib.sha256(deployment.encode()).hexdigest()[:8] if image.digest == state.digest else "",
        pushed=image.pushed,
        tagged=request.tagged if isinstance(request, DeployRequest) else None,
    )


def _tagged(spec: ServiceSpec, release: Release, state: State, journal: Journal, at: Timestamp) -> Release:
    """The release of an image that was there before its tag, if it never was one: an old build is promoted.

    Raises
    ------
    ReleasedBefore
        It was one by another tag, or was deployed or tried.
    """
    tags = Registry(client("ecr")).tags(spec.release.repository, release.digest)
    others = [tag for tag in tags if tag != release.version and spec.deploys(tag)]
    same_tag = state.newest is not None and (state.newest.at, state.newest.digest) == (at, release.digest)
    if not same_tag and (others or journal.history.knows(spec.service, release.digest)):
        raise released_before(spec.service, release, state, at)
    return release.model_copy(update={"tagged": at})


def _pushed(registry: Registry, spec: ServiceSpec, push: ImagePushed) -> Image:
    try:
        return registry.by_digest(spec.release.repository, push.digest)
    except ImageNotInRepository as missing:
        if push.at and utc_now() < push.at + ECR_LAG:
            raise NotYetVisible(
                f"{missing} It was pushed less than a minute ago, and ECR may not show it yet."
            ) from missing
        raise


def _version(image: Image, spec: ServiceSpec) -> str:
    tags = [tag for tag in image.tags if spec.deploys(tag)] or list(image.tags)
    if not tags:
        raise InvalidInput(
            f"Image {image.digest} has no tag, and the tag is what its release is known by. Tag the "
            "image, then deploy again."
        )
    return tags[0]


def _is_warm(spec: ServiceSpec, release: Release, state: State, journal: Journal) -> bool:
    """Whether the old slot still runs what a person asks for."""
    return state.warm is not None and is_warm(
        release, state, journal.history.of(spec.service, state.warm.deployment).plan
    )


def _is_given_up(execution: str, spec: ServiceSpec, state: State, journal: Journal) -> bool:
    """Whether the deployment that holds the service will not promote its release any more."""
    if state.holder is None or state.deployment is None:
        return False
    deploys = machine_of(state.holder) == machine_of(execution)
    entered = Executions(client("stepfunctions")).entered(state.holder) if deploys else None
    history = journal.history.of(spec.service, state.deployment)
    return is_given_up(state, history, execution, entered)


def _wait(
    execution: str, spec: ServiceSpec, release: Release, state: State, ordered_at: Timestamp | None
) -> Decision:
    waiting = enqueue(
        release,
        spec,
        state,
        at=ordered_at or utc_now(),
        execution=execution,
        by_hand=ordered_at is None,
    )
    reason = held(spec.service, waiting, state)
    return Decision(action="busy", reason=reason, service=spec.service, waiting=waiting)


def _decide(
    deployment: str,
    execution: str,
    spec: Placed,
    rules: list[LiveRule],
    release: Release,
    state: State,
    checked: Checked,
    asked_by: str | None,
    *,
    leaves: bool,
    force: bool,
) -> Decision:
    traffic = Traffic(client("elbv2"), spec)
    live, shown = _live(spec, state, traffic)
    slots = Slots(client("ecs"), spec)
    counts = {slot: _count(slots, traffic, slot) for slot in SLOTS}
    stable = _stable(spec, state, live, counts)
    refuse_drift(spec, counts, stable=stable, state=state, now=utc_now())
    live_count = counts[stable] if stable else None
    if stable and live_count:
        scaling = Scaling(client("application-autoscaling"), spec)
        # What the pattern's bounds are is written, with room for what is live, at the candidate's launch.
        kept = [slot for slot in SLOTS if slot == stable or not spec.copies_scaling(slot)]
        targets = {slot: scaling.target(slot) for slot in kept}
        refuse_narrow(spec, live_count.desired, targets, stable=stable)
    running = slots.describe(stable) if stable else None
    definitions = TaskDefinitions(client("ecs"))
    previous = _running(spec, definitions, running, of_owner=stable == spec.origin)
    if stable:
        refuse_old_release(previous, state, utc_now())
    previous = as_it_answers(previous, state, spec)
    contents = checked.contents.model_copy(
        update={"changes": _changes(spec, definitions, running, previous, checked)}
    )
    return decide(
        deployment=deployment,
        execution=execution,
        asked_by=asked_by,
        now=utc_now(),
        spec=spec,
        release=release,
        stable=stable,
        serves=bool(live_count and live_count.healthy),
        leaves=leaves,
        force=force,
        running=previous,
        contents=contents,
        feed=_feed(spec, checked.streams, definitions, running) if checked.streams else None,
        seen=_seen(spec, state, [*rules, *shown]),
    )


def _changes(
    spec: Placed,
    definitions: TaskDefinitions,
    running: SlotService | None,
    previous: RunningRelease | None,
    checked: Checked,
) -> tuple[str, ...]:
    """What the candidate's configuration has that what runs has not, and what it has not."""
    if running is None:
        return ()
    history = None
    with suppress(PlanOutdated):
        history = stack.journal().history.released(spec.service, previous.number if previous else None)
    live = history.plan.spec.pattern if history else None
    before = definitions.definition(running.task_definition)
    return changes(before, checked.wanted, live, spec.pattern, checked.contents.released)


def _seen(spec: Placed, state: State, shown: list[LiveRule]) -> tuple[SeenRule, ...]:
    """What reads of the production rules have shown of their owner's: the first shift loses none of it."""
    known = state.bound(spec.origin)
    for rule in shown:
        with suppress(ForeignChange):  # one that is older than the one that was judged
            seen = known.saw(rule, rule.weights(spec.groups_of(rule.arn)), utc_now())
            known = known.model_copy(update={"seen": seen})
    return known.seen


def _feed(
    spec: Placed, candidate: LogStreams, definitions: TaskDefinitions, running: SlotService | None
) -> Feed:
    """Where both sides' outcome feeds are; what Crossfade may read is found out by reading.

    Raises
    ------
    PatternUnusable
        It may not read the candidate's.
    """
    log = FeedLog(client("logs"))
    why = log.unreadable(candidate)
    if why:
        raise feed_unreadable(spec, candidate, why)
    stable = definitions.log_streams(running.task_definition, spec.pattern.container) if running else None
    return Feed(candidate=candidate, stable=None if stable and log.unreadable(stable) else stable)


def _stable(
    spec: Placed, state: State, live: Weights, counts: Mapping[Slot, SlotCount | None]
) -> Slot | None:
    """The live slot; None before a first release, where the rule leads to a service that has no task."""
    slot = stable_slot(live)
    found = counts[slot]
    nothing_runs = found is None or (found.desired, found.tasks) == (0, 0)
    return None if slot == spec.origin and state.stable is None and nothing_runs else slot


def _running(
    spec: Placed, definitions: TaskDefinitions, running: SlotService | None, *, of_owner: bool
) -> RunningRelease | None:
    """What the live slot runs; of its owner's own service what the tag of its image says."""
    found = definitions.release(running.task_definition) if running else None
    if found or running is None or not of_owner:
        return found
    image = definitions.image(running.task_definition, spec.pattern.container)
    tag = image_tag(image, spec.release.repository)
    if tag is None:
        return None
    return RunningRelease(
        version=tag,
        # Never what the tag is of by now: it may have been moved since the tasks have started.
        digest=spec.pattern.digest if running.task_definition == spec.pattern.task_definition else "",
        pattern=running.task_definition,
        settings=spec.pattern.fingerprint,  # of its own
        verified=False,
    )


def _live(spec: Placed, state: State, traffic: Traffic) -> tuple[Weights, list[LiveRule]]:
    """The weights of all production rules, and the rules each time that they were read.

    Raises
    ------
    ForeignChange
        A rule does not stand as Crossfade, or before its first release the owner, has left it.
    ServiceMoved
        The spec, or its pattern, was changed since.
    """
    shown = traffic.shown()
    refuse_stickiness(shown.rules, traffic.sticky_groups())
    try:
        gone = [one.route.rule for one in shown.routes if one.weights is None]
        if gone:
            raise ForeignChange(f"The production rule {', '.join(gone)} was deleted outside Crossfade.")
        known = state.bound(spec.origin)
        if known.weights:
            shown.refuse_foreign(known.weights, overwritten=known.overwritten, now=utc_now())
    except ForeignChange as changed:
        refuse_moved(spec, state.last_rules, state.stable)  # they are not those that were written
        raise ForeignChange(f"{changed} {PUT_RIGHT}") from changed
    refuse_others_traffic(state, shown, spec)
    refuse_moved(spec, state.last_rules, state.stable)
    live = shown.weights[0]
    assert live  # noqa: S101 - each is there, and they are one: compared with what was written
    return live, [*shown.rules, *_refuse_routes(spec)]


def _refuse_routes(spec: Placed) -> list[LiveRule]:
    """Refuse another rule of the load balancer that leads to the service, and what keeps the probe out.

    They were looked at when the service was prepared, and may have come since. Returns the production rules
    as they were read with them.
    """
    elbv2, moved = client("elbv2"), {route.rule: route for route in spec.routes}
    made = [arn for arn, entry in zip(moved, spec.traffic, strict=True) if isinstance(entry, OwnRule)]
    found = []
    for shown in listeners_of(elbv2, balancer_of(spec.listener)):
        live = rules(elbv2, shown["ListenerArn"])
        own = frozenset([*made, *(rule.arn for rule in live if is_preview(rule))])
        found.append(Listener(shown, tuple(live), own))
    all_groups = [route.target_groups for route in spec.routes]
    refuse_routes(spec, found, [arn for one in all_groups for arn in (one.blue, one.green, one.pattern)])
    return [rule for one in found for rule in one.rules if rule.arn in moved]


def _count(slots: Slots, traffic: Traffic, slot: Slot) -> SlotCount | None:
    found = slots.describe(slot)
    targets = traffic.health(slot)
    if found is None:
        return SlotCount(desired=0, tasks=0, registered=targets.registered) if targets.registered else None
    return SlotCount(
        desired=found.desired,
        tasks=found.tasks,
        registered=targets.registered,
        healthy=targets.healthy,
        given=found.given,
        of_spec=found.of_spec,
    )
