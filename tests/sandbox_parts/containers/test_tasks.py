"""Tasks in the running sandbox: pushed, run with their role's rights, stopped as ECS stops them."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.host.images import MANIFEST_TYPE, digest_of
from tests.sandbox_parts.containers.cluster import Cluster
from tests.sandbox_parts.containers.conftest import started, until

pytestmark = pytest.mark.enable_socket

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
DOCKERFILE = """\
FROM python:3.13-slim
ARG VERSION=0.0.0
ENV VERSION=${VERSION} PYTHONPATH=/app/lib
WORKDIR /app
COPY . .
EXPOSE 8080
CMD ["python", "main.py"]
"""
# Says what it can do with its role, then serves; after SIGTERM it says one thing more.
PROGRAM = """\
import http.server, os, signal, sys, threading, time
import boto3, answer
def attempt(name, call):
    try:
        call()
        print(name, "allowed", flush=True)
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        print(name, type(error).__name__, code, flush=True)
def leave(*_):
    time.sleep(0.5)
    print("late", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
print("version", os.environ["VERSION"], answer.VALUE, "key" if "AWS_ACCESS_KEY_ID" in os.environ else "clean")
attempt("who", lambda: print(boto3.client("sts").get_caller_identity()["Arn"]))
attempt("read", lambda: boto3.client("ssm").get_parameter(Name="/crossfade/sandbox/powertools-layer"))
attempt("list", lambda: boto3.client("dynamodb").list_tables())
place = os.environ["HOST"], int(os.environ["PORT"])
server = http.server.HTTPServer(place, http.server.BaseHTTPRequestHandler)
print("port", os.environ["PORT"], flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the program above."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "lib").mkdir()
    (folder / "lib" / "answer.py").write_text("VALUE = 42\n")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "main.py").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="module")
def image(cluster: Cluster, program: Path) -> str:
    """The program, pushed."""
    done = cluster.sandbox.push(
        program, "--tag", "1", "--repository", "tasks", "--build-arg", "VERSION=1.2.3"
    )
    assert done.returncode == 0, done.stderr
    return "tasks:1"


@pytest.fixture
def running(cluster: Cluster, image: str) -> Iterator[str]:
    """A task that serves."""
    arn = cluster.run(image, stopTimeout=5)
    cluster.line(arn, "port")
    yield arn
    cluster.ecs.stop_task(cluster="tasks", task=arn)


def test_a_task_has_the_rights_of_its_role_and_no_others(cluster: Cluster, running: str):
    """The credentials that a task finds are its role's: one call is allowed, another refused."""
    lines = cluster.lines(running)

    task_id = running.rsplit("/", 1)[-1]
    assert f"arn:aws:sts::000000000000:assumed-role/reader/{task_id}" in lines
    assert "read allowed" in lines
    assert "list ClientError AccessDeniedException" in lines
    assert "version 1.2.3 42 clean" in lines


def _index(*platforms: tuple[str, str]) -> str:
    """An index of images by platform and digest; what Docker attests of the build comes first."""
    attested = ("unknown/unknown", f"sha256:{'a' * 64}")
    manifests = [
        {
            "mediaType": MANIFEST_TYPE,
            "digest": digest,
            "size": 1,
            "platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True)),
        }
        for platform, digest in (attested, *platforms)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests})


def _push_index(cluster: Cluster, tag: str, index: str) -> dict[str, Any]:
    ecr = cluster.sandbox.client("ecr")
    of_tasks = {"repositoryName": "tasks"}
    ecr.put_image(**of_tasks, imageManifest=index, imageManifestMediaType=INDEX_TYPE, imageTag=tag)
    return dict(ecr.describe_images(**of_tasks, imageIds=[{"imageTag": tag}])["imageDetails"][0])


def test_of_an_index_the_platforms_image_runs(cluster: Cluster, program: Path):
    """Docker pushes one as a rule: with the image, and with what it attests of the build."""
    arguments = ["--tag", "child", "--repository", "tasks", "--build-arg", "VERSION=2.0.0"]
    digest = cluster.sandbox.push(program, *arguments).stdout.split()[1]
    index = _index(("linux/arm64", f"sha256:{'b' * 64}"), ("linux/amd64", digest))

    pushed = _push_index(cluster, "index", index)

    assert pushed["imageDigest"] == digest_of(index.encode())
    assert pushed["imageManifestMediaType"] == INDEX_TYPE
    arn = cluster.run(f"tasks@{pushed['imageDigest']}", stopTimeout=2)
    assert cluster.line(arn, "version") == "version 2.0.0 42 clean"
    cluster.ecs.stop_task(cluster="tasks", task=arn)


def test_an_index_without_the_platform_cannot_be_pulled(cluster: Cluster):
    """In Fargate's own words."""
    _push_index(cluster, "arm", _index(("linux/arm64", f"sha256:{'b' * 64}")))
    stopped = cluster.stopped(cluster.run("tasks:arm"))
    assert "does not contain descriptor matching platform 'linux/amd64'" in stopped["stoppedReason"]


def test_a_task_without_a_role_has_no_credentials(cluster: Cluster, image: str):
    """Nothing of the sandbox's own rights leaks into a task."""
    arn = cluster.run(image, role=None, stopTimeout=2)

    assert cluster.line(arn, "read") == "read NoCredentialsError None"
    cluster.ecs.stop_task(cluster="tasks", task=arn)


def test_a_role_that_does_not_trust_tasks_stops_the_task(cluster: Cluster, image: str):
    """A wrong trust policy shows here and not first on AWS."""
    task = cluster.stopped(cluster.run(image, role="stranger"))

    assert "unable to assume the role" in task["stoppedReason"]


def test_a_task_answers_where_it_was_told_to(cluster: Cluster, running: str):
    """PORT is a local port, and the task has an address of its own."""
    port = cluster.line(running, "port").split()[1]
    details = {item["name"]: item["value"] for item in cluster.task(running)["attachments"][0]["details"]}

    with pytest.raises(urllib.error.HTTPError, match="501"):  # it answers: it knows no GET
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    assert details["privateIPv4Address"].startswith("10.")


def test_a_task_is_stopped_when_its_process_has_ended(cluster: Cluster, image: str):
    """RUNNING until ECS acts, STOPPING until then, and what it says after SIGTERM is in the log."""
    arn = cluster.run(image, stopTimeout=5)
    cluster.line(arn, "port")

    cluster.ecs.stop_task(cluster="tasks", task=arn)

    until(lambda: cluster.task(arn)["lastStatus"] in {"DEACTIVATING", "STOPPING"})
    cluster.stopped(arn)
    cluster.line(arn, "late")


def test_an_image_that_does_not_exist(cluster: Cluster, image: str):
    """The reason is ECS's own words, with the image's name."""
    task = cluster.stopped(cluster.run(f"tasks@sha256:{'0' * 64}"))

    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert "not found" in task["stoppedReason"]
    assert task["stopCode"] == "TaskFailedToStart"


def test_a_program_that_fails(cluster: Cluster, image: str):
    """Its exit code is the task's."""
    task = cluster.stopped(cluster.run(image, command=["python", "-c", "raise SystemExit(9)"]))

    assert task["containers"][0]["exitCode"] == 9
    assert task["stopCode"] == "EssentialContainerExited"


def test_a_service_whose_tasks_cannot_start_fails(cluster: Cluster, image: str):
    """The circuit breaker opens for a new service as well."""
    cluster.stopped(cluster.run(f"tasks@sha256:{'1' * 64}"))  # registers the task definition
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    cluster.ecs.create_service(
        cluster="tasks",
        serviceName="broken",
        taskDefinition="tasks",
        desiredCount=1,
        launchType="FARGATE",
        deploymentConfiguration=breaker,
    )

    def state() -> bool:
        service = cluster.ecs.describe_services(cluster="tasks", services=["broken"])["services"][0]
        return bool(service["deployments"][0]["rolloutState"] == "FAILED")

    until(state)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left(tmp_path: Path, program: Path, number: signal.Signals):
    """Ctrl-C and SIGTERM end every task, free the port, and the exit status is 0."""
    with started(tmp_path) as sandbox:
        cluster = Cluster(sandbox)
        cluster.prepare()
        sandbox.push(program, "--tag", "1", "--repository", "tasks")
        arn = cluster.run("tasks:1", stopTimeout=120)
        port = int(cluster.line(arn, "port").split()[1])

        sandbox.process.send_signal(number)

        assert sandbox.process.wait(15) == 0
    for closed in (sandbox.port, port):
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(f"http://127.0.0.1:{closed}/", timeout=2)
    with pytest.raises(ProcessLookupError):
        os.killpg(sandbox.process.pid, 0)
