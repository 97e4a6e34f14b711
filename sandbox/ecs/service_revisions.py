"""Service revisions: what each deployment of a service was made with, which is `monitoring` nowhere else.

MiniStack has none. Sources: botocore's model of DescribeServiceRevisions, and of a Service's
`currentServiceRevisions`.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, json_response
from ministack.services import ecs

from sandbox.patching import replaces

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]
Described = dict[str, Any]

_revisions = AccountRegionScopedDict()
"""By ARN, each with the deployment that made it."""
_OF_THE_SERVICE = ("serviceArn", "clusterArn", "loadBalancers", "serviceRegistries")
_OF_THE_DEPLOYMENT = (
    "capacityProviderStrategy",
    "launchType",
    "networkConfiguration",
    "platformFamily",
    "platformVersion",
    "serviceConnectConfiguration",
    "taskDefinition",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)


def record(service: Described, deployment: Described, monitoring: Described | None) -> None:
    """Make the revision of a deployment that has just begun."""
    place = service["serviceArn"].replace(":service/", ":service-revision/")
    arn = f"{place}/{secrets.randbelow(10**19):019}"
    deployment["_revision"] = arn
    kept = {name: service.get(name) for name in _OF_THE_SERVICE}
    kept |= {name: deployment.get(name) for name in _OF_THE_DEPLOYMENT}
    kept |= {"serviceRevisionArn": arn, "createdAt": time.time(), "guardDutyEnabled": False}
    _revisions[arn] = kept | {"monitoring": monitoring}, deployment


@replaces(ecs, "_ACTION_MAP", "DescribeServiceRevisions", version="1.5.33")
def describe(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: an empty list."""
    found, failures = [], []
    for arn in data["serviceRevisionArns"]:
        if known := _revisions.get(arn):
            revision, deployment = known
            found.append(ecs._sanitize({**revision, "containerImages": _images(deployment)}))
        else:
            failures.append({"arn": arn, "reason": "MISSING"})
    return json_response({"serviceRevisions": found, "failures": failures})


@replaces(ecs, "_ACTION_MAP", "DescribeServices", version="1.5.33")
def show_current_revisions(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: a service does not name its revisions."""
    status, headers, body = emulator(data)
    answer = json.loads(body)
    arns = {
        deployment["id"]: deployment["_revision"]
        for service in list(ecs._services.values())
        for deployment in service["deployments"]
        if "_revision" in deployment
    }
    for service in answer.get("services", []):
        service["currentServiceRevisions"] = [
            {
                "arn": arns[deployment["id"]],
                "requestedTaskCount": deployment["desiredCount"],
                "runningTaskCount": deployment["runningCount"],
                "pendingTaskCount": deployment["pendingCount"],
            }
            for deployment in service["deployments"]
            if deployment["id"] in arns
        ]
    return status, headers, json.dumps(answer).encode()


def _images(deployment: Described) -> list[dict[str, str]]:
    """The containers' images; their digests from when a task has begun."""
    definition = ecs._task_defs.get(ecs._resolve_td_key(deployment["taskDefinition"])) or {}
    digests = deployment.get("_image_digests", {})
    return [
        {
            "containerName": container["name"],
            "image": container["image"],
            **({"imageDigest": digests[container["name"]]} if container["name"] in digests else {}),
        }
        for container in definition.get("containerDefinitions", [])
    ]
