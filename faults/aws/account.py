"""What the simulated account holds, and the neighbours of the service: other people's things in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from faults.aws.definitions import ECS
from faults.aws.names import GROUP
from faults.aws.pattern import PRIORITY
from faults.aws.tasks import Rollout, Service, Task
from faults.law import Attributes, Held, Resource

if TYPE_CHECKING:
    from faults.world import World

NEIGHBOUR = "api"
"""A service that Crossfade has nothing to do with: in the same cluster, behind the same listener."""
_TARGET_GROUP = f"{GROUP}/{NEIGHBOUR}/4"


def settle(world: World) -> None:
    """Let the neighbours be there: they were before Crossfade, and nothing of theirs may change."""
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["api.example"]}}
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": _TARGET_GROUP}]}}
    world.balancer.put_rule("api", PRIORITY - 1, [host], [forward])
    for family in (NEIGHBOUR, world.own.service):
        # A family's name is known to all of the account: this one of the service's is a job of somebody's.
        world.ecs.register_task_definition(
            family=family, containerDefinitions=[{"name": "job", "image": "job:1"}]
        )
    reached = {"targetGroupArn": _TARGET_GROUP, "containerName": "app", "containerPort": 8080}
    placement = {"loadBalancers": [reached], "enableExecuteCommand": True}
    definition = f"{ECS}:task-definition/{NEIGHBOUR}:1"
    rollout = Rollout("ecs-svc/api", definition, state="COMPLETED", ran=True)
    task = Task(f"{ECS}:task/web/{NEIGHBOUR}", definition, "10.1.0.1", rollout=rollout.id, status="RUNNING")
    world.ecs.services[NEIGHBOUR] = Service(NEIGHBOUR, definition, 1, placement, [rollout], [task])
    resource = f"service/{_cluster(world)}/{NEIGHBOUR}"
    world.scaling.was_registered(resource, MinCapacity=1, MaxCapacity=8)
    world.parameters.values[f"/{NEIGHBOUR}/secret"] = "theirs"
    world.buckets.objects[f"{NEIGHBOUR}/certificate.json"] = b"theirs"
    key = (("service", NEIGHBOUR), ("item", "state"))
    world.dynamodb.items[key] = {"service": {"S": NEIGHBOUR}, "item": {"S": "state"}, "stable": {"S": "blue"}}


def names(world: World) -> dict[str, Any]:
    """What stands for the braces of the law."""
    spec = world.own
    return {
        "listener": _listeners(world), "rule_priority": PRIORITY, "cluster": _cluster(world),
        "pattern": spec.like.rpartition("/")[2],
        "service": spec.service, "stack": "crossfade",
    }  # fmt: skip


def held(world: World) -> Held:
    """Everything that an account's owner could find changed, and what runs in it by Crossfade's own will."""
    return dict([*_managed(world), *_stored(world)])


def managed(world: World) -> Held:
    """That part of it of which a write of one resource could change another, or more than it names."""
    return dict(_managed(world))


def _managed(world: World) -> Iterator[tuple[Resource, Attributes]]:
    cluster = _cluster(world)
    for listener, rule in world.balancer.listed():
        yield Resource("listener rule", f"{listener} {rule['Priority']}"), rule
    for name, service in world.ecs.services.items():
        if not service.deleted:
            yield Resource("ECS service", f"{cluster}/{name}"), _configured(service)
    for arn, registered in world.ecs.registered():
        yield Resource("task definition", arn.rpartition("/")[2]), registered
    for task, _ in world.ecs.probes:
        if task.wanted == "RUNNING":
            yield task_resource(task), {}
    for name, target in world.scaling.targets.items():
        yield Resource("scalable target", name), target


def _stored(world: World) -> Iterator[tuple[Resource, Attributes]]:
    for key, item in world.dynamodb.items.items():
        yield Resource("journal item", "/".join(value for _, value in key)), item
    for name, body in world.buckets.objects.items():
        yield Resource("object", name), {"body": body}
    for name, value in world.parameters.values.items():
        yield Resource("parameter", name), {"value": value}


def task_resource(task: Task) -> Resource:
    """A task by the family that it runs and its ARN."""
    family = task.definition.rpartition("/")[2].partition(":")[0]
    return Resource("task", f"{family}/{task.arn}")


def _configured(service: Service) -> Mapping[str, Any]:
    counted = {"taskDefinition": service.definition, "desiredCount": service.desired}
    return {**counted, "tags": dict(service.tags), **service.placement}


def _listeners(world: World) -> str:
    """The ARN of the listener of production, or a pattern of those of several."""
    first, *others = (route.listener for route in world.own.routes)
    if not others:
        return first
    before, _, last = first.rpartition("/")
    return f"{before}/[{last}{''.join(other.rpartition('/')[2] for other in others)}]"


def _cluster(world: World) -> str:
    return world.own.cluster.rpartition("/")[2]
