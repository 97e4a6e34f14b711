"""What must hold when everything has ended, whatever went wrong; each function names what does not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from cli.check import against
from crossfade.domain.slots import SLOTS, Slot, other
from faults.aws.autoscaling import SUSPENDED
from faults.cases.disturbances import DISTURBANCES
from faults.cases.respecs import CUT_OFF, GONE
from faults.cases.scenarios import SCALING, Scenario
from faults.workflow.clock import START
from faults.workflow.execution import Execution
from faults.world import World

Item = dict[str, Any]
Violations = Iterator[str]


def violations(scenario: Scenario, world: World) -> list[str]:
    """Everything that does not hold, as ``invariant: what is so instead``."""
    return [f"{name}: {found}" for name, check in INVARIANTS.items() for found in check(scenario, world)]


def state_of(world: World) -> Item:
    """The journal's state of the service."""
    return _plain(world.dynamodb.item("web", "state"))


def items_of(world: World) -> dict[str, Item]:
    """The journal's item of each deployment, by its name."""
    found = {dict(key)["item"]: _plain(item) for key, item in world.dynamodb.items.items()}
    prefix = "deployment#"
    return {key.removeprefix(prefix): item for key, item in found.items() if key.startswith(prefix)}


def everything_has_ended(scenario: Scenario, world: World) -> Violations:
    """No execution waits for something that never comes."""
    for execution in world.machines.executions:
        if execution.running:
            yield f"{execution.name} is in {execution.path[-1][1]}"


def the_service_is_free(scenario: Scenario, world: World) -> Violations:
    """Nobody holds it, and nothing waits for it that nobody starts."""
    state = state_of(world)
    for name in ("holder", "deployment", "intended", "candidate", "waiting", "warm"):
        if state.get(name) is not None:
            yield f"{name} is {state[name]}"


def one_slot_has_all_the_traffic(scenario: Scenario, world: World) -> Violations:
    """The one that the journal calls stable; it runs what the journal says.

    Before a first release none is, and the rule leads to the owner's service.
    """
    state = state_of(world)
    live, *others = world.weights()
    stable: Slot | None = state.get("stable")
    if any(one != live for one in others):
        yield f"one rule has {live}, others {others}"
    if state.get("weights", live) != live:
        yield f"the journal has {state.get('weights')}, the rule {live}"
    if stable is None:
        if world.origin is None or live[world.origin] != 100 or scenario.released:
            yield f"nothing is stable, the rule has {live}"
        return
    if (live[stable], live[other(stable)]) != (100, 0):
        yield f"{stable} is stable, the rule has {live}"
    runs = world.live()[stable]
    counted = scenario.scales or scenario.gaps or world.disturber.happened
    count = world.ecs.services[world.spec.slot_service(stable)].placeable if counted else world.spec.tasks
    wanted = (state.get("version"),) * count
    # Once it is handed back, what its stack says of it counts.
    of_stack = {"stack-over-candidate", "stack-over-stable"} & {*world.disturber.happened}
    if runs != wanted and not (of_stack and stable == world.origin):
        yield f"{stable} is stable with {wanted} and runs {runs}"


def the_winner_can_carry_the_load(scenario: Scenario, world: World) -> Violations:
    """At a promotion and after a rollback it has as many tasks as were ever asked of the stable slot.

    A side that is short of tasks wins where it serves and the other one is worse off still.
    """
    yield from world.watcher.short


def the_better_side_serves(scenario: Scenario, world: World) -> Violations:
    """Nothing that serves is stopped for what does not; in between, clients are not left to it for long.

    For how long is only said where nothing else went wrong: calls may take minutes.
    """
    yield from world.watcher.worse
    for slot in world.watcher.at_rest():
        yield f"{slot} has clients and serves nothing"
    if world.faults.placed <= DISTURBANCES.keys() and not scenario.always:
        for slot, began, ended in world.watcher.silences:
            seconds = ended - max(began, _served_by_the_other(slot, world, ended))
            if seconds > MOST_SILENT_SECONDS:
                yield f"until {ended:.2f} clients of {slot} met nobody for {seconds:.2f} s"


MOST_SILENT_SECONDS = 75.0
"""For so long clients may be sent to a slot that serves nothing while the other one could serve them: as a
task's replacement takes, and longer than a rollback lets functions end."""


def _served_by_the_other(slot: Slot, world: World, until: float) -> float:
    """From when on the other slot could have served: a candidate once it is verified, and is good."""
    if any(target.image.behaviour != "good" for target in world.healthy(other(slot), until - 0.01)):
        return until
    # Nobody looks while an old slot is kept warm: only at the end of its time, and then with patience.
    if _entered("KeepWarm", slot, world, until):
        return max(
            (at + PATIENCE_SECONDS for at in _entered("StopOldSlot", slot, world, until)), default=until
        )
    stable = world.watcher.stable_at(until - 0.01)
    if stable is None:  # before a service's first release nobody served, so nothing got worse
        return until
    if slot != stable:
        return 0.0
    return max(_entered("CandidateVerified", other(slot), world, until), default=until)


PATIENCE_SECONDS = 240.0
"""For so long at most StopOldSlot looks at a live slot that serves nothing."""


def _entered(name: str, slot: Slot, world: World, until: float) -> list[float]:
    """When deployments entered a state since a slot was last launched."""
    return [
        at
        for execution in world.executions("deploy")
        for at, state in execution.path
        if state == name and world.watcher.launched(slot) <= at <= until
    ]


def no_bad_release_is_live(scenario: Scenario, world: World) -> Violations:
    """Whatever went wrong while it was watched: the gate was not got past.

    One that clients have met may be live where the other side serves nothing.
    """
    silent = any(DISTURBANCES[name].silences for name in world.disturber.happened)
    for slot in SLOTS:
        for image in {target.image for target in world.healthy(slot)}:
            if image.behaviour != "good" and not (silent and image.behaviour in ONLY_EXPOSED):
                yield f"{slot} runs {image.tag}, which is {image.behaviour}"


ONLY_EXPOSED = ("worse", "unfit")
"""Bad releases of which nothing is seen before clients are sent to them."""


def the_other_slot_stands_still(scenario: Scenario, world: World) -> Violations:
    """No task is wanted there and none runs, nor in the owner's service, unless that is live."""
    stable = state_of(world).get("stable")
    serves = world.spec.slot_service(stable or world.origin or "green")
    for name in ("web", "web-blue", "web-green"):
        service = world.ecs.services.get(name)
        # What the owner's stack has started in its own service without traffic is the owner's business.
        if name == serves or service is None or (name == "web" and world.pattern_started):
            continue
        tasks = [task.status for task in service.tasks if task.status != "STOPPED"]
        if service.desired or tasks or any(map(world.balancer.states, service.groups)):
            yield f"{name} stands at {service.desired} with tasks {tasks}"


def nothing_is_stopped_that_has_traffic(scenario: Scenario, world: World) -> Violations:
    """Crossfade sets no service to 0 tasks while the rule sends anybody there."""
    yield from world.watcher.weighted


def only_the_gate_lets_a_candidate_climb(scenario: Scenario, world: World) -> Violations:
    """Once it was stepped back: by a verdict to advance. A rollback may, where the other side is dead."""
    yield from world.watcher.climbs


def clients_always_had_somebody(scenario: Scenario, world: World) -> Violations:
    """At no moment had a target group weight and no healthy target; no client was answered by nobody."""
    if scenario.gaps or any(DISTURBANCES[name].silences for name in world.disturber.happened):
        return
    for moment, slot, weight in world.watcher.gaps:
        yield f"at {moment:.2f} {slot} had weight {weight} and no healthy target"
    for _, probe in world.ecs.probes:
        if probe.lost and (scenario.released or scenario.runs):
            yield f"{probe.settings.deployment}: {probe.lost} production requests met no target"


def no_probe_runs(scenario: Scenario, world: World) -> Violations:
    """Every probe task has stopped."""
    for task, probe in world.ecs.probes:
        if task.status != "STOPPED":
            yield f"the probe of {probe.settings.deployment} is {task.status}"


def scaling_is_as_before(scenario: Scenario, world: World) -> Violations:
    """The live slot is scaled as the live slot was, the other one stands still; the limits are as before."""
    for name in ("web", "web-blue", "web-green"):
        target = world.scaling.targets.get(f"service/web/{name}")
        if target is None or name not in world.ecs.services:
            continue
        weighted = world.has_weight(world.ecs.services[name])
        wanted = SCALING if weighted else dict.fromkeys(SUSPENDED, True)
        found = target["SuspendedState"]
        if found != wanted or (target["MinCapacity"], target["MaxCapacity"]) != (1, 4):
            yield f"{name}: {found} {target['MinCapacity']} {target['MaxCapacity']}"


def the_rule_is_its_owners_but_for_the_weights(scenario: Scenario, world: World) -> Violations:
    """What its owner has put into it is there, and nothing else."""
    if world.balancer.enriched:
        wanted, found = (
            _unweighed(rule) for rule in (world.balancer.enriched, world.balancer.production_rule())
        )
        if found != wanted:
            yield f"the rule was {wanted} and is {found}"


def _unweighed(rule: Item) -> Item:
    *before, forward = rule["Actions"]
    kept = {key: value for key, value in forward.items() if key != "TargetGroupArn"}
    config = {key: value for key, value in forward["ForwardConfig"].items() if key != "TargetGroups"}
    return rule | {"Actions": [*before, kept | {"ForwardConfig": config}]}


def history_is_true(scenario: Scenario, world: World) -> Violations:
    """Each deployment has an outcome, and the outcomes in the order of their end lead to what is live."""
    before = {f"release-{tag}" for tag in scenario.released}
    items = {name: item for name, item in items_of(world).items() if name not in before}
    deployed = {name: item for name, item in items.items() if item.get("outcome") != "dropped"}
    for name, item in deployed.items():
        if "outcome" not in item:
            yield f"{name} has no outcome"
        else:
            yield from _certified(world, name, item)
    ended = [item for item in deployed.values() if "outcome" in item]
    live: set[str | None] = {scenario.released[-1] if scenario.released else None}
    if scenario.runs and not scenario.released and not ended:
        live = {None}  # as nobody has deployed it yet
    for item in sorted(ended, key=lambda item: str(item["ended"])):
        plan = json.loads(item["plan"])
        new, old = plan["release"]["version"], (plan["previous"] or {}).get("version")
        live = {"promoted": {new}, "rolled_back": {old}, "failed": {old, new}}[item["outcome"]]
    if state_of(world).get("version") not in live:
        yield f"by the outcomes {live} is live, and it is {state_of(world).get('version')}"


def statuses_are_honest(scenario: Scenario, world: World) -> Violations:
    """What looks like a success is one, and what failed says why."""
    items = items_of(world)
    for execution in world.executions("deploy"):
        outcome, end = items.get(execution.name, {}).get("outcome"), execution.path[-1][1]
        if execution.status == "SUCCEEDED":
            if outcome not in _SUCCESSES.get(end, ()):
                yield f"{execution.name} ended in {end}, its outcome is {outcome}"
        elif execution.status == "FAILED" and not (execution.error and execution.cause):
            yield f"{execution.name} failed without a reason"


def recovery_is_one_chain(scenario: Scenario, world: World) -> Violations:
    """Of a deployment's rollbacks that nobody asks for one tries at a time, after waits that grow.

    Who tries has begun after the try before it: else there are two chains, and one more for each try by hand.
    """
    tries: dict[str, list[Execution]] = {}
    for execution in sorted(filter(_tried, world.executions("rollback")), key=_tried):
        tries.setdefault(execution.variables["found"]["plan"]["deployment"], []).append(execution)
    for deployment, found in tries.items():
        for count, (before, after) in enumerate(pairwise(found)):
            if "ended" not in after.input:
                continue
            waited, wait = _surveyed(after) - _tried(before), WAITS[min(count, len(WAITS) - 1)]
            if after.began < _tried(before):
                yield f"{deployment}: {after.name} began before {before.name} tried, and tried as well"
            if waited < wait:
                yield f"{deployment}: {after.name} tried {waited:.1f} s after {count + 1} others, not {wait}"


WAITS = (30, 60, 120, 240, 480, 900)
"""Seconds between two rollbacks of a deployment, as docs/operations.md has them; the last one goes on."""


def _tried(rollback: Execution) -> float:
    """When a rollback asked what there is to do and took the service over; 0 where it did not."""
    took_over = rollback.variables.get("found", {}).get("plan")
    return max((at for at, state in rollback.path if state == "Assess"), default=0.0) if took_over else 0.0


def _surveyed(rollback: Execution) -> float:
    """When a rollback had its last answer of what there is to do."""
    return max(at for at, state in rollback.path if state == "WhatIsThere")


def nothing_else_changes(scenario: Scenario, world: World) -> Violations:
    """What Crossfade neither made nor was given is as it was, and no call set more than the law names."""
    yield from world.writes.unlawful()


_SUCCESSES: dict[str, set[str | None]] = {
    "Promoted": {"promoted"},
    "NothingToDeploy": {None, "dropped"},
    "Queued": {None, "dropped"},
    "BackedOut": {None},
}
"""The outcomes that a deployment's execution may have had where it ends in one of these states."""


def no_request_is_lost(scenario: Scenario, world: World) -> Violations:
    """What was asked for was deployed, is live, was refused or superseded by name: the answer says which.

    Requests are all executions that deploy, also those by which Crossfade itself starts what has waited.
    """
    asked = world.executions("deploy")
    for request in asked:
        if request.status == "SUCCEEDED" and request.path[-1][1] in {"Queued", "NothingToDeploy"}:
            reason = str(request.output["reason"])
            named = [other for other in asked if other is not request and f"{other.name}" in reason]
            lost = _lost(request, reason, named, world)
            if lost:
                yield f"{request.name} ended in {request.path[-1][1]}, {lost}: {reason}"


def _lost(request: Execution, reason: str, named: list[Execution], world: World) -> str | None:
    """Why a request that ended well has come to nothing; None where it has not."""
    if request.path[-1][1] == "Queued":
        dropped = items_of(world).get(request.name, {}).get("outcome") == "dropped"
        return None if dropped or _started_later(request, world) else "and nothing came of it"
    if "already runs" in reason or "gives way" in reason:
        return None
    if "waits already" in reason or "is being deployed by" in reason:
        over = [other for other in named if not _is_over(other, request.began, world)]
        return None if over else "on account of a deployment that was over before it asked"
    # An image whose service's spec is gone or cannot be read is nobody's, and the reason says so.
    if "no service is built from" in reason and any(
        name.startswith((GONE, CUT_OFF)) for name in world.faults.placed
    ):
        return None
    return "for a reason that is none"


def _is_over(deployment: Execution, moment: float, world: World) -> bool:
    """Whether a deployment was judged bad, had failed or was stopped before a moment, and so not promoted."""
    item = items_of(world).get(deployment.name, {})
    failed = [at for at, state in deployment.path if state == "RollBack"]
    judged = [_seconds(item["judged"])] if "judged" in item else []
    # Step Functions tells of an execution's end when it is asked for its history: that does not lag here.
    ended = [] if deployment.running or "promoted" in item else [deployment.stopped]
    return "promoted" not in item and min([*failed, *judged, *ended], default=moment) < moment


def _seconds(moment: str) -> float:
    return (datetime.fromisoformat(moment) - START).total_seconds()


def _started_later(queued: Execution, world: World) -> bool:
    """Whether what waited was started by somebody: Crossfade says on whose account it starts an execution."""
    return any(request.input.get("asked_by") == queued.arn for request in world.executions("deploy"))


def _certified(world: World, name: str, item: Item) -> Violations:
    body = world.buckets.objects.get(item.get("certificate", ""))
    if body is None:
        # Where a report was refused there is none, and the journal says so.
        if "not_reported" not in item:
            yield f"{name} has no certificate"
        return
    certificate = json.loads(body)
    if certificate["outcome"] != item["outcome"]:
        yield f"{name}: {item['outcome']}, and its certificate says {certificate['outcome']}"
    folder, _, _ = item["certificate"].rpartition("/")
    ledger = gzip.decompress(world.buckets.objects[f"{folder}/{certificate['ledger']['file']}"])
    for difference in against(certificate, iter(ledger.splitlines(keepends=True))).differences:
        yield f"{name} is certified otherwise than its ledger says: {difference}"


def _plain(item: Item) -> Item:
    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in item.items()}


INVARIANTS: dict[str, Callable[[Scenario, World], Violations]] = {
    check.__name__.replace("_", " "): check
    for check in (
        everything_has_ended,
        the_service_is_free,
        one_slot_has_all_the_traffic,
        the_winner_can_carry_the_load,
        the_better_side_serves,
        no_bad_release_is_live,
        the_other_slot_stands_still,
        nothing_is_stopped_that_has_traffic,
        only_the_gate_lets_a_candidate_climb,
        clients_always_had_somebody,
        no_probe_runs,
        scaling_is_as_before,
        the_rule_is_its_owners_but_for_the_weights,
        history_is_true,
        statuses_are_honest,
        no_request_is_lost,
        recovery_is_one_chain,
        nothing_else_changes,
    )
}
