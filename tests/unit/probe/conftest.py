"""The probe's surroundings: real servers on free ports, and the probe as a real process."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.probe.scripted_servers import LogsEndpoint, Reply, Seen, WebServer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def web() -> Iterator[Callable[[Callable[[Seen], Reply]], WebServer]]:
    """Return a function that starts a scripted web server."""
    servers: list[WebServer] = []

    def start(script: Callable[[Seen], Reply]) -> WebServer:
        servers.append(WebServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def logs() -> Iterator[LogsEndpoint]:
    """Return a running CloudWatch Logs endpoint."""
    endpoint = LogsEndpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts `python -m probe` with arguments and environment variables."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "probe", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
