"""A slot is scaled like the owner's service, which gets back how it was scaled itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from faults.aws.autoscaling import SUSPENDED
from faults.cases.invariants import violations
from faults.cases.scenarios import SCALING, SCENARIOS, Happening, Scenario, begun, scaled
from faults.inhabit import inhabited
from faults.world import World

ALL = dict.fromkeys(SUSPENDED, True)


def _scaled(name: str) -> Scenario:
    """A scenario whose services are scaled before it begins."""
    scenario = SCENARIOS[name]
    return replace(scenario, begins=scaled(scenario.begins))


def _run(scenario: Scenario) -> World:
    world = begun(scenario)
    with inhabited(world):
        world.run()
    return world


def _target(world: World, name: str) -> tuple[int, int, dict[str, Any]]:
    found = world.scaling.targets[f"service/web/{name}"]
    return found["MinCapacity"], found["MaxCapacity"], found["SuspendedState"]


def test_a_takeover_scales_its_slot_like_the_owners_service() -> None:
    """Whose own scaling stands still from then on."""
    scenario = _scaled("takeover")
    world = _run(scenario)
    assert _target(world, "web-blue") == (1, 4, SCALING)
    assert _target(world, "web") == (1, 4, ALL)
    assert violations(scenario, world) == []


@pytest.mark.parametrize("name", ["takeover-worse", "leave"])
def test_the_owners_service_gets_its_scaling_back(name: str) -> None:
    """When a takeover is rolled back, and when the service leaves."""
    scenario = _scaled(name)
    world = _run(scenario)
    assert _target(world, "web") == (1, 4, SCALING)
    assert violations(scenario, world) == []


@pytest.mark.parametrize(("most", "room"), [(1, 2), (6, 6)])
def test_what_the_owner_sets_comes_with_the_next_release(most: int, room: int) -> None:
    """Though not less than what is live has."""

    def set_bounds(begins: Happening) -> Happening:
        def happen(world: World) -> None:
            begins(world)
            world.scaling.was_registered("service/web/web", MinCapacity=1, MaxCapacity=most)

        return happen

    scenario = _scaled("healthy")
    world = _run(replace(scenario, begins=set_bounds(scenario.begins)))
    live = next(name for name, service in world.ecs.services.items() if service.desired and name != "api")
    assert _target(world, live) == (1, room, SCALING)
    assert world.ecs.services[live].desired == 2
