"""Somebody else sets the weights in the middle of a shift: what is said to them is safe when they read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from crossfade.domain.traffic.weights import PUT_RIGHT, RULE_SECONDS
from faults.cases.invariants import items_of, violations
from faults.cases.scenarios import SCENARIOS, SPEC, TWO_RULES, Happening, begun
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


def set_second(change: Callable[[World, str], object]) -> Happening:
    """A person changes the second of a service's two production rules, given its ARN."""

    def happen(world: World) -> None:
        change(world, world.spec.routes[1].rule)

    return happen


def _weigh(share: int) -> Callable[[World, str], object]:
    """The candidate gets so much of the traffic of a rule."""

    def happen(world: World, rule: str) -> None:
        groups = world.spec.routes[1].target_groups
        weights = [(groups.blue, 100 - share), (groups.green, share)]
        forward = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights]
        world.balancer.modify_rule(
            RuleArn=rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}]
        )

    return happen


def _delete(world: World, rule: str) -> None:
    world.balancer.delete_rule(RuleArn=rule)


def _meddled_with_second(change: Callable[[World, str], object]) -> tuple[World, Execution]:
    then = {"deploy.WatchStage#1": set_second(change)}
    world = begun(replace(SCENARIOS["two-rules"], spec=LONG | TWO_RULES, then=then))
    with inhabited(world):
        world.run()
    return world, world.executions("deploy")[1]


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        pytest.param(_weigh(30), {"blue": 70, "green": 30}, id="other-weights"),
        pytest.param(_weigh(100), {"blue": 0, "green": 100}, id="all-to-the-candidate"),
        pytest.param(_delete, {"blue": 0, "green": 0}, id="deleted"),
    ],
)
def test_one_of_two_rules_is_changed(change: Callable[[World, str], object], stands: dict[str, int]) -> None:
    """Clients of the other one get the stable version back; the one that was changed is left as it is, with
    both slots, and the message names it."""
    world, deploy = _meddled_with_second(change)
    assert deploy.status == "FAILED"
    assert items_of(world)[deploy.name]["outcome"] == "failed"
    assert world.weights() == [{"blue": 100, "green": 0}, stands]
    assert world.live() == {"blue": ("0.0.1",) * 2, "green": ("0.0.2",) * 2}
    assert world.spec.routes[1].rule in (deploy.cause or "")


def test_one_of_two_rules_is_given_back_by_hand() -> None:
    """Nothing is left to do, as with a single rule."""
    world, deploy = _meddled_with_second(_weigh(0))
    assert violations(SCENARIOS["two-rules"], world) == []
    assert (deploy.error, items_of(world)[deploy.name]["outcome"]) == ("ForeignChange", "rolled_back")
