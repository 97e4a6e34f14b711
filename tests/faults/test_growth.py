"""A service whose load changes while a deployment runs: its live slot grows, and the candidate keeps up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from faults.aws.autoscaling import SUSPENDED
from faults.cases.invariants import violations
from faults.cases.scenarios import (
    NEXT,
    SCENARIOS,
    WORSE,
    Happening,
    Scenario,
    ask,
    ask_for,
    begun,
    grow,
    scaled,
)
from faults.inhabit import inhabited
from faults.world import World
from tests.statemachine.definitions import states

GREW = replace(SCENARIOS["grows"], then={})
"""0.0.4 follows 0.0.2, which is live in green with two tasks; both slots may have one to four."""


def _run(scenario: Scenario, **then: Happening) -> World:
    """What happens at points of a scenario; a point is written ``deploy__LaunchCandidate__1``."""
    for machine, state, _ in (name.split("__") for name in then):
        assert state in states(machine), "nothing would happen there"
    points = {name.replace("__", ".", 1).replace("__", "#"): happening for name, happening in then.items()}
    world = begun(replace(scenario, then=points))
    with inhabited(world):
        world.run()
    return world


def _counts(world: World) -> dict[str, int]:
    return {name: service.desired for name, service in world.ecs.services.items()}


@pytest.mark.parametrize("how", [grow("green", 2), ask_for("green", 4)], ids=["by-an-alarm", "by-hand"])
@pytest.mark.parametrize(
    "point",
    [
        "deploy__LaunchCandidate__1",
        "deploy__CheckCandidate__1",
        "deploy__VerifyCandidate__1",
        "deploy__ShiftTraffic__1",
        "deploy__WatchStage__1",
        "deploy__ShiftTraffic__2",
        "deploy__WatchStage__2",
    ],
)
def test_the_live_slot_grows_and_the_candidate_with_it(point: str, how: Happening) -> None:
    """From 2 to 4 tasks, before, while and after weights move: it is promoted with 4."""
    world = _run(GREW, **{point: how})
    assert violations(GREW, world) == []
    assert world.live() == {"blue": ("0.0.4",) * 4, "green": ()}


def test_a_person_asks_for_more_of_a_slot_that_is_about_to_go() -> None:
    """All clients have left it; what its owner wants counts all the same."""
    world = _run(GREW, deploy__RetireStable__1=ask_for("green", 4))
    assert violations(GREW, world) == []
    assert world.live()["blue"] == ("0.0.4",) * 4


def test_nothing_is_shrunk_because_its_traffic_leaves_it() -> None:
    """The live slot's load falls as weights move, and so does the candidate's before it has any."""
    world = _run(
        GREW,
        deploy__VerifyCandidate__1=grow("blue", -1),
        deploy__WatchStage__1=grow("green", -1),
        deploy__WatchStage__2=grow("blue", -1),
    )
    assert violations(GREW, world) == []
    assert world.live()["blue"] == ("0.0.4",) * 2


def test_the_candidate_grows_by_itself_once_it_has_the_traffic() -> None:
    """The live slot sees nothing of a load that it does not have any more."""
    world = _run(GREW, deploy__WatchStage__2=grow("blue", 1))
    assert violations(GREW, world) == []
    assert world.live()["blue"] == ("0.0.4",) * 3


def test_a_live_slot_that_its_owner_shrinks_leaves_the_candidate_as_it_is() -> None:
    """Nothing is taken away from what was launched."""
    world = _run(GREW, deploy__WatchStage__1=ask_for("green", 1))
    assert violations(GREW, world) == []
    assert world.live()["blue"] == ("0.0.4",) * 2


def test_a_scheduled_peak_that_meets_a_deployment_is_served() -> None:
    """The action is not repeated later: suspended, it would be lost until the next day."""
    own = dict.fromkeys(SUSPENDED, False)

    def both(world: World) -> None:
        for slot in ("blue", "green"):
            world.scaling.schedule(f"web-{slot}", 4, 8)

    def unsuspended(world: World) -> None:
        for target in world.scaling.targets.values():
            if not target["SuspendedState"][SUSPENDED[1]]:
                target["SuspendedState"] = own
        ask(NEXT)(world)

    world = _run(replace(GREW, begins=scaled(unsuspended)), deploy__WatchStage__1=both)
    assert world.live() == {"blue": ("0.0.4",) * 4, "green": ()}
    targets = {
        name: (one["MinCapacity"], one["SuspendedState"]) for name, one in world.scaling.targets.items()
    }
    assert targets["service/web/web-blue"] == (4, own)
    assert targets["service/web/web-green"] == (4, dict.fromkeys(SUSPENDED, True))


def test_no_alarm_starts_a_slot_that_was_stopped() -> None:
    """It is suspended as a whole before its stop."""
    world = _run(GREW, deploy__ResumeScaling__1=grow("green"), deploy__StopProbe__1=grow("green"))
    assert violations(GREW, world) == []
    assert _counts(world)["web-green"] == 0


@pytest.mark.parametrize(
    "point", ["deploy__VerifyCandidate__1", "rollback__RestoreWeights__1", "rollback__StopLoser__1"]
)
def test_a_slot_that_is_gone_back_to_has_grown_by_itself(point: str) -> None:
    """Before the rollback, and while it is at work."""
    worse = replace(GREW, begins=scaled(ask(WORSE)), serves="0.0.2")
    world = _run(worse, **{point: grow("green", 2)})
    assert violations(worse, world) == []
    assert world.live() == {"blue": (), "green": ("0.0.2",) * 4}


def test_no_alarm_starts_a_loser() -> None:
    """After a rollback too."""
    worse = replace(GREW, begins=scaled(ask(WORSE)), serves="0.0.2")
    world = _run(worse, rollback__ResumeScaling__1=grow("blue"), rollback__StopProbe__1=grow("blue"))
    assert violations(worse, world) == []
    assert _counts(world)["web-blue"] == 0


def test_a_service_that_nobody_scales_keeps_up_as_well() -> None:
    """Its owner does so by hand."""
    plain = replace(SCENARIOS["healthy"], scales=True)
    world = _run(plain, deploy__WatchStage__1=ask_for("blue", 4))
    assert violations(plain, world) == []
    assert world.live()["green"] == ("0.0.2",) * 4


def _narrow(bounds: Mapping[str, int]) -> Happening:
    """Services may have fewer tasks than before; the candidate gets the bounds of the owner's, ``web``."""

    def happen(world: World) -> None:
        for name, most in bounds.items():
            target = world.scaling.targets[f"service/web/{name}"]
            world.scaling.targets[target["ResourceId"]] = target | {"MaxCapacity": most}
        ask(NEXT)(world)

    return happen


def test_a_live_slot_that_outgrows_the_candidates_bounds_stays_live() -> None:
    """The owner wants more than the candidate may have: the release goes back, and says why."""
    narrow = replace(GREW, begins=scaled(_narrow({"web": 3})))
    world = _run(narrow, deploy__WatchStage__1=grow("green", 2))
    assert world.live() == {"blue": (), "green": ("0.0.2",) * 4}
    (deploy,) = world.executions("deploy")[2:]
    assert deploy.error == "TargetsBelowFloor"
    assert "its scalable target allows 3: raise its MaxCapacity" in (deploy.cause or "")


def test_bounds_that_are_too_narrow_are_refused_in_the_plan() -> None:
    """AWS would stop tasks of the live slot as soon as its target is written."""
    world = _run(replace(GREW, begins=scaled(_narrow({"web-green": 1}))))
    (deploy,) = world.executions("deploy")[2:]
    assert (deploy.error, deploy.path[-2][1]) == ("ScalingTooNarrow", "PlanRelease")
    assert world.live() == {"blue": (), "green": ("0.0.2",) * 2}
