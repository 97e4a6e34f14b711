"""A release's task definition: the blueprint with its image, and a log stream prefix of its own."""

from collections.abc import Mapping
from typing import Any

from crossfade.domain.errors import BlueprintUnusable
from crossfade.domain.plan import LogStreams, Release, RunningRelease
from crossfade.domain.spec import ServiceSpec

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

GROUP, PREFIX = "awslogs-group", "awslogs-stream-prefix"
READABLE = "/crossfade/"
"""Crossfade's role may read log groups under this name, and no others."""

VERSION, DIGEST, BLUEPRINT = "crossfade:version", "crossfade:digest", "crossfade:blueprint"


def registration(blueprint: Mapping[str, Any], spec: ServiceSpec, release: Release) -> dict[str, Any]:
    """The arguments of RegisterTaskDefinition for a release.

    The tags make the running service tell by itself what it runs.

    Raises
    ------
    BlueprintUnusable
        The blueprint has no container of the spec's name.
    """
    names = [container["name"] for container in blueprint["containerDefinitions"]]
    if spec.container not in names:
        raise BlueprintUnusable(
            f"The blueprint {spec.blueprint} has the containers {', '.join(names)} and no {spec.container}. "
            "Correct container in the service spec, or the blueprint."
        )
    return {
        **{key: blueprint[key] for key in COPIED if blueprint.get(key)},
        "family": spec.service,
        "containerDefinitions": [
            _container(container, release) if container["name"] == spec.container else container
            for container in blueprint["containerDefinitions"]
        ],
        "tags": [
            {"key": VERSION, "value": release.version},
            {"key": DIGEST, "value": release.digest},
            {"key": BLUEPRINT, "value": release.blueprint},
        ],
    }


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
    BlueprintUnusable
        The spec wants a feed, and it could not be read.
    """
    found = log_streams(task_definition, spec.container)
    if found is None or not found.group.startswith(READABLE):
        raise BlueprintUnusable(
            f"gate.users is feed, but Crossfade cannot read the log of container {spec.container}: the "
            f"blueprint {spec.blueprint} must use the awslogs driver with an awslogs-stream-prefix, and a "
            f"log group whose name begins with {READABLE}. Correct it, or set gate.users to metrics."
        )
    return found


def _container(blueprint: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """The spec's container: the release's image, and log streams that are of this release alone.

    By its streams a slot's outcome feed is told from the other's.
    """
    container = {**blueprint, "image": release.image}
    logs = container.get("logConfiguration") or {}
    options = logs.get("options") or {}
    if logs.get("logDriver") == "awslogs" and PREFIX in options:
        digest, revision = release.digest.removeprefix("sha256:")[:12], release.blueprint.rsplit(":", 1)[-1]
        prefix = f"{options[PREFIX]}/{release.version}-{digest}-{revision}"
        container["logConfiguration"] = {**logs, "options": {**options, PREFIX: prefix}}
    return container


def running_release(tags: Mapping[str, str]) -> RunningRelease | None:
    """What the tags of a task definition say that it runs; None when Crossfade did not register it."""
    if not {VERSION, DIGEST, BLUEPRINT} <= tags.keys():
        return None
    return RunningRelease(version=tags[VERSION], digest=tags[DIGEST], blueprint=tags[BLUEPRINT])
