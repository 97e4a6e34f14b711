"""The push command, and the event that it raises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.host.images import build
from sandbox.push import main
from tests.sandbox_parts.containers.conftest import PROJECT, Sandbox, free_port, until


@pytest.fixture(scope="module")
def repository(sandbox: Sandbox) -> str:
    """A repository with the name that `some_app` goes to."""
    sandbox.client("ecr").create_repository(repositoryName="some-app")
    return "some-app"


@pytest.mark.enable_socket
def test_the_digest_is_ecrs(sandbox: Sandbox, repository: str, folder: Path):
    """What the command prints is what ECR calls the image."""
    done = sandbox.push(folder, "--tag", "0.0.1", "--build-arg", "VERSION=0.0.1")

    images = sandbox.client("ecr").describe_images(
        repositoryName=repository, imageIds=[{"imageTag": "0.0.1"}]
    )
    digest = images["imageDetails"][0]["imageDigest"]
    assert f"some-app:0.0.1 {digest}\n" == done.stdout
    assert build(folder, {"VERSION": "0.0.1"}).digest == digest


@pytest.mark.enable_socket
def test_a_tag_moves(sandbox: Sandbox, repository: str, folder: Path):
    """Pushing other content under the same tag moves the tag; the old image keeps its digest."""
    ecr = sandbox.client("ecr")
    first = sandbox.push(folder, "--tag", "moving").stdout.split()[1]
    second = sandbox.push(folder, "--tag", "moving", "--build-arg", "VERSION=9").stdout.split()[1]

    by_tag = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "moving"}])["images"]
    by_digest = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": first}])["images"]
    assert [second] == [image["imageId"]["imageDigest"] for image in by_tag]
    assert len(by_digest) == 1


@pytest.mark.enable_socket
def test_a_push_raises_the_event_of_ecr(sandbox: Sandbox, repository: str, folder: Path):
    """EventBridge gets it in AWS's shape: an SQS queue stands for the workflow."""
    sqs, events = sandbox.client("sqs"), sandbox.client("events")
    queue = sqs.create_queue(QueueName="pushes")["QueueUrl"]
    pattern = {
        "source": ["aws.ecr"],
        "detail": {"image-tag": [{"anything-but": ""}], "action-type": ["PUSH"]},
    }
    events.put_rule(Name="pushes", EventPattern=json.dumps(pattern))
    events.put_targets(
        Rule="pushes", Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:000000000000:pushes"}]
    )

    digest = sandbox.push(folder, "--tag", "0.0.2").stdout.split()[1]

    message = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))[0]
    event = json.loads(message["Body"])
    assert event["detail-type"] == "ECR Image Action"
    assert event["resources"] == ["arn:aws:ecr:us-east-1:000000000000:repository/some-app"]
    assert {
        "action-type": "PUSH",
        "result": "SUCCESS",
        "repository-name": "some-app",
        "image-digest": digest,
        "image-tag": "0.0.2",
        "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
    } == event["detail"]


@pytest.mark.enable_socket
def test_a_repository_that_does_not_exist(sandbox: Sandbox, folder: Path):
    """The command says which repository is missing and ends with 1."""
    done = sandbox.push(folder, "--tag", "1", "--repository", "nowhere")

    assert done.returncode == 1
    assert "no repository 'nowhere'" in done.stderr


@pytest.mark.enable_socket
def test_no_sandbox(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Without a sandbox there is one sentence, not a traceback."""
    endpoint = f"http://127.0.0.1:{free_port()}"

    assert main([str(folder), "--tag", "1", "--endpoint-url", endpoint]) == 1
    assert f"no sandbox answers at {endpoint}" in capsys.readouterr().err


def test_no_dockerfile(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A folder without a Dockerfile is no image."""
    assert main([str(tmp_path), "--tag", "1"]) == 1
    assert "has no Dockerfile" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([".", "--repository", "x"], id="no-tag"),
        pytest.param(["/no/such/folder", "--tag", "1"], id="no-folder"),
        pytest.param([".", "--tag", "1", "--build-arg", "VERSION"], id="build-arg-without-value"),
    ],
)
def test_called_wrongly(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    """Wrong arguments end with 2, as for any command."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: python -m sandbox push" in capsys.readouterr().err


@pytest.mark.enable_socket
def test_a_taken_port(sandbox: Sandbox, tmp_path: Path):
    """A second sandbox on the same port says so and ends with 1."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", str(sandbox.port), "--state", str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=10,
    )

    assert done.returncode == 1
    assert f"Port {sandbox.port} is taken" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.enable_socket
def test_another_ministack(tmp_path: Path):
    """With a version that was not patched no sandbox starts, and who started it reads what to do."""
    program = (
        "import sys; from importlib import metadata; metadata.version = lambda name: '9.9.9'\n"
        "from sandbox.server import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--port", str(free_port()), "--state", str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    first, *lines = done.stdout.splitlines()
    assert first == "The sandbox does not fit the installed MiniStack."
    assert lines[0].startswith("sandbox/ecs/credentials.py: serve_sessions replaces ")
    assert all("but 9.9.9 is installed" in line for line in lines)
