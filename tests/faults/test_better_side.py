"""The table of ADR 13: what stable does, what the candidate is, and which of them gets the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from crossfade.domain.verdict import EMERGENCY
from faults.aws.images import Image
from faults.cases.invariants import items_of, violations
from faults.cases.scenarios import (
    GOOD,
    NEXT,
    SPEC,
    Happening,
    Scenario,
    after,
    ask,
    begun,
    break_down,
    lose_blue,
    push,
    stop,
)
from faults.inhabit import inhabited
from faults.world import World

WRONG, CRASHES, LATE = (Image("0.0.3", kind) for kind in ("wrong", "crashes", "crashes-late"))
FOUR = {
    "tasks": 4,
    "stages": [
        SPEC["stages"][0],
        *({"weight": weight, "min_seconds": 20, "max_seconds": 150} for weight in (10, 50, 90)),
        SPEC["stages"][-1],
    ],
}
"""Four tasks, and three stages in which both slots have a share."""
WAYS: dict[str, Happening] = {
    "its-tasks-are-gone": lose_blue,
    "its-tasks-hang-up": break_down("blue", 502),
    "its-tasks-answer-500": break_down("blue", 500),
}
"""In which a slot serves nothing."""
ONE = FOUR | {
    "tasks": 1,
    "stages": [*FOUR["stages"][:-1], SPEC["stages"][-1] | {"min_seconds": 100}],
}
REPLACED_SECONDS = 75.0
"""Until AWS has replaced a task that was lost."""
SECONDS = 60.0
"""From the push of a newer release to its own deployment, where it may take the other's place."""


def for_a_while(status: int) -> Happening:
    """The live slot serves nothing, and comes back as its task has been replaced."""

    def happen(world: World) -> None:
        break_down("blue", status)(world)
        world.clock.after(REPLACED_SECONDS, world.writes.by_owner, break_down("blue", None), world)

    return happen


class Told(NamedTuple):
    """A deployment as its execution and the journal tell of it; ``stages``: reasons by weight."""

    live: tuple[str, ...]
    status: str
    error: str | None
    stages: dict[int, str]
    seconds: float


def _run(
    begins: Happening,
    serves: str | None,
    then: Mapping[str, Happening] | None = None,
    spec: Mapping[str, Any] = FOUR,
    *,
    place: int = 1,
) -> Told:
    """What became of a deployment, the one of that place among those of the scenario."""
    scenario = Scenario("the better side", begins, serves, then or {}, spec=spec, gaps=True)
    world = begun(scenario)
    with inhabited(world):
        world.run()
    assert violations(scenario, world) == []
    deploy = world.executions("deploy")[place]
    stages = items_of(world)[deploy.name].get("stages", {}) if deploy.name in items_of(world) else {}
    return Told(
        live=tuple(sorted({tag for tags in world.live().values() for tag in tags})),
        status=deploy.status,
        error=deploy.error,
        stages={int(weight): str(stage.get("reason")) for weight, stage in stages.items()},
        seconds=deploy.stopped - deploy.path[0][0],
    )


# ---- stable serves nothing ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_good_candidate_where_stable_was_dead_before(way: Happening) -> None:
    """A fix is pushed: verified by itself, then all traffic at once."""
    told = _run(after(way, push(GOOD)), "0.0.2")
    assert (told.live, told.status) == (("0.0.2",), "SUCCEEDED")
    assert list(told.stages) == [0, 100]
    assert all(reason.startswith(EMERGENCY) for reason in told.stages.values())


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("point", "weights"),
    [
        ("deploy.LaunchCandidate#1", [0, 100]),
        ("deploy.VerifyCandidate#1", [0, 100]),
        ("deploy.ShiftTraffic#1", [0, 10, 100]),
        ("deploy.WatchStage#1", [0, 10, 100]),
        ("deploy.ShiftTraffic#2", [0, 10, 50, 100]),
        ("deploy.ShiftTraffic#3", [0, 10, 50, 90, 100]),
    ],
)
def test_a_good_candidate_where_stable_dies_in_the_middle(
    way: Happening, point: str, weights: list[int]
) -> None:
    """Whatever it has of the traffic, it gets all of it at once, and is promoted."""
    told = _run(ask(GOOD), "0.0.2", {point: way})
    assert (told.live, told.status) == (("0.0.2",), "SUCCEEDED")
    assert list(told.stages) == weights
    assert all(told.stages[weight].startswith(EMERGENCY) for weight in weights[-2:])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("point", ["deploy.WatchStage#7", "deploy.SuspendStable#1", "deploy.RetireStable#1"])
def test_a_stable_slot_that_dies_when_all_have_left_it(way: Happening, point: str) -> None:
    """At the last weight, and while it is about to be stopped, nothing waits for it."""
    told = _run(ask(GOOD), "0.0.2", {point: way}, SPEC)
    assert (told.live, told.status) == (("0.0.2",), "SUCCEEDED")


def test_a_stable_slot_of_which_half_fails_is_compared_with() -> None:
    """It serves some: the candidate is better, and goes on stage by stage."""
    told = _run(after(break_down("blue", 500, every=2), push(GOOD)), "0.0.2")
    assert (told.live, told.status) == (("0.0.2",), "SUCCEEDED")
    assert list(told.stages) == [0, 10, 50, 90, 100]
    assert not any(EMERGENCY in reason for reason in told.stages.values())


@pytest.mark.parametrize("status", [500, 502])
@pytest.mark.parametrize(
    "point", ["deploy.VerifyCandidate#1", "deploy.WatchStage#1", "deploy.ShiftTraffic#2"]
)
def test_a_stable_slot_that_comes_back(status: int, point: str) -> None:
    """Its only task was replaced: the candidate has the traffic or goes on, is compared again, and stays."""
    told = _run(ask(GOOD), "0.0.2", {point: for_a_while(status)}, ONE)
    assert (told.live, told.status) == (("0.0.2",), "SUCCEEDED")
    assert EMERGENCY not in told.stages[100]


@pytest.mark.parametrize(
    ("way", "image", "error"),
    [
        pytest.param("its-tasks-are-gone", WRONG, "CandidateWorse", id="none-to-compare-with"),
        pytest.param("its-tasks-hang-up", WRONG, "CandidateWorse", id="both-may-share-an-outage"),
        pytest.param("its-tasks-answer-500", WRONG, "CandidateWorse", id="both-fail"),
        pytest.param("its-tasks-hang-up", CRASHES, "CandidateCannotStart", id="crashes"),
        pytest.param("its-tasks-are-gone", LATE, "CandidateCannotStart", id="crashes-later"),
    ],
)
def test_a_bad_candidate_where_stable_is_dead(way: str, image: Image, error: str) -> None:
    """The gate refuses it before a client has met it, so it gets none; whoever serves them is found next."""
    scenario = Scenario("the better side", after(WAYS[way], ask(image)), None, spec=FOUR, gaps=True)
    world = begun(scenario)
    with inhabited(world):
        world.run()
    (deploy,) = world.executions("deploy")[1:]
    assert (deploy.status, deploy.error) == ("FAILED", error)
    assert world.weight("blue") == 100
    assert world.live()["green"] == ()


# ---- a newer release takes the place of one that is no good ---------------------------------------------


def _superseded(first: Image, point: str, before: Happening) -> float:
    """Seconds from the push of a newer release until the one before it has made room, traffic and all."""
    supersede = FOUR | {"when_busy": "supersede"}
    then = {point: push(NEXT), "deploy.LaunchCandidate#2": break_down("blue", None)}  # new tasks are well
    scenario = Scenario("superseded", after(before, push(first)), "0.0.4", then, spec=supersede, gaps=True)
    world = begun(scenario)
    with inhabited(world):
        world.run()
    assert violations(scenario, world) == []
    assert {tag for tags in world.live().values() for tag in tags} == {"0.0.4"}
    old, asked, new = world.executions("deploy")[1:4]
    assert old.error == "Superseded"
    assert asked.path[-1][1] == "Queued"
    return new.path[0][0] - asked.path[0][0]


def _nothing(world: World) -> None:
    """Nothing happens."""


@pytest.mark.parametrize("how", ["stopped", "superseded"])
def test_clients_of_a_candidate_that_was_not_judged_get_the_next_release(how: str) -> None:
    """It had to serve, as nobody else did, and answers another version than its own: that holds nothing."""
    then = {
        "deploy.VerifyCandidate#1": stop if how == "stopped" else push(NEXT),
        "deploy.LaunchCandidate#2": break_down("blue", None),
        "rollback.PutBack#1": push(NEXT) if how == "stopped" else _nothing,
    }
    supersede = FOUR | {"when_busy": "supersede"}
    begins = after(WAYS["its-tasks-hang-up"], push(WRONG))
    scenario = Scenario("not judged", begins, "0.0.4", then, spec=supersede, gaps=True)
    world = begun(scenario)
    with inhabited(world):
        world.run()
    assert {tag for tags in world.live().values() for tag in tags} == {"0.0.4"}
    assert violations(scenario, world) == []
    first, *_, last = world.executions("deploy")[1:]
    assert items_of(world)[first.name]["outcome"] == "failed"
    assert items_of(world)[last.name]["outcome"] == "promoted"


@pytest.mark.parametrize(
    ("image", "point", "before"),
    [
        pytest.param(CRASHES, "deploy.CheckCandidate#1", _nothing, id="crashes-at-launch"),
        pytest.param(CRASHES, "deploy.CheckCandidate#1", WAYS["its-tasks-are-gone"], id="both-are-dead"),
        pytest.param(WRONG, "deploy.VerifyCandidate#1", WAYS["its-tasks-hang-up"], id="both-fail"),
        pytest.param(GOOD, "deploy.WatchStage#1", _nothing, id="weights-have-moved"),
    ],
)
def test_a_newer_release_gets_its_turn_in_seconds(image: Image, point: str, before: Happening) -> None:
    """Nobody waits for a candidate that is no good, whatever else is dead."""
    seconds = _superseded(image, point, before)
    print(f"{seconds:.1f} s")
    assert seconds < SECONDS
