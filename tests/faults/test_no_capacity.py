"""Fargate has no room: for the candidate, for the probe, for both, for seconds and for minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from faults.aws.services import NO_CAPACITY
from faults.aws.views import PROBES
from faults.cases.invariants import violations
from faults.cases.scenarios import (
    GOOD,
    SCENARIOS,
    SPEC,
    Happening,
    ask,
    ask_for,
    begun,
    kill_probe,
    lack,
    short,
)
from faults.inhabit import inhabited
from faults.workflow.execution import Execution
from faults.world import World

HEALTHY = SCENARIOS["healthy"]
GREEN = "web-green"
NO_PLACE = f"(service {GREEN}) was unable to place a task. Reason: {NO_CAPACITY}"


def _run(
    seconds: float,
    *names: str,
    room: int = 0,
    faults: Mapping[str, str] | None = None,
    then: Mapping[str, Happening] | None = None,
    serves: str = "0.0.2",
    **spec: Any,
) -> tuple[World, Execution]:
    """A release for which there is no room at first; all that holds after any case has to hold."""
    scenario = replace(
        HEALTHY,
        begins=short(ask(GOOD), seconds, *names, room=room),
        then=then or {},
        serves=serves,
        spec=spec,
    )
    world = begun(scenario, faults)
    with inhabited(world):
        world.run()
    assert violations(scenario, world) == []
    assert world.live()["green" if serves == "0.0.2" else "blue"] == (serves, serves)
    return world, world.executions("deploy")[-1]


@pytest.mark.parametrize("names", [(GREEN,), (PROBES,), (GREEN, PROBES)], ids=["candidate", "probe", "both"])
@pytest.mark.parametrize("seconds", [5, 20, 60, 100])
def test_room_that_comes_in_time_is_waited_for(seconds: float, names: tuple[str, ...]) -> None:
    """Also where ECS has given the rollout up meanwhile."""
    _, deploy = _run(seconds, *names)
    assert (deploy.status, deploy.error) == ("SUCCEEDED", None)


def test_the_candidates_reason_is_in_ecss_own_words() -> None:
    """With what to do about it; its health check has no part in it."""
    _, deploy = _run(400, GREEN, serves="0.0.1")
    assert deploy.error == "CandidateNotHealthy"
    cause = deploy.cause or ""
    assert "did not become healthy within 150 s: 0 of 2 tasks run, 0 targets healthy" in cause
    assert NO_PLACE.rstrip(".") in cause
    assert "Fargate has no room for these tasks" in cause
    assert "health check" not in cause


def test_a_candidate_that_has_only_some_of_its_tasks_says_why() -> None:
    """One of two runs and is healthy."""
    _, deploy = _run(400, GREEN, room=1, serves="0.0.1")
    assert deploy.error == "CandidateNotHealthy"
    assert "1 of 2 tasks run, 1 targets healthy" in (deploy.cause or "")
    assert NO_PLACE.rstrip(".") in (deploy.cause or "")


def test_the_probes_reason_is_in_ecss_own_words() -> None:
    """Nothing was launched for which there is no probe."""
    world, deploy = _run(400, PROBES, serves="0.0.1")
    assert deploy.error == "ProbeCannotStart"
    assert f"in 150 s: {NO_CAPACITY.rstrip('.')}" in (deploy.cause or "")
    assert GREEN not in world.ecs.services


@pytest.mark.parametrize(
    "kind", ["killed-after", "killed-before", "unavailable-after", "timed-out", "throttled"]
)
@pytest.mark.parametrize("call", [1, 2, 3])
def test_no_answer_starts_a_second_probe(kind: str, call: int) -> None:
    """Whatever becomes of the call that finds no place, or of the one that does."""
    world, deploy = _run(15, PROBES, faults={f"start_probe:RunTask#{call}": kind})
    assert deploy.status == "SUCCEEDED"
    assert len(world.ecs.probes) == 2, "of the release before, and of this one"


@pytest.mark.parametrize("state", ["VerifyCandidate#1", "WatchStage#1", "RetireStable#1"])
@pytest.mark.parametrize("seconds", [30, 60])
def test_a_probe_that_died_waits_for_its_place(state: str, seconds: float) -> None:
    """Nothing goes on without it, and it goes on as soon as there is one."""

    def die(world: World) -> None:
        lack(seconds, PROBES)(world)
        kill_probe(world)

    retire = SPEC["retire"] | {"drain_seconds": 60, "deadline_seconds": 250}
    world, deploy = _run(0, then={f"deploy.{state}": die}, retire=retire)
    assert deploy.status == "SUCCEEDED"
    assert len(world.ecs.probes) == 3


def test_a_probe_that_finds_no_place_for_too_long_is_silence() -> None:
    """And silence is no success: back at the deadline. The rollback is not held up for want of a probe."""

    def die(world: World) -> None:
        lack(1000, PROBES)(world)
        kill_probe(world)

    _, deploy = _run(0, then={"deploy.WatchStage#1": die}, serves="0.0.1")
    assert deploy.error == "EvidenceMissing"


def test_a_start_that_nobody_heard_of_and_nobody_sees_is_not_made_twice() -> None:
    """The function is killed after the call that found a place, and ECS does not list the task yet."""
    unseen = {"start_probe:RunTask#3": "killed-after", "start_probe:ListTasks#4": "stale-read:30"}
    world, deploy = _run(15, PROBES, faults=unseen)
    assert world.faults.struck.keys() == unseen.keys()
    assert deploy.status == "SUCCEEDED"
    assert len(world.ecs.probes) == 2


@pytest.mark.parametrize(
    ("state", "at"),
    [("VerifyCandidate#1", "Not shifted to blue 0, green 100"), ("RetireStable#1", "s after the last shift")],
    ids=["before-a-shift", "before-the-old-slot-goes"],
)
def test_a_candidate_that_cannot_grow_says_why(state: str, at: str) -> None:
    """The live slot was scaled up, and there is no room for as many tasks of the candidate."""

    def grow(world: World) -> None:
        lack(2000, GREEN)(world)
        ask_for("blue", 4)(world)

    retire = SPEC["retire"] | {"drain_seconds": 60, "deadline_seconds": 250}
    scenario = replace(
        HEALTHY, then={f"deploy.{state}": grow}, serves="0.0.1", scales=True, spec={"retire": retire}
    )
    world = begun(scenario)
    with inhabited(world):
        world.run()
    assert violations(scenario, world) == []
    assert world.live()["blue"] == ("0.0.1",) * 4
    (deploy,) = world.executions("deploy")[1:]
    assert deploy.error == "TargetsBelowFloor"
    cause = deploy.cause or ""
    assert at in cause
    assert NO_PLACE.rstrip(".") in cause
    assert "Fargate has no room for these tasks" in cause
