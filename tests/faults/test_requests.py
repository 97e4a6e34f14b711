"""Requests that come while something else is under way: what they are told, and what becomes of them."""

from __future__ import annotations

from functools import cache

from faults.cases.case import named, run
from faults.workflow.execution import Execution
from faults.world import World


@cache
def ran(scenario: str) -> World:
    """The world that a scenario has left behind, unharmed."""
    return run(named(scenario)).world


def again(world: World) -> Execution:
    """The execution of the second request."""
    return next(execution for execution in world.executions("deploy") if execution.name == "again")


def test_what_is_warm_is_gone_back_to_by_a_rollback() -> None:
    """The request ends when it is done; no tasks were started, and no stages were gone through."""
    world = ran("warm-asked-for")
    asked = again(world)
    (rollback,) = (child for child in world.executions("rollback") if child.input.get("warm"))
    assert [state for _, state in asked.path][-3:] == ["GoBack", "WentBack", "BackedOut"]
    assert asked.output["action"] == "went_back"
    assert "0.0.2 was backed out: rolled back by hand, by crossfade-deploy:again" in asked.output["reason"]
    assert rollback.input["asked_by"] == asked.arn
    assert asked.stopped - asked.began < 20


def test_what_is_warm_no_more_is_deployed_by_all_stages() -> None:
    """The rollback's first call takes so long that the old slot was stopped: planned as any other release."""
    result = run(named("warm-asked-for/timed-out@assess:GetItem#1"))
    path = [state for _, state in again(result.world).path]
    assert result.violations == ()
    assert path[path.index("WentBack") + 1 : path.index("ClaimService")] == [
        "MayPlanAgain", "PlanAgain", "PlanRelease", "AnythingToDeploy",
    ]  # fmt: skip
    assert path[-1] == "Promoted"


def test_a_bad_release_whose_event_came_twice_is_tried_once() -> None:
    """The second one's claim hangs until the first is rolled back: it is planned anew, and gives way."""
    result = run(named("told-twice/function-timed-out@claim_service:GetItem#2"))
    assert result.violations == ()
    *_, first, second = result.world.executions("deploy")
    assert (first.error, second.status) == ("CandidateWorse", "SUCCEEDED")
    assert "was deployed or tried before" in second.output["reason"]


def test_what_is_rolled_back_waits_for_that() -> None:
    """Who asks again is told which execution holds the service, and which one will deploy it."""
    world = ran("asked-again")
    asked = again(world)
    waited = next(found for found in world.executions("deploy") if found.input.get("asked_by") == asked.arn)
    assert asked.output["action"] == "queued"
    assert f"then {waited.name} deploys it" in asked.output["reason"]
    assert asked.output["reason"].endswith(":by-hand holds web.")
    assert (waited.status, waited.path[-1][1]) == ("SUCCEEDED", "Promoted")


def test_what_is_live_stays_although_the_spec_rejects() -> None:
    """The other one goes back at its next look, for a reason that names who has asked."""
    world = ran("live-asked-for")
    asked = again(world)
    (other,) = (found for found in world.executions("deploy") if found.status == "FAILED")
    assert other.error == "Superseded"
    assert f"0.0.1, which is live, was asked for by {asked.arn}" in str(other.cause)
    assert asked.output["reason"].endswith(f"holds web, and {other.name} goes back.")
