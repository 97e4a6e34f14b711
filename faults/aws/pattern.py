"""The owner's own ECS service, and what is prepared beside it before the first deployment.

``prepare`` comes to what the code of the product makes, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crossfade.domain.slots import SLOTS
from crossfade.domain.spec.names import preview_role
from crossfade.domain.spec.service import OwnRule
from faults.aws.images import Image
from faults.aws.names import ACCOUNT, ECS, GROUP, REGION

if TYPE_CHECKING:
    from faults.world import World

FAMILY = "web-stack"
"""That of the owner's task definitions."""
TARGET_GROUP = f"{GROUP}/web/3"
PRIORITY = 100
"""Of the production rule."""
OTHER_GROUP, OTHER_PORT = f"{GROUP}/web-other/7", 9090
"""Where a second listener leads to a second port of the tasks."""
COUNT = 2
"""How many tasks the owner's stack declares where its service runs anything."""
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/crossfade/web", "awslogs-region": REGION, "awslogs-stream-prefix": "web"},
}
"""Where the service's tasks log."""
_DECLARED: dict[str, Any] = {
    "networkConfiguration": {
        "awsvpcConfiguration": {
            "subnets": ["subnet-1"],
            "securityGroups": ["sg-1"],
            "assignPublicIp": "ENABLED",
        }
    },
    "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
    "healthCheckGracePeriodSeconds": 30,
    "propagateTags": "SERVICE",
    "enableExecuteCommand": True,
}
"""What the owner's stack says of the service, besides count and task definition."""


def ports(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the load balancer reaches of the service: as many ports as rules lead there."""
    found = [(TARGET_GROUP, 8080), (OTHER_GROUP, OTHER_PORT)][: len(document["traffic"])]
    return [{"targetGroupArn": group, "containerName": "app", "containerPort": port} for group, port in found]


def prepare(world: World, secret: str) -> None:
    """The production rule leads to the owner's service; others by a secret header to it and the slots."""
    own, priority = world.own, 0
    tags = {"crossfade:service": own.service, "crossfade:spec": world.spec_name}
    for target, groups in own.ports:
        port = "" if target == own.ports[0][0] else target.name
        of_port: dict[str, str] = {slot: groups.of(slot) for slot in SLOTS}
        for kind, group in {**of_port, "pattern": groups.pattern}.items():
            role = preview_role(kind, port)
            header = {"HttpHeaderName": "x-crossfade-slot", "Values": [f"{secret}-{role}"]}
            condition = {"Field": "http-header", "HttpHeaderConfig": header}
            priority += 1
            arn = world.balancer.put_rule(role, priority, [condition], [_forward(group)])
            world.balancer.tags[arn] = tags
            if kind != "pattern":
                world.balancer.tags[group] = tags
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    for place, (entry, route) in enumerate(zip(own.traffic, own.routes, strict=True)):
        name, forward = route.rule.rpartition("/")[2], _forward(route.target_groups.pattern)
        users = world.balancer.put_rule(name, PRIORITY, [path], [forward], place)
        if isinstance(entry, OwnRule):
            world.balancer.tags[users] = tags


def declare(world: World, runs: Image | None) -> None:
    """The owner's stack makes its service; None: with 0 tasks, since it is to be released by Crossfade."""
    tag = runs.tag if runs else "0.0.1"
    if runs:
        world.registry.push(runs)
    world.ecs.create_service(
        cluster=world.own.cluster,
        serviceName="web",
        taskDefinition=_register(world, tag),
        desiredCount=COUNT if runs else 0,
        launchType="FARGATE",
        tags=[{"key": "team", "value": "web"}],
        loadBalancers=ports(world.document),
        **_DECLARED,
    )
    world.declared_count = COUNT if runs else 0


def apply(world: World) -> None:
    """The owner's stack is updated: CloudFormation sends every property of the service on any change.

    https://github.com/aws/aws-cdk/issues/25777
    """
    service = world.ecs.services["web"]
    before = f"{ECS}:task-definition/{FAMILY}"
    known = world.ecs.describe_task_definition(taskDefinition=before)["taskDefinition"]
    tag = known["containerDefinitions"][0]["image"].rpartition(":")[2]
    world.ecs.update_by_owner(
        "web",
        taskDefinition=_register(world, tag),
        desiredCount=world.declared_count,
        loadBalancers=ports(world.document),
        **_DECLARED,
    )
    assert service.definition != known["taskDefinitionArn"]
    world.ecs.deregister_task_definition(taskDefinition=known["taskDefinitionArn"])


def _register(world: World, tag: str) -> str:
    container = {
        "name": "app",
        "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:{tag}",
        "portMappings": [{"containerPort": one["containerPort"]} for one in ports(world.document)],
        "logConfiguration": LOGS,
    }
    answer = world.ecs.register_task_definition(
        family=FAMILY,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/crossfade/tasks/web",
        containerDefinitions=[container],
        tags=[{"key": "CostCenter", "value": "7"}],
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def _forward(group: str) -> dict[str, Any]:
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1}]}}
