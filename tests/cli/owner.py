"""An account of moto with Crossfade's stack and a running service that was made without it."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from cli.__main__ import main
from faults.aws.names import ACCOUNT, REGION
from tests.unit.account import SESSION, set_up_once

IMAGES = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/web-execution"
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
WRITES = (
    "Create",
    "Modify",
    "Put",
    "Delete",
    "Update",
    "Register",
    "Deregister",
    "Start",
    "Add",
    "Tag",
    "Set",
)
"""How the names of operations begin that change something."""
OUTPUTS = {
    "SpecsPath": "/crossfade/services/",
    "DeployStateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:crossfade-deploy",
    "CleanupFunction": "crossfade-cleanup",
    "Journal": "crossfade-journal",
    "EvidenceBucket": "crossfade-evidence",
}

client = cache(SESSION.client)
"""Makes each client once, the command's too: to make them anew took a fifth of the time of these tests."""


class Owner:
    """The owner's account, and the calls that the command makes in it since ``begin``."""

    def __init__(self) -> None:
        self.ecs, self.elbv2, self.ssm, self.ec2, self.ecr, self.cloudwatch, self.wafv2 = (
            client(name) for name in ("ecs", "elbv2", "ssm", "ec2", "ecr", "cloudwatch", "wafv2")
        )
        self._network()
        self.group = self.target_group("web")
        self.listener = self.listen(80, {"Type": "forward", "TargetGroupArn": self.group})
        self.ecs.create_cluster(clusterName="shop")
        self.serve("web", self.define())
        self._journal(client("dynamodb"))

    def begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Push two images, which cannot be copied, and record calls from now on."""
        self.parameters = {"Adopted": "", "TaskRoles": ""}
        self.answers: dict[str, dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.shows: dict[str, Callable[[dict[str, Any]], object]] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        for tag in ("1.2.3", "1.2.4"):
            self.push("team/web", tag)
        self._record(monkeypatch)

    def _network(self) -> None:
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}"
            )["Subnet"]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        made = self.ec2.create_security_group(GroupName="web", Description="web", VpcId=self.vpc)
        self.security_group = made["GroupId"]
        (self.balancer,) = self.elbv2.create_load_balancer(Name="web", Subnets=self.subnets)["LoadBalancers"]

    def _journal(self, dynamodb: Any) -> None:
        keys = {"service": "HASH", "item": "RANGE"}
        dynamodb.create_table(
            TableName=OUTPUTS["Journal"],
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        )

    def _record(self, monkeypatch: pytest.MonkeyPatch) -> None:
        call = BaseClient._make_api_call  # type: ignore[attr-defined]

        def recorded(client: Any, operation: str, given: dict[str, Any]) -> Any:
            self.calls.append((client.meta.service_model.service_name, operation, given))
            if operation == "DescribeStacks":
                return self._describe_stacks(given)
            if operation in self.answers:
                answer = self.answers[operation]
                return answer(given) if callable(answer) else answer
            answer = call(client, operation, given)
            for group in answer["TargetGroups"] if operation == "DescribeTargetGroups" else []:
                # moto names a load balancer once for each rule, and AWS once.
                group["LoadBalancerArns"] = list(dict.fromkeys(group["LoadBalancerArns"]))
            if operation in self.shows:
                self.shows[operation](answer)
            return answer

        monkeypatch.setattr(BaseClient, "_make_api_call", recorded)

    @property
    def writes(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The calls so far that change something."""
        return [call for call in self.calls if call[1].startswith(WRITES)]

    def shows_service(self, **fields: Any) -> None:
        """Let ECS show what moto does not know of the service."""
        self.shows["DescribeServices"] = lambda answer: [
            service.update(fields) for service in answer["services"] if service["serviceName"] == "web"
        ]

    def run(self, *arguments: str, **given: Any) -> Result:
        """Run the command."""
        self.calls.clear()
        return CliRunner(mix_stderr=False).invoke(
            main, [*arguments, "--region", REGION], catch_exceptions=False, **given
        )

    def json(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run the command for a machine."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == status, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _describe_stacks(self, given: dict[str, Any]) -> dict[str, Any]:
        """Crossfade's stack as CloudFormation shows it; moto's own needs what is not installed."""
        if given["StackName"] != "crossfade":
            said = {
                "Code": "ValidationError",
                "Message": f"Stack with id {given['StackName']} does not exist",
            }
            raise ClientError({"Error": said}, "DescribeStacks")
        stack = {
            "StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/crossfade/1",
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()
            ],
        }
        return {"Stacks": [stack]}

    def adopt(self, *said: str) -> dict[str, Any]:
        """Adopt the service, and give Crossfade's stack the rights; returns the spec."""
        done = self.json("adopt", "--like", "shop/web", *said, "--apply")
        self.parameters |= done["parameters"]
        spec: dict[str, Any] = done["spec"]
        return spec

    def push(self, repository: str, tag: str) -> None:
        """Push an image."""
        known = self.ecr.describe_repositories()["repositories"]
        if repository not in [one["repositoryName"] for one in known]:
            self.ecr.create_repository(repositoryName=repository)
        layer = f"sha256:{hashlib.sha256(tag.encode()).hexdigest()}"  # moto makes the digest of the layers'
        manifest = json.dumps({**MANIFEST, "config": {"digest": layer}, "layers": [{"digest": layer}]})
        self.ecr.put_image(repositoryName=repository, imageTag=tag, imageManifest=manifest)

    def define(self, image: str = f"{IMAGES}/team/web:1.2.3", **changes: Any) -> str:
        """Register a task definition."""
        container = {"name": "app", "image": image, "memory": 512, "portMappings": [{"containerPort": 8080}]}
        values: dict[str, Any] = {
            "family": "web",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": ROLE,
            "containerDefinitions": [container],
        }
        made = self.ecs.register_task_definition(**values | changes)
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def serve(self, name: str, definition: str, **changes: Any) -> str:
        """Make the ECS service, or another one."""
        network = {"subnets": self.subnets, "securityGroups": [self.security_group]}
        values: dict[str, Any] = {
            "cluster": "shop",
            "serviceName": name,
            "taskDefinition": definition,
            "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": network},
            "loadBalancers": [{"targetGroupArn": self.group, "containerName": "app", "containerPort": 8080}],
        }
        return str(self.ecs.create_service(**values | changes)["service"]["serviceArn"])

    def target_group(self, name: str, **changes: Any) -> str:
        """Make a target group."""
        values = {"Protocol": "HTTP", "Port": 8080, "VpcId": self.vpc, "TargetType": "ip"}
        made = self.elbv2.create_target_group(Name=name, **values | changes)
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def reached_by(self, group: str) -> None:
        """Let ECS show one more target group of the service, before the other one: of a sidecar."""
        first = {"targetGroupArn": group, "containerName": "proxy", "containerPort": 9090}
        second = {"targetGroupArn": self.group, "containerName": "app", "containerPort": 8080}
        self.shows_service(loadBalancers=[first, second])

    def two_ports(self, image: str = "public.ecr.aws/envoy:1") -> str:
        """Give the service a sidecar with a port, a group ``admin``, and a listener, which is returned."""
        self.admin = self.target_group("admin")
        web = {"name": "app", "image": f"{IMAGES}/team/web:1.2.3", "portMappings": [{"containerPort": 8080}]}
        proxy = {"name": "proxy", "image": image, "portMappings": [{"containerPort": 9090}]}
        definition = self.define(containerDefinitions=[one | {"memory": 256} for one in (proxy, web)])
        self.ecs.update_service(cluster="shop", service="web", taskDefinition=definition)
        self.reached_by(self.admin)
        return self.listen(8080, {"Type": "forward", "TargetGroupArn": self.admin})

    def listen(self, port: int, *actions: dict[str, Any], **changes: Any) -> str:
        """Open a port."""
        made = self.elbv2.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"],
            Port=port,
            DefaultActions=list(actions),
            **{"Protocol": "HTTP", **changes},
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def rule(self, host: str, *before: dict[str, Any], priority: int = 100) -> str:
        """Let a rule for a host lead to the service, and the default action no more."""
        answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        self.elbv2.modify_listener(ListenerArn=self.listener, DefaultActions=[answer])
        forward = {"Type": "forward", "Order": 2, "TargetGroupArn": self.group}
        made = self.elbv2.create_rule(
            ListenerArn=self.listener,
            Priority=priority,
            Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}],
            Actions=[*before, forward],
        )
        return str(made["Rules"][0]["RuleArn"])

    def acl(self, **limits: int) -> None:
        """Put a web ACL before the load balancer, with rate rules."""
        visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "web"}
        rules = [
            {
                "Name": name,
                "Priority": n,
                "Statement": {"RateBasedStatement": {"Limit": limit, "AggregateKeyType": "IP"}},
                "Action": {"Block": {}},
                "VisibilityConfig": visible,
            }
            for n, (name, limit) in enumerate(limits.items())
        ]
        made = self.wafv2.create_web_acl(
            Name="shop", Scope="REGIONAL", DefaultAction={"Allow": {}}, Rules=rules, VisibilityConfig=visible
        )
        self.wafv2.associate_web_acl(
            WebACLArn=made["Summary"]["ARN"], ResourceArn=self.balancer["LoadBalancerArn"]
        )


@contextmanager
def renewed_owners() -> Iterator[Callable[[pytest.MonkeyPatch], Owner]]:
    """Start moto, and return a function that gives an owner's account as if it had been set up just now."""
    with set_up_once(Owner) as (owner, set_back):

        def renewed(monkeypatch: pytest.MonkeyPatch) -> Owner:
            monkeypatch.setattr("cli.account.boto3.Session", lambda **_: SimpleNamespace(client=client))
            set_back()
            found = copy.copy(owner)
            found.begin(monkeypatch)
            return found

        yield renewed
