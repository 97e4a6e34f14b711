"""The release's task definition: the blueprint with its image replaced."""

from typing import Any

import botocore.session
import pytest

from crossfade.domain.blueprint import COPIED, registration, running_release
from crossfade.domain.errors import BlueprintUnusable
from tests.unit.examples import NEW, release, spec

BLUEPRINT: dict[str, Any] = {
    "taskDefinitionArn": spec().blueprint,
    "family": "web-blueprint",
    "revision": 1,
    "status": "ACTIVE",
    "compatibilities": ["EC2", "FARGATE"],
    "registeredBy": "somebody",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "volumes": [],
    "containerDefinitions": [
        {"name": "app", "image": "web:blueprint", "environment": [{"name": "A", "value": "1"}]},
        {"name": "sidecar", "image": "proxy:1"},
    ],
}


def test_only_the_image_of_the_container_changes() -> None:
    """Environment, sidecars, sizes stay; what ECS adds by itself is left out."""
    expected = {
        "family": "web",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [
            {"name": "app", "image": release().image, "environment": [{"name": "A", "value": "1"}]},
            {"name": "sidecar", "image": "proxy:1"},
        ],
        "tags": [
            {"key": "crossfade:version", "value": "0.0.2"},
            {"key": "crossfade:digest", "value": NEW},
            {"key": "crossfade:blueprint", "value": spec().blueprint},
        ],
    }
    assert registration(BLUEPRINT, spec(), release()) == expected


def test_everything_that_can_be_registered_is_copied() -> None:
    """A new argument of RegisterTaskDefinition must not be lost on the way to production."""
    model = botocore.session.get_session().get_service_model("ecs")
    takes = set(model.operation_model("RegisterTaskDefinition").input_shape.members)
    assert takes == set(COPIED) | {"family", "containerDefinitions", "tags"}


def test_a_blueprint_without_the_container_is_unusable() -> None:
    """The sentence names what there is, and what there is not."""
    with pytest.raises(BlueprintUnusable, match="app, sidecar and no web"):
        registration(BLUEPRINT, spec(container="web"), release())


def test_tags_tell_what_runs() -> None:
    """What registration wrote is what is read back."""
    tags = {tag["key"]: tag["value"] for tag in registration(BLUEPRINT, spec(), release())["tags"]}
    found = running_release(tags)
    assert found is not None
    assert (found.version, found.digest, found.blueprint) == ("0.0.2", NEW, release().blueprint)


@pytest.mark.parametrize("tags", [{}, {"crossfade:version": "1"}, {"Name": "web"}])
def test_what_others_registered_is_unknown(tags: dict[str, str]) -> None:
    """And is therefore never taken for the same release."""
    assert running_release(tags) is None
