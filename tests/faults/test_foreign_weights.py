"""Somebody else sets the weights in the middle of a shift: what is said to them is safe when they read it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crossfade.domain.traffic.weights import PUT_RIGHT, RULE_SECONDS
from faults.cases.invariants import items_of, violations
from faults.cases.scenarios import SCENARIOS, SPEC, Happening, begun
from faults.inhabit import inhabited
from faults.workflow.execution import Execution
from faults.world import World

PATIENT = {"min_seconds": RULE_SECONDS + 20, "max_seconds": RULE_SECONDS + 200}
LONG = {"stages": [stage | (PATIENT if stage["weight"] == 10 else {}) for stage in SPEC["stages"]]}
"""A stage that outlasts the time in which a read may still show what was there before it."""


def give_candidate(share: int) -> Happening:
    """A person gives green so much of the traffic, and blue the rest."""

    def happen(world: World) -> None:
        groups, rule = world.spec.target_groups, world.balancer.production_rule()
        weights = [(groups.blue, 100 - share), (groups.green, share)]
        forward = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}]
        world.balancer.modify_rule(RuleArn=rule["RuleArn"], Actions=actions)

    return happen


def _meddled(share: int) -> tuple[World, Execution]:
    then = {"deploy.WatchStage#1": give_candidate(share)}
    world = begun(replace(SCENARIOS["healthy"], spec=LONG, then=then))
    with inhabited(world):
        world.run()
    (deploy,) = world.executions("deploy")[1:]
    assert deploy.error == "ForeignChange"
    return world, deploy


def test_who_gives_all_traffic_to_the_stable_slot_has_nothing_left_to_do() -> None:
    """The candidate is stopped by then: no sentence asks to choose a slot, or to edit the journal."""
    world, deploy = _meddled(0)
    assert violations(SCENARIOS["healthy"], world) == []
    assert items_of(world)[deploy.name]["outcome"] == "rolled_back"
    assert world.live() == {"blue": ("0.0.1",) * 2, "green": ()}
    assert deploy.cause == (
        "Crossfade last wrote blue 90, green 10, but found blue 100, green 0. It was changed outside "
        "Crossfade."
    )


@pytest.mark.parametrize("share", [30, 100])
def test_who_sets_other_weights_is_told_what_to_do_while_both_slots_run(share: int) -> None:
    """It is the rollback that says so, once nothing is stopped any more."""
    world, deploy = _meddled(share)
    assert items_of(world)[deploy.name]["outcome"] == "failed"
    assert world.live() == {"blue": ("0.0.1",) * 2, "green": ("0.0.2",) * 2}
    found = f"but found blue {100 - share}, green {share}. It was changed outside Crossfade"
    assert (deploy.cause or "").endswith(f"{found}. {PUT_RIGHT}")
    assert "The rollback: Crossfade last wrote" in (deploy.cause or "")
