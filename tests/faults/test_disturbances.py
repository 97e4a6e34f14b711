"""Disturbances: what the model makes of them, where they are placed, and what has to come of them."""

from collections import defaultdict

import pytest

from crossfade.domain.slots import Slot
from faults.aws.balancer import HEALTH_SECONDS
from faults.aws.tasks import START_SECONDS
from faults.cases.case import UnknownCase, disturbed, named, points, run
from faults.cases.disturbances import (
    BACK_SECONDS,
    DISTURBANCES,
    REPLACED_SECONDS,
    Disturber,
    Setting,
    candidate,
    stable,
)
from faults.cases.scenarios import GOOD, SCENARIOS, ask, before
from faults.inhabit import inhabited
from faults.world import World

SOON = 0.01
UP = START_SECONDS + HEALTH_SECONDS + SOON


@pytest.fixture
def world() -> World:
    """Return a world with four tasks of 0.0.1 live in blue."""
    return before(SCENARIOS["four"])


def healthy(world: World, slot: Slot = "blue") -> int:
    """How many targets of a slot are healthy now."""
    return len(world.live()[slot])


@pytest.mark.parametrize(
    ("kind", "at_once", "then"),
    [
        ("stable-replaced", 3, 4),
        ("stable-halved", 2, 2),
        ("stable-dead", 0, 0),
        ("owner-up", 4, 6),
        ("owner-down", 1, 1),
        ("owner-to-0", 0, 0),
        ("owner-to-0-and-back", 0, 4),
    ],
)
def test_what_becomes_of_the_live_slots_tasks(world: World, kind: str, at_once: int, then: int) -> None:
    """At once, and when what was to come has come."""
    Disturber(world).happen(kind)
    world.clock.run_for(SOON)
    assert healthy(world) == at_once
    world.clock.run_for(max(REPLACED_SECONDS, BACK_SECONDS + UP))
    assert healthy(world) == then


def test_a_replaced_task_is_healthy_after_so_long(world: World) -> None:
    """Not before, and not much later."""
    Disturber(world).happen("stable-replaced")
    world.clock.run_for(REPLACED_SECONDS - SOON)
    assert healthy(world) == 3
    world.clock.run_for(2 * SOON)
    assert healthy(world) == 4


def test_a_task_without_room_is_missing_whatever_is_asked_for(world: World) -> None:
    """Its owner asks for more: two more come."""
    disturber = Disturber(world)
    disturber.happen("stable-halved")
    disturber.happen("owner-up")
    world.clock.run_for(UP)
    assert healthy(world) == 4
    assert world.ecs.services["web-blue"].placeable == 4
    assert disturber.happened == ["stable-halved", "owner-up"]


@pytest.mark.parametrize(
    ("kind", "left"), [("candidate-replaced", 2), ("candidate-short", 1), ("candidate-dead", 0)]
)
def test_the_candidate_loses_tasks(kind: str, left: int) -> None:
    """While it is being deployed; the live slot has all of its own."""
    world = before(SCENARIOS["healthy"])
    disturber = Disturber(world)
    ask(GOOD)(world)
    assert (stable(world), candidate(world)) == ("blue", None)
    with inhabited(world):
        world.clock.run_for(20)
        assert candidate(world) == "green"
        assert kind in disturber.possible()
        disturber.happen(kind)
        assert healthy(world, "green") == min(left, 1)
        assert healthy(world, "blue") == 2
        world.run()
    assert disturber.happened == [kind]


def test_nothing_is_disturbed_that_is_not_there(world: World) -> None:
    """No candidate, and a single task that has no half."""
    disturber = Disturber(world)
    assert not [kind for kind in disturber.possible() if DISTURBANCES[kind].of == "candidate"]
    disturber.happen("owner-down")
    world.clock.run_for(UP)
    disturber.happen("candidate-short")
    disturber.happen("stable-halved")
    assert disturber.happened == ["owner-down"]
    assert healthy(world) == 1


def test_each_disturbance_comes_in_each_setting() -> None:
    """Each kind at every state and weight, half of them in every setting; of two tasks and of four."""
    wanted: dict[Setting, set[str]] = defaultdict(set)
    for name in SCENARIOS:
        for point in points(name):
            if point.setting and point.possible:
                wanted[point.setting] |= {*point.possible}
    placed: dict[Setting, set[str]] = defaultdict(set)
    for name in SCENARIOS:
        at = {point.name: point.setting for point in points(name)}
        for case in disturbed(name, DISTURBANCES):
            placed[at[case.faults[0].point]].add(case.faults[0].kind)
    assert _shares(placed) == _shares(wanted)
    assert placed.keys() == wanted.keys()
    assert all(2 * len(placed[setting]) >= len(kinds) for setting, kinds in wanted.items())
    assert {setting.machine for setting in placed if setting.wanted == 4} == {"deploy", "rollback"}
    # 5: a retry, after what users alone met.
    assert {setting.weight for setting in placed if setting.state == "WatchStage"} == {5, 10, 100}


def _shares(settings: dict[Setting, set[str]]) -> set[tuple[tuple[str, str, int], str]]:
    return {(setting.share, kind) for setting, kinds in settings.items() for kind in kinds}


WHERE = {
    "stack-over-stable": ("takeover", "takeover-worse", "takeover-back-out"),
    "stack-over-candidate": ("leave", "leave-alarmed", "leave-green"),
    "stack-over-idle": ("takeover", "takeover-next", "leave"),
}
"""Where the owner's service takes part."""


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_each_holds_where_it_matters_most(kind: str) -> None:
    """At the first state in which each scenario of four tasks, or of its own, has the most weight."""
    for name in WHERE.get(kind, ("four", "four-worse")):
        at = max(
            (point for point in points(name) if kind in point.possible and point.setting),
            key=lambda point: point.setting.weight if point.setting else 0,
        )
        assert run(named(f"{name}/{kind}@{at.name}")).violations == ()


@pytest.mark.parametrize(
    "name",
    [
        "healthy/candidate-short@deploy.PlanRelease#1",
        "first/stable-dead@deploy.LaunchCandidate#1",
        "healthy/stable-dead@shift_traffic:ModifyRule#1",
    ],
)
def test_a_disturbance_that_makes_no_difference_is_none(name: str) -> None:
    """There is no candidate yet, no stable slot at all, and no state."""
    with pytest.raises(UnknownCase):
        named(name)
