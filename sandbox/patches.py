"""What MiniStack 1.5.33's ECS and ECR lack; each patch says why it is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import ecr, ecs, eventbridge

from sandbox.containers import Runtime

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]


def install(runtime: Runtime) -> None:
    """Put all patches in place, before the emulator starts to serve."""
    ecs._get_docker = lambda: runtime
    ecs._ACTION_MAP["DescribeTasks"] = describe_what_still_stops(ecs._describe_tasks, runtime)
    ecs._make_deployment = begin_in_progress(ecs._make_deployment)
    ecr._put_image = raise_push_events(ecr._put_image)
    ecr._describe_images = refuse_unknown_images(ecr._describe_images)


def raise_push_events(put_image: Action) -> Action:
    """MiniStack 1.5.33: a push raises no "ECR Image Action" event, which starts deployments."""

    def put_and_tell(data: dict[str, Any]) -> Response:
        response = put_image(data)
        if response[0] == 200:
            _tell_of_push(json.loads(response[2])["image"], data.get("imageTag", ""))
        return response

    return put_and_tell


def _tell_of_push(image: dict[str, Any], tag: str) -> None:
    repository = image["repositoryName"]
    event = {
        "Source": "aws.ecr",
        "DetailType": "ECR Image Action",
        "Resources": [f"arn:aws:ecr:{get_region()}:{get_account_id()}:repository/{repository}"],
        "Detail": json.dumps(
            {
                "result": "SUCCESS",
                "repository-name": repository,
                "image-digest": image["imageId"]["imageDigest"],
                "action-type": "PUSH",
                "image-tag": tag,
                "manifest-media-type": image["imageManifestMediaType"],
            }
        ),
    }
    eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)


def refuse_unknown_images(describe: Action) -> Action:
    """MiniStack 1.5.33: an image that is asked for and not there is left out; AWS fails the call."""

    def describe_or_fail(data: dict[str, Any]) -> Response:
        status, headers, body = describe(data)
        asked = data.get("imageIds") or []
        if status == 200 and len(json.loads(body)["imageDetails"]) < len(asked):
            return error_response_json(
                "ImageNotFoundException",
                f"The image with imageId {asked} does not exist within the repository "
                f"with name '{data.get('repositoryName')}' in the registry with id '{get_account_id()}'",
                400,
            )
        return status, headers, body

    return describe_or_fail


def begin_in_progress(make: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """MiniStack 1.5.33: a new service's deployment is COMPLETED before a task runs, so that its circuit
    breaker never opens and tasks that cannot start are tried again without end or pause.
    """

    def make_in_progress(*args: Any, **options: Any) -> dict[str, Any]:
        deployment = make(*args, **options)
        reason = f"ECS deployment {deployment['id']} in progress."
        return deployment | {"rolloutState": "IN_PROGRESS", "rolloutStateReason": reason}

    return make_in_progress


def describe_what_still_stops(describe: Action, runtime: Runtime) -> Action:
    """MiniStack 1.5.33: a task is STOPPED the moment it is told to; on AWS when its containers have ended."""

    def describe_live(data: dict[str, Any]) -> Response:
        status, headers, body = describe(data)
        answer = json.loads(body)
        for task in answer.get("tasks", []):
            containers = runtime.stopping(task["taskArn"])
            if not containers:
                continue
            terminating = all(container.process.terminating for container in containers)
            task["lastStatus"] = "STOPPING" if terminating else "DEACTIVATING"
            task.pop("stoppedAt", None)
            for container in task["containers"]:
                container["lastStatus"] = "RUNNING"
                container.pop("exitCode", None)
        return status, headers, json.dumps(answer).encode()

    return describe_live
