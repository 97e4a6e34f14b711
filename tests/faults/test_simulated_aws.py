"""The model of AWS behaves as AWS does, as far as the workflow depends on it."""

import ast
from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from types import SimpleNamespace
from typing import Any

import pytest

from crossfade.aws.outcome_feed import PATTERN
from crossfade.aws.target_metrics import TargetMetrics
from crossfade.domain.gate.blocks.from_feed import read_outcomes
from crossfade.domain.gate.blocks.latency import bucket
from crossfade.domain.ledger import Closed, Opened, Request, read_records
from crossfade.domain.planning.task_definition import feed_streams
from faults.aws.answer import AwsError
from faults.aws.autoscaling import CALLER_NEEDS
from faults.aws.balancer import DRAIN_SECONDS, HEALTH_SECONDS
from faults.aws.cloudwatch import PUBLISHING_SECONDS
from faults.aws.delivery import BATCH_SECONDS, LATE_SECONDS
from faults.aws.functions import Invocation
from faults.aws.images import Image
from faults.aws.probe import line
from faults.aws.services import BREAKER, NO_CAPACITY
from faults.aws.stack import Function, machine_arn
from faults.aws.tasks import START_SECONDS, STOP_SECONDS
from faults.aws.users import BUCKET, RATE, SPAN_SECONDS
from faults.aws.views import PROBES
from faults.cases.scenarios import MATCHING, SCENARIOS, before, begun
from faults.cases.service import login
from faults.client import Pages, service_model
from faults.files import ROOT
from faults.inhabit import inhabited
from faults.workflow.clock import START
from faults.workflow.query import Refused
from faults.world import World
from probe.record import RequestRecord, to_json

MODELS = {
    "autoscaling": "application-autoscaling", "balancer": "elbv2", "definitions": "ecs",
    "dynamodb": "dynamodb", "ecs": "ecs", "images": "ecr", "logs": "logs", "services": "ecs",
    "states": "stepfunctions", "stores": "ssm",
}  # fmt: skip
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
UP = START_SECONDS + HEALTH_SECONDS
GONE = DRAIN_SECONDS + STOP_SECONDS


@pytest.fixture
def world() -> World:
    """Return a world with 0.0.1 live in blue."""
    return before(SCENARIOS["healthy"])


def slot(world: World, definition: str, **changes: Any) -> dict[str, Any]:
    """Arguments of CreateService for the green slot."""
    balancer = {
        "targetGroupArn": world.spec.target_groups.green,
        "containerName": "app",
        "containerPort": 8080,
    }
    return {
        "cluster": world.spec.cluster,
        "serviceName": "web-green",
        "taskDefinition": definition,
        "desiredCount": 2,
        "launchType": "FARGATE",
        "deploymentConfiguration": {},
        "loadBalancers": [balancer],
        "networkConfiguration": NETWORK,
        "healthCheckGracePeriodSeconds": 60,
        "availabilityZoneRebalancing": "DISABLED",
        "propagateTags": "TASK_DEFINITION",
        **changes,
    }


def registered(world: World, image: Image) -> str:
    """The ARN of a task definition that runs an image."""
    world.registry.push(image)
    containers = [{"name": "app", "image": f"web@{image.digest}"}]
    made = world.ecs.register_task_definition(family="web", containerDefinitions=containers)
    return str(made["taskDefinition"]["taskDefinitionArn"])


def described(world: World) -> dict[str, Any]:
    """The green service."""
    found = world.ecs.describe_services(cluster=world.spec.cluster, services=["web-green"])
    return dict(found["services"][0])


def _codes(name: str) -> Iterator[str]:
    tree = ast.parse((ROOT / f"faults/aws/{name}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "AwsError":
            yield ast.literal_eval(node.args[0])


@pytest.mark.parametrize("name", MODELS)
def test_errors_are_those_of_the_service(name: str) -> None:
    """Every code is in botocore's model of the service, or one that all services have."""
    shapes = service_model(MODELS[name]).error_shapes
    known = {shape.metadata.get("error", {}).get("code", shape.name) for shape in shapes}
    assert set(_codes(name)) <= known | {shape.name for shape in shapes} | {"ValidationException"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_answers_are_those_of_the_service(scenario: str) -> None:
    """Every answer in a run fits botocore's model: its fields, their types, those that are never missing."""
    found = begun(SCENARIOS[scenario])
    found.strict = True
    with inhabited(found):
        found.run()
    assert found.calls


def test_a_service_comes_up(world: World) -> None:
    """Tasks start, are registered, become healthy; then the rollout is complete."""
    world.ecs.create_service(**slot(world, registered(world, Image("1"))))
    assert described(world)["pendingCount"] == 2
    world.clock.run_for(START_SECONDS + 0.1)
    assert described(world)["runningCount"] == 2
    assert set(world.balancer.states(world.spec.target_groups.green).values()) == {"initial"}
    world.clock.run_for(HEALTH_SECONDS)
    assert world.live()["green"] == ("1", "1")
    assert described(world)["deployments"][0]["rolloutState"] == "COMPLETED"


def _said(world: World) -> list[str]:
    return [event["message"] for event in described(world)["events"]]


@pytest.mark.parametrize("room", [0, 1])
def test_a_task_for_which_there_is_no_place_is_tried_again(world: World, room: int) -> None:
    """After growing waits; ECS says so in the service's events, the newest first, and no task is seen."""
    world.ecs.lack("web-green", 5, room=room)
    world.ecs.create_service(**slot(world, registered(world, Image("1"))))
    refused = f"(service web-green) was unable to place a task. Reason: {NO_CAPACITY}"
    assert _said(world)[0] == refused
    assert len(world.ecs.services["web-green"].tasks) == room
    world.clock.run_for(20)
    assert world.live()["green"] == ("1", "1")
    steady, started, *before = _said(world)
    assert before[:2] == [refused, refused]
    assert (steady, started) == (
        "(service web-green) has reached a steady state.",
        f"(service web-green) has started {2 - room} tasks.",
    )


def test_ecs_gives_up_a_rollout_of_which_no_task_can_be_placed(world: World) -> None:
    """Its breaker counts them as it does those that cannot start; the next rollout begins anew, at once."""
    world.ecs.lack("web-green", 30)
    definition = registered(world, Image("1"))
    world.ecs.create_service(**slot(world, definition))
    world.clock.run_for(29)
    (rollout,) = described(world)["deployments"]
    assert (rollout["rolloutState"], rollout["failedTasks"]) == ("FAILED", BREAKER)
    assert _said(world)[0].endswith("deployment failed: tasks failed to start.")
    world.clock.run_for(5)
    assert world.ecs.services["web-green"].tasks == []
    world.ecs.update_service(cluster=world.spec.cluster, service="web-green", forceNewDeployment=True)
    world.clock.run_for(UP)
    assert world.live()["green"] == ("1", "1")


def test_a_service_of_which_a_task_runs_waits_for_the_others(world: World) -> None:
    """From then on nothing counts for the breaker."""
    world.ecs.lack("web-green", 60, room=1)
    world.ecs.create_service(**slot(world, registered(world, Image("1"))))
    world.clock.run_for(59)
    (rollout,) = described(world)["deployments"]
    assert (rollout["rolloutState"], rollout["failedTasks"], rollout["runningCount"]) == ("IN_PROGRESS", 0, 1)


def test_a_rollout_replaces_tasks_when_the_new_ones_are_healthy(world: World) -> None:
    """Until then both run; the old rollout is listed for as long as it has tasks."""
    world.ecs.create_service(**slot(world, registered(world, Image("1"))))
    world.clock.run_for(UP)
    world.ecs.update_service(
        cluster=world.spec.cluster, service="web-green", taskDefinition=registered(world, Image("2"))
    )
    world.clock.run_for(START_SECONDS + 0.1)
    assert [(r["status"], r["runningCount"]) for r in described(world)["deployments"]] == [
        ("PRIMARY", 2),
        ("ACTIVE", 2),
    ]
    world.clock.run_for(HEALTH_SECONDS)
    assert world.live()["green"] == ("2", "2")
    world.clock.run_for(GONE)
    assert len(described(world)["deployments"]) == 1


def test_scaling_in_drains_first(world: World) -> None:
    """The target gets no more requests, and some time later the task ends."""
    world.ecs.create_service(**slot(world, registered(world, Image("1"))))
    world.clock.run_for(UP)
    world.ecs.update_service(cluster=world.spec.cluster, service="web-green", desiredCount=0)
    group = world.spec.target_groups.green
    assert set(world.balancer.states(group).values()) == {"draining"}
    assert {task.status for task in world.ecs.services["web-green"].tasks} == {"DEACTIVATING"}
    world.clock.run_for(GONE)
    assert world.balancer.states(group) == {}
    assert {task.status for task in world.ecs.services["web-green"].tasks} == {"STOPPED"}


def test_tasks_that_cannot_start(world: World) -> None:
    """ECS counts them, gives up after three, and tells why they stopped."""
    world.ecs.create_service(**slot(world, registered(world, Image("1", "crashes"))))
    world.clock.run_for(60)
    rollout = described(world)["deployments"][0]
    assert (rollout["rolloutState"], rollout["runningCount"]) == ("FAILED", 0)
    arns = world.ecs.list_tasks(cluster=world.spec.cluster, serviceName="web-green", desiredStatus="STOPPED")[
        "taskArns"
    ]
    found = world.ecs.describe_tasks(cluster=world.spec.cluster, tasks=arns)["tasks"][0]
    assert (found["stopCode"], found["containers"][0]["exitCode"]) == ("EssentialContainerExited", 1)


def test_failed_tasks_are_forgotten_once_one_ran(world: World) -> None:
    """A candidate that crashes a little after its start: nothing is counted, and nobody gives it up."""
    world.ecs.create_service(**slot(world, registered(world, Image("1", "crashes-late"))))
    world.clock.run_for(60)
    rollout = described(world)["deployments"][0]
    assert (rollout["rolloutState"], rollout["failedTasks"]) == ("IN_PROGRESS", 0)
    arns = world.ecs.list_tasks(cluster=world.spec.cluster, serviceName="web-green", desiredStatus="STOPPED")
    tasks = world.ecs.describe_tasks(cluster=world.spec.cluster, tasks=arns["taskArns"])["tasks"]
    assert len(tasks) > 6
    assert {task["startedBy"] for task in tasks} == {rollout["id"]}
    assert world.balancer.healthy[world.spec.target_groups.green].last == ()


def test_a_deleted_service_is_inactive_before_its_tasks_have_ended(world: World) -> None:
    """It drains; then its tasks are stopping, and a new service may have its name."""
    request = slot(world, registered(world, Image("1")))
    world.ecs.create_service(**request)
    world.clock.run_for(UP)
    name = {"cluster": world.spec.cluster, "service": "web-green"}
    with pytest.raises(AwsError, match="InvalidParameterException"):
        world.ecs.delete_service(**name)
    world.ecs.delete_service(**name, force=True)
    assert described(world)["status"] == "DRAINING"
    with pytest.raises(AwsError, match="still Draining"):
        world.ecs.create_service(**request)
    world.clock.run_for(DRAIN_SECONDS + 0.1)
    assert described(world)["status"] == "INACTIVE"
    assert {task.status for task in world.ecs.services["web-green"].tasks} == {"STOPPING"}
    with pytest.raises(AwsError, match="ServiceNotActiveException"):
        world.ecs.update_service(**name, desiredCount=0)
    world.clock.run_for(STOP_SECONDS)
    assert {task.status for task in world.ecs.services["web-green"].tasks} == {"STOPPED"}
    world.ecs.create_service(**request)
    assert described(world)["status"] == "ACTIVE"


def test_a_service_is_created_once(world: World) -> None:
    """The second time is an error, as is an update of one that is not there."""
    request = slot(world, registered(world, Image("1")))
    with pytest.raises(AwsError, match="ServiceNotFoundException"):
        world.ecs.update_service(cluster=world.spec.cluster, service="web-green", desiredCount=1)
    world.ecs.create_service(**request)
    with pytest.raises(AwsError, match="InvalidParameterException"):
        world.ecs.create_service(**request)


def _probe(world: World, token: str) -> dict[str, Any]:
    return dict(_asked_for_a_probe(world, token)["tasks"][0])


def _asked_for_a_probe(world: World, token: str) -> dict[str, Any]:
    lane = (
        '{"name": "production", "url": "http://x/", "connect_to": null, "headers": {}, "rate": 10, '
        '"version_from": "json:/version", "ok": ["200-299"], "starts": "at_once", '
        '"pauses": false}'
    )
    values = {
        "PROBE_DEPLOYMENT": "d", "PROBE_LOG_GROUP": "group", "PROBE_LOG_STREAM": "stream",
        "PROBE_DEADLINE_SECONDS": "100", "PROBE_TIMEOUT_SECONDS": "5", "PROBE_LANES": f"[{lane}]",
        "PROBE_SECRET_PARAMETER": world.own.preview_secret,
    }  # fmt: skip
    environment = [{"name": name, "value": value} for name, value in values.items()]
    return world.ecs.run_task(
        cluster=world.spec.cluster,
        taskDefinition="crossfade-probe",
        launchType="FARGATE",
        startedBy="me",
        clientToken=token,
        networkConfiguration=NETWORK,
        overrides={"containerOverrides": [{"name": "probe", "environment": environment}]},
    )


def test_a_token_repeats_the_answer_that_there_was_no_place(world: World) -> None:
    """Whether there is one meanwhile: AWS gives the result of the first request again."""
    world.ecs.lack(PROBES, 10)
    refused = {"tasks": [], "failures": [{"reason": NO_CAPACITY}]}
    assert _asked_for_a_probe(world, "1") == refused
    world.clock.run_for(10)
    assert _asked_for_a_probe(world, "1") == refused
    assert _probe(world, "2")["lastStatus"] == "PROVISIONING"


def test_a_probe_writes_a_complete_ledger(world: World) -> None:
    """The workflow's own reader reads every line of it; its numbers have no gap, and it is closed."""
    task = _probe(world, "one")
    world.clock.run_for(START_SECONDS + 20)
    world.ecs.stop_task(cluster=world.spec.cluster, task=task["taskArn"], reason="enough")
    world.clock.run_for(BATCH_SECONDS + LATE_SECONDS[1])
    page = world.logs.get_log_events(logGroupName="group", logStreamName="stream", startFromHead=True)
    lines = [event["message"] for event in page["events"]]
    records = read_records(lines)
    requests = [record for record in records if isinstance(record, Request)]
    assert len(records) == len(lines)
    assert isinstance(records[0], Opened)
    assert [request.n for request in requests] == list(range(1, len(requests) + 1))
    assert {request.version for request in requests} == {"0.0.1"}
    closed = records[-1]
    assert isinstance(closed, Closed)
    assert closed.lanes["production"].sent == len(requests) == pytest.approx(200, abs=2)


def test_a_probe_that_dies_closes_nothing(world: World) -> None:
    """Its ledger ends in the middle."""
    _probe(world, "one")
    world.clock.run_for(START_SECONDS + 5)
    world.ecs.kill_probe()
    world.clock.run_for(5)
    page = world.logs.get_log_events(logGroupName="group", logStreamName="stream", startFromHead=True)
    assert not any(isinstance(r, Closed) for r in read_records(e["message"] for e in page["events"]))


def test_a_token_starts_one_task(world: World) -> None:
    """Also when that one has stopped; with other parameters it is an error."""
    first = _probe(world, "one")
    world.ecs.stop_task(cluster=world.spec.cluster, task=first["taskArn"], reason="enough")
    world.clock.run_for(5)
    assert _probe(world, "one")["taskArn"] == first["taskArn"]
    assert _probe(world, "two")["taskArn"] != first["taskArn"]


def test_lines_come_together_and_late(world: World) -> None:
    """What a second holds can be read half a second to two seconds after it, all at once and in its order."""
    begin = ceil(world.clock.now)
    world.clock.run_for(begin - world.clock.now)
    for n in range(10):
        world.logs.append("g", "s", begin + n / 10, str(n))
    seen = []
    for _ in range(31):
        page = world.logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)
        seen.append((world.clock.now, [event["message"] for event in page["events"]]))
        world.clock.run_for(0.1)
    assert {len(messages) for _, messages in seen} == {0, 10}
    first = next(at for at, messages in seen if messages)
    assert BATCH_SECONDS + LATE_SECONDS[0] <= first - begin <= BATCH_SECONDS + LATE_SECONDS[1] + 0.1
    assert seen[-1][1] == [str(n) for n in range(10)]


def test_what_is_told_of_executions_lags(world: World) -> None:
    """By two seconds at most: one that has begun is unknown, one that has ended is said to run."""
    execution = world.machines.start("rollback", {"service": "web"})
    describe = world.models["stepfunctions"].describe_execution
    with pytest.raises(AwsError, match="ExecutionDoesNotExist"):
        describe(executionArn=execution.arn)
    execution.stop()
    world.clock.run_for(2)
    assert describe(executionArn=execution.arn)["status"] == "ABORTED"


def test_lines_are_the_probes() -> None:
    """The shortcut for the many writes what the probe writes."""
    record = RequestRecord("green", 1, "2026-11-23T04:00:00.000Z", None, None, 3.0, "timed out")
    assert line(record) == to_json(record)


def test_a_page_of_a_stream(world: World) -> None:
    """Pages follow each other; at the end the token stays the same. There may be no stream at all."""
    with pytest.raises(AwsError, match="ResourceNotFoundException"):
        world.logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)
    for n in range(700):
        world.logs.append("g", "s", n / 100, str(n))
    token, seen = None, []
    while True:
        page = world.logs.get_log_events(
            logGroupName="g", logStreamName="s", startFromHead=True, nextToken=token
        )
        seen += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    assert seen == [str(n) for n in range(700)]


def test_the_log_of_the_tasks() -> None:
    """A line of the feed for every task and every 5 s, with what it answered; other lines are left out."""
    world = before(SCENARIOS["fed"])
    world.clock.run_for(60)
    now = START.timestamp() + world.clock.now
    definition = world.ecs.describe_task_definition(taskDefinition="crossfade-web")["taskDefinition"]
    streams = feed_streams(definition, world.spec)
    request = {
        "logGroupName": streams.group,
        "startTime": int((now - 30) * 1000),
        "filterPattern": PATTERN,
    }
    events = world.logs.filter_log_events(**request, logStreamNamePrefix=streams.prefix)["events"]
    tasks = {event["logStreamName"].removeprefix(streams.prefix) for event in events}
    told = [read_outcomes(event["message"]) for event in events]
    assert tasks == {task.arn.rpartition("/")[2] for task in world.ecs.services["web-blue"].tasks}
    assert len({outcomes.ended for outcomes in told}) in {5, 6}
    assert sum(outcomes.requests for outcomes in told) == RATE * SPAN_SECONDS * len(told) / 2
    assert world.logs.filter_log_events(**request, logStreamNamePrefix="other")["events"] == []
    with pytest.raises(Refused):
        world.logs.filter_log_events(**request | {"filterPattern": "crossfade"}, logStreamNamePrefix="")


def test_a_buckets_place() -> None:
    """What the log tells of latencies is what the probe meets."""
    assert bucket(3.0) == BUCKET


def test_a_modified_rule_keeps_what_is_not_given(world: World) -> None:
    """Each list that is given is replaced as a whole; a forward to one group is told with its weight."""
    balancer, groups = world.balancer, world.spec.target_groups
    rule = balancer.production_rule()
    conditions, transforms = MATCHING
    (changed,) = balancer.modify_rule(RuleArn=rule["RuleArn"], Conditions=conditions, Transforms=transforms)[
        "Rules"
    ]
    assert changed == rule | {"Conditions": conditions, "Transforms": transforms}
    alone = {"Type": "forward", "TargetGroupArn": groups.green}
    (changed,) = balancer.modify_rule(RuleArn=rule["RuleArn"], Actions=[alone])["Rules"]
    assert changed["Conditions"] == conditions
    assert changed["Actions"][0]["ForwardConfig"] == {
        "TargetGroups": [{"TargetGroupArn": groups.green, "Weight": 1}],
        "TargetGroupStickinessConfig": {"Enabled": False},
    }
    assert balancer.weights.last == {groups.green: 1}
    both = rule["Actions"][0] | {"TargetGroupArn": groups.blue}
    with pytest.raises(AwsError, match="InvalidLoadBalancerAction"):
        balancer.modify_rule(RuleArn=rule["RuleArn"], Actions=[both])


@pytest.mark.parametrize(
    ("has_one", "secret", "taken"),
    [
        (False, {"ClientSecret": "s"}, True),
        (True, {"ClientSecret": "s"}, True),
        (True, {"UseExistingClientSecret": True}, True),
        pytest.param(True, {}, False, id="neither"),
        pytest.param(True, {"ClientSecret": "s", "UseExistingClientSecret": True}, False, id="both"),
        pytest.param(False, {"UseExistingClientSecret": True}, False, id="none-to-keep"),
    ],
)
def test_a_logins_secret(world: World, has_one: bool, secret: dict[str, Any], taken: bool) -> None:
    """It is never told, and comes with the action unless the rule has one already."""
    balancer = world.balancer
    rule = balancer.production_rule()
    forward = {**rule["Actions"][0], "Order": 2}
    if has_one:
        balancer.modify_rule(RuleArn=rule["RuleArn"], Actions=[login(ClientSecret="first"), forward])
    if taken:
        balancer.modify_rule(RuleArn=rule["RuleArn"], Actions=[forward, login(**secret)])
        assert balancer.production_rule()["Actions"] == [login(), forward]
    else:
        with pytest.raises(AwsError, match="InvalidLoadBalancerAction"):
            balancer.modify_rule(RuleArn=rule["RuleArn"], Actions=[login(**secret), forward])


def test_the_metrics_of_a_minute(world: World) -> None:
    """The users' requests and the probe's, some time after the minute; nothing where there was nothing."""
    first = int(world.clock.now // 60) + 1
    world.clock.run_for(60 * (first + 1) - world.clock.now + PUBLISHING_SECONDS - 1)
    client = SimpleNamespace(get_paginator=lambda name: Pages(getattr(world.cloudwatch, name)))
    metrics = TargetMetrics(client, world.spec)
    ended = START + timedelta(minutes=first + 1)
    assert metrics.minutes(ended - timedelta(minutes=1), ended) == []
    world.clock.run_for(1)
    (minute,) = metrics.minutes(ended - timedelta(minutes=1), ended)
    assert (minute.slot, minute.requests, minute.failures) == ("blue", 60 * RATE, 0)


def test_rules(world: World) -> None:
    """A priority is taken once; a rule that is gone cannot be changed; the default rule is always there."""
    balancer, listener = world.balancer, world.spec.listener
    *_, rule, default = balancer.describe_rules(ListenerArn=listener)["Rules"]
    assert (rule["Priority"], default["IsDefault"]) == ("100", True)
    with pytest.raises(AwsError, match="PriorityInUse"):
        balancer.create_rule(ListenerArn=listener, Priority=100, Conditions=[], Actions=rule["Actions"])
    balancer.delete_rule(RuleArn=rule["RuleArn"])
    assert balancer.weights.last == {}
    with pytest.raises(AwsError, match="RuleNotFound"):
        balancer.modify_rule(RuleArn=rule["RuleArn"], Actions=rule["Actions"])


def test_the_name_of_an_execution_is_taken_for_good(world: World) -> None:
    """While it runs the same name and input are the same execution; after that, an error."""
    start = world.models["stepfunctions"].start_execution
    request = {"stateMachineArn": machine_arn("rollback"), "input": '{"a": 1}', "name": "one"}
    first = start(**request)
    assert start(**request)["executionArn"] == first["executionArn"]
    with pytest.raises(AwsError, match="ExecutionAlreadyExists"):
        start(**request | {"input": "{}"})
    world.machines.executions[-1].stop()
    with pytest.raises(AwsError, match="ExecutionAlreadyExists"):
        start(**request)


def test_a_scalable_target_keeps_what_is_not_named(world: World) -> None:
    """Limits stay when only the suspension is written, and the other way round."""
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/web/web-blue",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    with pytest.raises(AwsError, match="ValidationException"):
        world.scaling.register_scalable_target(**target, SuspendedState={})
    world.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
    suspended = {"ScheduledScalingSuspended": True}
    world.scaling.register_scalable_target(**target, SuspendedState=suspended)
    found = world.scaling.targets["service/web/web-blue"]
    assert (found["MinCapacity"], found["SuspendedState"]["ScheduledScalingSuspended"]) == (1, True)
    assert found["SuspendedState"]["DynamicScalingInSuspended"] is False


def test_registering_brings_the_count_within_the_limits(world: World) -> None:
    """Also that of a slot which stands at 0: it is started. What is no service is refused."""
    target = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
    limits = {"MinCapacity": 1, "MaxCapacity": 4}
    with pytest.raises(AwsError, match="ECS service doesn't exist"):
        world.scaling.register_scalable_target(**target, **limits, ResourceId="service/web/web-green")
    world.ecs.create_service(**slot(world, registered(world, Image("1")), desiredCount=0))
    world.scaling.register_scalable_target(**target, **limits, ResourceId="service/web/web-green")
    assert described(world)["desiredCount"] == 1
    world.clock.run_for(UP)
    assert world.live()["green"] == ("1",)


@pytest.mark.parametrize(
    ("kind", "change", "count"), [("DynamicScalingInSuspended", -1, 2), ("DynamicScalingOutSuspended", 1, 4)]
)
def test_an_alarm_scales_unless_that_is_suspended(world: World, kind: str, change: int, count: int) -> None:
    """Within the bounds, and nothing of a rollout changes with it."""
    target = {
        "ServiceNamespace": "ecs", "ResourceId": "service/web/web-blue",
        "ScalableDimension": "ecs:service:DesiredCount",
    }  # fmt: skip
    world.ecs.ask_by_hand("web-blue", 3)
    rollout = world.ecs.services["web-blue"].primary.id
    world.scaling.register_scalable_target(
        **target, MinCapacity=2, MaxCapacity=4, SuspendedState={kind: True}
    )
    world.scaling.alarm("web-blue", change)
    assert world.ecs.services["web-blue"].desired == 3
    world.scaling.register_scalable_target(**target, SuspendedState={kind: False})
    for _ in range(3):
        world.scaling.alarm("web-blue", change)
    found = world.ecs.services["web-blue"]
    assert (found.desired, found.primary.id) == (count, rollout)


def test_a_scheduled_action_sets_bounds_unless_that_is_suspended(world: World) -> None:
    """The count follows; an action that was suspended is not done later."""
    target = {
        "ServiceNamespace": "ecs", "ResourceId": "service/web/web-blue",
        "ScalableDimension": "ecs:service:DesiredCount",
    }  # fmt: skip
    suspended = {"ScheduledScalingSuspended": True}
    world.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4, SuspendedState=suspended)
    world.scaling.schedule("web-blue", 3, 6)
    world.scaling.register_scalable_target(**target, SuspendedState=dict.fromkeys(suspended, False))
    assert world.ecs.services["web-blue"].desired == 2
    world.scaling.schedule("web-blue", 3, 6)
    found = world.scaling.targets["service/web/web-blue"]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (3, 6)
    assert world.ecs.services["web-blue"].desired == 3


def test_registering_takes_the_callers_own_rights(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Application Auto Scaling looks at the service with them."""
    caller = object.__new__(Invocation)
    monkeypatch.setattr(world.clock, "strand", caller)
    request = {
        "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": "service/web/web-blue", "MinCapacity": 1, "MaxCapacity": 4,
    }  # fmt: skip
    caller.function = Function("suspend_scaling", 1.0, lambda event, context: {}, frozenset(CALLER_NEEDS))
    world.scaling.register_scalable_target(**request)
    for right in CALLER_NEEDS:
        allowed = frozenset(CALLER_NEEDS - {right})
        caller.function = Function("suspend_scaling", 1.0, lambda event, context: {}, allowed)
        with pytest.raises(AwsError, match="not authorized"):
            world.scaling.register_scalable_target(**request)


def test_what_is_not_simulated_is_refused(world: World) -> None:
    """A scalable target of another kind, a service that is placed in another way."""
    with pytest.raises(Refused):
        world.scaling.describe_scalable_targets(
            ServiceNamespace="lambda", ResourceIds=["x"], ScalableDimension="x"
        )
    with pytest.raises(Refused):
        world.ecs.update_service(cluster=world.spec.cluster, service="web-blue", capacityProviderStrategy=[])
