"""The sample application as a real process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

FOLDER = Path(__file__).parents[3] / "sample_app"
PATIENCE_SECONDS = 20.0


@dataclass
class RunningApp:
    """A started application."""

    process: "subprocess.Popen[str]"
    url: str

    def get(self, path: str) -> requests.Response:
        """Ask over a new connection."""
        return requests.get(self.url + path, timeout=PATIENCE_SECONDS)

    def wait_until_it_listens(self) -> None:
        """Wait for the first answer of any kind."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends_at:
            try:
                self.get("/healthz")
            except requests.ConnectionError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("the application does not listen")


StartApp = Callable[..., RunningApp]


@pytest.fixture
def app() -> Iterator[StartApp]:
    """Return a function that starts the application with the given environment variables."""
    processes: list[subprocess.Popen[str]] = []

    def start(**environment: str) -> RunningApp:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=FOLDER,
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOST": "127.0.0.1",
                "PORT": str(port),
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return RunningApp(process, f"http://127.0.0.1:{port}")

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
