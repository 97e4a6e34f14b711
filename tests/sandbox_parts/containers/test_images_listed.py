"""DescribeImages in the running sandbox."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox

pytestmark = pytest.mark.enable_socket

REPOSITORY = "listed"


@pytest.fixture(scope="module")
def ecr(sandbox: Sandbox) -> Any:
    """A repository with three images, pushed in a row; the tag of the first has moved to the third."""
    client = sandbox.client("ecr")
    client.create_repository(repositoryName=REPOSITORY)
    for number, tag in enumerate(["moving", "other", "moving"]):
        push(client, number, tag)
    return client


def push(client: Any, number: int, tag: str) -> str:
    """Put an image; returns its digest."""
    manifest = json.dumps({"schemaVersion": 2, "number": number})
    image = client.put_image(repositoryName=REPOSITORY, imageManifest=manifest, imageTag=tag)["image"]
    return str(image["imageId"]["imageDigest"])


def listed(client: Any, size: int = 100, **asked: Any) -> list[dict[str, Any]]:
    """All pages of DescribeImages."""
    pages = client.get_paginator("describe_images").paginate(
        repositoryName=REPOSITORY, PaginationConfig={"PageSize": size}, **asked
    )
    return [image for page in pages for image in page["imageDetails"]]


def test_pages(ecr: Any):
    """Page by page there are the same images as at once."""
    assert listed(ecr, size=1) == listed(ecr)
    assert len(ecr.describe_images(repositoryName=REPOSITORY, maxResults=2)["imageDetails"]) == 2


def test_the_filter(ecr: Any):
    """With a tag, without one."""
    tagged, untagged = (listed(ecr, filter={"tagStatus": status}) for status in ("TAGGED", "UNTAGGED"))

    assert [image["imageTags"] for image in tagged] == [["other"], ["moving"]]
    assert ["imageTags" in image for image in untagged] == [False]
    assert len(listed(ecr, filter={"tagStatus": "ANY"})) == 3


def test_every_push_has_its_time(ecr: Any):
    """In the order of the pushes; another tag for an image that is there changes nothing."""
    before = [image["imagePushedAt"] for image in listed(ecr)]
    digest = push(ecr, 1, "second-tag")

    assert before == sorted(set(before))
    assert [image["imagePushedAt"] for image in listed(ecr)] == before
    again = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": "second-tag"}])
    assert again["imageDetails"][0]["imageDigest"] == digest
    assert again["imageDetails"][0]["imagePushedAt"] == before[1]
