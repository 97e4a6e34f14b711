"""Reads that are stale and effects that are late: bounded, for one resource, and never between writes."""

from collections.abc import Iterator
from typing import Any

import pytest

from faults.aws.answer import AwsError
from faults.aws.balancer import HEALTH_SECONDS, LAG_SECONDS, LONG_LAG_SECONDS
from faults.aws.images import Image
from faults.aws.stack import environment
from faults.aws.tasks import START_SECONDS
from faults.aws.views import BOUNDS, PROBES, Range, Resource
from faults.cases.scenarios import SCENARIOS, before
from faults.client import Client
from faults.inhabit import inhabited
from faults.world import World
from tests.faults.test_simulated_aws import registered, slot

GREEN, BLUE = Resource("ecs", "web-green"), Resource("ecs", "web-blue")
TABLE, INDEX = environment()["JOURNAL_TABLE"], Resource("dynamodb", "by-item")
RULES, SCALED = Resource("elbv2", "rules"), Resource("application-autoscaling", "service/web/web-blue")


@pytest.fixture
def world() -> Iterator[World]:
    """Return a world with 0.0.1 live in blue, long after that."""
    found = before(SCENARIOS["healthy"])
    found.clock.run_for(BOUNDS["elbv2"])
    with inhabited(found):
        yield found


def call(world: World, owner: str, method: str, /, **request: Any) -> Any:
    """What a handler gets, without a handler."""
    resource = world.views.resource(owner, request)
    writes = not method.startswith(("describe", "get", "list", "query"))
    return Client(world, owner)._make(method, method, request, writes, resource)


def service(world: World, name: str = "web-green") -> Any:
    """A service as it is read now; None where it is missing."""
    found = call(world, "ecs", "describe_services", cluster=world.spec.cluster, services=[name])
    return found["services"][0] if found["services"] else None


def services(world: World) -> list[str]:
    """The services that the journal's index shows."""
    found = call(
        world, "dynamodb", "query", TableName=TABLE, IndexName="by-item",
        KeyConditionExpression="#item = :item", ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":item": {"S": "state"}},
    )  # fmt: skip
    return [item["service"]["S"] for item in found["Items"]]


def created(world: World) -> None:
    """The green service is created."""
    request = slot(world, registered(world, Image("1")))
    call(world, "ecs", "create_service", **request)


def weigh(world: World, blue: int, green: int, late: float = 0) -> Any:
    """The weights of the production rule are changed."""
    groups = [
        {"TargetGroupArn": world.spec.target_groups.blue, "Weight": blue},
        {"TargetGroupArn": world.spec.target_groups.green, "Weight": green},
    ]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    rule = production(call(world, "elbv2", "describe_rules", ListenerArn=world.spec.listener)["Rules"])
    if late:
        world.views.delay(RULES, late)
    return call(world, "elbv2", "modify_rule", RuleArn=rule["RuleArn"], Actions=actions)


def production(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """The production rule among those of its listener."""
    return next(rule for rule in rules if rule["Priority"] == "100")


def weights(world: World) -> list[int]:
    """The weights of the production rule as they are read now."""
    rule = production(call(world, "elbv2", "describe_rules", ListenerArn=world.spec.listener)["Rules"])
    return [group["Weight"] for group in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]]


def range_of(world: World, resource: Resource, method: str, **request: Any) -> Range | None:
    """For how many seconds a read may be stale now."""
    return world.views.stale(resource, lambda model: getattr(model, method)(**request))


def test_a_new_service_may_be_missing(world: World) -> None:
    """Right after CreateService, for as long as the view lags; another service is not touched."""
    created(world)
    world.clock.run_for(2)
    world.views.lag(GREEN, 10)
    assert service(world) is None
    assert service(world, "web-blue")["desiredCount"] == 2
    world.clock.run_for(7.9)
    assert service(world) is None
    world.clock.run_for(0.1)
    assert service(world)["desiredCount"] == 2


def test_an_old_rollout_may_still_be_the_primary_one(world: World) -> None:
    """UpdateService answers with the new one; what is read is the old one, as it was."""
    created(world)
    world.clock.run_for(60)
    old = service(world)["deployments"][0]
    changed = {"taskDefinition": registered(world, Image("2"))}
    written = call(world, "ecs", "update_service", cluster=world.spec.cluster, service="web-green", **changed)
    world.views.lag(GREEN, 5)
    assert service(world)["deployments"] == [old]
    world.clock.run_for(5)
    (new,) = [found for found in service(world)["deployments"] if found["status"] == "PRIMARY"]
    assert new["id"] == written["service"]["deployments"][0]["id"] != old["id"]


def test_a_view_shows_one_write_after_the_other(world: World) -> None:
    """Each when it is so many seconds old."""
    weigh(world, 90, 10)
    world.clock.run_for(20)
    weigh(world, 50, 50)
    world.views.lag(RULES, 30)
    assert weights(world) == [100, 0]
    world.clock.run_for(10)
    assert weights(world) == [90, 10]
    world.clock.run_for(20)
    assert weights(world) == [50, 50]


def test_a_new_rule_may_not_be_there(world: World) -> None:
    """Its priority is taken all the same."""
    balancer, listener = world.balancer, world.spec.listener
    rule = balancer.production_rule()
    request = {"Priority": 100, "Conditions": [], "Actions": rule["Actions"], "ListenerArn": listener}
    call(world, "elbv2", "delete_rule", RuleArn=rule["RuleArn"])
    world.clock.run_for(1)
    call(world, "elbv2", "create_rule", **request)
    world.views.lag(RULES, 0.5)
    shown = call(world, "elbv2", "describe_rules", ListenerArn=listener)["Rules"]
    assert "100" not in {rule["Priority"] for rule in shown}
    with pytest.raises(AwsError, match="PriorityInUse"):
        call(world, "elbv2", "create_rule", **request)


def test_an_execution_may_be_unknown_or_said_to_run(world: World) -> None:
    """Its status lags behind its beginning and its end."""
    world.listing_seconds = (0.0, 0.0)
    execution = world.machines.start("rollback", {"service": "web"})
    resource = Resource("stepfunctions", execution.arn)
    world.views.lag(resource, 5)
    with pytest.raises(AwsError, match="ExecutionDoesNotExist"):
        call(world, "stepfunctions", "describe_execution", executionArn=execution.arn)
    world.clock.run_for(0.01)
    execution.stop("Stopped", "enough")
    world.views.lag(resource, 0.005)
    found = call(world, "stepfunctions", "describe_execution", executionArn=execution.arn)
    assert (found["status"], "stopDate" in found, "error" in found) == ("RUNNING", False, False)
    world.clock.run_for(5)
    found = call(world, "stepfunctions", "describe_execution", executionArn=execution.arn)
    assert (found["status"], found["error"]) == ("ABORTED", "Stopped")


def test_a_read_is_stale_only_where_that_makes_a_difference(world: World) -> None:
    """Not before a write, nor when its bound has passed, nor where the answer would be the same."""
    request = {"cluster": world.spec.cluster, "services": ["web-green"]}
    assert range_of(world, GREEN, "describe_services", **request) is None
    created(world)
    world.clock.run_for(3)
    assert range_of(world, GREEN, "describe_services", **request) == Range(3, 60)
    assert range_of(world, BLUE, "describe_services", **request | {"services": ["web-blue"]}) is None
    world.clock.run_for(57)
    assert range_of(world, GREEN, "describe_services", **request) is None


def test_a_late_update_has_no_effect_yet(world: World) -> None:
    """Neither in what is read nor in the tasks; then it is as if it had been made now."""
    created(world)
    world.clock.run_for(60)
    world.views.delay(GREEN, 30)
    request = {"cluster": world.spec.cluster, "service": "web-green", "desiredCount": 0}
    answer = call(world, "ecs", "update_service", **request)
    assert answer["service"]["desiredCount"] == 0
    world.clock.run_for(29.9)
    assert (service(world)["desiredCount"], len(world.live()["green"])) == (2, 2)
    world.clock.run_for(0.2)
    assert (service(world)["desiredCount"], len(world.live()["green"])) == (0, 0)


def test_a_late_service_starts_late(world: World) -> None:
    """Nobody sees it meanwhile; a second one cannot be created."""
    world.views.delay(GREEN, 20)
    created(world)
    assert service(world) is None
    with pytest.raises(AwsError, match="InvalidParameterException"):
        call(world, "ecs", "create_service", **slot(world, registered(world, Image("1"))))
    world.clock.run_for(19.9 + START_SECONDS)
    assert service(world)["runningCount"] == 0
    world.clock.run_for(0.2 + HEALTH_SECONDS)
    assert world.live()["green"] == ("1", "1")


def test_a_late_rule_reaches_clients_before_it_can_be_read(world: World) -> None:
    """Clients meet it after ten seconds at most."""
    weigh(world, 50, 50, late=120)
    world.clock.run_for(LONG_LAG_SECONDS)
    group = world.spec.target_groups.green
    assert (weights(world), world.balancer.served.at(world.clock.now)[group]) == ([100, 0], 50)
    world.clock.run_for(110.1)
    assert weights(world) == [50, 50]


def test_weights_reach_clients_in_their_order(world: World) -> None:
    """After a second or more; a change does not overtake the one before it."""
    began = world.clock.now
    for green in (10, 50, 100):
        weigh(world, 100 - green, green)
        world.clock.run_for(0.1)
    moments, values = world.balancer.served.moments[-3:], world.balancer.served.values[-3:]
    assert moments == sorted(moments)
    assert moments[0] >= began + LAG_SECONDS[0]
    assert moments[-1] <= world.clock.now + LONG_LAG_SECONDS
    assert [found[world.spec.target_groups.green] for found in values] == [10, 50, 100]


def test_what_each_request_is_about(world: World) -> None:
    """Tasks belong to their service, or to none; what is consistent has no view that lags."""
    (task, *_) = world.ecs.services["web-blue"].tasks
    (probe, *_) = world.ecs.probes
    assert world.views.resource("ecs", {"tasks": [task.arn]}) == BLUE
    assert world.views.resource("ecs", {"tasks": [probe[0].arn]}) == Resource("ecs", PROBES)
    assert world.views.resource("ecs", {"startedBy": "me"}) == Resource("ecs", PROBES)
    assert world.views.resource("application-autoscaling", {"ResourceId": SCALED.name}) == SCALED
    for service, request in (
        ("dynamodb", {"TableName": "t"}), ("s3", {"Key": "k"}), ("ecs", {"taskDefinition": "web"}),
        ("elbv2", {"TargetGroupArn": "g"}), ("stepfunctions", {"stateMachineArn": "m"}),
    ):  # fmt: skip
        assert world.views.resource(service, request) is None


def test_the_index_of_the_journal_may_be_behind(world: World) -> None:
    """It shows a new service, and that one is gone, late; what is written of a known one is none of it."""
    shop = {"service": {"S": "shop"}, "item": {"S": "state"}}
    update = {
        "TableName": TABLE,
        "UpdateExpression": "SET holder = :holder",
        "ExpressionAttributeValues": {":holder": {"S": "one"}},
    }
    world.views.lag(INDEX, BOUNDS["dynamodb"])
    call(world, "dynamodb", "update_item", Key=shop, **update)
    assert services(world) == ["api", "web"]
    assert call(world, "dynamodb", "get_item", TableName=TABLE, Key=shop, ConsistentRead=True)["Item"]
    world.clock.run_for(BOUNDS["dynamodb"] / 2)
    call(world, "dynamodb", "update_item", Key=shop, **update)
    world.clock.run_for(BOUNDS["dynamodb"] / 2)
    assert services(world) == ["api", "shop", "web"]
    world.views.lag(INDEX, 5)
    call(world, "dynamodb", "delete_item", TableName=TABLE, Key=shop)
    assert services(world) == ["api", "shop", "web"]
    world.clock.run_for(5)
    assert services(world) == ["api", "web"]
