"""The release's task definition: the blueprint with its image replaced."""

from typing import Any

import botocore.session
import pytest

from crossfade.domain.blueprint import COPIED, feed_streams, log_streams, registration, running_release
from crossfade.domain.errors import BlueprintUnusable
from crossfade.domain.plan import LogStreams
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


AWSLOGS: dict[str, Any] = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/crossfade/web",
        "awslogs-stream-prefix": "ecs",
        "awslogs-region": "us-east-1",
        "mode": "non-blocking",
    },
    "secretOptions": [],
}
OWN = f"ecs/0.0.2-{'2' * 12}-1"


def _logging(logs: dict[str, Any] | None) -> dict[str, Any]:
    """The blueprint, with a log configuration of its container; the sidecar logs in any case."""
    app, sidecar = BLUEPRINT["containerDefinitions"]
    app = app | ({"logConfiguration": logs} if logs is not None else {})
    return BLUEPRINT | {"containerDefinitions": [app, sidecar | {"logConfiguration": AWSLOGS}]}


def test_the_containers_log_streams_are_the_releases_own() -> None:
    """By their names a slot's outcome feed is told from the other's; nothing else of the log changes."""
    blueprint = _logging(AWSLOGS)
    app, sidecar = registration(blueprint, spec(), release())["containerDefinitions"]
    assert app["logConfiguration"] == AWSLOGS | {
        "options": AWSLOGS["options"] | {"awslogs-stream-prefix": OWN}
    }
    assert sidecar == blueprint["containerDefinitions"][1]
    assert blueprint == _logging(AWSLOGS)


@pytest.mark.parametrize(
    "logs",
    [
        pytest.param(None, id="no-log"),
        pytest.param({"logDriver": "awslogs", "options": {"awslogs-group": "/web"}}, id="no-prefix"),
        pytest.param({"logDriver": "awslogs"}, id="no-options"),
        pytest.param({"logDriver": "splunk", "options": AWSLOGS["options"]}, id="another-driver"),
    ],
)
def test_other_logs_stay_as_they_are(logs: dict[str, Any] | None) -> None:
    """They cannot be read as a feed, and are the application's own affair."""
    blueprint = _logging(logs)
    registered = registration(blueprint, spec(), release())["containerDefinitions"]
    (app, sidecar), image = blueprint["containerDefinitions"], {"image": release().image}
    assert registered == [app | image, sidecar]
    assert log_streams({"containerDefinitions": registered}, "app") is None
    with pytest.raises(BlueprintUnusable, match="log of container app"):
        feed_streams({"containerDefinitions": registered}, spec())


def test_a_release_logs_where_its_registration_says() -> None:
    """ECS names a stream prefix/container/task; no revision's prefix begins another's."""
    found = log_streams(registration(_logging(AWSLOGS), spec(), release()), "app")
    assert found == LogStreams(group="/crossfade/web", prefix=f"{OWN}/app/")
    tenth = release().model_copy(update={"blueprint": f"{release().blueprint}0"})
    other = log_streams(registration(_logging(AWSLOGS), spec(), tenth), "app")
    assert other is not None
    assert not other.prefix.startswith(found.prefix)


@pytest.mark.parametrize(("group", "readable"), [("/crossfade/web", True), ("/web", False), ("", False)])
def test_a_feed_is_read_under_crossfades_name_only(group: str, readable: bool) -> None:
    """Its role may read no other log group."""
    options = AWSLOGS["options"] | {"awslogs-group": group}
    wanted = registration(_logging(AWSLOGS | {"options": options}), spec(), release())
    if readable:
        assert feed_streams(wanted, spec()).group == group
    else:
        with pytest.raises(BlueprintUnusable, match="a log group whose name begins with /crossfade/"):
            feed_streams(wanted, spec())


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
