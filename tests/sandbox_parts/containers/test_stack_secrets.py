"""Secrets and parameters of a template: what Ref says of them, and how a container gets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox, until
from tests.sandbox_parts.containers.stacks import Resources, Stack

pytestmark = pytest.mark.enable_socket

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/secrets:1"
DOCKERFILE = """\
FROM python:3.13-slim
WORKDIR /app
COPY say.py .
CMD ["python", "say.py"]
"""
PROGRAM = """\
import json, os
print(json.dumps({name: os.environ.get(name) for name in ("TOKEN", "LEVEL", "HIDDEN")}), flush=True)
"""


def template(description: str = "of the web") -> Resources:
    """A secret, a parameter, and a container that gets both, and a parameter that is encrypted."""
    log = {"awslogs-group": "secrets", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    secrets = {"TOKEN": {"Ref": "Token"}, "LEVEL": {"Ref": "Level"}, "HIDDEN": "/hidden"}
    container = {
        "Name": "app",
        "Image": IMAGE,
        "LogConfiguration": {"LogDriver": "awslogs", "Options": log},
        "Secrets": [{"Name": name, "ValueFrom": value} for name, value in secrets.items()],
    }
    return {
        "Token": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"GenerateSecretString": {}, "Description": description},
        },
        "Level": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "high"}},
        "Definition": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "Family": "secrets",
                "NetworkMode": "awsvpc",
                "RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
                "ContainerDefinitions": [container],
            },
        },
    }


@pytest.fixture(scope="module")
def stack(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack of them, and what they need."""
    folder: Path = tmp_path_factory.mktemp("secrets")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "say.py").write_text(PROGRAM)
    sandbox.client("ecr").create_repository(repositoryName="team/secrets")
    pushed = sandbox.push(folder, "--repository", "team/secrets", "--tag", "1")
    assert pushed.returncode == 0, pushed.stderr
    sandbox.client("ecs").create_cluster(clusterName="secrets")
    sandbox.client("logs").create_log_group(logGroupName="secrets")
    sandbox.client("ssm").put_parameter(Name="/hidden", Value="deep", Type="SecureString")
    made = Stack(sandbox, "secrets")
    assert made.create(template()) == "CREATE_COMPLETE", made.reasons
    return made


def secret(sandbox: Sandbox, stack: Stack) -> dict[str, Any]:
    """The secret that Ref names."""
    return dict(sandbox.client("secretsmanager").get_secret_value(SecretId=stack.ids()["Token"]))


def test_a_container_gets_them(sandbox: Sandbox, stack: Stack):
    """By the values of Ref, from an image of a repository with a folder."""
    ecs, logs = sandbox.client("ecs"), sandbox.client("logs")
    definition = stack.ids()["Definition"]
    platform = ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["runtimePlatform"]
    ecs.run_task(cluster="secrets", taskDefinition=definition)

    def said() -> list[str]:
        found = logs.filter_log_events(logGroupName="secrets")["events"]
        return [event["message"] for event in found]

    token = secret(sandbox, stack)["SecretString"]
    assert json.loads(until(said)[0]) == {"TOKEN": token, "LEVEL": "high", "HIDDEN": "deep"}
    assert len(token) == 32
    assert platform == {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}


def test_a_secret_is_named_by_its_arn(sandbox: Sandbox, stack: Stack):
    """Also where it is updated, which keeps it, and deleted."""
    before = secret(sandbox, stack)
    assert stack.ids()["Token"] == before["ARN"]
    assert stack.update(template("of the shop")) == "UPDATE_COMPLETE", stack.reasons
    after = secret(sandbox, stack)
    manager = sandbox.client("secretsmanager")
    described = manager.describe_secret(SecretId=after["ARN"])
    assert (after["ARN"], after["SecretString"]) == (before["ARN"], before["SecretString"])
    assert described["Description"] == "of the shop"
    assert stack.delete() == "DELETE_COMPLETE", stack.reasons
    with pytest.raises(manager.exceptions.ResourceNotFoundException):
        manager.describe_secret(SecretId=after["ARN"])
