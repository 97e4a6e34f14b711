"""A release's task definition: the blueprint with its image replaced, and nothing else changed."""

from collections.abc import Mapping
from typing import Any

from crossfade.domain.errors import BlueprintUnusable
from crossfade.domain.plan import Release, RunningRelease
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
            {**container, "image": release.image} if container["name"] == spec.container else container
            for container in blueprint["containerDefinitions"]
        ],
        "tags": [
            {"key": VERSION, "value": release.version},
            {"key": DIGEST, "value": release.digest},
            {"key": BLUEPRINT, "value": release.blueprint},
        ],
    }


def running_release(tags: Mapping[str, str]) -> RunningRelease | None:
    """What the tags of a task definition say that it runs; None when Crossfade did not register it."""
    if not {VERSION, DIGEST, BLUEPRINT} <= tags.keys():
        return None
    return RunningRelease(version=tags[VERSION], digest=tags[DIGEST], blueprint=tags[BLUEPRINT])
