"""Images in ECR."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.errors import ImageNotInRepository, ImageTagNotFound, ResourceGone
from crossfade.domain.model import Model

NO_REPOSITORY = "RepositoryNotFoundException"
NOT_THERE = {"ImageNotFoundException", NO_REPOSITORY}


class Image(Model):
    """An image in a repository; ``uri`` is pinned by digest, as a task definition wants it."""

    digest: str
    tags: tuple[str, ...]
    uri: str
    pushed: datetime


class Pushed(Model):
    """An image that was pushed: its tag, digest, and when ECR received it."""

    tag: str
    digest: str
    at: datetime


class Registry:
    """Reads ECR through a boto3 ``ecr`` client."""

    def __init__(self, ecr: Any) -> None:
        self._ecr = ecr

    def by_tag(self, repository: str, tag: str) -> Image:
        """The image that a tag names now.

        Raises
        ------
        ImageTagNotFound
            No such tag.
        ResourceGone
            No such repository.
        """
        try:
            return self._image(repository, {"imageTag": tag})
        except ClientError as error:
            _refuse_gone(repository, error)
            if error_code(error) not in NOT_THERE:
                raise
            raise ImageTagNotFound(
                f"Repository {repository} has no image tagged {tag}. Push it, or correct the tag."
            ) from error

    def by_digest(self, repository: str, digest: str) -> Image:
        """The image of a digest.

        Raises
        ------
        ImageNotInRepository
            The service's repository does not hold it.
        ResourceGone
            No such repository.
        """
        try:
            return self._image(repository, {"imageDigest": digest})
        except ClientError as error:
            _refuse_gone(repository, error)
            if error_code(error) not in NOT_THERE:
                raise
            raise ImageNotInRepository(
                f"Repository {repository} has no image {digest}. Push it there, or correct the digest."
            ) from error

    def tags(self, repository: str, digest: str) -> tuple[str, ...]:
        """The tags of an image, as far as ECR shows them; none where the repository does not hold it."""
        try:
            found = self._ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        except ClientError as error:
            if error_code(error) not in NOT_THERE:
                raise
            return ()
        return tuple(found["imageDetails"][0].get("imageTags", []))

    def newest(self, repository: str, wanted: Callable[[str], bool]) -> Pushed | None:
        """The image pushed last of those with a tag that is ``wanted``; None when there is none."""
        return max(self._pushed(repository, wanted), key=lambda pushed: (pushed.at, pushed.tag), default=None)

    def _pushed(self, repository: str, wanted: Callable[[str], bool]) -> list[Pushed]:
        pages = self._ecr.get_paginator("describe_images").paginate(
            repositoryName=repository, filter={"tagStatus": "TAGGED"}
        )
        try:
            return [
                Pushed(tag=tag, digest=image["imageDigest"], at=image["imagePushedAt"])
                for page in pages
                for image in page["imageDetails"]
                for tag in image.get("imageTags", [])
                if wanted(tag)
            ]
        except ClientError as error:
            if error_code(error) not in NOT_THERE:
                raise
            return []

    def _image(self, repository: str, image: dict[str, str]) -> Image:
        detail = self._ecr.describe_images(repositoryName=repository, imageIds=[image])["imageDetails"][0]
        home = self._ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
        return Image(
            digest=detail["imageDigest"],
            tags=tuple(sorted(detail.get("imageTags", []))),
            uri=f"{home['repositoryUri']}@{detail['imageDigest']}",
            pushed=detail["imagePushedAt"],
        )


def _refuse_gone(repository: str, error: ClientError) -> None:
    if error_code(error) == NO_REPOSITORY:
        raise ResourceGone(
            f"There is no repository {repository} in this account and region. Make it, or correct repository "
            "in the service's spec; then push the image again."
        ) from error
