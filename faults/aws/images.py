"""Images in ECR, and how what they hold behaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from faults.aws.answer import AwsError
from faults.aws.names import ACCOUNT, REGION
from faults.workflow.clock import Clock

Behaviour = Literal["good", "crashes", "crashes-late", "unhealthy", "wrong", "worse", "unfit"]
"""``crashes-late`` runs for a moment before it crashes, ``wrong`` answers with another version. ``worse``
fails from its first client on, for the probe too; ``unfit`` what users ask for, and never for the probe."""


@dataclass(frozen=True)
class Image:
    """A release of the sample service. ``tag`` is the version that it answers; it may have more of them."""

    tag: str
    behaviour: Behaviour = "good"

    @property
    def digest(self) -> str:
        """The digest that the tag is pushed with."""
        return f"sha256:{hashlib.sha256(self.tag.encode()).hexdigest()}"

    def answer(self, n: int, *, exposed: Callable[[], bool], user: bool) -> tuple[int, str | None]:
        """Status and version of the n-th answer; ``exposed``: clients were sent to it, by then."""
        if self.behaviour == "unfit" and user:
            return 500, None
        if self.behaviour == "worse" and exposed():
            return 500, None
        return 200, "9.9.9" if self.behaviour == "wrong" else self.tag


class Registry:
    """Operations of ``ecr`` over one repository, ``web``."""

    def __init__(self, clock: Clock) -> None:
        self.images: dict[str, Image] = {}
        """By digest."""
        self._clock = clock
        self._pushed: dict[str, datetime] = {}
        self._tags: dict[str, list[str]] = {}

    def push(self, image: Image, tag: str | None = None) -> None:
        """Have an image in the repository, under its tag or another one.

        ECR notes the second in which it comes; more tags do not change that.
        """
        self.images[image.digest] = image
        self._tags.setdefault(image.digest, []).append(tag or image.tag)
        self._pushed.setdefault(image.digest, self._clock.time().replace(microsecond=0))

    def describe_images(self, *, repositoryName: str, imageIds: list[dict[str, str]]) -> dict[str, Any]:
        """The images of these tags or digests."""
        found = [
            image
            for wanted in imageIds
            for image in self.images.values()
            if wanted == {"imageDigest": image.digest} or wanted.get("imageTag") in self._tags[image.digest]
        ]
        if repositoryName != "web" or len(found) < len(imageIds):
            raise AwsError("ImageNotFoundException", "The image does not exist within the repository")
        return {
            "imageDetails": [
                {
                    "imageDigest": image.digest,
                    "imageTags": self._tags[image.digest],
                    "imagePushedAt": self._pushed[image.digest],
                }
                for image in found
            ]
        }

    def describe_repositories(self, *, repositoryNames: list[str]) -> dict[str, Any]:
        """Where images are pulled from."""
        uri = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
        return {"repositories": [{"repositoryUri": f"{uri}/{name}"} for name in repositoryNames]}
