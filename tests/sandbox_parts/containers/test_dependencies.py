"""Tasks of several containers: what starts first, what is waited for, and who has the port."""

from __future__ import annotations

import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox, free_port, until

pytestmark = pytest.mark.enable_socket

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/several:1"
DOCKERFILE = """\
FROM python:3.13-slim
WORKDIR /app
COPY say.py .
EXPOSE 8080
CMD ["python", "say.py"]
"""
# Says its name, and once more when its time is over, and ends; without a time it answers with its name.
PROGRAM = """\
import http.server, os, time
name, seconds = os.environ["NAME"], os.environ.get("SECONDS")
print(name, "begins", flush=True)
if seconds:
    time.sleep(float(seconds))
    print(name, "ends", flush=True)
    raise SystemExit(int(os.environ.get("STATUS", 0)))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(name.encode())
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def image(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its repository, a cluster and a log group."""
    folder: Path = tmp_path_factory.mktemp("several")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "say.py").write_text(PROGRAM)
    sandbox.client("ecr").create_repository(repositoryName="team/several")
    assert sandbox.push(folder, "--repository", "team/several", "--tag", "1").returncode == 0
    sandbox.client("ecs").create_cluster(clusterName="several")


def container(name: str, *needs: tuple[str, str], essential: bool = True, **env: str) -> dict[str, Any]:
    """A container of the image that depends on others."""
    log = {"awslogs-group": "several", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    return {
        "name": name,
        "image": IMAGE,
        "essential": essential,
        "environment": [{"name": key, "value": value} for key, value in ({"NAME": name} | env).items()],
        "logConfiguration": {"logDriver": "awslogs", "options": log},
        "dependsOn": [{"containerName": other, "condition": condition} for other, condition in needs],
    }


class Tasks:
    """Tasks of one family, and what their containers say."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.ecs, self.logs = sandbox, sandbox.client("ecs"), sandbox.client("logs")

    def run(self, *containers: dict[str, Any]) -> str:
        """Run a task of these containers; returns its ARN."""
        if self.logs.describe_log_groups(logGroupNamePrefix="several")["logGroups"]:
            self.logs.delete_log_group(logGroupName="several")
        self.logs.create_log_group(logGroupName="several")
        definition = self.ecs.register_task_definition(
            family="several", networkMode="awsvpc", containerDefinitions=list(containers)
        )["taskDefinition"]["taskDefinitionArn"]
        return str(self.ecs.run_task(cluster="several", taskDefinition=definition)["tasks"][0]["taskArn"])

    def described(self, task: str) -> dict[str, Any]:
        """DescribeTasks of one task."""
        return dict(self.ecs.describe_tasks(cluster="several", tasks=[task])["tasks"][0])

    def said(self, lines: int) -> list[str]:
        """So many lines, in the order of their time."""

        def look() -> list[str] | None:
            events = self.logs.filter_log_events(logGroupName="several")["events"]
            events.sort(key=lambda event: event["timestamp"])
            return [event["message"] for event in events] if len(events) >= lines else None

        found: list[str] = until(look)
        return found


@pytest.fixture
def tasks(sandbox: Sandbox, image: None) -> Tasks:
    """Tasks of the image."""
    return Tasks(sandbox)


def test_one_starts_after_those_that_it_needs(tasks: Tasks):
    """Though it stands before them in the task definition."""
    task = tasks.run(
        container("web", ("proxy", "START"), ("migrate", "SUCCESS")),
        container("proxy", essential=False, SECONDS="9"),
        container("migrate", essential=False, SECONDS="0.5"),
    )
    until(lambda: tasks.described(task)["lastStatus"] == "RUNNING")
    said = tasks.said(4)
    named = {one["name"]: one["lastStatus"] for one in tasks.described(task)["containers"]}
    tasks.ecs.stop_task(cluster="several", task=task)

    assert said.index("migrate ends") < said.index("web begins")
    assert said.index("proxy begins") < said.index("web begins")
    assert named["web"] == named["proxy"] == "RUNNING"


def test_one_that_needs_another_one_s_success_does_not_start_without(tasks: Tasks):
    """The task ends and says so."""
    task = tasks.run(
        container("web", ("migrate", "SUCCESS")),
        container("migrate", essential=False, SECONDS="0.1", STATUS="3"),
    )
    until(lambda: tasks.described(task)["lastStatus"] == "STOPPED")

    assert "'migrate'" in tasks.described(task)["stoppedReason"]
    assert "web begins" not in tasks.said(2)


def test_an_end_of_any_kind_is_enough_for_complete(tasks: Tasks):
    """Also a failure."""
    task = tasks.run(
        container("web", ("migrate", "COMPLETE")),
        container("migrate", essential=False, SECONDS="0.1", STATUS="3"),
    )
    said = tasks.said(3)
    tasks.ecs.stop_task(cluster="several", task=task)

    assert said == ["migrate begins", "migrate ends", "web begins"]


def test_the_port_is_of_the_container_that_maps_it(sandbox: Sandbox, tasks: Tasks):
    """Though another one of the same image started later."""
    elb, port = sandbox.client("elbv2"), free_port()
    balancer = elb.create_load_balancer(Name="several")["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="several", Port=8080, Protocol="HTTP", TargetType="ip")
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    elb.create_listener(LoadBalancerArn=balancer, Port=port, Protocol="HTTP", DefaultActions=forward)
    web = container("web") | {"portMappings": [{"containerPort": 8080}]}
    task = tasks.run(web, container("sidecar", ("web", "START")))
    until(lambda: tasks.described(task)["lastStatus"] == "RUNNING")
    (attachment,) = tasks.described(task)["attachments"]
    address = {detail["name"]: detail["value"] for detail in attachment["details"]}["privateIPv4Address"]
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": address}])

    def answer() -> str | None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
            return str(response.read().decode())
        return None

    answered = until(answer)
    tasks.ecs.stop_task(cluster="several", task=task)

    assert answered == "web"
