"""The stack's alarms go off where a person is needed, and only there: the template's own definitions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crossfade.domain.planning.plan import Plan
from faults.aws.stack_alarms import Schedule, alarmed
from faults.cases.invariants import items_of, state_of, violations
from faults.cases.scenarios import SCENARIOS, begun
from faults.inhabit import inhabited
from faults.workflow.clock import START
from faults.world import World

REFUSED = "restore_weights:ModifyRule"
"""The role lacks the right to give the weights back: each rollback fails."""
HOURS = 3 * 3600.0
PERSONS = ("RollbackKeepsFailingAlarm", "RollbackTimedOutAlarm", "RollbackAbortedAlarm", "HeldTooLongAlarm")
"""Those that tell people of a deployment; the silence of the check is a subject of its own."""


def failed(world: World) -> int:
    """How many rollbacks have failed so far."""
    return sum(one.status == "FAILED" for one in world.executions("rollback"))


def free_by(world: World) -> float:
    """When the service should have been free by the plan that it is held for, in seconds."""
    item = items_of(world)[str(state_of(world)["deployment"])]
    return (Plan.model_validate_json(str(item["plan"])).free_by - START).total_seconds()


@pytest.fixture(scope="module")
def for_ever() -> tuple[World, Schedule]:
    """A worse candidate whose rollback never gets through."""
    world = begun(replace(SCENARIOS["worse"], always={REFUSED: "refused"}))
    schedule = Schedule(world, "CheckHeldRule")
    with inhabited(world):
        schedule.start()
        world.clock.run_for(HOURS)
    return world, schedule


def test_a_rollback_that_fails_for_ever_is_told(for_ever: tuple[World, Schedule]) -> None:
    """When it has failed for the third time, and then for as long as it fails."""
    world, schedule = for_ever
    third = sorted(one.stopped for one in world.executions("rollback") if one.status == "FAILED")[2]
    minutes = alarmed("RollbackKeepsFailingAlarm", world, schedule)
    assert third <= minutes[0] <= third + 60
    assert minutes[-1] >= HOURS - 60
    assert len(minutes) == (minutes[-1] - minutes[0]) / 60 + 1


def test_a_service_that_it_holds_for_too_long_is_told(for_ever: tuple[World, Schedule]) -> None:
    """When the time of its plan is over: not before, and within a look and its repetitions of it."""
    world, schedule = for_ever
    minutes = alarmed("HeldTooLongAlarm", world, schedule)
    due = free_by(world)
    assert 3600 < due < HOURS - 900
    assert due < minutes[0] <= due + 600
    assert len(minutes) == (minutes[-1] - minutes[0]) / 60 + 1
    failure = schedule.runs[-1][1]
    assert failure
    assert failure.error == "HeldTooLong"
    assert f"web is held by {state_of(world)['holder']} for " in failure.cause
    assert "rollbacks have taken it over" in failure.cause


def test_one_that_gets_through_at_the_third_try_is_not() -> None:
    """Nobody is needed for it."""
    world = begun(replace(SCENARIOS["worse"], always={REFUSED: "refused"}))
    schedule = Schedule(world, "CheckHeldRule")
    with inhabited(world):
        schedule.start()
        while failed(world) < 2:
            world.clock.run_for(1)
        world.faults.allow(REFUSED)
        world.run()
        world.clock.run_for(3600)
    assert failed(world) == 2
    assert violations(SCENARIOS["worse"], world) == []
    assert alarmed("RollbackFailedAlarm", world, schedule)
    assert {name: alarmed(name, world, schedule) for name in PERSONS} == {name: [] for name in PERSONS}


def test_a_deployment_that_goes_well_raises_none() -> None:
    """No one of them; the first look comes when the stack is new, and the check is silent until then."""
    world = begun(SCENARIOS["healthy"])
    schedule = Schedule(world, "CheckHeldRule")
    began = world.clock.now
    with inhabited(world):
        schedule.start()
        world.run()
        world.clock.run_for(3600)
    names = (*PERSONS, "RollbackFailedAlarm", "CheckSilentAlarm")
    found = {name: [at for at in alarmed(name, world, schedule) if at > began + 60] for name in names}
    assert found == {name: [] for name in names}


def test_a_check_that_does_not_run_is_told() -> None:
    """Its rule is disabled: then nobody would see what is held."""
    world = begun(SCENARIOS["healthy"])
    schedule = Schedule(world, "CheckHeldRule")
    with inhabited(world):
        world.run()
    assert len(alarmed("CheckSilentAlarm", world, schedule)) == world.clock.now // 60
