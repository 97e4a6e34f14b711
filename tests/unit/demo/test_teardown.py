"""What aws-demo says is left: each kind of thing that costs money is asked for; silence is never nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from demo.account import STACK
from demo.cloud import DemoFailed
from demo.teardown import COSTLY, Record, Remains, Thing, look, remove
from faults.aws.names import REGION
from faults.files import template
from tests.unit.account import SESSION

client = cache(SESSION.client)
"""Makes each client once."""
FREE = {
    # Paid by use alone.
    "AWS::Serverless::Function",
    "AWS::Serverless::StateMachine",
    "AWS::Serverless::Application",
    "AWS::Lambda::Permission",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Events::Rule",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::S3::BucketPolicy",
    "AWS::CloudWatch::Dashboard",  # deleted with the stack, where its parameter asks for it
    "AWS::ECS::TaskDefinition",
    "AWS::ECS::Service",
    "AWS::SSM::Parameter",
    "AWS::IAM::Role",
    "Custom::CrossfadeService",
    # Part of the load balancer's price, or of no price.
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::EC2::VPC",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::EC2::Subnet",
    "AWS::EC2::RouteTable",
    "AWS::EC2::Route",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::SecurityGroup",
}


class CloudFormation:
    """The demo's stack, if there is one; moto's own needs packages that are not installed."""

    def __init__(self) -> None:
        self.stacks: list[dict[str, Any]] = []
        self.deleted = False

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        """The stack."""
        if not self.stacks:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        return {"Stacks": self.stacks}

    def describe_stack_resource(self, **asked: str) -> dict[str, Any]:
        """No `sam deploy` was ever called here."""
        message = f"Stack '{asked['StackName']}' does not exist"
        raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStackResource")

    def get_paginator(self, operation: str) -> Any:
        """Of an operation that is not called without a stack."""
        assert operation == "list_stack_resources"

    def delete_stack(self, **_: str) -> None:
        """Note that it was asked for."""
        self.deleted = True


class Account:
    """An account of moto's, in the shape of demo.account's; `refused` services answer AccessDenied."""

    stack, number, region = STACK, "123456789012", REGION

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.cloudformation = CloudFormation()

    def aws(self, service: str) -> Any:
        """A client."""
        if service in self.refused:
            raise ClientError(
                {"Error": {"Code": "AccessDenied", "Message": f"{service} says no"}}, "Describe"
            )
        if service == "cloudformation":
            return self.cloudformation
        return client(service)

    def stack_failures(self) -> list[str]:
        """Nothing."""
        return []


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # no test asks for one
    with mock_aws():
        yield Account()


@pytest.mark.parametrize("path", ["template.yaml", "sample_app/template.yaml"])
def test_no_resource_is_forgotten(path: str) -> None:
    """A type that is new in a template is one that is asked for, or one that costs nothing by standing."""
    kinds = {resource["Type"] for resource in template(path)["Resources"].values()}
    assert kinds - FREE - set(COSTLY) == set()


def create(kind: str) -> str:
    """Make a thing of a kind; returns its physical id."""
    ec2 = client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]

    def make(service: str, operation: str, **given: Any) -> dict[str, Any]:
        return dict(getattr(client(service), operation)(**given))

    if kind == "AWS::EC2::NatGateway":
        return str(ec2.create_nat_gateway(SubnetId=subnet)["NatGateway"]["NatGatewayId"])
    if kind == "AWS::EC2::EIP":
        return str(ec2.allocate_address(Domain="vpc")["PublicIp"])
    if kind == "AWS::ElasticLoadBalancingV2::LoadBalancer":
        subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
        made = make("elbv2", "create_load_balancer", Name="web", Subnets=subnets)
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])
    if kind == "AWS::ECS::Cluster":
        make("ecs", "create_cluster", clusterName="web")
        container = {"name": "app", "image": "app", "memory": 512}
        make("ecs", "register_task_definition", family="web", containerDefinitions=[container])
        network = {"awsvpcConfiguration": {"subnets": [subnet]}}
        given = {"launchType": "FARGATE", "networkConfiguration": network}
        make("ecs", "run_task", cluster="web", taskDefinition="web", **given)
        return "web"
    if kind == "AWS::ECR::Repository":
        make("ecr", "create_repository", repositoryName="web")
    elif kind == "AWS::S3::Bucket":
        make("s3", "create_bucket", Bucket="web")
    elif kind == "AWS::Logs::LogGroup":
        make("logs", "create_log_group", logGroupName="web")
        make("logs", "create_log_group", logGroupName="web-of-another")
    elif kind == "AWS::CloudWatch::Alarm":
        comparison = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 1, "EvaluationPeriods": 1}
        metric = {"Namespace": "x", "MetricName": "x", "Period": 60, "Statistic": "Sum"}
        make("cloudwatch", "put_metric_alarm", AlarmName="web", **metric, **comparison)
    else:
        schema = {"KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}]}
        attributes = [{"AttributeName": "a", "AttributeType": "S"}]
        given = {"BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": attributes}
        make("dynamodb", "create_table", TableName="web", **schema, **given)
    return "web"


@pytest.mark.parametrize("kind", sorted(COSTLY))
def test_what_stands_is_left(account: Any, kind: str) -> None:
    """Each kind of thing is found as long as it is there."""
    thing = Thing(kind, create(kind))
    remains = look(account, [thing])

    assert len(remains.left) == 1
    assert remains.unknown == ()
    assert remains.line.startswith("STILL COSTS MONEY: ")


ABSENT = {
    "AWS::EC2::EIP": "192.0.2.1",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        f"arn:aws:elasticloadbalancing:{REGION}:123456789012:loadbalancer/app/gone/0123456789abcdef"
    ),
}


@pytest.mark.parametrize("kind", sorted(COSTLY))
def test_what_has_gone_is_not_left(account: Any, kind: str) -> None:
    """AWS's word that there is no such thing is what is waited for."""
    create(kind)
    remains = look(account, [Thing(kind, ABSENT.get(kind, "we"))])

    assert remains == Remains((), ())
    assert remains.line == "Nothing that this made is left, and nothing of it costs money any more."


@pytest.mark.parametrize(
    ("kind", "service"),
    [
        ("AWS::EC2::NatGateway", "ec2"),
        ("AWS::EC2::EIP", "ec2"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "elbv2"),
        ("AWS::ECS::Cluster", "ecs"),
        ("AWS::ECR::Repository", "ecr"),
        ("AWS::S3::Bucket", "s3"),
        ("AWS::DynamoDB::Table", "dynamodb"),
        ("AWS::Logs::LogGroup", "logs"),
        ("AWS::CloudWatch::Alarm", "cloudwatch"),
    ],
)
def test_what_cannot_be_looked_up_is_unknown(account: Any, kind: str, service: str) -> None:
    """It is named, with AWS's reason, and never taken for nothing."""
    account.refused = {service}
    remains = look(account, [Thing(kind, "web")])

    assert remains.left == ()
    assert len(remains.unknown) == 1
    assert not remains.none
    assert remains.line.startswith(f"NOT KNOWN, look yourself: {kind} web (")
    assert f"{service} says no" in remains.line


def test_without_a_look_at_the_stack_nothing_is_known(account: Any) -> None:
    """Neither the stack nor the packages of sam deploy can be asked for then."""
    account.refused = {"cloudformation"}

    assert len(look(account, []).unknown) == 2


def test_the_evidence_that_a_deleted_stack_keeps_is_removed(account: Any, tmp_path: Path) -> None:
    """All versions of it, also in a call after the one that deleted the stack."""
    s3 = account.aws("s3")
    s3.create_bucket(Bucket="evidence")
    s3.put_bucket_versioning(Bucket="evidence", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket="evidence", Key="web/certificate.json", Body=body)
    s3.delete_object(Bucket="evidence", Key="web/certificate.json")
    s3.create_bucket(Bucket="of-another")
    record = Record(tmp_path / "made.json", account)
    record.add([Thing("AWS::S3::Bucket", "evidence"), Thing("AWS::IAM::Role", "role")])

    remains = remove(account, Record(tmp_path / "made.json", account), print)

    assert remains.none
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["of-another"]
    assert not (tmp_path / "made.json").exists()


def test_what_is_left_is_remembered(account: Any, tmp_path: Path) -> None:
    """Until AWS says that it has gone."""
    gateway = create("AWS::EC2::NatGateway")
    record = Record(tmp_path / "made.json", account)
    record.add([Thing("AWS::EC2::NatGateway", gateway)])

    remains = remove(account, record, print)

    assert gateway in remains.line
    assert record.read() == {Thing("AWS::EC2::NatGateway", gateway)}


def test_a_record_of_another_account_is_not_used(account: Any, tmp_path: Path) -> None:
    """There everything would look as if it had gone."""
    path = tmp_path / "made.json"
    Record(path, account).add([Thing("AWS::S3::Bucket", "evidence")])
    document = json.loads(path.read_text())
    document["place"]["region"] = "eu-north-1"
    path.write_text(json.dumps(document))

    with pytest.raises(DemoFailed, match="region eu-north-1"):
        Record(path, account).read()


def test_a_stack_without_the_demos_tag_is_not_deleted(account: Any, tmp_path: Path) -> None:
    """Somebody else has made it, and has a use for the name."""
    account.cloudformation.stacks = [{"StackStatus": "CREATE_COMPLETE", "Tags": []}]
    remains = remove(account, Record(tmp_path / "made.json", account), print)

    assert "has not made" in remains.line
    assert not account.cloudformation.deleted
