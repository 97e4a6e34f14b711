"""Fargate has no room: for the candidate, for the probe, for both, for seconds and for minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.execution import Execution
from tests.simulation.inhabit import inhabited
from tests.simulation.invariants import violations
from tests.simulation.model.services import NO_CAPACITY
from tests.simulation.scenarios import GOOD, SCENARIOS, Happening, ask, begun, short
from tests.simulation.world import World

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


@pytest.mark.parametrize("seconds", [5, 20, 60, 100])
def test_room_that_comes_in_time_is_waited_for(seconds: float) -> None:
    """Also where ECS has given the rollout up meanwhile."""
    _, deploy = _run(seconds, GREEN)
    assert (deploy.status, deploy.error) == ("SUCCEEDED", None)


def test_the_candidates_reason_is_in_ecss_own_words() -> None:
    """With what to do about it; its health check has no part in it."""
    _, deploy = _run(400, GREEN, serves="0.0.1")
    assert deploy.error == "CandidateNotHealthy"
    cause = deploy.cause or ""
    assert "did not become healthy in 150 s: 0 of 2 tasks run, 0 targets healthy" in cause
    assert NO_PLACE.rstrip(".") in cause
    assert "Fargate has no room for these tasks" in cause
    assert "health check" not in cause


def test_a_candidate_that_has_only_some_of_its_tasks_says_why() -> None:
    """One of two runs and is healthy."""
    _, deploy = _run(400, GREEN, room=1, serves="0.0.1")
    assert deploy.error == "CandidateNotHealthy"
    assert "1 of 2 tasks run, 1 targets healthy" in (deploy.cause or "")
    assert NO_PLACE.rstrip(".") in (deploy.cause or "")
