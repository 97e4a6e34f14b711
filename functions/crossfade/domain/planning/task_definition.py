"""A release's task definition: the pattern's with its image, and a log stream prefix of its own."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.plan import Contents, LogStreams, Release, RunningRelease
from crossfade.domain.spec.names import SPEC_TAG, mark
from crossfade.domain.spec.placed import Placed

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

VERSION, DIGEST, PATTERN = "crossfade:version", "crossfade:digest", "crossfade:pattern"
SETTINGS = "crossfade:settings"
"""The fingerprint of the settings that the pattern's service had."""
RUN = "crossfade:run"
CLUSTER = "crossfade:cluster"
"""The name of the service's cluster: a service's name may be another one's in another cluster."""
OWN_TAGS = (VERSION, DIGEST, PATTERN, SETTINGS, RUN, CLUSTER, SPEC_TAG)


class Definition(NamedTuple):
    """The pattern's task definition as ECS describes it.

    ``tags`` are its owner's. ``unknown`` names what ECS says of it and boto3 does not know, such as
    ``containerDefinitions.app.newField``. ``made``: the release that Crossfade has registered it for, where
    the pattern runs one, because the service has left Crossfade before.
    """

    definition: Mapping[str, Any]
    tags: Mapping[str, str]
    unknown: tuple[str, ...] = ()
    made: RunningRelease | None = None


def registration(pattern: Definition, spec: Placed, release: Release) -> dict[str, Any]:
    """The arguments of RegisterTaskDefinition for a release.

    The containers that the spec names get the pushed image; where it names none, all whose image is of the
    released repository. The tags make the running service tell by itself what it runs.

    Raises
    ------
    PatternUnusable
        The pattern has no container of a name that the spec says, or none that would get the image.
    """
    definition = pattern.definition
    _refuse_containers(definition["containerDefinitions"], spec, release)
    return {
        **{key: definition[key] for key in COPIED if definition.get(key)},
        "family": spec.family,
        "containerDefinitions": [
            _container(container, pattern, spec, release) for container in definition["containerDefinitions"]
        ],
        "tags": [{"key": key, "value": value} for key, value in _tags(pattern, spec, release).items()],
    }


def _refuse_containers(containers: list[dict[str, Any]], spec: Placed, release: Release) -> None:
    names = [container["name"] for container in containers]
    missing = [name for name in spec.release.containers if name not in names]
    here = f"The task definition {spec.pattern.task_definition} of the pattern {spec.like}"
    if missing:
        raise PatternUnusable(
            f"{here} has the containers {', '.join(names)} and no {', '.join(missing)}. Correct "
            "release.containers in the service spec, or the task definition."
        )
    if not any(_is_released(container, spec, release) for container in containers):
        images = ", ".join(f"{container['name']}: {container['image']}" for container in containers)
        raise PatternUnusable(
            f"{here} has no container with an image of {release.image.partition('@')[0]}, by account, "
            f"region and name ({images}). Name the containers that get the pushed image in "
            "release.containers of the service spec, or correct release.repository, which is of Crossfade's "
            "account and region."
        )


def contents(pattern: Definition, spec: Placed, release: Release) -> Contents:
    """What a release has of the pushed image, and what it has, or has not, of its pattern."""
    definition = pattern.definition
    containers = definition["containerDefinitions"]
    known = {*COPIED, *SET, *OF_ECS}
    return Contents(
        released=tuple(one["name"] for one in containers if _is_released(one, spec, release)),
        kept={one["name"]: one["image"] for one in containers if not _is_released(one, spec, release)},
        left_out=(
            *(key for key, value in definition.items() if value and key not in known),
            *pattern.unknown,
            *spec.pattern.left_out,
        ),
        tags=dict(pattern.tags),
        warnings=spec.pattern.warnings,
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


def feed_streams(task_definition: Mapping[str, Any], spec: Placed) -> LogStreams:
    """Where a release's outcome feed will be found.

    Raises
    ------
    PatternUnusable
        The spec wants a feed, and the container that the load balancer reaches has no log to read it from.
    """
    container = spec.pattern.container
    found = log_streams(task_definition, container)
    if found is None or not found.group:
        raise PatternUnusable(
            f"gate.users is feed, but Crossfade cannot read the log of container {container}: the pattern's "
            f"task definition {spec.pattern.task_definition} must use the awslogs driver there, with an "
            "awslogs-group and an awslogs-stream-prefix. Correct it, or set gate.users to metrics."
        )
    return found


def feed_unreadable(spec: Placed, streams: LogStreams, why: str) -> PatternUnusable:
    """The error for a log that CloudWatch does not let Crossfade read; ``why`` is its word on it."""
    return PatternUnusable(
        f"gate.users is feed, but Crossfade cannot read the log group {streams.group} of the pattern's task "
        f"definition {spec.pattern.task_definition}: {why}. Name the group's ARN in the parameter Adopted of "
        "Crossfade's stack, or set gate.users to metrics."
    )


def _tags(pattern: Definition, spec: Placed, release: Release) -> dict[str, str]:
    own = {
        VERSION: release.version,
        DIGEST: release.digest,
        PATTERN: release.pattern,
        SETTINGS: release.settings,
        CLUSTER: spec.cluster_name,
        SPEC_TAG: spec.parameter,
        **({RUN: release.run} if release.run else {}),
    }
    return {**pattern.tags, **own}


def _repository(image: str) -> tuple[str, ...] | None:
    """The account, region and name of an image's repository; None where it is not in ECR."""
    found = _ECR.match(image)
    return found.groups() if found else None


def _is_released(container: Mapping[str, Any], spec: Placed, release: Release) -> bool:
    """Whether a container runs the pushed image."""
    if spec.release.containers:
        return container["name"] in spec.release.containers
    repository = _repository(container["image"])
    return repository is not None and repository == _repository(release.image)


def _container(
    shown: Mapping[str, Any], pattern: Definition, spec: Placed, release: Release
) -> dict[str, Any]:
    """A container with the release's image, where it is to have it.

    That which the load balancer reaches has log streams of this release and service only, which separates
    outcome feeds: those of the slots, and those of another Crossfade's service that logs to the same group.
    """
    container = dict(shown)
    if _is_released(shown, spec, release):
        container["image"] = release.image
    logs = shown.get("logConfiguration") or {}
    options = logs.get("options") or {}
    if shown["name"] == spec.pattern.container and logs.get("logDriver") == "awslogs" and PREFIX in options:
        made = pattern.made
        ending = rf"{re.escape(_stream(made))}(-[0-9a-f]{{6}})?$" if made else "$"
        prefix = f"{re.sub(ending, '', options[PREFIX])}{_stream(release)}-{mark(spec.parameter)}"
        container["logConfiguration"] = {**logs, "options": {**options, PREFIX: prefix}}
    return container


def _stream(release: Release | RunningRelease) -> str:
    """What the stream prefix of a release's log ends with."""
    digest, revision = release.digest.removeprefix("sha256:")[:12], release.pattern.rsplit(":", 1)[-1]
    return f"/{'-'.join(filter(None, (release.version, digest, revision, release.run)))}"


def running_release(tags: Mapping[str, str]) -> RunningRelease | None:
    """What the tags of a task definition say that it runs; None when Crossfade did not register it."""
    if not {VERSION, DIGEST, PATTERN} <= tags.keys():
        return None
    return RunningRelease(
        version=tags[VERSION],
        digest=tags[DIGEST],
        pattern=tags[PATTERN],
        settings=tags.get(SETTINGS, ""),
        run=tags.get(RUN, ""),
    )
