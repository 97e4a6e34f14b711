"""What a blueprint needs, so that Fargate runs its releases and the load balancer reaches them."""

from collections.abc import Iterator, Mapping
from typing import Any

from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.task_definition import OWN_TAGS, Blueprint
from crossfade.domain.spec.service import ServiceSpec

ROLES = ":role/crossfade/tasks/"
"""Crossfade may pass roles of this path, and no others."""
MOST_TAGS = 50
"""Of a task definition in ECS; those of AWS's own do not count."""


def refuse_unusable(blueprint: Blueprint, spec: ServiceSpec) -> None:
    """Refuse what AWS would refuse later, when the deployment has begun.

    Raises
    ------
    PatternUnusable
        Names each fault with what was found and what is needed.
    """
    definition = blueprint.definition
    faults = [*_shape(definition), *_roles(definition), *_port(definition, spec), *_beyond(blueprint)]
    if faults:
        raise PatternUnusable(
            f"The blueprint {spec.blueprint} cannot be released: {'; '.join(faults)}. "
            "Correct the service's stack, then deploy again."
        )


def _shape(definition: Mapping[str, Any]) -> Iterator[str]:
    # What ECS found it fit for; requiresCompatibilities is what its owner asked for, if anything.
    fit = definition.get("compatibilities") or definition.get("requiresCompatibilities") or []
    if "FARGATE" not in fit:
        yield f"it is for {' and '.join(fit) or 'no launch type'}, and must be for FARGATE"
    if definition.get("networkMode") != "awsvpc":
        yield f"networkMode is {definition.get('networkMode') or 'not set'}, and must be awsvpc"
    for size in ("cpu", "memory"):
        if not definition.get(size):
            yield f"{size} of the task is not set, and Fargate needs it"


def _roles(definition: Mapping[str, Any]) -> Iterator[str]:
    if not definition.get("executionRoleArn"):
        yield "executionRoleArn is not set, and without one Fargate pulls no image of ECR"
    for key in ("executionRoleArn", "taskRoleArn"):
        role = definition.get(key) or ""
        if ":role/" in role and ROLES not in role:
            yield f"{key} is {role}, and Crossfade may pass only roles with the path /crossfade/tasks/"


def _port(definition: Mapping[str, Any], spec: ServiceSpec) -> Iterator[str]:
    """The load balancer reaches a port that the container maps, and no other."""
    for container in definition["containerDefinitions"]:
        mappings = container.get("portMappings") or []
        mapped = [one["containerPort"] for one in mappings if one.get("containerPort")]
        ranges = [one["containerPortRange"] for one in mappings if one.get("containerPortRange")]
        if container["name"] == spec.container and spec.port not in mapped and not ranges:
            found = ", ".join(str(port) for port in mapped) or "no port"
            yield f"container {spec.container} maps {found}, and port in the service spec is {spec.port}"


def _beyond(blueprint: Blueprint) -> Iterator[str]:
    for volume in blueprint.definition.get("volumes") or []:
        if volume.get("configuredAtLaunch"):
            yield f"volume {volume['name']} is configured at launch, for which Crossfade has no setting"
    if len(blueprint.tags) + len(OWN_TAGS) > MOST_TAGS:
        yield f"it has {len(blueprint.tags)} tags, Crossfade adds {len(OWN_TAGS)}, and ECS allows {MOST_TAGS}"
