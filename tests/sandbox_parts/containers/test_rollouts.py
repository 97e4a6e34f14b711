"""ECS services behind a load balancer in the running sandbox: rollouts, crashes, and the end."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.ecs.capacity import KEY, NO_CAPACITY
from tests.sandbox_parts.containers.conftest import Sandbox, free_port, until

pytestmark = pytest.mark.enable_socket

CLUSTER = "rollouts"
DOCKERFILE = """\
FROM python:3.13-slim
ARG WARM=0
ARG DIES=0
ARG DEAF=0
ENV WARM=${WARM} DIES=${DIES} DEAF=${DEAF}
WORKDIR /app
COPY serve_rollout.py .
EXPOSE 8080
CMD ["python", "serve_rollout.py"]
"""
# Healthy after WARM seconds; dies after DIES seconds; does not heed SIGTERM when it is DEAF; takes its time
# for /slow.
PROGRAM = """\
import http.server, os, signal, threading, time
if float(os.environ["DEAF"]): signal.signal(signal.SIGTERM, signal.SIG_IGN)
if float(os.environ["DIES"]): threading.Timer(float(os.environ["DIES"]), os._exit, (1,)).start()
began = time.monotonic()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(4 if self.path == "/slow" else 0)
        self.send_response(200 if time.monotonic() - began > float(os.environ["WARM"]) else 503)
        self.end_headers()
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass
class Service:
    """An ECS service of one task, with its target group and a listener."""

    sandbox: Sandbox
    name: str
    releases: dict[str, str]
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.ecs, self.elb = self.sandbox.client("ecs"), self.sandbox.client("elbv2")

    def create(self, release: str) -> None:
        """Make all of it."""
        balancer = self.elb.create_load_balancer(Name=self.name)["LoadBalancers"][0]["LoadBalancerArn"]
        self.group = self.elb.create_target_group(
            Name=self.name,
            Port=8080,
            Protocol="HTTP",
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        forward = {"Type": "forward", "TargetGroupArn": self.group}
        self.elb.create_listener(
            LoadBalancerArn=balancer, Port=self.port, Protocol="HTTP", DefaultActions=[forward]
        )
        self.start(release)

    def start(self, release: str) -> None:
        """CreateService."""
        self.ecs.create_service(
            cluster=CLUSTER,
            serviceName=self.name,
            taskDefinition=self.releases[release],
            desiredCount=1,
            launchType="FARGATE",
            propagateTags="TASK_DEFINITION",
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
            loadBalancers=[{"targetGroupArn": self.group, "containerName": "app", "containerPort": 8080}],
        )

    def update(self, **changes: Any) -> None:
        """UpdateService; `release` names the task definition."""
        if "release" in changes:
            changes["taskDefinition"] = self.releases[changes.pop("release")]
        self.ecs.update_service(cluster=CLUSTER, service=self.name, **changes)

    def describe(self) -> dict[str, Any]:
        """DescribeServices."""
        return dict(self.ecs.describe_services(cluster=CLUSTER, services=[self.name])["services"][0])

    def deployments(self) -> list[tuple[str, str, int]]:
        """Status, state and running tasks of each deployment."""
        return [(d["status"], d["rolloutState"], d["runningCount"]) for d in self.describe()["deployments"]]

    def health(self) -> list[str]:
        """The states of the targets."""
        found = self.elb.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        return [target["TargetHealth"]["State"] for target in found]

    def tasks(self) -> list[str]:
        """The running tasks' ARNs."""
        return list(self.ecs.list_tasks(cluster=CLUSTER, serviceName=self.name)["taskArns"])

    def pids(self) -> list[int]:
        """The processes of all services of this file; those that are being deleted are among them."""
        printed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(maxsplit=2) for line in printed.splitlines() if "serve_rollout.py" in line]
        return [int(pid) for pid, parent, _ in rows if int(parent) == self.sandbox.process.pid]

    def settled(self) -> None:
        """Wait until one deployment is left and its task is healthy."""
        until(lambda: self.deployments() == [("PRIMARY", "COMPLETED", 1)] and self.health() == ["healthy"])


@pytest.fixture(scope="module")
def releases(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Task definitions: good ones and bad ones."""
    folder = tmp_path_factory.mktemp("rollouts")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "serve_rollout.py").write_text(PROGRAM)
    sandbox.client("ecr").create_repository(repositoryName="rollouts")
    images = {"good": ["WARM=0"], "cold": ["WARM=3600"], "dying": ["WARM=3600", "DIES=3"], "deaf": ["DEAF=1"]}
    for tag, given in images.items():
        arguments = [word for argument in given for word in ("--build-arg", argument)]
        sandbox.push(folder, "--repository", "rollouts", "--tag", tag, *arguments)
    ecs = sandbox.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    made = {}
    tags = {
        "good": "good",
        "better": "good",
        "cold": "cold",
        "dying": "dying",
        "deaf": "deaf",
        "missing": "nowhere",
        "dead": "good",
    }
    for name, tag in tags.items():
        container: dict[str, Any] = {
            "name": "app",
            "image": f"000000000000.dkr.ecr.us-east-1.amazonaws.com/rollouts:{tag}",
            "portMappings": [{"containerPort": 8080}],
            "stopTimeout": 2,
        }
        if name == "dead":
            container["command"] = ["false"]
        registered = ecs.register_task_definition(
            family="rollouts",
            networkMode="awsvpc",
            containerDefinitions=[container],
            tags=[{"key": "release", "value": name}],
        )
        made[name] = registered["taskDefinition"]["taskDefinitionArn"]
    return made


NAMES = (f"rollouts-{number}" for number in itertools.count())


@pytest.fixture
def service(sandbox: Sandbox, releases: dict[str, str]) -> Iterator[Service]:
    """A service of its own for each test, settled."""
    made = Service(sandbox, next(NAMES), releases)
    made.create("good")
    made.settled()
    yield made
    with suppress(ClientError):
        made.ecs.delete_service(cluster=CLUSTER, service=made.name, force=True)


def test_old_tasks_stay_until_the_new_ones_are_healthy(service: Service):
    """A release that never gets healthy takes nothing away; the next one gets rid of both."""
    service.update(release="cold")
    until(lambda: service.deployments() == [("PRIMARY", "IN_PROGRESS", 1), ("ACTIVE", "COMPLETED", 1)])
    time.sleep(2)
    during = service.deployments(), sorted(service.health())

    service.update(release="better")
    service.settled()

    assert during == (
        [("PRIMARY", "IN_PROGRESS", 1), ("ACTIVE", "COMPLETED", 1)],
        ["healthy", "initial"],
    )
    assert service.describe()["taskDefinition"] == service.releases["better"]


@pytest.mark.parametrize("release", ["missing", "dead"])
def test_a_failed_rollout_leaves_the_old_tasks(service: Service, release: str):
    """They serve on beside the failed deployment, and are replaced by the next one."""
    service.update(release=release)
    until(lambda: service.deployments()[0] == ("PRIMARY", "FAILED", 0))
    time.sleep(1)
    during = service.deployments(), [state for state in service.health() if state != "draining"]

    service.update(release="better")
    service.settled()

    assert during == ([("PRIMARY", "FAILED", 0), ("ACTIVE", "COMPLETED", 1)], ["healthy"])


def test_a_crash_after_the_start_is_not_counted(service: Service):
    """Once a task has run, ECS counts no failure: it starts the next one, again and again."""
    service.update(release="dying")
    candidate = service.describe()["deployments"][0]["id"]

    def crashed() -> list[str]:
        asked = {"cluster": CLUSTER, "serviceName": service.name, "desiredStatus": "STOPPED"}
        return list(service.ecs.list_tasks(**asked)["taskArns"])

    until(lambda: len(crashed()) > 1)
    stopped = crashed()
    tasks = service.ecs.describe_tasks(cluster=CLUSTER, tasks=stopped)["tasks"]
    primary = service.describe()["deployments"][0]

    assert {task["startedBy"] for task in tasks} == {candidate}
    assert (primary["id"], primary["rolloutState"], primary["failedTasks"]) == (candidate, "IN_PROGRESS", 0)


def test_a_killed_task_is_replaced(service: Service):
    """Within a second or two, as often as it happens; it is no failure of the deployment."""
    for _ in range(4):
        before = set(service.tasks())
        until(lambda: len(service.pids()) == 1)
        os.kill(service.pids()[0], signal.SIGKILL)
        until(lambda gone=before: not gone & set(service.tasks()), seconds=2)
        until(lambda: service.describe()["runningCount"] == 1 and service.health() == ["healthy"], seconds=5)

    assert service.deployments() == [("PRIMARY", "COMPLETED", 1)]
    assert service.describe()["deployments"][0]["failedTasks"] == 0


def test_death_after_health_is_no_failure(service: Service):
    """While the other task of a deployment is still starting, too."""
    service.update(desiredCount=0)
    until(lambda: not service.pids())
    service.update(release="better", desiredCount=2)
    until(lambda: "healthy" in service.health())
    time.sleep(2)
    for _ in range(4):
        pid = max(service.pids())
        os.kill(pid, signal.SIGKILL)
        until(lambda dead=pid: dead not in service.pids() and len(service.pids()) == 2, seconds=5)

    until(lambda: service.deployments() == [("PRIMARY", "COMPLETED", 2)])


def test_none_and_again(service: Service):
    """A desired count of 0, and the old one again, within the same deployment."""
    before = service.describe()["deployments"][0]["id"]
    service.update(desiredCount=0)
    until(lambda: service.health() == [])
    none = service.deployments()

    service.update(desiredCount=1)
    service.settled()

    assert none == [("PRIMARY", "COMPLETED", 0)]
    assert service.describe()["deployments"][0]["id"] == before


def test_who_started_a_task(service: Service):
    """A service's tasks are started by its deployment, and have the tags that the service says."""
    described = service.ecs.describe_tasks(cluster=CLUSTER, tasks=service.tasks(), include=["TAGS"])
    assert described["tasks"][0]["tags"] == [{"key": "release", "value": "good"}]
    deployment = service.describe()["deployments"][0]["id"]

    assert service.ecs.list_tasks(cluster=CLUSTER, startedBy=deployment)["taskArns"] == service.tasks()
    assert deployment.startswith("ecs-svc/")
    for joined in (
        {"startedBy": deployment, "desiredStatus": "STOPPED"},
        {"family": "a", "serviceName": "b"},
    ):
        with pytest.raises(service.ecs.exceptions.InvalidParameterException):
            service.ecs.list_tasks(cluster=CLUSTER, **joined)


def test_a_token_runs_once(sandbox: Sandbox, releases: dict[str, str]):
    """RunTask with a token that was used gives the same task; with other parameters it is refused."""
    ecs = sandbox.client("ecs")

    def run(started_by: str) -> list[str]:
        answer = ecs.run_task(
            cluster=CLUSTER, taskDefinition=releases["good"], startedBy=started_by, clientToken="once"
        )
        return [task["taskArn"] for task in answer["tasks"]]

    first = run("deployment-1")

    assert run("deployment-1") == first
    assert ecs.list_tasks(cluster=CLUSTER, startedBy="deployment-1")["taskArns"] == first
    with pytest.raises(ecs.exceptions.ConflictException):
        run("deployment-2")
    ecs.stop_task(cluster=CLUSTER, task=first[0])


def no_capacity(sandbox: Sandbox, group: str, seconds: int) -> None:
    """Let there be no room for a group of tasks, for so many seconds."""
    ecs = sandbox.client("ecs")
    arn = ecs.describe_clusters(clusters=[CLUSTER])["clusters"][0]["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": f"{KEY}{group}", "value": str(seconds)}])


def test_a_service_without_room_says_so_and_tries_again(service: Service):
    """Its events have ECS's words; what cannot be placed counts for the breaker, and no task is seen."""
    no_capacity(service.sandbox, f"service:{service.name}", 3600)
    service.update(release="better")
    until(lambda: service.deployments()[0] == ("PRIMARY", "FAILED", 0))
    messages = [event["message"] for event in service.describe()["events"]]
    task = service.ecs.describe_tasks(cluster=CLUSTER, tasks=service.tasks())["tasks"]
    service.update(forceNewDeployment=True)
    until(lambda: service.describe()["deployments"][0]["failedTasks"] == 1)
    no_capacity(service.sandbox, f"service:{service.name}", 0)
    service.settled()

    refused = f"(service {service.name}) was unable to place a task. Reason: {NO_CAPACITY}"
    assert messages[:4] == [
        f"(service {service.name}) deployment failed: deployment circuit breaker was triggered.",
        *3 * [refused],
    ]
    assert [each["taskDefinitionArn"] for each in task] == [service.releases["good"]]
    assert service.describe()["taskDefinition"] == service.releases["better"]


def test_tasks_that_never_start_are_tried_less_and_less(sandbox: Sandbox, releases: dict[str, str]):
    """Where no circuit breaker ends it, they would otherwise take all of the machine."""
    ecs, started = sandbox.client("ecs"), {"cluster": CLUSTER, "serviceName": "hopeless"}
    ecs.create_service(**started, taskDefinition=releases["missing"], desiredCount=1)

    def tried() -> int:
        return len(ecs.list_tasks(**started, desiredStatus="STOPPED")["taskArns"])

    until(lambda: tried() > 3)
    time.sleep(2)
    found = tried()
    ecs.delete_service(cluster=CLUSTER, service="hopeless", force=True)

    assert found < 8


def test_a_token_repeats_that_there_was_no_room(sandbox: Sandbox, releases: dict[str, str]):
    """Also when there is some again; a new token is a new request."""
    ecs = sandbox.client("ecs")

    def run(token: str) -> tuple[int, list[str]]:
        answer = ecs.run_task(cluster=CLUSTER, taskDefinition=releases["good"], clientToken=token)
        for task in answer["tasks"]:
            ecs.stop_task(cluster=CLUSTER, task=task["taskArn"])
        return len(answer["tasks"]), [failure["reason"] for failure in answer["failures"]]

    no_capacity(sandbox, "family:rollouts", 3600)
    refused = run("refused")
    no_capacity(sandbox, "family:rollouts", 0)

    assert refused == run("refused") == (0, [NO_CAPACITY])
    assert run("asked again") == (1, [])


def test_a_deleted_service_drains(service: Service):
    """DRAINING while a request is under way: no second service of that name, no deletion of the cluster."""
    task = service.tasks()[0]
    request = threading.Thread(
        target=urllib.request.urlopen, args=(f"http://127.0.0.1:{service.port}/slow",), kwargs={"timeout": 20}
    )
    request.start()
    time.sleep(0.5)

    service.ecs.delete_service(cluster=CLUSTER, service=service.name, force=True)

    assert service.describe()["status"] == "DRAINING"
    with pytest.raises(ClientError, match="still Draining"):
        service.start("good")
    with pytest.raises(service.ecs.exceptions.ClusterContainsServicesException):
        service.ecs.delete_cluster(cluster=CLUSTER)
    with pytest.raises(service.ecs.exceptions.ServiceNotActiveException):
        service.update(desiredCount=1)
    request.join()
    until(lambda: service.describe()["status"] == "INACTIVE")
    until(
        lambda: (
            service.ecs.describe_tasks(cluster=CLUSTER, tasks=[task])["tasks"][0]["lastStatus"] == "STOPPED"
        )
    )


def test_an_inactive_service_has_tasks_that_stop(service: Service):
    """INACTIVE is no sign of the end: its task is STOPPING, and the cluster is still in use."""
    service.update(release="deaf")
    service.settled()
    task = service.tasks()[0]
    service.ecs.delete_service(cluster=CLUSTER, service=service.name, force=True)
    until(lambda: service.describe()["status"] == "INACTIVE")

    assert service.ecs.describe_tasks(cluster=CLUSTER, tasks=[task])["tasks"][0]["lastStatus"] == "STOPPING"
    with pytest.raises(service.ecs.exceptions.ClusterContainsTasksException):
        service.ecs.delete_cluster(cluster=CLUSTER)


def test_a_stack_keeps_a_cluster_with_tasks(sandbox: Sandbox, releases: dict[str, str]):
    """Its deletion waits until the last task has ended, and holds nothing else up."""
    cloudformation, ecs = sandbox.client("cloudformation"), sandbox.client("ecs")
    cluster = {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "of-a-stack"}}
    stack = cloudformation.create_stack(
        StackName="with-cluster", TemplateBody=json.dumps({"Resources": {"Cluster": cluster}})
    )["StackId"]

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    until(lambda: status() == "CREATE_COMPLETE")
    task = ecs.run_task(cluster="of-a-stack", taskDefinition=releases["good"])["tasks"][0]["taskArn"]

    cloudformation.delete_stack(StackName=stack)
    time.sleep(1.5)
    during = status()
    ecs.stop_task(cluster="of-a-stack", task=task)

    assert during == "DELETE_IN_PROGRESS"
    until(lambda: status() == "DELETE_COMPLETE")
