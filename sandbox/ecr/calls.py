"""ECR calls that MiniStack answers differently: a push raises an event, images are listed in pages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import ecr, eventbridge

from sandbox.patching import replaces

_PAGE = 100  # images, unless the call says otherwise

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]


_last_push_ms = 0


@replaces(ecr, "_put_image", version="1.5.33")
def note_each_push(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: the time of a push is a whole second, so that two pushes may have the same. AWS keeps
    milliseconds, and the time of the first push when an image that is there gets another tag.
    """
    global _last_push_ms
    repository = data.get("repositoryName", "")
    known = {image["imageDigest"] for image in ecr._images.get(repository, [])}
    response = emulator(data)
    for image in ecr._images.get(repository, []):
        if image["imageDigest"] not in known:
            _last_push_ms = max(_last_push_ms + 1, time.time_ns() // 1_000_000)
            image["imagePushedAt"] = _last_push_ms / 1000
    return response


@replaces(ecr, "_put_image", version="1.5.33")
def raise_push_events(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: a push raises no "ECR Image Action" event, which starts deployments."""
    response = emulator(data)
    if response[0] == 200:
        _tell_of_push(json.loads(response[2])["image"], data.get("imageTag", ""))
    return response


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


@replaces(ecr, "_describe_images", version="1.5.33")
def refuse_unknown_images(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: an image that is asked for and not there is left out; AWS fails the call."""
    status, headers, body = emulator(data)
    asked = data.get("imageIds") or []
    if status == 200 and len(json.loads(body)["imageDetails"]) < len(asked):
        return error_response_json(
            "ImageNotFoundException",
            f"The image with imageId {asked} does not exist within the repository "
            f"with name '{data.get('repositoryName')}' in the registry with id '{get_account_id()}'",
            400,
        )
    return status, headers, body


@replaces(ecr, "_describe_images", version="1.5.33")
def list_in_pages(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: DescribeImages has no filter and no pages; an untagged image has an empty list."""
    status, headers, body = emulator(data)
    if status != 200:
        return status, headers, body
    wanted = (data.get("filter") or {}).get("tagStatus", "ANY")
    found = []
    for image in json.loads(body)["imageDetails"]:
        if not image["imageTags"]:
            del image["imageTags"]
        if wanted in ("ANY", "TAGGED" if "imageTags" in image else "UNTAGGED"):
            found.append(image)
    start, size = int(data.get("nextToken") or 0), data.get("maxResults") or _PAGE
    answer: dict[str, Any] = {"imageDetails": found[start : start + size]}
    if start + size < len(found):
        answer["nextToken"] = str(start + size)
    return status, headers, json.dumps(answer).encode()
