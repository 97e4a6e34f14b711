"""Applications that were not made for Crossfade run in the sandbox with their own packages."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.sandbox.applications import APPLICATIONS, Answer, Application
from tests.sandbox_parts.containers.cluster import Cluster
from tests.sandbox_parts.containers.conftest import free_port, until

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

OF_EACH = [
    pytest.param(application, release, id=f"{application.name}-{release}")
    for application in APPLICATIONS
    for release in application.versions
]


def ask(url: str) -> tuple[int, Answer]:
    """The status and the answer, also of an error."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, Answer(response.headers, response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, Answer(error.headers, error.read().decode())


@contextmanager
def behind_a_load_balancer(cluster: Cluster, application: Application, release: str) -> Iterator[str]:
    """One task of it and a listener, until its health check has passed; gives the URL."""
    name, elb = f"{application.name}-{release}", cluster.sandbox.client("elbv2")
    push = cluster.sandbox.push(application.folder(release), "--repository", "tasks", "--tag", name)
    assert push.returncode == 0, push.stderr
    task = cluster.run(f"tasks:{name}", role=None, portMappings=[{"containerPort": 8080}])
    address = until(lambda: cluster.address(task))
    balancer = elb.create_load_balancer(Name=name)["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(
        Name=name,
        Port=8080,
        Protocol="HTTP",
        TargetType="ip",
        HealthCheckPath=application.health_path,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    forward = {"Type": "forward", "TargetGroupArn": group}
    port = free_port()
    elb.create_listener(LoadBalancerArn=balancer, Port=port, Protocol="HTTP", DefaultActions=[forward])
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": 8080}])

    def healthy() -> bool:
        found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [target["TargetHealth"]["State"] for target in found] == ["healthy"]

    try:
        until(lambda: healthy() or cluster.task(task)["lastStatus"] != "RUNNING")
        assert healthy(), cluster.lines(task)
        yield f"http://127.0.0.1:{port}"
    finally:
        elb.delete_load_balancer(LoadBalancerArn=balancer)
        cluster.ecs.stop_task(cluster="tasks", task=task)


@pytest.mark.parametrize(("application", "release"), OF_EACH)
def test_a_release_answers(cluster: Cluster, application: Application, release: str) -> None:
    """It is healthy and says its version; a page fails where it is bad."""
    with behind_a_load_balancer(cluster, application, release) as url:
        status, answer = ask(url + application.version_path)
        of_page, _ = ask(url + application.page)

    assert status == 200
    assert application.version_in(answer) == application.versions[release]
    assert (of_page == 200) == (release != "bad"), of_page
