"""The law on harm is able to fail: each write, with one attribute more or on something else, is found."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from faults.aws.account import NEIGHBOUR
from faults.aws.names import ACCOUNT, ECS, GROUP, REGION, STATES
from faults.aws.stack import machine_arn
from faults.cases.case import named, points, run
from faults.cases.invariants import nothing_else_changes
from faults.cases.scenarios import SCENARIOS, before, begun
from faults.client import Client
from faults.inhabit import inhabited
from faults.world import World

Request = dict[str, Any]
Change = Callable[[Request], Request]

SERVICE = f"{ECS}:task/web/{NEIGHBOUR}"
RULE = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/app/web/1/2/{NEIGHBOUR}"


def more(**attributes: Any) -> Change:
    """The request sets more, or something else."""
    return lambda request: request | attributes


def in_parts(change: Callable[[str, Request], Request]) -> Change:
    """Every part of a transaction that writes is changed."""
    return lambda request: {
        "TransactItems": [
            {kind: part if kind == "ConditionCheck" else change(kind, part) for kind, part in item.items()}
            for item in request["TransactItems"]
        ]
    }


def of_neighbour(item: Request) -> Request:
    """An item, or a key, of the journal, for another service."""
    return item | {"service": {"S": NEIGHBOUR}}


def moved(kind: str, part: Request) -> Request:
    """A write of the journal is about another service."""
    place = "Item" if kind == "Put" else "Key"
    return part | {place: of_neighbour(part[place])}


def sticky(request: Request) -> Request:
    """A forward gets a setting that it did not have."""
    action = request["Actions"][-1]
    forward = action["ForwardConfig"] | {
        "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 9}
    }
    return request | {"Actions": [*request["Actions"][:-1], action | {"ForwardConfig": forward}]}


def another_group(request: Request) -> Request:
    """A forward leads to another service's targets."""
    action = request["Actions"][-1]
    groups = [
        group | {"TargetGroupArn": f"{GROUP}/{NEIGHBOUR}/4"}
        for group in action["ForwardConfig"]["TargetGroups"]
    ]
    return request | {
        "Actions": [action | {"ForwardConfig": action["ForwardConfig"] | {"TargetGroups": groups}}]
    }


PREFERS = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/other"]}}]
MORE: list[tuple[str, str, Change]] = [
    ("ModifyRule", "healthy", more(Conditions=PREFERS)),
    ("ModifyRule", "healthy", sticky),
    ("ModifyRule", "worse", another_group),
    ("CreateService", "first", more(deploymentController={"type": "ECS"})),
    ("UpdateService", "healthy", more(serviceRegistries=[])),
    # The owner's service is given tasks and a release, and nothing else.
    ("UpdateService", "leave", more(enableExecuteCommand=False)),
    ("RunTask", "healthy", more(count=2)),
    ("RegisterScalableTarget", "scaled-worse", more(RoleARN=f"arn:aws:iam::{ACCOUNT}:role/scaling")),
    ("PutObject", "healthy", more(Tagging="a=b")),
    ("UpdateItem", "healthy", more(ReturnConsumedCapacity="TOTAL")),
    (
        "TransactWriteItems",
        "healthy",
        in_parts(lambda _, part: part | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
    ),
    ("StartExecution", "queued", more(traceHeader="Root=1")),
]
"""A call, a case that makes it, and what it sets besides."""

ELSEWHERE: list[tuple[str, str, Change]] = [
    ("ModifyRule", "healthy", more(RuleArn=RULE)),
    ("CreateService", "first", more(serviceName="web-red")),
    ("UpdateService", "healthy", more(service=NEIGHBOUR)),
    ("UpdateService", "healthy", more(service="web")),
    ("UpdateService", "takeover", more(service="web")),
    ("TagResource", "scaled-worse", more(resourceArn=f"{ECS}:service/web/{NEIGHBOUR}")),
    ("RegisterTaskDefinition", "healthy", more(family=NEIGHBOUR)),
    ("RunTask", "healthy", more(taskDefinition=f"{NEIGHBOUR}:1")),
    ("StopTask", "healthy", more(task=SERVICE)),
    ("RegisterScalableTarget", "scaled-worse", more(ResourceId=f"service/web/{NEIGHBOUR}")),
    ("PutObject", "healthy", more(Key=f"{NEIGHBOUR}/certificate.json")),
    ("UpdateItem", "healthy", lambda request: moved("Update", request)),
    ("TransactWriteItems", "healthy", in_parts(moved)),
    ("StartExecution", "queued", more(stateMachineArn=f"{STATES}:stateMachine:{NEIGHBOUR}")),
    ("StopExecution", "by-hand", more(executionArn=f"{STATES}:execution:{NEIGHBOUR}:1")),
]
"""A call, a case that makes it, and what else it is about."""


def breaches(operation: str, case: str, change: Change, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the law says of a case in which every call of an operation is changed."""
    wanted = named(case)
    before(SCENARIOS[wanted.scenario])
    call = Client._call

    def changed(client: Client, method: str, **request: Any) -> Any:
        hit = method.replace("_", "") == operation.lower()
        return call(client, method, **(change(request) if hit else request))

    monkeypatch.setattr(Client, "_call", changed)
    world = run(wanted).world
    assert any(f":{operation}#" in made.visit.point for made in world.calls)
    return world.writes.unlawful()


@pytest.mark.parametrize(("operation", "case", "change"), MORE)
def test_one_attribute_more_is_found(
    operation: str, case: str, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is set to what it is already, and where AWS refuses it."""
    assert breaches(operation, case, change, monkeypatch)


@pytest.mark.parametrize(("operation", "case", "change"), ELSEWHERE)
def test_a_write_on_something_else_is_found(
    operation: str, case: str, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a neighbour's thing, or on one that the law does not know."""
    assert breaches(operation, case, change, monkeypatch)


@pytest.mark.parametrize("case", [*dict.fromkeys(case for _, case, _ in MORE + ELSEWHERE)])
def test_without_a_change_nothing_is_found(case: str) -> None:
    """What the tests above find is their own doing."""
    assert run(named(case)).world.writes.unlawful() == []


def test_every_write_of_the_workflow_is_changed() -> None:
    """Each one that a scenario makes is in both lists, unless the API has no attribute more for it."""
    made = {point.place[3] for scenario in SCENARIOS for point in points(scenario) if point.kind == "write"}
    nothing_more = {"StopTask", "StopExecution", "RegisterTaskDefinition", "TagResource"}
    assert made <= {operation for operation, *_ in ELSEWHERE}
    assert made - nothing_more <= {operation for operation, *_ in MORE}


def scaled_out(world: World) -> None:
    """Somebody gives a slot's scalable target another bound."""
    name = "service/web/web-blue"
    world.scaling.targets[name] = world.scaling.targets[name] | {"MaxCapacity": 9}


@pytest.mark.parametrize("by_owner", [True, False])
def test_what_differs_at_the_end_has_somebody_who_did_it(by_owner: bool) -> None:
    """What no call has changed, and no owner, is found by the comparison with the beginning."""
    scenario = SCENARIOS["scaled-worse"]
    world = begun(scenario)
    happening = partial(scaled_out, world)
    world.clock.after(5, *((world.writes.by_owner, happening) if by_owner else (happening,)))
    with inhabited(world):
        world.run()
    found = list(nothing_else_changes(scenario, world))
    wanted = ["scalable target service/web/web-blue: MaxCapacity since the beginning"]
    assert found == ([] if by_owner else wanted)


def test_neighbours_are_there() -> None:
    """The law has something to protect."""
    world = before(SCENARIOS["healthy"])
    rules = world.balancer.describe_rules(ListenerArn=world.spec.listener)["Rules"]
    assert {rule["Priority"] for rule in rules} == {"1", "2", "3", "99", "100", "default"}
    assert RULE in {rule["RuleArn"] for rule in rules}
    assert machine_arn("deploy").startswith(STATES)
    families = [arn.rpartition("/")[2].partition(":")[0] for arn, _ in world.ecs.registered()]
    assert {"web", "web-stack", "crossfade-web"} <= {*families}
    assert NEIGHBOUR in families
