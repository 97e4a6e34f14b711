"""The owner's ECS service is read as AWS shows it."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from moto.ecs.responses import EC2ContainerServiceResponse

from crossfade.aws.patterns import Patterns
from crossfade.aws.unknown_fields import tell_unknown_fields
from crossfade.domain.errors import NotPrepared, PatternUnusable, ResourceGone
from tests.unit.account import SESSION, Account
from tests.unit.examples import at


@pytest.fixture
def patterns(account: Account) -> Patterns:
    """Return the account's patterns."""
    return Patterns(account.ecs, account.elbv2)


def test_the_accounts_service_is_read(account: Account, patterns: Patterns) -> None:
    """With its settings, and the target group that it has."""
    read = patterns.read(account.spec)
    assert read == account.spec.pattern


def test_its_tags_are_asked_for(account: Account, patterns: Patterns) -> None:
    """ECS tells them to none who does not ask."""
    account.ecs.tag_resource(resourceArn=account.spec.like, tags=[{"key": "CostCenter", "value": "7"}])
    assert patterns.read(account.spec).tags == {"CostCenter": "7"}


def test_a_service_that_is_not_there(account: Account, patterns: Patterns) -> None:
    """Deleted, or never made; what is live is left alone."""
    never = account.spec.model_copy(update={"like": f"{account.spec.like}2"})
    with pytest.raises(NotPrepared, match=r"service/web/web2.* does not exist"):
        patterns.read(never)
    account.ecs.delete_service(cluster="web", service="web", force=True)
    with pytest.raises((PatternUnusable, NotPrepared), match=r"is INACTIVE|does not exist"):
        patterns.read(account.spec)


def test_a_service_that_was_made_anew_is_the_active_one(
    account: Account, patterns: Patterns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECS shows the deleted one of its name for a while."""
    describe = account.ecs.describe_services

    def both(**given: Any) -> dict[str, Any]:
        answer: dict[str, Any] = describe(**given)
        gone = answer["services"][0] | {"status": "INACTIVE", "taskDefinition": "old"}
        return answer | {"services": [gone, *answer["services"]]}

    monkeypatch.setattr(account.ecs, "describe_services", both)
    assert patterns.read(account.spec).task_definition == account.spec.pattern.task_definition


def test_a_cluster_that_is_gone_is_named(account: Account, patterns: Patterns) -> None:
    """By the error that every part has for it."""
    elsewhere = account.spec.like.replace("service/web/", "service/shop/")
    with pytest.raises(ResourceGone, match="cluster/shop"):
        patterns.read(account.spec.model_copy(update={"like": elsewhere}))


def test_a_target_group_that_is_gone_is_named(
    account: Account, patterns: Patterns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECS does not look whether it is there."""
    monkeypatch.setattr(account.elbv2, "describe_target_groups", _refuse("TargetGroupNotFound"))
    with pytest.raises(PatternUnusable, match=r"targetgroup/web/\w+ does not exist"):
        patterns.read(account.spec)


def test_stickiness_and_slow_start_are_read(account: Account, patterns: Patterns) -> None:
    """Of the attributes of its target group."""
    group = account.spec.pattern.target_group

    def put(key: str, value: str) -> None:
        account.elbv2.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": key, "Value": value}]
        )

    put("slow_start.duration_seconds", "30")
    (slow,) = patterns.read(account.spec).warnings
    assert slow.startswith("slow start of 30 s")
    put("stickiness.enabled", "true")
    with pytest.raises(PatternUnusable, match="target group web is sticky"):
        patterns.read(account.spec)


@pytest.mark.parametrize(
    ("of", "operation"),
    [("ecs", "describe_services"), ("elbv2", "describe_target_groups")],
)
def test_other_refusals_are_passed_on(
    account: Account, patterns: Patterns, monkeypatch: pytest.MonkeyPatch, of: str, operation: str
) -> None:
    """Only what is understood is translated."""
    monkeypatch.setattr(getattr(account, of), operation, _refuse("AccessDeniedException"))
    with pytest.raises(ClientError, match="AccessDenied"):
        patterns.read(account.spec)


def _refuse(code: str) -> Callable[..., None]:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")

    return refuse


def _answers(ecs: Any, operation: str, raw: dict[str, Any]) -> None:
    """Let ECS answer this."""
    body = json.dumps(raw).encode()
    answer = AWSResponse(
        "https://ecs.us-east-1.amazonaws.com", 200, {}, SimpleNamespace(stream=lambda: [body])
    )
    ecs.meta.events.register_first(f"before-send.ecs.{operation}", lambda **_: answer)


def test_the_newest_revision_is_read_and_what_boto3_would_drop_is_told(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a rollout a service has several; ECS is newer than Lambda's boto3."""
    # moto has no such call, and would refuse it although it is answered here.
    monkeypatch.setattr(
        EC2ContainerServiceResponse, "describe_service_revisions", lambda _: "{}", raising=False
    )
    ecs = SESSION.client("ecs")
    tell_unknown_fields(ecs)
    (found,) = account.ecs.describe_services(cluster="web", services=["web"])["services"]
    service = {
        key: value for key, value in found.items() if key not in {"deployments", "events", "createdAt"}
    }
    deployments = [{"status": "PRIMARY", "id": "ecs-svc/1", "aurora": {"on": True}}]
    revisions = [{"arn": f"arn:revision/{n}"} for n in (2, 1)]
    told = service | {"deployments": deployments, "currentServiceRevisions": revisions, "spareCapacity": 1}
    _answers(ecs, "DescribeServices", {"services": [told], "failures": []})
    finer, coarse = ({"metricConfigurations": [{"resolutionSeconds": n}]} for n in (20, 60))
    _answers(
        ecs,
        "DescribeServiceRevisions",
        {
            "serviceRevisions": [
                {
                    "serviceRevisionArn": "2",
                    "createdAt": at(2).timestamp(),
                    "monitoring": finer,
                    "gates": ["a"],
                },
                {"serviceRevisionArn": "1", "createdAt": at(1).timestamp(), "monitoring": coarse},
            ],
            "failures": [],
        },
    )

    read = Patterns(ecs, account.elbv2).read(account.spec)

    assert read.settings["monitoring"] == finer
    assert read.left_out == ("deployments.aurora", "gates", "spareCapacity")


def test_a_service_that_is_not_answered_has_no_unknown_fields(account: Account) -> None:
    """An answer without services is no error of the reading."""
    ecs = SESSION.client("ecs")
    tell_unknown_fields(ecs)
    _answers(ecs, "DescribeServices", {"services": [], "failures": [{"reason": "MISSING"}]})
    with pytest.raises(NotPrepared, match="does not exist"):
        Patterns(ecs, account.elbv2).read(account.spec)
