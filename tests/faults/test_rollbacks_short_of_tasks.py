"""Rollbacks that find a side short of tasks, or dead: who gets the traffic, when, and with how many tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.slots import Slot
from crossfade.domain.verdict import Verdict
from crossfade.watching import gate
from faults.aws.images import Image
from faults.cases.invariants import items_of, violations
from faults.cases.scenarios import (
    ALARM,
    GOOD,
    PATIENT,
    SCENARIOS,
    SPEC,
    WARM,
    WORSE,
    Happening,
    Scenario,
    ask,
    ask_for,
    before,
    begun,
    lose_blue,
    pass_alarm,
    raise_alarm,
    roll_back,
)
from faults.inhabit import inhabited
from faults.world import World

REPLACED_SECONDS = 60.0
"""So long there is no place for a task; tries come after growing waits, so that it takes a little longer."""
FOR_GOOD = 900.0
SLOW = {"retire": SPEC["retire"] | {"drain_seconds": 40}}
FOUR = {"tasks": 4} | SLOW
HELD = Scenario("held", ask(GOOD), "0.0.1", spec=FOUR, scales=True)
"""0.0.2 takes the place of 0.0.1, four tasks each; a rollback by hand takes it back."""


def _run(scenario: Scenario, then: Mapping[str, Happening]) -> World:
    world = begun(replace(scenario, then=then))
    with inhabited(world):
        world.run()
    return world


def die(slot: Slot, count: int, seconds: float = REPLACED_SECONDS) -> Happening:
    """So many tasks of a slot die, and there is no place for others for a while."""

    def happen(world: World) -> None:
        service = world.ecs.services[f"web-{slot}"]
        world.ecs.lack(service.name, seconds)
        for task in service.of(service.primary, "RUNNING")[:count]:
            world.balancer.deregister(service.groups, task.address)
            task.end(world.clock.now, "EssentialContainerExited", exit_code=137)
        world.ecs.ask_by_hand(service.name, service.desired)

    return happen


def both(*happenings: Happening) -> Happening:
    """All of it, one after the other."""

    def happen(world: World) -> None:
        for one in happenings:
            one(world)

    return happen


def _weighed(world: World, slot: Slot, weight: int) -> float:
    """When a slot was last given so much weight that had another one before."""
    group, weights = world.spec.target_groups.of(slot), world.balancer.weights
    changes = zip(weights.moments[1:], pairwise(weights.values), strict=True)
    return max(
        moment
        for moment, (before, after) in changes
        if after.get(group) == weight and before.get(group) != weight
    )


def _healthy_at(world: World, slot: Slot, moment: float) -> int:
    return len(world.balancer.healthy[world.spec.target_groups.of(slot)].at(moment))


@pytest.mark.parametrize(
    "shrinks",
    [pytest.param(ask_for("blue", 1), id="by-its-owner"), pytest.param(die("blue", 3), id="its-tasks-died")],
)
@pytest.mark.parametrize("point", ["deploy.WatchStage#1", "deploy.WatchStage#2", "deploy.RetireStable#1"])
def test_a_stable_slot_that_shrank_has_its_tasks_before_it_gets_its_traffic(
    point: str, shrinks: Happening
) -> None:
    """It was at 1 of 4 when it was rolled back to, and the candidate had 4 of 4."""
    world = _run(HELD, {point: both(shrinks, roll_back)})
    assert violations(HELD, world) == []
    assert world.live() == {"blue": ("0.0.1",) * 4, "green": ()}
    assert _healthy_at(world, "blue", _weighed(world, "blue", 100)) == 4


def test_a_stable_slot_whose_tasks_do_not_come_gets_its_traffic_all_the_same() -> None:
    """After two minutes: whoever rolls back has a reason."""
    world = _run(HELD, {"deploy.WatchStage#2": both(die("blue", 3, FOR_GOOD), roll_back)})
    rollback = world.executions("rollback")[0]
    moved = _weighed(world, "blue", 100)
    assert 120 <= moved - rollback.began < 140
    assert _healthy_at(world, "blue", moved) == 1
    assert world.live()["green"] == ()


def test_a_refused_candidate_keeps_no_client_for_want_of_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it fails is known, that one task cannot carry the load is not; the others come as they can."""
    judge = gate.analyse

    def analyse(state: GateState, *given: Any, watch: Watch, **known: Any) -> tuple[GateState, Verdict]:
        state, verdict = judge(state, *given, watch=watch, **known)
        if watch.stage.weight:  # sure at once, with clients on it
            return state, Verdict(action="roll_back", reason="users fail", error="CandidateWorse")
        return state, verdict

    worse = Scenario("worse", ask(WORSE), "0.0.1", spec=FOUR, scales=True)
    before(worse)
    monkeypatch.setattr(gate, "analyse", analyse)
    world = _run(worse, {"deploy.WatchStage#1": die("blue", 3)})
    rollback = world.executions("rollback")[0]
    moved = _weighed(world, "blue", 100)
    assert 0 < moved - rollback.began < 5
    assert _healthy_at(world, "blue", moved) == 1
    assert violations(worse, world) == []
    assert world.live() == {"blue": ("0.0.1",) * 4, "green": ()}


def test_a_dead_candidate_keeps_no_client_for_want_of_tasks() -> None:
    """It is stepped back at once, and rolled back at weight 0."""
    worse = Scenario("worse", ask(WORSE), "0.0.1", spec=FOUR, scales=True)
    world = _run(worse, {"deploy.WatchStage#1": die("blue", 3)})
    moved = _weighed(world, "blue", 100)
    assert 0 < moved - _stepped_back(world) < 5
    assert moved < world.executions("rollback")[0].began
    assert _healthy_at(world, "blue", moved) == 1
    assert violations(worse, world) == []
    assert world.live() == {"blue": ("0.0.1",) * 4, "green": ()}


def test_a_suspect_keeps_no_client_for_long_for_want_of_tasks() -> None:
    """Tasks that are just starting are waited for, but only for half a minute."""
    spec = FOUR | PATIENT | {"alarms": [ALARM]}
    alarmed = Scenario("alarmed", ask(GOOD), "0.0.2", spec=spec, scales=True)
    then = {
        "deploy.WatchStage#1": both(raise_alarm, die("blue", 3)),
        "deploy.StepBack#1": pass_alarm(8),
    }
    world = _run(alarmed, then)
    moved = _weighed(world, "blue", 100)
    assert 30 <= moved - _stepped_back(world) < 40
    assert _healthy_at(world, "blue", moved) == 1
    assert violations(alarmed, world) == []
    assert world.live() == {"blue": (), "green": ("0.0.2",) * 4}


def _stepped_back(world: World) -> float:
    (back,) = (at for at, state in world.executions("deploy")[-1].path if state == "StepBack")
    return back


def test_a_rollback_ends_with_as_many_tasks_as_the_live_slot_had_at_most() -> None:
    """Its owner went up to 6, which the candidate followed, and down again."""
    then = {
        "deploy.VerifyCandidate#1": ask_for("blue", 6),
        "deploy.WatchStage#2": both(ask_for("blue", 2), roll_back),
    }
    world = _run(HELD, then)
    assert violations(HELD, world) == []
    assert world.live() == {"blue": ("0.0.1",) * 6, "green": ()}


def test_a_warm_slot_gets_the_tasks_of_the_live_one_before_it_gets_its_traffic() -> None:
    """The live slot has grown since the promotion."""
    warm = Scenario("back-out", ask(GOOD), "0.0.1", spec={"tasks": 4} | WARM, scales=True)
    grown = partial(_grown, then=roll_back)
    world = _run(warm, {"deploy.KeepWarm#1": grown})
    assert violations(warm, world) == []
    assert world.live() == {"blue": ("0.0.1",) * 6, "green": ()}
    assert _healthy_at(world, "blue", _weighed(world, "blue", 100)) == 6


def _grown(world: World, then: Happening) -> None:
    ask_for("green", 6)(world)
    world.clock.after(20.0, world.writes.by_owner, then, world)


def test_a_slot_that_its_owner_scaled_to_0_is_not_started_again() -> None:
    """They have a reason that nobody else knows; the candidate answers."""
    world = _run(replace(HELD, gaps=True), {"deploy.WatchStage#1": both(ask_for("blue", 0), roll_back)})
    assert world.live() == {"blue": (), "green": ("0.0.2",) * 4}
    assert world.ecs.services["web-blue"].desired == 0


# ---- the better side -------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["deploy.CheckProbe#1", "deploy.VerifyCandidate#1"])
def test_a_stable_slot_that_died_before_any_traffic_moved_does_not_stay_live(point: str) -> None:
    """A person rolls back at weight 0: all traffic stood on a slot that answers nobody."""
    world = _run(replace(HELD, gaps=True), {point: both(lose_blue, roll_back)})
    assert world.live() == {"blue": (), "green": ("0.0.2",) * 4}
    rollback = world.executions("rollback")[0]
    assert "has no healthy target, so all traffic goes to candidate (green)" in str(rollback.output)


def test_a_candidate_that_was_refused_before_any_client_met_it_stays_out() -> None:
    """The stable slot is dead, and a release that only fails is no better."""
    wrong = Scenario("wrong", ask(Image("0.0.3", "wrong")), "0.0.1", gaps=True)
    world = _run(wrong, {"deploy.RollBack#1": lose_blue, "rollback.Assess#1": lose_blue})
    assert world.weight("blue") == 100
    assert world.live() == {"blue": (), "green": ()}


@pytest.mark.parametrize("point", ["rollback.SuspendScaling#1", "rollback.VerifyRestored#1"])
def test_a_stable_slot_that_dies_while_it_is_gone_back_to_is_left_again(point: str) -> None:
    """The candidate is still there, and answers."""
    by_hand = replace(SCENARIOS["by-hand"], gaps=True)
    world = _run(by_hand, dict(by_hand.then) | {point: lose_blue})
    assert world.live() == {"blue": (), "green": ("0.0.2",) * 2}
    assert world.weight("green") == 100


@pytest.mark.parametrize("point", ["rollback.RestoreWeights#1", "rollback.VerifyRestored#1"])
def test_the_loser_runs_on_while_a_task_of_the_winner_is_replaced(point: str) -> None:
    """Two tasks answer all the while, or could."""
    alarmed = SCENARIOS["alarmed"]
    world = _run(alarmed, dict(alarmed.then) | {point: die("blue", 1)})
    assert violations(alarmed, world) == []
    group = world.spec.target_groups.green
    gone = next(
        moment
        for moment, targets in zip(
            world.balancer.healthy[group].moments, world.balancer.healthy[group].values, strict=True
        )
        if not targets and moment > world.executions("rollback")[0].began
    )
    assert _healthy_at(world, "blue", gone) == 2


# ---- the candidate loses tasks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point", ["deploy.WatchStage#1", "deploy.WatchStage#2", "deploy.SuspendStable#1", "deploy.RetireStable#1"]
)
def test_a_candidate_that_loses_tasks_for_good_is_not_promoted(point: str) -> None:
    """It has 1 of 4: it is held, and then the old slot has its traffic back, with 4 of 4."""
    deployed = Scenario("short", ask(GOOD), "0.0.1", spec=FOUR, scales=True)
    world = _run(deployed, {point: die("green", 3, FOR_GOOD)})
    assert violations(deployed, world) == []
    assert world.live() == {"blue": ("0.0.1",) * 4, "green": ()}
    (deploy,) = world.executions("deploy")[1:]
    assert deploy.error == "TargetsBelowFloor"
    assert "green has 1 healthy targets of 4 tasks and needs" in (deploy.cause or "")


def test_an_owner_who_shrinks_the_old_slot_lets_no_release_through_short() -> None:
    """What clients needed an hour ago is what the candidate must have."""
    deployed = Scenario("short", ask(GOOD), "0.0.1", spec=FOUR, scales=True)
    then = {"deploy.WatchStage#2": both(die("green", 3, FOR_GOOD), ask_for("blue", 1))}
    world = _run(deployed, then)
    assert world.live() == {"blue": ("0.0.1",) * 4, "green": ()}


@pytest.mark.parametrize("point", ["deploy.WatchStage#1", "deploy.WatchStage#2", "deploy.RetireStable#1"])
def test_a_candidate_whose_task_is_replaced_is_promoted(point: str) -> None:
    """That takes more than a minute, and no release goes back for it."""
    deployed = Scenario("replaced", ask(GOOD), "0.0.2", spec=FOUR, scales=True)
    world = _run(deployed, {point: die("green", 1)})
    assert violations(deployed, world) == []
    assert world.live() == {"blue": (), "green": ("0.0.2",) * 4}


# ---- what is not known ----------------------------------------------------------------------------------


def test_a_rollback_to_a_version_that_nobody_knows_is_proved_by_the_losers_absence() -> None:
    """A person had changed the live slot's task definition, so that it has none of Crossfade's tags."""
    unknown = replace(SCENARIOS["by-hand"], begins=both(_retag, ask(GOOD)))
    world = _run(unknown, unknown.then)
    (item,) = (item for name, item in items_of(world).items() if name == "release-0.0.2")
    assert item["outcome"] == "rolled_back"
    assert "not proved" not in item["reason"]


def _retag(world: World) -> None:
    """The live slot runs a revision that a person has made of its release."""
    service = world.ecs.services["web-blue"]
    known = world.ecs.describe_task_definition(taskDefinition=service.definition)["taskDefinition"]
    kept = ("family", "requiresCompatibilities", "networkMode", "cpu", "memory", "executionRoleArn")
    made = world.ecs.register_task_definition(
        **{key: known[key] for key in kept}, containerDefinitions=known["containerDefinitions"], tags=[]
    )
    service.definition = made["taskDefinition"]["taskDefinitionArn"]


def test_a_second_rollback_leaves_a_slot_that_was_stopped_alone() -> None:
    """Its scalable target would start it."""
    scaled_worse = SCENARIOS["scaled-worse"]
    world = begun(replace(scaled_worse, then={}), {"rollback.StopProbe#1": "stopped"})
    with inhabited(world):
        world.run()
    assert len(world.executions("rollback")) > 1
    service = world.ecs.services["web-blue"]
    assert len([task for task in service.tasks if task.definition == service.definition]) == 2
    assert violations(scaled_worse, world) == []
