"""ECR calls that MiniStack 1.5.33 answers differently: pushes that are told, and images that are listed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import ecr, eventbridge

_PAGE = 100  # images, unless the call says otherwise

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]


def install() -> None:
    """Put the patches in place; ECR looks its operations up by name."""
    ecr._put_image = raise_push_events(note_each_push(ecr._put_image))
    ecr._describe_images = list_in_pages(refuse_unknown_images(ecr._describe_images))


def note_each_push(put_image: Action) -> Action:
    """MiniStack 1.5.33: the time of a push is a whole second, so that two pushes may have the same. AWS keeps
    milliseconds, and the time of the first push when an image that is there gets another tag.
    """
    last = 0

    def put_and_note(data: dict[str, Any]) -> Response:
        nonlocal last
        repository = data.get("repositoryName", "")
        known = {image["imageDigest"] for image in ecr._images.get(repository, [])}
        response = put_image(data)
        for image in ecr._images.get(repository, []):
            if image["imageDigest"] not in known:
                last = max(last + 1, time.time_ns() // 1_000_000)
                image["imagePushedAt"] = last / 1000
        return response

    return put_and_note


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


def list_in_pages(describe: Action) -> Action:
    """MiniStack 1.5.33: DescribeImages has no filter and no pages; an untagged image has an empty list."""

    def describe_page(data: dict[str, Any]) -> Response:
        status, headers, body = describe(data)
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

    return describe_page
