"""Takeovers and the way back: each by itself, and with faults that were more than it could bear once."""

import pytest

from crossfade.domain.spec.service import read_spec
from faults.cases.case import named, points, run
from faults.cases.scenarios import GOOD, NEXT, SCENARIOS, ask, before, begun, hand_back
from faults.inhabit import inhabited
from tests.faults.direct import preparation

TAKEOVERS = [name for name in SCENARIOS if name.startswith(("takeover", "leave"))]


@pytest.mark.parametrize("name", TAKEOVERS)
def test_unharmed(name: str) -> None:
    """Each holds by itself."""
    assert run(named(name)).violations == ()


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        ("leave-green", "plan_release:DescribeRules#1"),
        ("takeover-next", "plan_release:DescribeRules#4"),
        ("takeover-next", "retire_stable:DescribeRules#2"),
        ("leave-alarmed", "shift_traffic:DescribeRules#1"),
    ],
)
def test_an_old_rule_is_no_change_from_outside(scenario: str, name: str, place: float) -> None:
    """It is of the deployment before, in which another group had the slot's place."""
    (seconds,) = [point.seconds for point in points(scenario) if point.name == name]
    assert seconds
    stale = round(seconds.above + place * (seconds.most - seconds.above), 2)
    assert run(named(f"{scenario}/stale-read:{stale}@{name}")).violations == ()


def test_the_origin_is_compared_with() -> None:
    """It is met by a rule of its own, as a slot is."""
    world = run(named("takeover-worse")).world
    (deploy,) = world.executions("deploy")
    assert "while stable (green) answers" in (deploy.cause or "")


def test_there_and_back_again() -> None:
    """The service leaves, its preparation is put right, and it comes again; each ends with one side alone."""
    world = begun(SCENARIOS["takeover"])
    with inhabited(world):
        world.run()
        hand_back(world)
        world.run()
        assert world.live() == {"blue": (), "green": (GOOD.tag,) * 2}
        assert world.ecs.services["web"].desired == 2
        assert preparation(world).missing(read_spec("web", world.parameters.values[world.spec_name])) == []
        ask(NEXT)(world)
        world.run()
    assert [execution.status for execution in world.executions("deploy")] == ["SUCCEEDED"] * 3
    assert world.live() == {"blue": (NEXT.tag,) * 2, "green": ()}
    assert world.ecs.services["web"].desired == 0
    assert world.writes.unlawful() == []


def test_a_service_that_is_with_its_owner_has_nothing_to_leave() -> None:
    """Nothing is changed by it."""
    world = before(SCENARIOS["takeover"])
    hand_back(world)
    with inhabited(world):
        world.run()
    (deploy,) = world.executions("deploy")
    assert (deploy.status, deploy.error) == ("FAILED", "NothingToLeave")
    assert world.live() == {"blue": (), "green": ("0.0.1",) * 2}
