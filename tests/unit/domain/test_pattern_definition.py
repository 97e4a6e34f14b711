"""The release's task definition: the blueprint with its image replaced."""

from typing import Any

import botocore.session
import pytest

from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.fargate import refuse_unusable
from crossfade.domain.planning.plan import Contents, LogStreams
from crossfade.domain.planning.task_definition import (
    COPIED,
    OF_ECS,
    SET,
    Blueprint,
    contents,
    feed_streams,
    log_streams,
    registration,
    running_release,
)
from faults.aws.names import ACCOUNT, REGION
from tests.unit.examples import NEW, release, spec

DEFINITION: dict[str, Any] = {
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
    "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/crossfade/tasks/web",
    "volumes": [],
    "containerDefinitions": [
        {"name": "app", "image": "web:blueprint", "portMappings": [{"containerPort": 8080}]},
        {"name": "sidecar", "image": "proxy:1"},
    ],
}
REPOSITORY = release().image.partition("@")[0]


def _blueprint(*containers: dict[str, Any], tags: dict[str, str] | None = None, **changes: Any) -> Blueprint:
    """The blueprint, with other containers beside its own two, tags, or other fields."""
    own = DEFINITION["containerDefinitions"]
    return Blueprint(DEFINITION | {"containerDefinitions": [*own, *containers]} | changes, tags or {})


BLUEPRINT = _blueprint()


def test_only_the_image_of_the_container_changes() -> None:
    """Ports, sidecars, sizes stay; what ECS adds by itself is left out."""
    expected = {
        "family": "web",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/crossfade/tasks/web",
        "containerDefinitions": [
            {"name": "app", "image": release().image, "portMappings": [{"containerPort": 8080}]},
            {"name": "sidecar", "image": "proxy:1"},
        ],
        "tags": [
            {"key": "crossfade:version", "value": "0.0.2"},
            {"key": "crossfade:digest", "value": NEW},
            {"key": "crossfade:pattern", "value": spec().blueprint},
        ],
    }
    assert registration(BLUEPRINT, spec(), release()) == expected


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(f"{REPOSITORY}:0.0.1", id="tag"),
        pytest.param(REPOSITORY, id="no-tag"),
        pytest.param(f"{REPOSITORY}:0.0.1@{NEW}", id="digest"),
        pytest.param(f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/web:0.0.1", id="dual-stack-host"),
        pytest.param(f"{ACCOUNT}.dkr.ecr-fips.{REGION}.amazonaws.com/web:0.0.1", id="fips-host"),
    ],
)
def test_every_container_of_the_repository_gets_the_image(image: str) -> None:
    """An init container that migrates the database must not run an older version's migration."""
    blueprint = _blueprint({"name": "migrate", "image": image})

    registered = registration(blueprint, spec(), release())["containerDefinitions"]

    assert [one["image"] for one in registered] == [release().image, "proxy:1", release().image]
    found = contents(blueprint, spec(), release())
    assert (found.released, found.kept) == (("app", "migrate"), {"sidecar": "proxy:1"})
    assert found.summary == "app, migrate run the pushed image; sidecar keeps proxy:1"


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(f"{REPOSITORY}-proxy:1", id="name-that-begins-alike"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/web:1", id="name-that-ends-alike"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/web:1", id="another-region"),
        pytest.param(f"210987654321.dkr.ecr.{REGION}.amazonaws.com/web:1", id="another-account"),
        pytest.param("web:1", id="another-registry"),
    ],
)
def test_other_images_stay_and_are_told(image: str) -> None:
    """They are no part of the release."""
    blueprint = _blueprint({"name": "proxy", "image": image})
    assert registration(blueprint, spec(), release())["containerDefinitions"][2]["image"] == image
    assert contents(blueprint, spec(), release()).kept["proxy"] == image


def test_a_release_that_is_the_pushed_image_alone_needs_no_words() -> None:
    """As most are."""
    own = [DEFINITION["containerDefinitions"][0]]
    found = contents(_blueprint(containerDefinitions=own), spec(), release())
    assert found == Contents(released=("app",), kept={}, left_out=(), tags={})
    assert found.summary == ""


def test_what_is_not_copied_is_told() -> None:
    """A field that is newer than this version of Crossfade, or of boto3."""
    blueprint = _blueprint(newField={"a": 1}, newSwitch=False)._replace(unknown=("volumes.data.newer",))
    found = contents(blueprint, spec(), release())
    assert found.left_out == ("newField", "volumes.data.newer")
    assert found.summary.endswith("not copied from the blueprint: newField, volumes.data.newer")


def test_tags_of_the_blueprint_are_kept() -> None:
    """Its owner counts costs by them; Crossfade's own win."""
    blueprint = _blueprint(tags={"CostCenter": "7", "crossfade:version": "blueprint"})
    tags = {tag["key"]: tag["value"] for tag in registration(blueprint, spec(), release())["tags"]}
    assert (tags["CostCenter"], tags["crossfade:version"], len(tags)) == ("7", "0.0.2", 4)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"compatibilities": ["EC2", "EXTERNAL"]}, "for EC2 and EXTERNAL, and", id="ec2"),
        pytest.param({"compatibilities": [], "requiresCompatibilities": []}, "no launch type", id="nothing"),
        pytest.param({"networkMode": "bridge"}, "networkMode is bridge, and must be awsvpc", id="bridge"),
        pytest.param({"networkMode": None}, "networkMode is not set", id="no-network-mode"),
        pytest.param({"cpu": None}, "cpu of the task is not set", id="no-cpu"),
        pytest.param({"memory": ""}, "memory of the task is not set", id="no-memory"),
        pytest.param({"executionRoleArn": ""}, "executionRoleArn is not set", id="no-execution-role"),
        pytest.param(
            {"taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/web"},
            f"taskRoleArn is arn:aws:iam::{ACCOUNT}:role/web, and .* path /crossfade/tasks/",
            id="role-that-cannot-be-passed",
        ),
        pytest.param(
            {"volumes": [{"name": "data", "configuredAtLaunch": True}]},
            "volume data is configured at launch",
            id="ebs",
        ),
    ],
)
def test_what_fargate_would_refuse_is_refused_first(changes: dict[str, Any], named: str) -> None:
    """Before anything is changed, and with what was found."""
    with pytest.raises(PatternUnusable, match=named):
        refuse_unusable(_blueprint(**changes), spec())


@pytest.mark.parametrize(
    ("mappings", "named"),
    [
        pytest.param([{"containerPort": 3000}, {"containerPort": 9090}], "3000, 9090", id="others"),
        pytest.param(None, "no port", id="none"),
        pytest.param([], "no port", id="empty"),
    ],
)
def test_a_port_that_the_container_does_not_map_is_refused(mappings: Any, named: str) -> None:
    """Both ports are named; another container's mapping is of no use."""
    app = {"name": "app", "image": "web:blueprint", "portMappings": mappings}
    other = {"name": "proxy", "image": "proxy:1", "portMappings": [{"containerPort": 8080}]}
    blueprint = _blueprint(containerDefinitions=[app, other])
    with pytest.raises(
        PatternUnusable, match=f"container app maps {named}, and port in the service spec is 8080"
    ):
        refuse_unusable(blueprint, spec())


def test_ports_of_a_range_are_for_aws_to_judge() -> None:
    """What is not known to be refused is not refused."""
    app = {"name": "app", "image": "web", "portMappings": [{"containerPortRange": "8000-8100"}]}
    refuse_unusable(_blueprint(containerDefinitions=[app]), spec())


@pytest.mark.parametrize(("tags", "fits"), [(47, True), (48, False)])
def test_there_is_room_for_the_tags(tags: int, fits: bool) -> None:
    """ECS allows 50 of them."""
    blueprint = _blueprint(tags={f"tag{n}": "x" for n in range(tags)})
    if fits:
        refuse_unusable(blueprint, spec())
    else:
        with pytest.raises(PatternUnusable, match="48 tags, Crossfade adds 3, and ECS allows 50"):
            refuse_unusable(blueprint, spec())


def test_every_fault_is_named_at_once() -> None:
    """Each one found by a deployment of its own would take a day."""
    with pytest.raises(PatternUnusable, match=r"networkMode is bridge.*; memory of the task is not set"):
        refuse_unusable(_blueprint(networkMode="bridge", memory=None), spec())


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


def _logging(logs: dict[str, Any] | None) -> Blueprint:
    """The blueprint, with a log configuration of its container; the sidecar logs in any case."""
    app, sidecar = DEFINITION["containerDefinitions"]
    app = app | ({"logConfiguration": logs} if logs is not None else {})
    return _blueprint(containerDefinitions=[app, sidecar | {"logConfiguration": AWSLOGS}])


def test_the_containers_log_streams_are_the_releases_own() -> None:
    """By their names a slot's outcome feed is told from the other's; nothing else of the log changes."""
    blueprint = _logging(AWSLOGS)
    app, sidecar = registration(blueprint, spec(), release())["containerDefinitions"]
    assert app["logConfiguration"] == AWSLOGS | {
        "options": AWSLOGS["options"] | {"awslogs-stream-prefix": OWN}
    }
    assert sidecar == blueprint.definition["containerDefinitions"][1]
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
    (app, sidecar), image = blueprint.definition["containerDefinitions"], {"image": release().image}
    assert registered == [app | image, sidecar]
    assert log_streams({"containerDefinitions": registered}, "app") is None
    with pytest.raises(PatternUnusable, match="log of container app"):
        feed_streams({"containerDefinitions": registered}, spec())


def test_a_release_logs_where_its_registration_says() -> None:
    """ECS names a stream prefix/container/task; no revision's prefix begins another's."""
    found = log_streams(registration(_logging(AWSLOGS), spec(), release()), "app")
    assert found == LogStreams(group="/crossfade/web", prefix=f"{OWN}/app/")
    tenth = release().model_copy(update={"blueprint": f"{release().pattern}0"})
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
        with pytest.raises(PatternUnusable, match="a log group whose name begins with /crossfade/"):
            feed_streams(wanted, spec())


def test_everything_that_can_be_registered_is_copied() -> None:
    """A new argument of RegisterTaskDefinition must not be lost on the way to production."""
    model = botocore.session.get_session().get_service_model("ecs")
    takes = set(model.operation_model("RegisterTaskDefinition").input_shape.members)
    assert takes == {*COPIED, *SET, "tags"}
    assert set(model.shape_for("TaskDefinition").members) == {*COPIED, *SET, *OF_ECS}


def test_a_blueprint_without_the_container_is_unusable() -> None:
    """The sentence names what there is, and what there is not."""
    with pytest.raises(PatternUnusable, match="app, sidecar and no web"):
        registration(BLUEPRINT, spec(container="web"), release())


def test_tags_tell_what_runs() -> None:
    """What registration wrote is what is read back."""
    tags = {tag["key"]: tag["value"] for tag in registration(BLUEPRINT, spec(), release())["tags"]}
    found = running_release(tags)
    assert found is not None
    assert (found.version, found.digest, found.pattern) == ("0.0.2", NEW, release().pattern)


@pytest.mark.parametrize("tags", [{}, {"crossfade:version": "1"}, {"Name": "web"}])
def test_what_others_registered_is_unknown(tags: dict[str, str]) -> None:
    """And is therefore never taken for the same release."""
    assert running_release(tags) is None
