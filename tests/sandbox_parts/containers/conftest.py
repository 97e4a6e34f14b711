"""A folder to make images from, and one running sandbox for the tests that need all of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from tests.sandbox_parts.containers.cluster import Cluster
    from tests.sandbox_parts.containers.workflows import Workflows

PROJECT = Path(__file__).parents[3]
DOCKERFILE = """\
ARG BASE=python:3.13-slim
FROM ${BASE} AS build
RUN make everything
FROM ${BASE}
ARG VERSION=0.0.0
ENV VERSION=${VERSION} GREETING="hello ${VERSION}"
RUN make nothing
WORKDIR /app
COPY --from=build /out /out
COPY app.py ./
COPY data/ data/
USER 1000
EXPOSE 8080
CMD ["python", "app.py"]
"""


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """The condition's first true value; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.03)
    return value


@dataclass
class Sandbox:
    """A sandbox in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    state: Path

    @property
    def endpoint(self) -> str:
        """Its AWS endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Any:
        """A boto3 client of it."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def push(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m sandbox push`, from another process, knowing nothing but the endpoint."""
        return subprocess.run(
            [sys.executable, "-m", "sandbox", "push", str(folder), *arguments],
            cwd=PROJECT,
            env=os.environ | {"AWS_ENDPOINT_URL": self.endpoint},
            capture_output=True,
            text=True,
            timeout=120,  # packages may have to be installed
        )


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(state: Path) -> Iterator[Sandbox]:
    """A sandbox that answers; ended like with Ctrl-C if it still runs."""
    port = free_port()
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--state", str(state)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    try:
        assert b"Crossfade sandbox" in process.stdout.readline()
        yield Sandbox(process, port, state)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(15)
        process.stdout.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One running sandbox for all tests that only use it."""
    with started(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(sandbox: Sandbox) -> Cluster:
    """A cluster of that sandbox."""
    from tests.sandbox_parts.containers.cluster import Cluster

    made = Cluster(sandbox)
    made.prepare()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a Dockerfile that uses everything the sandbox reads."""
    folder = tmp_path / "some_app"
    (folder / "data" / "__pycache__").mkdir(parents=True)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "app.py").write_text("print('hello')\n")
    (folder / "data" / "a.txt").write_text("a")
    (folder / "data" / "__pycache__" / "x.pyc").write_text("compiled")
    return folder


@pytest.fixture(scope="session")
def workflows(sandbox: Sandbox) -> Workflows:
    """Step Functions of that sandbox, with a Lambda function to call."""
    from tests.sandbox_parts.containers.workflows import Workflows, make_function

    make_function(sandbox)
    return Workflows(sandbox)
