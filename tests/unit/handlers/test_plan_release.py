"""PlanRelease: every check that can be made before anything is changed."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.aws.traffic import Traffic
from crossfade.domain import errors
from crossfade.domain.plan import Plan, Release
from crossfade.domain.traffic import Weights
from tests.unit.account import Account, running_release
from tests.unit.examples import EXECUTION, NEW, START
from tests.unit.handlers.conftest import Aws, Invoke

READS = ("Describe", "Get", "List")
BLUE = Weights(blue=100, green=0)
ASK = {"service": "web", "image_tag": "0.0.2"}


def _plan(invoke: Invoke, given: Any) -> dict[str, Any]:
    return invoke("plan", input=given, execution=f"{EXECUTION}:d1", deployment="d1")


def _push(tag: str = "0.0.2", digest: str = NEW, repository: str = "web") -> dict[str, Any]:
    detail = {"repository-name": repository, "image-digest": digest, "image-tag": tag}
    return {"source": "aws.ecr", "detail-type": "ECR Image Action", "detail": detail}


@pytest.fixture
def live(account: Account, journal: Journal) -> Release:
    """Return 0.0.1, live in blue."""
    release = account.release("0.0.1")
    journal.claim(account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0"))
    account.run("blue", TaskDefinitions(account.ecs).register(account.spec, release))
    Traffic(account.elbv2, account.spec).write(BLUE)
    before = account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0")
    journal.wrote(before, BLUE, START)
    journal.release(before)
    return release


def test_a_first_release_is_planned(account: Account, invoke: Invoke) -> None:
    """Into blue, from the first stage straight to the last."""
    release = account.release("0.0.2")
    answer = _plan(invoke, ASK)
    stages = (account.spec.stages[0], account.spec.stages[-1])
    expected = account.first_plan(release=release, stages=stages)
    assert (answer["action"], answer["reason"]) == ("deploy", "nothing → 0.0.2 in blue")
    assert expected == Plan.model_validate(answer["plan"])


def test_a_release_is_planned(account: Account, invoke: Invoke, live: Release) -> None:
    """Into the idle slot; what runs is told by the live task definition's tags."""
    release = account.release("0.0.2")
    expected = account.plan(release=release, previous=running_release(live))
    assert expected == Plan.model_validate(_plan(invoke, ASK)["plan"])


def test_a_push_is_planned_by_its_digest(account: Account, invoke: Invoke, live: Release) -> None:
    """The tag may have moved on meanwhile; the version is the one that was pushed."""
    digest = account.push("0.0.2")
    plan = Plan.model_validate(_plan(invoke, _push(digest=digest))["plan"])
    assert (plan.release.version, plan.release.digest) == ("0.0.2", digest)


def test_a_digest_is_deployed_under_its_version(account: Account, invoke: Invoke) -> None:
    """Of several tags the one that push_tags matches."""
    digest = account.push("0.0.2")
    manifest = account.ecr.batch_get_image(repositoryName="web", imageIds=[{"imageDigest": digest}])
    account.ecr.put_image(
        repositoryName="web",
        imageManifest=manifest["images"][0]["imageManifest"],
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageTag="a-branch",
    )
    answer = _plan(invoke, {"service": "web", "image_digest": digest})
    assert answer["plan"]["release"]["version"] == "0.0.2"


def test_the_same_release_again_is_nothing_to_do(invoke: Invoke, live: Release) -> None:
    """It ends in success."""
    answer = _plan(invoke, {"service": "web", "image_tag": "0.0.1"})
    assert (answer["action"], answer["plan"]) == ("nothing_to_do", None)


@pytest.mark.parametrize(
    "push",
    [
        pytest.param(_push(repository="other"), id="no-service-of-that-repository"),
        pytest.param(_push(tag="latest"), id="tag-does-not-match"),
        pytest.param(_push(tag=""), id="untagged-child"),
    ],
)
def test_pushes_of_no_concern_are_ignored(invoke: Invoke, push: dict[str, Any]) -> None:
    """Quietly and successfully."""
    assert _plan(invoke, push)["action"] == "ignore"


def test_an_untagged_push_is_ignored_by_every_pattern(account: Account, invoke: Invoke) -> None:
    """Even by one that matches everything."""
    account.publish(account.spec.model_copy(update={"push_tags": ".*"}))
    assert _plan(invoke, _push(tag=""))["action"] == "ignore"


def test_another_services_broken_spec_stops_nobody(account: Account, invoke: Invoke) -> None:
    """A push of this service is none of its business."""
    account.ssm.put_parameter(Name="/crossfade/services/broken", Value="{", Type="String")
    assert _plan(invoke, _push(digest=account.push("0.0.2")))["action"] == "deploy"


def _stick_group(account: Account) -> None:
    account.elbv2.modify_target_group_attributes(
        TargetGroupArn=account.spec.target_groups.green,
        Attributes=[{"Key": "stickiness.enabled", "Value": "true"}],
    )


def _break_spec(account: Account) -> None:
    account.ssm.put_parameter(
        Name="/crossfade/services/web", Value='{"service": "web"}', Type="String", Overwrite=True
    )


def _remove_container(account: Account) -> None:
    account.publish(account.spec.model_copy(update={"container": "sidecar"}))


def _share_repository(account: Account) -> None:
    account.publish(account.spec.model_copy(update={"service": "shop"}))


def _change_rule(account: Account) -> None:
    Traffic(account.elbv2, account.spec).write(Weights(blue=50, green=50))


def _hold(account: Account) -> None:
    Journal(account.dynamodb, "journal").claim(account.first_plan(execution=f"{EXECUTION}:theirs"))


def _nothing(_: Account) -> None:
    pass


@pytest.mark.parametrize(
    ("prepare", "given", "error", "said"),
    [
        pytest.param(_nothing, [], errors.InvalidInput, "found an array", id="no-object"),
        pytest.param(_nothing, {"service": "web"}, errors.InvalidInput, "exactly one", id="no-image"),
        pytest.param(
            _nothing,
            {"service": "shop", "image_tag": "1"},
            errors.UnknownService,
            "Known services: web",
            id="unknown-service",
        ),
        pytest.param(
            _nothing,
            {"service": "web", "image_tag": "9"},
            errors.ImageTagNotFound,
            "no image tagged 9",
            id="tag-does-not-exist",
        ),
        pytest.param(
            _nothing,
            {"service": "web", "image_digest": NEW},
            errors.ImageNotInRepository,
            "Push it there",
            id="digest-not-in-the-repository",
        ),
        pytest.param(
            _nothing, _push(digest=NEW), errors.ImageNotInRepository, NEW, id="pushed-and-deleted-again"
        ),
        pytest.param(_break_spec, ASK, errors.InvalidServiceSpec, "stages: Field required", id="broken-spec"),
        pytest.param(_remove_container, ASK, errors.BlueprintUnusable, "no sidecar", id="no-container"),
        pytest.param(_share_repository, _push(), errors.AmbiguousRepository, "shop, web", id="two-services"),
        pytest.param(_stick_group, ASK, errors.StickyTraffic, "Turn stickiness off", id="sticky-group"),
        pytest.param(_change_rule, ASK, errors.ForeignChange, "Somebody else", id="rule-made-by-others"),
        pytest.param(_hold, ASK, errors.ServiceBusy, "theirs", id="busy"),
    ],
)
def test_bad_input_fails_before_anything_is_changed(
    account: Account, invoke: Invoke, aws: Aws, prepare: Any, given: Any, error: type[Exception], said: str
) -> None:
    """With a name and a sentence; only reads were made."""
    account.push("0.0.2")
    prepare(account)
    with pytest.raises(error, match=said) as refused:
        _plan(invoke, given)
    assert type(refused.value) is error
    assert {action for action in aws.called if not action.split(":")[1].startswith(READS)} == set()


def test_an_image_without_a_version_is_refused(account: Account, invoke: Invoke, aws: Aws) -> None:
    """The probe would not know what to expect."""
    digest = account.push("0.0.2")
    aws.answer("DescribeImages", {"imageDetails": [{"imageDigest": digest}]})
    with pytest.raises(errors.InvalidInput, match="no tag"):
        _plan(invoke, {"service": "web", "image_digest": digest})


def test_split_traffic_is_refused(account: Account, invoke: Invoke, journal: Journal, live: Release) -> None:
    """Though Crossfade itself left it so: the rollback comes first."""
    account.push("0.0.2")
    half = Weights(blue=50, green=50)
    plan = account.plan()
    journal.claim(plan)
    Traffic(account.elbv2, account.spec).write(half)
    journal.wrote(plan, half, START)
    journal.release(plan)
    with pytest.raises(errors.TrafficSplit, match="give its slot weight 100"):
        _plan(invoke, ASK)
