"""Bad input ends an execution FAILED by its first look, with a name and a sentence, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from demo.probe_tag import pinned_tag
from tests.sandbox.cloud import Cloud, Snapshot
from tests.sandbox.executions import Execution
from tests.sandbox.shell import SERVICE

pytestmark = pytest.mark.enable_socket

NOWHERE = f"sha256:{64 * '0'}"
PUSH_WITHOUT_TAG = {
    "source": "aws.ecr",
    "detail-type": "ECR Image Action",
    "account": "000000000000",
    "region": "us-east-1",
    "detail": {
        "action-type": "PUSH",
        "result": "SUCCESS",
        "repository-name": SERVICE,
        "image-digest": NOWHERE,
    },
}

REFUSALS: dict[str, tuple[object, str, str]] = {
    "an-array": ([1], "InvalidInput", "must be a JSON object, found an array"),
    "a-string": ("x", "InvalidInput", "must be a JSON object, found a string"),
    "a-number": (5, "InvalidInput", "must be a JSON object, found a number"),
    "nothing-asked": ({}, "InvalidInput", "service: Field required"),
    "unknown-service": (
        {"service": "nowhere", "image_tag": "1.0.0"},
        "UnknownService",
        f"/crossfade/services/nowhere does not exist. Known services: broken, falling, {SERVICE}",
    ),
    "no-such-tag": (
        {"service": SERVICE, "image_tag": "7.7.7"},
        "ImageTagNotFound",
        f"Repository {SERVICE} has no image tagged 7.7.7",
    ),
    "no-such-digest": (
        {"service": SERVICE, "image_digest": NOWHERE},
        "ImageNotInRepository",
        f"Repository {SERVICE} has no image {NOWHERE}",
    ),
    "neither-tag-nor-digest": (
        {"service": SERVICE},
        "InvalidInput",
        "give image_tag, image_digest, or both",
    ),
    "tag-of-another-digest": (
        {"service": SERVICE, "image_tag": "latest", "image_digest": NOWHERE},
        "ImageNotInRepository",
        f"Repository {SERVICE} has no image {NOWHERE}",
    ),
    "unknown-key": (
        {"service": SERVICE, "image_tag": "latest", "at_once": True},
        "InvalidInput",
        "at_once: there is no such key",
    ),
    "malformed-spec": (
        {"service": "broken", "image_tag": "latest"},
        "InvalidServiceSpec",
        "tasks: Input should be greater than or equal to 1",
    ),
    "stages-do-not-rise": (
        {"service": "falling", "image_tag": "latest"},
        "InvalidServiceSpec",
        "stages: Value error, weights must rise from 0 to 100, found [0, 50, 10, 100]",
    ),
    "sticky-target-group": (
        {"service": SERVICE, "image_tag": "latest"},
        "StickyTraffic",
        "Turn stickiness off, then deploy again.",
    ),
}


@dataclass(frozen=True)
class Refused:
    """What became of the bad inputs, and what was live before and after them."""

    executions: dict[str, Execution]
    before: Snapshot
    after: Snapshot


@pytest.fixture(scope="module")
def specs_of_others(cloud: Cloud) -> Iterator[None]:
    """Two more services whose specs are wrong."""
    stages = [{"weight": weight, "min_seconds": 1, "max_seconds": 9} for weight in (0, 50, 10, 100)]
    wrong: dict[str, dict[str, Any]] = {"broken": {"tasks": 0}, "falling": {"stages": stages}}
    for name, change in wrong.items():
        release = {**cloud.spec["release"], "repository": name}
        document = json.dumps({**cloud.spec, "service": name, "release": release, **change})
        cloud.aws(
            *("ssm", "put-parameter", "--type", "String", "--name", f"/crossfade/services/{name}"),
            *("--value", document),
        )
    yield
    for name in wrong:
        cloud.aws("ssm", "delete-parameter", "--name", f"/crossfade/services/{name}")


def set_stickiness(cloud: Cloud, enabled: str) -> None:
    """Turn sticky sessions of the blue target group on or off."""
    cloud.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=cloud.target_groups["blue"],
        Attributes=[{"Key": "stickiness.enabled", "Value": enabled}],
    )


@pytest.fixture(scope="module")
def refused(cloud: Cloud, specs_of_others: None) -> Refused:
    """All bad inputs at once, while the service stands idle."""
    cloud.push_app("latest")
    cloud.ended(cloud.started_by_push(SERVICE, "latest"))
    set_stickiness(cloud, "true")
    before = cloud.snapshot()
    with ThreadPoolExecutor(4) as pool:
        inputs = [asked for asked, _, _ in REFUSALS.values()]
        started = dict(zip(REFUSALS, pool.map(cloud.start, inputs), strict=True))
    executions = {name: cloud.ended(arn) for name, arn in started.items()}
    cloud.settled()
    after = cloud.snapshot()
    set_stickiness(cloud, "false")
    return Refused(executions, before, after)


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_input_fails_with_a_name_and_a_sentence(cloud: Cloud, refused: Refused, name: str) -> None:
    """The execution is FAILED by its first look, and its cause says what is wrong."""
    _, error, sentence = REFUSALS[name]
    execution = refused.executions[name]

    assert ("FAILED", error) == (execution.status, execution.error)
    assert sentence in execution.cause
    assert execution.cause.endswith((".", "}"))
    assert cloud.entered(execution.arn) == ["Begin", "PlanRelease", "DeploymentFailed"]


def test_bad_input_changes_nothing(refused: Refused) -> None:
    """No rule, service, release, task or lock comes or goes, and no deployment is opened in the journal."""
    assert refused.before == refused.after
    assert refused.after.holder is None


def test_bad_input_writes_no_certificate(cloud: Cloud, refused: Refused) -> None:
    """What never began has nothing to prove."""
    names = [execution.name for execution in refused.executions.values()]
    assert [name for name in names if cloud.certificate(name) is not None] == []


def test_the_rollback_after_a_refusal_finds_nothing_to_do(cloud: Cloud, refused: Refused) -> None:
    """Every failed deployment is looked after; one that held nothing is let be."""
    outcomes = {
        (ended.status, ended.output.get("outcome"))
        for ended in (cloud.ended(arn) for arn in cloud.executions("rollback"))
    }

    assert {("SUCCEEDED", "nothing")} == outcomes


@pytest.mark.parametrize(
    ("output", "tag", "reason"),
    [
        pytest.param("ProbeRepository", pinned_tag(), "no service is built from repository", id="foreign"),
        pytest.param("SampleRepository", "latest", "tag latest does not match", id="tag-of-no-release"),
    ],
)
def test_a_push_that_is_no_release_is_ignored(
    cloud: Cloud, refused: Refused, output: str, tag: str, reason: str
) -> None:
    """Quietly and successfully: whoever pushes such an image has done nothing wrong."""
    execution = cloud.ended(cloud.started_by_push(cloud.repository(output), tag))

    assert (execution.status, execution.output["action"]) == ("SUCCEEDED", "ignore")
    assert reason in execution.output["reason"]


def test_a_push_without_a_tag_is_ignored(cloud: Cloud, refused: Refused) -> None:
    """The parts of a multi-architecture image are pushed without one."""
    execution = cloud.ended(cloud.start(PUSH_WITHOUT_TAG))

    assert (execution.status, execution.output["action"]) == ("SUCCEEDED", "ignore")
