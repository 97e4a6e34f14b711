"""IAM is enforced: a function can do what its role allows, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud import Cloud
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.shell import SERVICE

pytestmark = pytest.mark.enable_socket

ANYBODY_HERE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        }
    ],
}


def policies_of(cloud: Cloud, function: str) -> tuple[str, dict[str, str]]:
    """A function's role, and its policies: each one's document by its name."""
    iam = cloud.client("iam")
    roles = [found["RoleName"] for found in iam.list_roles()["Roles"]]
    role = next(name for name in roles if f"-{function}Role" in name)
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = [iam.get_role_policy(RoleName=role, PolicyName=name) for name in names]
    return role, {policy["PolicyName"]: json.dumps(policy["PolicyDocument"]) for policy in found}


@pytest.fixture(scope="module")
def as_watch(cloud: Cloud) -> Iterator[boto3.Session]:
    """A session that may do exactly what the function Watch may."""
    iam, name = cloud.client("iam"), "may-do-what-watch-may"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ANYBODY_HERE))["Role"]
    _, policies = policies_of(cloud, "WatchStageFunction")
    for policy, document in policies.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
    keys = cloud.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="tests")["Credentials"]
    yield cloud.session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    for policy in policies:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def test_unknown_credentials_are_refused(cloud: Cloud) -> None:
    """The sandbox is not open to everybody who finds its port."""
    stranger = cloud.client_of(cloud.session("AKIAIOSFODNN7EXAMPLE", "wrong"), "ecs")

    with pytest.raises(ClientError) as refusal:
        stranger.list_clusters()

    assert refusal.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_watching_function_may_read_the_ledger(
    cloud: Cloud, as_watch: boto3.Session, first_release: Rehearsal
) -> None:
    """That is its work."""
    logs = cloud.client_of(as_watch, "logs")
    stream = f"{SERVICE}/{first_release.execution.name}"

    page = logs.get_log_events(logGroupName="/crossfade/crossfade/ledger", logStreamName=stream, limit=1)

    assert len(page["events"]) == 1


def test_a_watching_function_may_not_move_traffic(
    cloud: Cloud, as_watch: boto3.Session, first_release: Rehearsal
) -> None:
    """Not even to what the weights are anyhow."""
    rule = cloud.rule()
    assert rule is not None
    elbv2 = cloud.client_of(as_watch, "elbv2")

    with pytest.raises(ClientError) as refusal:
        elbv2.modify_rule(RuleArn=rule["RuleArn"], Actions=rule["Actions"])

    assert refusal.value.response["Error"]["Code"] == "AccessDenied"


def test_a_function_without_its_permission_fails_by_name(cloud: Cloud, first_release: Rehearsal) -> None:
    """The cause names the refused action, and where it has to be allowed; nothing was changed."""
    iam = cloud.client("iam")
    role, policies = policies_of(cloud, "PlanReleaseFunction")
    before = cloud.snapshot()
    for policy in policies:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    try:
        execution = cloud.ended(cloud.start({"service": SERVICE, "image_tag": "0.0.1"}))
    finally:
        for policy, document in policies.items():
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)

    assert (execution.status, execution.error) == ("FAILED", "AwsRefused")
    assert "ssm:GetParameter" in execution.cause
    assert "template.yaml" in execution.cause
    assert before == cloud.snapshot()
