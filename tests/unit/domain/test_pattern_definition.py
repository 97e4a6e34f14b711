"""The release's task definition: the pattern's with its image replaced."""

from typing import Any

import botocore.session
import pytest

from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.fargate import refuse_unusable
from crossfade.domain.planning.plan import Contents, LogStreams, RunningRelease
from crossfade.domain.planning.task_definition import (
    COPIED,
    OF_ECS,
    SET,
    Definition,
    contents,
    feed_streams,
    feed_unreadable,
    log_streams,
    registration,
    running_release,
)
from crossfade.domain.spec.names import mark
from crossfade.domain.spec.placed import Placed
from faults.aws.names import ACCOUNT, REGION
from faults.cases.service import document
from tests.unit.examples import NEW, of_two_ports, pattern, placed, release

REPOSITORY = release().image.partition("@")[0]
IMAGE = f"{REPOSITORY}:0.0.0"
ROLES = [f"arn:aws:iam::{ACCOUNT}:role/crossfade/tasks/*"]
DEFINITION: dict[str, Any] = {
    "taskDefinitionArn": placed().pattern.task_definition,
    "family": "web-stack",
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
        {"name": "app", "image": IMAGE, "portMappings": [{"containerPort": 8080}]},
        {"name": "sidecar", "image": "proxy:1"},
    ],
}


def _definition(
    *containers: dict[str, Any], tags: dict[str, str] | None = None, **changes: Any
) -> Definition:
    """The pattern's, with other containers beside its own two, tags, or other fields."""
    own = DEFINITION["containerDefinitions"]
    return Definition(DEFINITION | {"containerDefinitions": [*own, *containers]} | changes, tags or {})


PATTERN = _definition()


def test_only_the_image_of_the_container_changes() -> None:
    """Ports, sidecars, sizes stay; what ECS adds by itself is left out."""
    expected = {
        "family": "crossfade-web",
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
            {"key": "crossfade:pattern", "value": placed().pattern.task_definition},
            {"key": "crossfade:settings", "value": placed().pattern.fingerprint},
            {"key": "crossfade:cluster", "value": "web"},
            {"key": "crossfade:spec", "value": "/crossfade/services/web"},
        ],
    }
    assert registration(PATTERN, placed(), release()) == expected


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
    theirs = _definition({"name": "migrate", "image": image})

    registered = registration(theirs, placed(), release())["containerDefinitions"]

    assert [one["image"] for one in registered] == [release().image, "proxy:1", release().image]
    found = contents(theirs, placed(), release())
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
    theirs = _definition({"name": "proxy", "image": image})
    assert registration(theirs, placed(), release())["containerDefinitions"][2]["image"] == image
    assert contents(theirs, placed(), release()).kept["proxy"] == image


def test_a_release_that_is_the_pushed_image_alone_needs_no_words() -> None:
    """As most are."""
    own = [DEFINITION["containerDefinitions"][0]]
    found = contents(_definition(containerDefinitions=own), placed(), release())
    assert found == Contents(released=("app",), kept={}, left_out=(), tags={})
    assert found.summary == ""


def test_what_is_not_copied_is_told() -> None:
    """A field that is newer than this version of Crossfade, or of boto3."""
    theirs = _definition(newField={"a": 1}, newSwitch=False)._replace(unknown=("volumes.data.newer",))
    found = contents(theirs, placed(), release())
    assert found.left_out == ("newField", "volumes.data.newer")
    assert found.summary.endswith("not copied from the pattern: newField, volumes.data.newer")


def test_what_the_service_lacks_and_warns_of_is_said_with_it() -> None:
    """The reason of PlanRelease is where its owner looks."""
    spec = placed(pattern=pattern(left_out=("deploymentConfiguration.alarms",), warnings=("slow start",)))
    own = [DEFINITION["containerDefinitions"][0]]
    found = contents(_definition(containerDefinitions=own), spec, release())
    assert found.summary == (
        "app runs the pushed image; not copied from the pattern: deploymentConfiguration.alarms; slow start"
    )
    warned = placed(pattern=pattern(warnings=("slow start",)))
    alone = contents(_definition(containerDefinitions=own), warned, release())
    assert alone.summary == "app runs the pushed image; slow start"


def test_tags_of_the_pattern_are_kept() -> None:
    """Its owner counts costs by them; Crossfade's own win."""
    theirs = _definition(tags={"CostCenter": "7", "crossfade:version": "pattern"})
    tags = {tag["key"]: tag["value"] for tag in registration(theirs, placed(), release())["tags"]}
    assert (tags["CostCenter"], tags["crossfade:version"], len(tags)) == ("7", "0.0.2", 7)


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
            f"taskRoleArn is arn:aws:iam::{ACCOUNT}:role/web, .* to the parameter TaskRoles",
            id="role-that-cannot-be-passed",
        ),
        pytest.param(
            {"volumes": [{"name": "data", "configuredAtLaunch": True}]},
            "volume data is configured at launch, and the service says nothing",
            id="ebs",
        ),
    ],
)
def test_what_fargate_would_refuse_is_refused_first(changes: dict[str, Any], named: str) -> None:
    """Before anything is changed, and with what was found."""
    with pytest.raises(PatternUnusable, match=named):
        refuse_unusable(_definition(**changes), placed(), ROLES)


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
    app = {"name": "app", "image": IMAGE, "portMappings": mappings}
    other = {"name": "proxy", "image": "proxy:1", "portMappings": [{"containerPort": 8080}]}
    theirs = _definition(containerDefinitions=[app, other])
    with pytest.raises(
        PatternUnusable,
        match=f"container app maps {named}, and the service's target group .* at 8080",
    ):
        refuse_unusable(theirs, placed(), ROLES)


def test_each_port_is_mapped() -> None:
    """By its own container."""
    app = {"name": "app", "image": IMAGE, "portMappings": [{"containerPort": 8080}]}
    proxy = {"name": "proxy", "image": "proxy:1", "portMappings": [{"containerPort": 9090}]}
    refuse_unusable(_definition(containerDefinitions=[app, proxy]), of_two_ports(), ROLES)
    theirs = _definition(containerDefinitions=[app, proxy | {"portMappings": []}])
    with pytest.raises(PatternUnusable, match=r"container proxy maps no port, .* reaches it at 9090"):
        refuse_unusable(theirs, of_two_ports(), ROLES)


def test_ports_of_a_range_are_for_aws_to_judge() -> None:
    """What is not known to be refused is not refused."""
    app = {"name": "app", "image": IMAGE, "portMappings": [{"containerPortRange": "8000-8100"}]}
    refuse_unusable(_definition(containerDefinitions=[app]), placed(), ROLES)


@pytest.mark.parametrize(("tags", "fits"), [(43, True), (44, False)])
def test_there_is_room_for_the_tags(tags: int, fits: bool) -> None:
    """ECS allows 50 of them."""
    theirs = _definition(tags={f"tag{n}": "x" for n in range(tags)})
    if fits:
        refuse_unusable(theirs, placed(), ROLES)
    else:
        with pytest.raises(PatternUnusable, match="44 tags, Crossfade adds 7, and ECS allows 50"):
            refuse_unusable(theirs, placed(), ROLES)


def test_every_fault_is_named_at_once() -> None:
    """Each one found by a deployment of its own would take a day."""
    with pytest.raises(PatternUnusable, match=r"networkMode is bridge.*; memory of the task is not set"):
        refuse_unusable(_definition(networkMode="bridge", memory=None), placed(), ROLES)


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
MARK = mark("/crossfade/services/web")
OWN = f"ecs/0.0.2-{'2' * 12}-1-{MARK}"


def _logging(logs: dict[str, Any] | None) -> Definition:
    """The pattern's, with a log configuration of its container; the sidecar logs in any case."""
    app, sidecar = DEFINITION["containerDefinitions"]
    app = app | ({"logConfiguration": logs} if logs is not None else {})
    return _definition(containerDefinitions=[app, sidecar | {"logConfiguration": AWSLOGS}])


def test_the_containers_log_streams_are_the_releases_own() -> None:
    """By their names a slot's outcome feed is told from the other's; nothing else of the log changes."""
    theirs = _logging(AWSLOGS)
    app, sidecar = registration(theirs, placed(), release())["containerDefinitions"]
    assert app["logConfiguration"] == AWSLOGS | {
        "options": AWSLOGS["options"] | {"awslogs-stream-prefix": OWN}
    }
    assert sidecar == theirs.definition["containerDefinitions"][1]
    assert theirs == _logging(AWSLOGS)


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
    theirs = _logging(logs)
    registered = registration(theirs, placed(), release())["containerDefinitions"]
    (app, sidecar), image = theirs.definition["containerDefinitions"], {"image": release().image}
    assert registered == [app | image, sidecar]
    assert log_streams({"containerDefinitions": registered}, "app") is None
    with pytest.raises(PatternUnusable, match="log of container app"):
        feed_streams({"containerDefinitions": registered}, placed())


def test_a_release_logs_where_its_registration_says() -> None:
    """ECS names a stream prefix/container/task; no revision's prefix begins another's."""
    found = log_streams(registration(_logging(AWSLOGS), placed(), release()), "app")
    assert found == LogStreams(group="/crossfade/web", prefix=f"{OWN}/app/")
    tenth = release().model_copy(update={"pattern": f"{release().pattern}0"})
    other = log_streams(registration(_logging(AWSLOGS), placed(), tenth), "app")
    assert other is not None
    assert not other.prefix.startswith(found.prefix)


def test_a_log_without_a_group_is_no_feed() -> None:
    """It could not be named when it is read."""
    options = AWSLOGS["options"] | {"awslogs-group": ""}
    wanted = registration(_logging(AWSLOGS | {"options": options}), placed(), release())
    with pytest.raises(PatternUnusable, match="awslogs-group"):
        feed_streams(wanted, placed())


def test_a_log_that_cannot_be_read_is_refused_with_awss_word() -> None:
    """And with the parameter that would let Crossfade read it."""
    found = str(feed_unreadable(placed(), LogStreams(group="/web", prefix="ecs/"), "AccessDenied"))
    assert "log group /web" in found
    assert "AccessDenied. Name the group's ARN in the parameter Adopted" in found


def test_a_pattern_that_left_crossfade_gets_no_second_prefix() -> None:
    """The owner's service runs a release since then; its streams and its tags do not pile up."""
    first = registration(_logging(AWSLOGS), placed(), release())
    tags = {tag["key"]: tag["value"] for tag in first["tags"]}
    left = _logging(AWSLOGS)._replace(
        definition={**DEFINITION, "containerDefinitions": first["containerDefinitions"]},
        made=running_release(tags),
    )
    newer = release(version="0.0.3", digest=f"sha256:{'3' * 64}")
    again = registration(left, placed(), newer)
    found = log_streams(again, "app")
    assert found is not None
    assert found.prefix == f"ecs/0.0.3-{'3' * 12}-1-{MARK}/app/"
    assert len(again["tags"]) == 6


def test_two_services_that_log_to_one_group_have_streams_of_their_own() -> None:
    """One push, two Crossfades, patterns with the same log: neither gate may read the other's users."""
    prefixes = [
        log_streams(registration(_logging(AWSLOGS), one, release()), "app")
        for one in (placed(), placed(preview_secret="/staging/preview/web"))
    ]
    assert all(prefixes)
    assert prefixes[0] != prefixes[1]


def test_a_release_of_an_earlier_crossfade_gets_no_second_prefix_either() -> None:
    """It did not say in its streams whose it is."""
    earlier = AWSLOGS | {"options": AWSLOGS["options"] | {"awslogs-stream-prefix": OWN.rpartition("-")[0]}}
    theirs = _logging(earlier)._replace(
        made=RunningRelease(version="0.0.2", digest=NEW, pattern=release().pattern, settings="")
    )
    found = log_streams(registration(theirs, placed(), release(version="0.0.3")), "app")
    assert found is not None
    assert found.prefix.startswith("ecs/0.0.3-")


def test_everything_that_can_be_registered_is_copied() -> None:
    """A new argument of RegisterTaskDefinition must not be lost on the way to production."""
    model = botocore.session.get_session().get_service_model("ecs")
    takes = set(model.operation_model("RegisterTaskDefinition").input_shape.members)
    assert takes == {*COPIED, *SET, "tags"}
    assert set(model.shape_for("TaskDefinition").members) == {*COPIED, *SET, *OF_ECS}


def _with_containers(*names: str) -> Placed:
    return placed(release=document()["release"] | {"containers": names})


def test_a_container_that_is_not_there_is_named() -> None:
    """The sentence names what there is, and what there is not."""
    with pytest.raises(PatternUnusable, match=r"app, sidecar and no web\. Correct release\.containers"):
        registration(PATTERN, _with_containers("app", "web"), release())


def test_the_containers_that_the_spec_names_get_the_image() -> None:
    """They alone, whatever theirs is: an owner's own build may have another repository."""
    theirs = _definition({"name": "migrate", "image": IMAGE})
    registered = registration(theirs, _with_containers("sidecar"), release())["containerDefinitions"]
    assert [one["image"] for one in registered] == [IMAGE, release().image, IMAGE]


def test_without_a_container_of_the_repository_the_images_are_named() -> None:
    """An image of another account, or the asset of a CDK application."""
    other = f"210987654321.dkr.ecr.{REGION}.amazonaws.com/web:1"
    theirs = _definition(containerDefinitions=[{"name": "app", "image": other}])
    with pytest.raises(PatternUnusable, match=rf"app: {other}\)\. Name the containers"):
        registration(theirs, placed(), release())


def _with_volume(role: str) -> Placed:
    volume = {"name": "data", "managedEBSVolume": {"roleArn": role, "sizeInGiB": 10}}
    return placed(pattern=pattern(settings={"volumeConfigurations": [volume]}))


def test_a_volume_that_the_service_configures_is_launched() -> None:
    """With a role that Crossfade passes too."""
    volume = {"name": "data", "configuredAtLaunch": True}
    refuse_unusable(_definition(volumes=[volume]), _with_volume(ROLES[0].replace("*", "ebs")), ROLES)
    with pytest.raises(PatternUnusable, match=r"roleArn of the volume data is .*:role/ebs"):
        refuse_unusable(
            _definition(volumes=[volume]), _with_volume(f"arn:aws:iam::{ACCOUNT}:role/ebs"), ROLES
        )


def test_tags_tell_what_runs() -> None:
    """What registration wrote is what is read back."""
    tags = {tag["key"]: tag["value"] for tag in registration(PATTERN, placed(), release())["tags"]}
    found = running_release(tags)
    assert found is not None
    assert (found.version, found.digest, found.pattern) == ("0.0.2", NEW, release().pattern)
    assert found.settings == placed().pattern.fingerprint


@pytest.mark.parametrize("tags", [{}, {"crossfade:version": "1"}, {"Name": "web"}])
def test_what_others_registered_is_unknown(tags: dict[str, str]) -> None:
    """And is therefore never taken for the same release."""
    assert running_release(tags) is None
