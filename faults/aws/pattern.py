"""The owner's own ECS service, and what is prepared beside it before the first deployment.

``prepare`` comes to what the code of the product makes, and a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossfade.domain.slots import SLOTS
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
COUNT = 2
"""How many tasks the owner's stack declares where its service runs anything."""
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/crossfade/web", "awslogs-region": REGION, "awslogs-stream-prefix": "web"},
}
"""Where the service's tasks log."""
_DECLARED: dict[str, Any] = {
    "loadBalancers": [{"targetGroupArn": TARGET_GROUP, "containerName": "app", "containerPort": 8080}],
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


def prepare(world: World, secret: str) -> None:
    """The production rule leads to the owner's service; others by a secret header to it and the slots."""
    own = world.own
    tags = {"crossfade:service": own.service, "crossfade:spec": world.spec_name}
    groups: dict[str, str] = {slot: own.target_groups.of(slot) for slot in SLOTS}
    for priority, (role, group) in enumerate({**groups, "pattern": TARGET_GROUP}.items(), start=1):
        header = {"HttpHeaderName": "x-crossfade-slot", "Values": [f"{secret}-{role}"]}
        condition = {"Field": "http-header", "HttpHeaderConfig": header}
        arn = world.balancer.put_rule(role, priority, [condition], [_forward(group)])
        world.balancer.tags[arn] = tags
    for group in groups.values():
        world.balancer.tags[group] = tags
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    users = world.balancer.put_rule(own.rule.rpartition("/")[2], PRIORITY, [path], [_forward(TARGET_GROUP)])
    if isinstance(own.route, OwnRule):
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
        **_DECLARED,
    )
    assert service.definition != known["taskDefinitionArn"]
    world.ecs.deregister_task_definition(taskDefinition=known["taskDefinitionArn"])


def _register(world: World, tag: str) -> str:
    container = {
        "name": "app",
        "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:{tag}",
        "portMappings": [{"containerPort": 8080}],
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
