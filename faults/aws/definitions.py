"""Task definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faults.aws.answer import AwsError
from faults.aws.images import Image
from faults.aws.names import ACCOUNT, REGION

ECS = f"arn:aws:ecs:{REGION}:{ACCOUNT}"


class TaskDefinitions:
    """Operations of ``ecs`` on task definitions; ``images`` are those in ECR, by digest."""

    def __init__(self, images: dict[str, Image]) -> None:
        self._images = images
        self._families: dict[str, list[dict[str, Any]]] = {}

    def register_task_definition(
        self, *, family: str, tags: list[dict[str, str]] | None = None, **given: Any
    ) -> dict[str, Any]:
        """A new revision of a family."""
        revisions = self._families.setdefault(family, [])
        number = len(revisions) + 1
        registered = given | {
            "family": family,
            "revision": number,
            "taskDefinitionArn": f"{ECS}:task-definition/{family}:{number}",
            "status": "ACTIVE",
        }
        revisions.append({"taskDefinition": registered, "tags": tags or []})
        return {"taskDefinition": registered, "tags": tags or []}

    def describe_task_definition(
        self, *, taskDefinition: str, include: list[str] | None = None
    ) -> dict[str, Any]:
        """A revision by its ARN, or the newest one of a family."""
        family, _, number = taskDefinition.rpartition("/")[2].partition(":")
        revisions = self._families.get(family, [])
        if not revisions or int(number or 1) > len(revisions):
            raise AwsError("ClientException", "Unable to describe task definition.")
        found = revisions[int(number) - 1 if number else -1]
        return found if include == ["TAGS"] else {"taskDefinition": found["taskDefinition"]}

    def registered(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every revision by its ARN, with its tags."""
        for revisions in self._families.values():
            for found in revisions:
                yield found["taskDefinition"]["taskDefinitionArn"], found

    def image(self, definition: str) -> Image:
        """What a task definition runs: a release by its digest, what its owner wrote by its tag."""
        found = self.describe_task_definition(taskDefinition=definition)["taskDefinition"]
        image = str(found["containerDefinitions"][0]["image"])
        if "@" in image:
            return self._images[image.partition("@")[2]]
        return next(known for known in self._images.values() if known.tag == image.rpartition(":")[2])

    def deregister_task_definition(self, *, taskDefinition: str) -> dict[str, Any]:
        """Nothing more can be started with it; what runs goes on, and it can still be described."""
        found = self.describe_task_definition(taskDefinition=taskDefinition)["taskDefinition"]
        found["status"] = "INACTIVE"
        return {"taskDefinition": found}
