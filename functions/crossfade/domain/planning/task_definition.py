"""A release's task definition: the blueprint with its image, and a log stream prefix of its own."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.plan import Contents, LogStreams, Release, RunningRelease
from crossfade.domain.spec.service import ServiceSpec

# What RegisterTaskDefinition takes (botocore ecs 2014-11-13), less what is set here.
COPIED = (
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
)
SET = ("family", "containerDefinitions")
OF_ECS = (
    "taskDefinitionArn",
    "revision",
    "status",
    "compatibilities",
    "requiresAttributes",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
)
"""What ECS adds to a task definition by itself, and RegisterTaskDefinition does not take."""

_ECR = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[^/]+/([^:@]+)")
"""A repository by account, region and name: ECR has several hosts for each."""

GROUP, PREFIX = "awslogs-group", "awslogs-stream-prefix"
READABLE = "/crossfade/"
"""Crossfade's role may read log groups under this name, and no others."""

VERSION, DIGEST, BLUEPRINT = "crossfade:version", "crossfade:digest", "crossfade:pattern"
OWN_TAGS = (VERSION, DIGEST, BLUEPRINT)


class Blueprint(NamedTuple):
    """A blueprint as ECS describes it.

    ``tags`` are without AWS's own; ``unknown`` names what ECS says of it and boto3 does not know, such as
    ``containerDefinitions.app.newField``.
    """

    definition: Mapping[str, Any]
    tags: Mapping[str, str]
    unknown: tuple[str, ...] = ()


def registration(blueprint: Blueprint, spec: ServiceSpec, release: Release) -> dict[str, Any]:
    """The arguments of RegisterTaskDefinition for a release.

    Every container whose image is of the released repository gets the pushed image, and the spec's container
    in any case. The tags make the running service tell by itself what it runs.

    Raises
    ------
    PatternUnusable
        The blueprint has no container of the spec's name.
    """
    definition = blueprint.definition
    names = [container["name"] for container in definition["containerDefinitions"]]
    if spec.container not in names:
        raise PatternUnusable(
            f"The blueprint {spec.blueprint} has the containers {', '.join(names)} and no {spec.container}. "
            "Correct container in the service spec, or the blueprint."
        )
    return {
        **{key: definition[key] for key in COPIED if definition.get(key)},
        "family": spec.service,
        "containerDefinitions": [
            _container(container, spec, release) for container in definition["containerDefinitions"]
        ],
        "tags": [{"key": key, "value": value} for key, value in _tags(blueprint, release).items()],
    }


def contents(blueprint: Blueprint, spec: ServiceSpec, release: Release) -> Contents:
    """What a release has of the pushed image, and what it has, or has not, of its blueprint."""
    definition = blueprint.definition
    containers = definition["containerDefinitions"]
    known = {*COPIED, *SET, *OF_ECS}
    return Contents(
        released=tuple(one["name"] for one in containers if _is_released(one, spec, release)),
        kept={one["name"]: one["image"] for one in containers if not _is_released(one, spec, release)},
        left_out=(
            *(key for key, value in definition.items() if value and key not in known),
            *blueprint.unknown,
        ),
        tags=dict(blueprint.tags),
    )


def already_registered(newest: Mapping[str, Any], tags: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    """Whether a revision is what is to be registered.

    Its tags alone do not tell: a person's new revision is made from the old one, tags and all.
    """
    of_newest = {key: newest[key] for key in COPIED if newest.get(key)}
    same = of_newest == {key: wanted[key] for key in COPIED if key in wanted}
    return bool(
        same
        and newest["containerDefinitions"] == wanted["containerDefinitions"]
        and {tag["key"]: tag["value"] for tag in wanted["tags"]}.items() <= tags.items()
    )


def log_streams(task_definition: Mapping[str, Any], container: str) -> LogStreams | None:
    """Where a container's log lines go; None where that is not CloudWatch Logs with a stream prefix."""
    for found in task_definition["containerDefinitions"]:
        logs = found.get("logConfiguration") or {}
        options = logs.get("options") or {}
        if found["name"] == container and logs.get("logDriver") == "awslogs" and PREFIX in options:
            return LogStreams(group=options.get(GROUP, ""), prefix=f"{options[PREFIX]}/{container}/")
    return None


def feed_streams(task_definition: Mapping[str, Any], spec: ServiceSpec) -> LogStreams:
    """Where a release's outcome feed will be found.

    Raises
    ------
    PatternUnusable
        The spec wants a feed, and it could not be read.
    """
    found = log_streams(task_definition, spec.container)
    if found is None or not found.group.startswith(READABLE):
        raise PatternUnusable(
            f"gate.users is feed, but Crossfade cannot read the log of container {spec.container}: the "
            f"blueprint {spec.blueprint} must use the awslogs driver with an awslogs-stream-prefix, and a "
            f"log group whose name begins with {READABLE}. Correct it, or set gate.users to metrics."
        )
    return found


def _tags(blueprint: Blueprint, release: Release) -> dict[str, str]:
    own = {VERSION: release.version, DIGEST: release.digest, BLUEPRINT: release.pattern}
    return {**blueprint.tags, **own}


def _repository(image: str) -> tuple[str, ...] | None:
    """The account, region and name of an image's repository; None where it is not in ECR."""
    found = _ECR.match(image)
    return found.groups() if found else None


def _is_released(container: Mapping[str, Any], spec: ServiceSpec, release: Release) -> bool:
    """Whether a container runs the pushed image: the spec's does, and all of the same repository."""
    repository = _repository(container["image"])
    return container["name"] == spec.container or (
        repository is not None and repository == _repository(release.image)
    )


def _container(blueprint: Mapping[str, Any], spec: ServiceSpec, release: Release) -> dict[str, Any]:
    """A container with the release's image, where it is to have it.

    The spec's container has log streams of this release only, which separates the slots' outcome feeds.
    """
    if not _is_released(blueprint, spec, release):
        return dict(blueprint)
    container = {**blueprint, "image": release.image}
    logs = container.get("logConfiguration") or {}
    options = logs.get("options") or {}
    if container["name"] == spec.container and logs.get("logDriver") == "awslogs" and PREFIX in options:
        digest, revision = release.digest.removeprefix("sha256:")[:12], release.pattern.rsplit(":", 1)[-1]
        prefix = f"{options[PREFIX]}/{release.version}-{digest}-{revision}"
        container["logConfiguration"] = {**logs, "options": {**options, PREFIX: prefix}}
    return container


def running_release(tags: Mapping[str, str]) -> RunningRelease | None:
    """What the tags of a task definition say that it runs; None when Crossfade did not register it."""
    if not set(OWN_TAGS) <= tags.keys():
        return None
    return RunningRelease(version=tags[VERSION], digest=tags[DIGEST], blueprint=tags[BLUEPRINT])
