"""ECS services of a template in the running sandbox: created, updated and deleted as CloudFormation does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox
from tests.sandbox_parts.containers.stacks import Resources, Stack

pytestmark = pytest.mark.enable_socket

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/owned"
DOCKERFILE = """\
FROM python:3.13-slim
ARG DIES=0
ENV DIES=${DIES}
WORKDIR /app
COPY wait.py .
CMD ["python", "wait.py"]
"""
PROGRAM = """\
import os, time
time.sleep(0 if int(os.environ["DIES"]) else 600)
raise SystemExit(1)
"""


@pytest.fixture(scope="module")
def images(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An image that runs, 1, and one that ends at once, dies."""
    folder: Path = tmp_path_factory.mktemp("owned")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "wait.py").write_text(PROGRAM)
    sandbox.client("ecr").create_repository(repositoryName="team/owned")
    for tag, dies in (("1", "0"), ("dies", "1")):
        arguments = ["--repository", "team/owned", "--tag", tag, "--build-arg", f"DIES={dies}"]
        pushed = sandbox.push(folder, *arguments)
        assert pushed.returncode == 0, pushed.stderr


def template(tag: str = "1", cluster: dict[str, Any] | None = None, **properties: Any) -> Resources:
    """A cluster with capacity providers, and a service of one task."""
    providers = {"CapacityProviders": ["FARGATE"], "DefaultCapacityProviderStrategy": []}
    breaker = {"Enable": True, "Rollback": True}
    service = {
        "Cluster": {"Ref": "Cluster"},
        "TaskDefinition": {"Ref": "Definition"},
        "DesiredCount": 1,
        "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE", "Weight": 1}],
        "HealthCheckGracePeriodSeconds": 60,
        "PropagateTags": "SERVICE",
        "EnableExecuteCommand": True,
        "DeploymentConfiguration": {"DeploymentCircuitBreaker": breaker, "MinimumHealthyPercent": 0},
        **properties,
    }
    container = {"Name": "app", "Image": f"{IMAGE}:{tag}", "StopTimeout": 2}
    definition = {"Family": "owned", "NetworkMode": "awsvpc", "ContainerDefinitions": [container]}
    return {
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": cluster or {}},
        "Providers": {
            "Type": "AWS::ECS::ClusterCapacityProviderAssociations",
            "Properties": {"Cluster": {"Ref": "Cluster"}, **providers},
        },
        "Definition": {"Type": "AWS::ECS::TaskDefinition", "Properties": definition},
        "Service": {"Type": "AWS::ECS::Service", "Properties": service, "DependsOn": ["Providers"]},
    }


@pytest.fixture
def stack(sandbox: Sandbox, images: None) -> Iterator[Stack]:
    """A stack of them."""
    made = Stack(sandbox, "owned")
    assert made.create(template()) == "CREATE_COMPLETE", made.reasons
    yield made
    made.delete()


def described(stack: Stack) -> dict[str, Any]:
    """The service as it is."""
    ids = stack.ids()
    asked = {"cluster": ids["Cluster"], "services": [ids["Service"]], "include": ["TAGS"]}
    return dict(stack.sandbox.client("ecs").describe_services(**asked)["services"][0])


def test_the_stack_waits_for_the_tasks(stack: Stack):
    """When it is complete they run; and what the template says is described."""
    service = described(stack)

    assert (service["desiredCount"], service["runningCount"]) == (1, 1)
    assert [deployment["rolloutState"] for deployment in service["deployments"]] == ["COMPLETED"]
    assert service["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE"
    assert (service["healthCheckGracePeriodSeconds"], service["propagateTags"]) == (60, "SERVICE")
    assert service["enableExecuteCommand"] is True
    assert service["deploymentConfiguration"]["minimumHealthyPercent"] == 0


def test_any_change_sends_every_property(sandbox: Sandbox, stack: Stack):
    """A tag, and the task definition and the number of tasks are the template's again."""
    ecs, before = sandbox.client("ecs"), described(stack)
    container = {"name": "app", "image": f"{IMAGE}:1", "stopTimeout": 2}
    other = ecs.register_task_definition(
        family="other", networkMode="awsvpc", containerDefinitions=[container]
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(
        cluster=before["clusterArn"], service=before["serviceArn"], taskDefinition=other, desiredCount=0
    )
    status = stack.update(template(Tags=[{"Key": "Team", "Value": "web"}]))
    after = described(stack)

    assert status == "UPDATE_COMPLETE", stack.reasons
    assert (after["taskDefinition"], after["desiredCount"]) == (before["taskDefinition"], 1)
    assert after["serviceArn"] == before["serviceArn"]
    assert {"key": "Team", "value": "web"} in after["tags"]


def test_a_change_elsewhere_sends_nothing(sandbox: Sandbox, stack: Stack):
    """The service is left as it is, and the cluster's capacity providers as well."""
    ecs, before = sandbox.client("ecs"), described(stack)
    ecs.update_service(cluster=before["clusterArn"], service=before["serviceArn"], desiredCount=0)
    status = stack.update(template(cluster={"Tags": [{"Key": "Team", "Value": "web"}]}))
    (cluster,) = ecs.describe_clusters(clusters=[before["clusterArn"]])["clusters"]

    assert status == "UPDATE_COMPLETE", stack.reasons
    assert described(stack)["desiredCount"] == 0
    assert cluster["capacityProviders"] == ["FARGATE"]


def test_a_count_that_is_not_named_stays(sandbox: Sandbox, stack: Stack):
    """ "For existing services, if a desired count is not specified, it is omitted from the operation"."""
    ecs, before = sandbox.client("ecs"), described(stack)
    without = template(EnableExecuteCommand=False)
    del without["Service"]["Properties"]["DesiredCount"]
    ecs.update_service(cluster=before["clusterArn"], service=before["serviceArn"], desiredCount=0)

    assert stack.update(without) == "UPDATE_COMPLETE", stack.reasons
    assert described(stack)["desiredCount"] == 0


def test_a_failed_update_is_taken_back(stack: Stack):
    """In the words of CloudFormation when the circuit breaker opens; then the old tasks run."""
    before = described(stack)
    status = stack.update(template(tag="dies"))
    after = described(stack)

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert any("ECS Deployment Circuit Breaker was triggered" in reason for reason in stack.reasons)
    assert (after["taskDefinition"], after["runningCount"]) == (before["taskDefinition"], 1)


def test_a_service_that_never_runs_is_not_created(sandbox: Sandbox, images: None):
    """And nothing is left of it."""
    stack = Stack(sandbox, "never")
    status = stack.create(template(tag="dies"))
    ecs = sandbox.client("ecs")
    left = [arn for arn in ecs.list_clusters()["clusterArns"] if "/never-" in arn]
    stack.delete()

    assert status == "ROLLBACK_COMPLETE"
    assert any("ECS Deployment Circuit Breaker was triggered" in reason for reason in stack.reasons)
    assert left == []


def test_an_unknown_property_is_refused(sandbox: Sandbox, images: None):
    """As CloudFormation does."""
    stack = Stack(sandbox, "unknown")
    status = stack.create(template(DesiredCuont=2))
    stack.delete()

    assert status == "ROLLBACK_COMPLETE"
    assert any("extraneous key [DesiredCuont]" in reason for reason in stack.reasons), stack.reasons


def around(path: str, days: int) -> Resources:
    """What else has a generated name; the first is kept when its stack goes."""
    group = {"Port": 80, "Protocol": "HTTP", "TargetType": "ip", "HealthCheckPath": path}
    tasks = {"GroupDescription": "tasks", "Tags": [{"Key": "Path", "Value": path}]}
    return {
        "Logs": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Retain",
            "Properties": {"RetentionInDays": days},
        },
        "Group": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": group},
        "Tasks": {"Type": "AWS::EC2::SecurityGroup", "Properties": tasks},
        "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {}},
    }


def test_names_are_drawn_for_each_stack(sandbox: Sandbox, images: None):
    """An update keeps them; what the first stack left behind is not in the second one's way."""
    seen = []
    for _ in range(2):
        stack = Stack(sandbox, "named")
        assert stack.create(around("/", 30) | template(DesiredCount=0)) == "CREATE_COMPLETE", stack.reasons
        created = stack.ids()
        changed = template(DesiredCount=0, EnableExecuteCommand=False, cluster={"Tags": []})
        assert stack.update(around("/health", 60) | changed) == "UPDATE_COMPLETE", stack.reasons
        assert stack.ids() == created
        seen.append(created)
        assert stack.delete() == "DELETE_COMPLETE", stack.reasons
    first, second = seen

    assert not {*first.values()} & {*second.values()}
    assert all("named-" in first[part] for part in ("Service", "Cluster", "Group", "Balancer", "Logs"))
    assert len(first["Group"].split("/")[1]) <= 32
