"""What Crossfade was given is deleted while it is at work: it ends by name, and a person can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from crossfade.domain.journal import LONGEST_WAIT
from crossfade.domain.spec.service import read_spec
from faults.aws.names import ACCOUNT, REGION
from faults.aws.pattern import PRIORITY
from faults.aws.stack import environment
from faults.cases.invariants import (
    everything_has_ended,
    history_is_true,
    items_of,
    no_probe_runs,
    nothing_else_changes,
    recovery_is_one_chain,
    state_of,
    statuses_are_honest,
    the_service_is_free,
)
from faults.cases.scenarios import (
    GOOD,
    NEXT,
    SCENARIOS,
    WARM,
    Happening,
    Scenario,
    ask,
    begun,
    roll_back,
)
from faults.inhabit import inhabited
from faults.world import World
from tests.faults.direct import preparation

REPLACED = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/web/1/3"
"""The listener that the service gets in place of the one that was deleted."""
HOLD = (
    everything_has_ended,
    the_service_is_free,
    no_probe_runs,
    history_is_true,
    statuses_are_honest,
    recovery_is_one_chain,
    nothing_else_changes,
)
"""What holds although nobody can be sent anywhere."""


def _run(point: str, happening: Happening, **changes: object) -> tuple[Scenario, World]:
    scenario = replace(SCENARIOS["healthy"], then={point: happening}, **changes)
    world = begun(scenario)
    with inhabited(world):
        world.run()
    return scenario, world


def _violations(scenario: Scenario, world: World) -> Iterator[str]:
    for check in HOLD:
        yield from check(scenario, world)


def lose_listener(world: World) -> None:
    """The listener's owner deletes it, and all of its rules with it."""
    world.balancer.lose_listener()


@pytest.mark.parametrize(
    "point",
    [
        "deploy.CheckCandidate#1",
        "deploy.VerifyCandidate#1",
        "deploy.ShiftTraffic#1",
        "deploy.WatchStage#1",
        "deploy.ShiftTraffic#2",
        "deploy.RetireStable#1",
    ],
)
def test_a_listener_that_is_deleted_ends_one_deployment_and_one_rollback(point: str) -> None:
    """By name, after some minutes in which it might have been a slip; then nobody tries any more."""
    scenario, world = _run(point, lose_listener, spec=SCENARIOS["alarmed-late"].spec)
    assert list(_violations(scenario, world)) == []
    (deploy,) = world.executions("deploy")[1:]
    # Who finds it is a matter of moments: the probe, to which nobody answers, or who reads the rule.
    assert deploy.error in {"ResourceGone", "EvidenceMissing", "CandidateWorse"}
    named = f"The listener {world.spec.listener}, which the spec of web names, does not exist"
    assert f"The rollback: {named}" in (deploy.cause or "")
    assert items_of(world)[deploy.name]["outcome"] == "failed"
    assert [rollback.output["outcome"] for rollback in world.executions("rollback")] == ["failed", "nothing"]
    assert world.live() == {"blue": ("0.0.1",) * 2, "green": ("0.0.2",) * 2}


def test_a_listener_that_is_deleted_while_the_old_slot_is_warm() -> None:
    """The release stays promoted; the old slot is left as it is, since nobody knows who is sent there."""
    scenario, world = _run("deploy.KeepWarm#1", lose_listener, spec=WARM)
    assert list(_violations(scenario, world)) == []
    (deploy,) = world.executions("deploy")[1:]
    assert (deploy.status, deploy.error) == ("FAILED", "ResourceGone")
    assert items_of(world)[deploy.name]["outcome"] == "promoted"
    assert len(world.executions("rollback")) <= 2
    assert world.live()["blue"] == ("0.0.1",) * 2


def test_who_tries_by_hand_makes_no_further_rollback() -> None:
    """One at a time, and none that is left when the last one has ended."""
    world = begun(replace(SCENARIOS["healthy"], then={"deploy.WatchStage#1": lose_listener}))
    for seconds in (60, 90, 500):
        world.clock.after(seconds, world.machines.start, "rollback", {"service": "web"})
    with inhabited(world):
        world.run()
    assert list(_violations(SCENARIOS["healthy"], world)) == []
    assert len(world.executions("rollback")) <= 6
    assert world.clock.now < 3 * LONGEST_WAIT.total_seconds()


def test_a_person_gives_the_service_another_listener() -> None:
    """As docs/operations.md says: the live slot's tasks run on, and the next deployment goes well."""
    _, world = _run("deploy.WatchStage#1", lose_listener)
    groups = world.spec.target_groups
    world.balancer.new_listener(REPLACED)
    world.writes.by_owner(_name_listener, world)
    with inhabited(world):
        spec = read_spec("web", world.parameters.values[world.spec_name])
        made = [step.what for step in preparation(world).prepare(spec)]
        previews = [f"the preview rule of {role}" for role in ("blue", "green", "pattern")]
        assert made == ["the production rule", *previews]
        rule = world.balancer.production_rule()["RuleArn"]
        forward = [
            {"TargetGroupArn": groups.blue, "Weight": 100},
            {"TargetGroupArn": groups.green, "Weight": 0},
        ]
        world.balancer.modify_rule(
            RuleArn=rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}]
        )
        _update_journal(world, "SET weights = :weights REMOVE last_rule")
        world.ecs.ask_by_hand("web-green", 0)
        world.clock.run_for(60)
        ask(NEXT)(world)
        world.run()
    assert world.executions("deploy")[-1].status == "SUCCEEDED"
    assert (state_of(world)["version"], world.live()) == ("0.0.4", {"blue": (), "green": ("0.0.4",) * 2})


def _name_listener(world: World) -> None:
    spec = json.loads(world.parameters.values[world.spec_name])
    place = {"listener": REPLACED, "priority": PRIORITY}
    spec |= {"traffic": [place], "preview": {"listener": REPLACED}}
    world.parameters.values[world.spec_name] = json.dumps(spec)


def _update_journal(world: World, expression: str) -> None:
    world.dynamodb.update_item(
        TableName=environment()["JOURNAL_TABLE"],
        Key={"service": {"S": "web"}, "item": {"S": "state"}},
        UpdateExpression=expression,
        ExpressionAttributeValues={":weights": {"M": {"blue": {"N": "100"}, "green": {"N": "0"}}}},
    )


def test_a_person_frees_a_service_whose_rollback_can_never_get_through() -> None:
    """As docs/operations.md says; who waited finds nothing to do, and nobody tries any more."""
    scenario = replace(SCENARIOS["worse"], always={"restore_weights:GetItem": "refused"})
    world = begun(scenario)
    with inhabited(world):
        world.clock.run_for(1200)
        holder = state_of(world)["holder"]
        world.dynamodb.update_item(
            TableName=environment()["JOURNAL_TABLE"],
            Key={"service": {"S": "web"}, "item": {"S": "state"}},
            UpdateExpression="REMOVE holder, deployment, intended, candidate, tried",
            ConditionExpression="holder = :holder",
            ExpressionAttributeValues={":holder": {"S": holder}},
        )
        world.run()
    assert list(the_service_is_free(scenario, world)) == []
    assert list(recovery_is_one_chain(scenario, world)) == []
    assert world.executions("rollback")[-1].output["outcome"] == "nothing"
    assert GOOD.tag not in world.live()["blue"]
    assert roll_back
