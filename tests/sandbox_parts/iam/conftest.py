"""A running sandbox with an owner's load balancer and services, and callers with the rights of a test."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.sandbox_parts.containers.conftest import Sandbox, free_port, started

OURS, THEIRS = [{"Key": "crossfade:service", "Value": "web"}], [{"Key": "owner", "Value": "web"}]
FIXED = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]
EVERYTHING = [{"Field": "path-pattern", "Values": ["/*"]}]
ANYBODY = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
}

Statement = dict[str, Any]
Call = Callable[..., Any]


def policy(*statements: Statement) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> Statement:
    """A statement; its condition by operator, as in ``StringEquals={"ecs:cluster": arn}``."""
    named = {name.replace("_", ":"): keys for name, keys in condition.items()}
    return {"Effect": "Allow", "Action": action, "Resource": resource} | (
        {"Condition": named} if named else {}
    )


@dataclass
class Account:
    """What its owner has made in the sandbox; the numbers are ARNs."""

    sandbox: Sandbox
    balancer: str = ""
    listener: str = ""
    rules: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        elb, ecs, iam = (self.sandbox.client(name) for name in ("elbv2", "ecs", "iam"))
        self.balancer = elb.create_load_balancer(Name="shared")["LoadBalancers"][0]["LoadBalancerArn"]
        made = elb.create_listener(
            LoadBalancerArn=self.balancer, Port=free_port(), Protocol="HTTP", DefaultActions=FIXED
        )
        self.listener = made["Listeners"][0]["ListenerArn"]
        for number, (name, tags) in enumerate({"ours": OURS, "theirs": THEIRS}.items(), start=1):
            group = elb.create_target_group(
                Name=name, Port=80, Protocol="HTTP", TargetType="ip", VpcId="vpc-1", Tags=tags
            )
            self.groups[name] = group["TargetGroups"][0]["TargetGroupArn"]
            self.rules[name] = elb.create_rule(
                ListenerArn=self.listener, Priority=number, Conditions=EVERYTHING, Actions=FIXED, Tags=tags
            )["Rules"][0]["RuleArn"]
            ecs.create_cluster(clusterName=name)
            ecs.register_task_definition(family=name, containerDefinitions=[{"name": "app", "image": "none"}])
            ecs.create_service(
                cluster=name,
                serviceName=name,
                taskDefinition=name,
                desiredCount=0,
                tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in tags],
            )
        self._iam, self._role = iam, f"caller-{secrets.token_hex(4)}"
        iam.create_role(RoleName=self._role, AssumeRolePolicyDocument=policy(ANYBODY))

    def arn(self, kind: str, name: str) -> str:
        """Of a cluster, or of a service of the cluster of its name."""
        return f"arn:aws:ecs:us-east-1:000000000000:{kind}/{name}" + (f"/{name}" if kind == "service" else "")

    def caller(self, service: str, *statements: Statement) -> Any:
        """A client that may do what these statements allow."""
        self._iam.put_role_policy(RoleName=self._role, PolicyName="may", PolicyDocument=policy(*statements))
        role = f"arn:aws:iam::000000000000:role/{self._role}"
        keys = self.sandbox.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return boto3.client(
            service,
            endpoint_url=self.sandbox.endpoint,
            region_name="us-east-1",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )


def refusal(call: Call, **parameters: Any) -> str:
    """The sentence that a call is refused with for want of a right; nothing if it is not."""
    try:
        call(**parameters)
    except ClientError as refused:
        error = refused.response["Error"]
        if error["Code"] in {"AccessDenied", "AccessDeniedException"}:
            return str(error["Message"])
        raise
    return ""


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One for all tests here; they change nothing that another one needs."""
    with started(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield Account(sandbox)
