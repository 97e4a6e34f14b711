"""What a pattern's task definition needs, so that Fargate runs its releases and requests reach them."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.task_definition import OWN_TAGS, Definition
from crossfade.domain.spec.placed import Pattern, Placed

MOST_TAGS = 50
"""Of a task definition in ECS; those of AWS's own do not count."""


def refuse_unusable(pattern: Definition, spec: Placed, roles: Sequence[str]) -> None:
    """Refuse what AWS would refuse later, when the deployment has begun.

    ``roles`` are the ARNs that Crossfade may pass, in which ``*`` stands for anything.

    Raises
    ------
    PatternUnusable
        Names each fault with what was found and what is needed.
    """
    definition = pattern.definition
    faults = [
        *_shape(definition),
        *_roles(definition, spec, roles),
        *_port(definition, spec),
        *_volumes(definition, spec),
        *_tags(pattern),
    ]
    if faults:
        raise PatternUnusable(
            f"The task definition {spec.pattern.task_definition} of the pattern {spec.like} cannot be "
            f"released: {'; '.join(faults)}. Correct it where the service is declared, then deploy again."
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


def roles_of(definition: Mapping[str, Any], pattern: Pattern) -> dict[str, str]:
    """The ARNs of the roles that a release is registered and launched with, by the field that names each."""
    found = {key: definition.get(key) or "" for key in ("executionRoleArn", "taskRoleArn")}
    for volume in pattern.settings.get("volumeConfigurations", []):
        role = volume.get("managedEBSVolume", {}).get("roleArn", "")
        found[f"roleArn of the volume {volume['name']}"] = role
    return {key: role for key, role in found.items() if ":role/" in role}


def _roles(definition: Mapping[str, Any], spec: Placed, roles: Sequence[str]) -> Iterator[str]:
    if not definition.get("executionRoleArn"):
        yield "executionRoleArn is not set, and without one Fargate pulls no image of ECR"
    for key, role in roles_of(definition, spec.pattern).items():
        if not any(fnmatchcase(role, allowed) for allowed in roles):
            yield (
                f"{key} is {role}, and Crossfade may pass only {', '.join(roles)}: add the role's ARN to the "
                "parameter TaskRoles of Crossfade's stack"
            )


def _port(definition: Mapping[str, Any], spec: Placed) -> Iterator[str]:
    """The load balancer reaches ports that the containers map, and no others."""
    for target in spec.pattern.targets:
        for container in definition["containerDefinitions"]:
            mappings = container.get("portMappings") or []
            mapped = [one["containerPort"] for one in mappings if one.get("containerPort")]
            ranges = [one["containerPortRange"] for one in mappings if one.get("containerPortRange")]
            if container["name"] == target.container and target.port not in mapped and not ranges:
                found = ", ".join(str(one) for one in mapped) or "no port"
                yield (
                    f"container {target.container} maps {found}, and the service's target group reaches it "
                    f"at {target.port}"
                )


def _volumes(definition: Mapping[str, Any], spec: Placed) -> Iterator[str]:
    configured = {volume["name"] for volume in spec.pattern.settings.get("volumeConfigurations", [])}
    for volume in definition.get("volumes") or []:
        if volume.get("configuredAtLaunch") and volume["name"] not in configured:
            yield f"volume {volume['name']} is configured at launch, and the service says nothing of it"


def _tags(pattern: Definition) -> Iterator[str]:
    if len(pattern.tags) + len(OWN_TAGS) > MOST_TAGS:
        yield f"it has {len(pattern.tags)} tags, Crossfade adds {len(OWN_TAGS)}, and ECS allows {MOST_TAGS}"
