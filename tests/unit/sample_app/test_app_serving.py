"""The sample application as clients, load balancers and ECS meet it: a real process."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from sample_app.app.faults import Latency
from sample_app.app.server import make_server
from tests.unit.slow_imports import SECONDS, slow_import

pytestmark = pytest.mark.enable_socket
StartApp = Callable[..., Any]
PATIENCE_SECONDS = 20.0
ALB_IDLE_TIMEOUT_SECONDS = 60


def test_pages(app: StartApp) -> None:
    """The three pages name the version of the image and the task."""
    running = app(
        VERSION="0.0.<7>", ECS_CONTAINER_METADATA_URI_V4=f"http://169.254.170.2/v4/{'0a' * 16}-527074092"
    )
    running.wait_until_it_listens()
    assert running.get("/version").json() == {"version": "0.0.<7>", "task": "0a" * 16}
    assert running.get("/healthz").json() == {"status": "ok"}
    front = running.get("/")
    assert front.headers["content-type"].startswith("text/html")
    assert "0.0.&lt;7&gt;" in front.text
    assert running.get("/nothing").status_code == 404


def test_faults_of_a_bad_version(app: StartApp) -> None:
    """A wrong version that fails and is slow still looks healthy."""
    running = app(VERSION="0.0.3", FAULT_VERSION="9.9.9", FAULT_ERROR_RATE="0", FAULT_LATENCY_MS="1000")
    running.wait_until_it_listens()
    answer = running.get("/version")
    assert answer.json()["version"] == "9.9.9"
    assert answer.elapsed.total_seconds() >= 1
    assert running.get("/healthz").elapsed.total_seconds() < 1


def test_always_failing(app: StartApp) -> None:
    """With an error rate of 1 everything but the health check is 500."""
    running = app(FAULT_ERROR_RATE="1")
    running.wait_until_it_listens()
    assert [running.get(path).status_code for path in ("/version", "/", "/healthz")] == [500, 500, 200]


def test_never_healthy(app: StartApp) -> None:
    """A version that never becomes healthy answers all the same."""
    running = app(FAULT_NEVER_HEALTHY="1")
    running.wait_until_it_listens()
    assert (running.get("/healthz").status_code, running.get("/version").status_code) == (503, 200)


def test_crash(app: StartApp) -> None:
    """A version that crashes after some seconds ends with status 1, not cleanly."""
    running = app(FAULT_CRASH_AFTER_SECONDS="0.3")
    assert running.process.wait(timeout=PATIENCE_SECONDS) == 1


def test_fails_later(app: StartApp) -> None:
    """A version that turns bad with age is healthy before and after."""
    running = app(FAULT_FAIL_AFTER_SECONDS="1.5")
    running.wait_until_it_listens()
    assert running.get("/version").status_code == 200
    for _ in range(2000):
        if running.get("/version").status_code == 500:
            break
    assert (running.get("/version").status_code, running.get("/healthz").status_code) == (500, 200)


def test_sigterm_grace(app: StartApp) -> None:
    """After SIGTERM it answers on old and new connections for the grace time, then leaves with status 0."""
    running = app(SHUTDOWN_GRACE_SECONDS="2.5")
    running.wait_until_it_listens()
    kept = requests.Session()
    assert kept.get(f"{running.url}/version", timeout=5).status_code == 200
    running.process.send_signal(signal.SIGTERM)
    answered = 0
    for _ in range(10):
        answered += running.get("/version").status_code == 200
        answered += kept.get(f"{running.url}/version", timeout=5).status_code == 200
    assert answered == 20
    assert running.process.poll() is None
    assert running.process.wait(timeout=PATIENCE_SECONDS) == 0


def test_sigterm_as_it_starts(app: StartApp, tmp_path: Path) -> None:
    """It leaves at once with status 0: as PID 1, a process without a handler would not get the signal."""
    importing = slow_import(tmp_path, "uvicorn")
    running = app(PYTHONPATH=str(tmp_path))
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not importing.exists() and time.monotonic() < ends_at:
        time.sleep(0.01)
    running.process.send_signal(signal.SIGTERM)
    asked_at = time.monotonic()
    assert running.process.wait(timeout=PATIENCE_SECONDS) == 0
    assert time.monotonic() - asked_at < SECONDS


def test_answer_under_way_at_the_end(app: StartApp) -> None:
    """An answer under way when the grace time ends is still given."""
    running = app(SHUTDOWN_GRACE_SECONDS="0.1", FAULT_LATENCY_MS="800")
    running.wait_until_it_listens()
    running.process.send_signal(signal.SIGTERM)
    assert running.get("/version").status_code == 200
    assert running.process.wait(timeout=PATIENCE_SECONDS) == 0


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGINT], id="ctrl-c"),
        pytest.param([signal.SIGTERM, signal.SIGTERM], id="second-sigterm"),
        pytest.param([signal.SIGTERM, signal.SIGINT], id="ctrl-c-after-sigterm"),
    ],
)
def test_leaves_at_once(app: StartApp, signals: list[signal.Signals]) -> None:
    """Ctrl-C, or a second signal, ends it without the grace time."""
    running = app(SHUTDOWN_GRACE_SECONDS="600")
    running.wait_until_it_listens()
    for number in signals[:-1]:
        running.process.send_signal(number)
        # An answer shows that the signal was taken: two of a kind that wait together become one.
        assert running.get("/version").status_code == 200
    running.process.send_signal(signals[-1])
    assert running.process.wait(timeout=PATIENCE_SECONDS) == 0


def test_bad_setting(app: StartApp) -> None:
    """A mistyped fault ends the start with status 2 and a sentence that names it."""
    running = app(FAULT_ERROR_RATE="10%")
    _, errors = running.process.communicate(timeout=PATIENCE_SECONDS)
    assert running.process.returncode == 2
    assert "FAULT_ERROR_RATE must be a number from 0 to 1" in errors


def test_keep_alive() -> None:
    """Connections are kept longer than the load balancer keeps them, so that it never meets a closing one."""
    server = make_server(Latency(_nothing, 0), "127.0.0.1", 0, 20)
    assert server.config.timeout_keep_alive > ALB_IDLE_TIMEOUT_SECONDS


async def _nothing(*_: object) -> None:
    return None


def test_dockerfile() -> None:
    """The image runs without shell and without root, and every fault can be set when it is built."""
    folder = Path(__file__).parents[3] / "sample_app"
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    settings = (folder / "app" / "settings.py").read_text(encoding="utf-8")
    assert set(re.findall(r"^ARG (FAULT_\w+)", dockerfile, re.M)) == set(re.findall(r"FAULT_\w+", settings))
    for instruction in re.findall(r"^(?:RUN|CMD|ENTRYPOINT) (.*)", dockerfile, re.M):
        assert instruction.startswith('["')
    assert re.search(r"^USER [1-9]", dockerfile, re.M)
