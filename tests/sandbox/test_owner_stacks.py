"""Two stacks that the CDK has made, of services that were not made for Crossfade, in a sandbox of their own.

`plain`: a Fargate service behind a load balancer of its own, by the listener's default action. `shared`: an
HTTPS listener with a rule by host and a login, capacity providers, a sidecar, a secret, automatic scaling.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.sandbox.beginning import started
from tests.sandbox.executions import Executions
from tests.sandbox.machine import answers, free_ports
from tests.sandbox.owner import Owner, Template, properties_of, push_images, template
from tests.sandbox.patience import until

pytestmark = pytest.mark.enable_socket

SERVICE = "AWS::ECS::Service"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's folder."""
    return tmp_path_factory.mktemp("owners")


@pytest.fixture(scope="module")
def shell(
    state: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Executions]:
    """A sandbox with nothing in it."""
    with started(state, pytestconfig) as sandbox:
        endpoint = f"http://127.0.0.1:{sandbox.port}"
        home = tmp_path_factory.mktemp("home")
        yield Executions(endpoint, sandbox.production_port, home)


def with_a_tag(of_template: Template) -> None:
    """A change that has nothing to do with what runs."""
    tags = properties_of(of_template, SERVICE).setdefault("Tags", [])
    tags.append({"Key": "Team", "Value": "web"})


@pytest.mark.long  # the takeover in make test deploys and updates the same stack
def test_a_service_behind_its_own_load_balancer(shell: Executions):
    """It answers when its stack is complete; any change of its service sets the count again; all goes."""
    (port,) = free_ports(1)
    push_images(shell, "plain")
    owner = Owner(shell, "plain", template("plain", {80: port}))
    owner.deploy()
    answer = requests.get(f"http://localhost:{port}/version", timeout=10).json()
    created = owner.service()
    shell.client("ecs").update_service(
        cluster=created["clusterArn"], service=created["serviceArn"], desiredCount=1
    )
    owner.update(with_a_tag)
    updated = owner.service()
    owner.delete()

    assert answer["version"] == "1.0.0"
    assert created["serviceName"].startswith("plain-Service9571FDD8-")
    assert created["healthCheckGracePeriodSeconds"] == 60
    assert created["deploymentConfiguration"]["minimumHealthyPercent"] == 50
    assert (updated["desiredCount"], updated["runningCount"]) == (2, 2)
    assert {"key": "Team", "value": "web"} in updated["tags"]
    assert shell.client("ecs").list_clusters()["clusterArns"] == []
    assert not answers(port)


@pytest.mark.long
def test_a_service_behind_a_shared_listener(shell: Executions, state: Path):
    """All that its template says is there, and goes with it."""
    http, https = free_ports(2)
    push_images(shell, "shared")
    shell.aws("secretsmanager", "create-secret", "--name", "web/login", "--secret-string", "hush")
    certificate = shell.aws("acm", "request-certificate", "--domain-name", "web.example.com")
    parameters = {"CertificateArn": certificate["CertificateArn"]}
    owner = Owner(shell, "shared", template("shared", {80: http, 443: https}), **parameters)
    owner.deploy()
    service, ecs = owner.service(), shell.client("ecs")
    cluster = service["clusterArn"]
    tasks = ecs.describe_tasks(
        cluster=cluster, tasks=ecs.list_tasks(cluster=cluster)["taskArns"], include=["TAGS"]
    )["tasks"]
    group = service["loadBalancers"][0]["targetGroupArn"]
    health = shell.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    scaling = shell.client("application-autoscaling")
    redirect = requests.get(f"http://localhost:{http}/", timeout=10, allow_redirects=False)
    login, elsewhere = (
        requests.get(
            f"https://localhost:{https}/version",
            headers={"Host": host},
            verify=str(state / "authority.pem"),
            timeout=10,
            allow_redirects=False,
        )
        for host in ("web.example.com", "example.org")
    )
    owner.update(with_a_tag)
    updated = owner.service()

    assert len(tasks) == 2
    for task in tasks:
        running = {container["name"]: container["lastStatus"] for container in task["containers"]}
        assert running == {"web": "RUNNING", "sidecar": "RUNNING"}
        assert {"key": "CostCenter", "value": "4711"} in task["tags"]
    assert [target["TargetHealth"]["State"] for target in health] == ["healthy", "healthy"]
    assert [item["capacityProvider"] for item in service["capacityProviderStrategy"]] == [
        "FARGATE",
        "FARGATE_SPOT",
    ]
    assert "launchType" not in service
    assert service["enableExecuteCommand"]
    assert login.status_code == 302
    assert login.headers["Location"].startswith("https://login.example.com/authorize?client_id=web&")
    assert (elsewhere.status_code, elsewhere.text) == (404, "No such site.")
    assert (redirect.status_code, redirect.headers["Location"]) == (301, f"https://localhost:{https}/")
    assert (
        scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]["MaxCapacity"] == 10
    )
    assert len(scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]) == 1
    assert [deployment["id"] for deployment in updated["deployments"]] == [service["deployments"][0]["id"]]

    owner.delete()
    until(lambda: not answers(https), "the listener to close")
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert ecs.list_clusters()["clusterArns"] == []
