"""The probe as a task, run as a real process against a real server and a CloudWatch Logs endpoint."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.unit.probe.conftest import ROOT
from tests.unit.probe.scripted_servers import (
    PATIENCE_SECONDS,
    LogsEndpoint,
    Reply,
    Seen,
    WebServer,
    wait_until,
)
from tests.unit.slow_imports import slow_import

pytestmark = pytest.mark.enable_socket
StartWeb = Callable[[Callable[[Seen], Reply]], WebServer]
StartTask = Callable[..., "subprocess.Popen[str]"]


def lane(
    name: str, url: str, rate: float = 20, starts: str = "at_once", pauses: bool = False
) -> dict[str, Any]:
    """Return the settings of a lane."""
    headers = {} if name == "production" else {"x-crossfade-slot": name}
    return {
        "name": name,
        "url": url,
        "connect_to": None,
        "headers": headers,
        "version_from": "json:/version",
        "ok": ["200-299"],
        "rate": rate,
        "starts": starts,
        "pauses": pauses,
    }


@pytest.fixture
def task(probe: Callable[..., "subprocess.Popen[str]"], logs: LogsEndpoint) -> StartTask:
    """Return a function that starts a task with the lanes given; it may run for an hour."""

    def start(
        *lanes: dict[str, Any], deadline: str = "3600", timeout: str = "2", **environment: str
    ) -> "subprocess.Popen[str]":
        return probe(
            "--task",
            PROBE_DEPLOYMENT="d-1",
            PROBE_LOG_GROUP="/crossfade/probe",
            PROBE_LOG_STREAM="d-1",
            PROBE_DEADLINE_SECONDS=deadline,
            PROBE_TIMEOUT_SECONDS=timeout,
            PROBE_LANES=json.dumps(lanes),
            AWS_ENDPOINT_URL=logs.url,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION="us-east-1",
            **environment,
        )

    return start


def assert_complete(logs: LogsEndpoint) -> None:
    """Check what a reader relies on: opened first, closed last, every number there, the totals right."""
    kinds = [record["type"] for record in logs.records]
    assert kinds[0] == "opened"
    assert kinds[-1] == "closed"
    assert kinds.count("closed") == 1
    for name, totals in logs.records[-1]["lanes"].items():
        requests = [record for record in logs.of_type("request") if record["lane"] == name]
        assert sorted({record["n"] for record in requests}) == list(range(1, totals["sent"] + 1))
        ok = {record["n"] for record in requests if record["status"] and 200 <= record["status"] <= 299}
        assert (len(ok), totals["sent"] - len(ok)) == (totals["ok"], totals["failed"])
    assert logs.timestamps == sorted(logs.timestamps)


def test_stopped(web: StartWeb, logs: LogsEndpoint, task: StartTask) -> None:
    """SIGTERM makes it write what it holds and a closing record with the totals of every lane; status 0."""
    gone = threading.Event()

    def script(seen: Seen) -> Reply:
        if seen.headers.get("x-crossfade-slot") == "green" and gone.is_set():
            return Reply(status=503, server="awselb/2.0")
        return Reply(status=500 if seen.number % 7 == 0 else 200)

    url = web(script).url + "/version"
    run = task(lane("production", url), lane("green", url, 10, "when_answered", pauses=True))
    wait_until(lambda: len(logs.of_type("request")) >= 20, "requests in the ledger")
    gone.set()
    wait_until(lambda: any(record["event"] == "paused" for record in logs.of_type("lane")), "the pause")
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, errors
    assert_complete(logs)
    assert logs.records[0]["deployment"] == "d-1"
    assert logs.records[0]["lanes"] == ["production", "green"]
    assert [record["event"] for record in logs.of_type("lane")] == ["resumed", "paused"]
    closed = logs.records[-1]
    assert (closed["reason"], closed["rejected"]) == ("stopped", 0)
    assert closed["lanes"]["production"]["failed"] > 0


def test_deadline(web: StartWeb, logs: LogsEndpoint, task: StartTask) -> None:
    """It ends by itself at its deadline, with a closing record that says so."""
    run = task(lane("production", web(lambda _: Reply()).url), deadline="1")
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, errors
    assert_complete(logs)
    assert logs.records[-1]["reason"] == "deadline"
    assert logs.records[-1]["lanes"]["production"]["sent"] > 0


def test_writes_at_least_once_a_second(web: StartWeb, logs: LogsEndpoint, task: StartTask) -> None:
    """Records arrive in batches, less than a second apart and far fewer than there are records."""
    run = task(lane("production", web(lambda _: Reply()).url, rate=50))
    wait_until(lambda: len(logs.put_at) >= 5, "five batches")
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=PATIENCE_SECONDS)
    gaps = [later - earlier for earlier, later in pairwise(logs.put_at)]
    assert sorted(gaps)[len(gaps) // 2] < 1
    assert len(logs.records) > 5 * len(logs.put_at)


def test_troubled_ledger(web: StartWeb, logs: LogsEndpoint, task: StartTask) -> None:
    """Throttling, faults of the service and lost connections, on the wire, cost no record."""
    logs.troubles = [
        (400, "ThrottlingException"),
        (503, "ServiceUnavailableException"),
        (0, "lost connection"),
    ]
    run = task(lane("production", web(lambda _: Reply()).url))
    wait_until(lambda: not logs.troubles and len(logs.of_type("request")) >= 10, "requests in the ledger")
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, errors
    assert_complete(logs)


def test_answers_under_way(web: StartWeb, logs: LogsEndpoint, task: StartTask) -> None:
    """After SIGTERM answers under way are waited for and counted."""
    hold = threading.Event()
    server = web(lambda _: Reply(hold=hold))
    run = task(lane("production", server.url, rate=0.01), timeout="4")
    wait_until(lambda: server.seen, "the request")
    run.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(timeout=0.4)
    hold.set()
    run.communicate(timeout=PATIENCE_SECONDS)
    assert_complete(logs)
    assert logs.records[-1]["lanes"]["production"] == {"sent": 1, "ok": 1, "failed": 0, "missed": 0}


def test_asked_to_stop_as_it_starts(
    web: StartWeb, logs: LogsEndpoint, task: StartTask, tmp_path: Path
) -> None:
    """SIGTERM is heeded from the first moment on: as PID 1 a process without a handler would not get it."""
    importing = slow_import(tmp_path, "boto3")
    run = task(lane("production", web(lambda _: Reply()).url), PYTHONPATH=f"{tmp_path}:{ROOT}")
    wait_until(importing.exists, "the import of boto3")
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, errors
    assert "asked to stop before the ledger was opened" in errors
    assert logs.calls == []


def test_asked_to_stop_while_the_ledger_cannot_be_opened(
    web: StartWeb, logs: LogsEndpoint, task: StartTask
) -> None:
    """It does not wait for CloudWatch Logs to mend, and no ledger has begun."""
    logs.refuses_streams = (503, "ServiceUnavailableException")
    run = task(lane("production", web(lambda _: Reply()).url))
    # By the fourth refusal it waits for a second and more between two tries.
    wait_until(lambda: len(logs.calls) >= 4, "attempts to open the ledger")
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, errors
    assert logs.records == []


def test_asked_to_stop_while_the_ledger_is_being_opened(
    web: StartWeb, logs: LogsEndpoint, task: StartTask
) -> None:
    """A ledger that was opened all the same is closed, without a request: a reader sees that it is whole."""
    logs.creates.clear()
    server = web(lambda _: Reply())
    run = task(lane("production", server.url))
    wait_until(lambda: logs.calls, "the call that opens the ledger")
    run.send_signal(signal.SIGTERM)
    # The process has the signal before the answer.
    time.sleep(0.3)
    logs.creates.set()
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, errors
    assert_complete(logs)
    assert logs.records[-1]["reason"] == "stopped"
    assert server.seen == []


def test_bad_settings(probe: Callable[..., "subprocess.Popen[str]"]) -> None:
    """A task without its settings ends with status 2 and names what is missing."""
    run = probe("--task")
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 2
    assert "PROBE_LANES is not set" in errors


SECRET = "0123456789abcdef0123456789abcdef"


def test_the_secret_is_read_by_the_task_itself(web: StartWeb, logs: LogsEndpoint, task: StartTask) -> None:
    """It stands in the requests' header, after a fault that passes, and in nothing that is written."""
    logs.secret, logs.secret_troubles = SECRET, [(503, "InternalServerError"), (400, "ThrottlingException")]
    server = web(lambda seen: Reply())
    asked = lane("green", server.url + "/version") | {"headers": {"x-crossfade-slot": "{secret}-green"}}

    run = task(asked, PROBE_SECRET_PARAMETER="/crossfade/preview/web")
    wait_until(lambda: len(logs.of_type("request")) >= 3, "requests in the ledger")
    run.send_signal(signal.SIGTERM)
    output = run.communicate(timeout=PATIENCE_SECONDS)

    assert run.returncode == 0
    assert {seen.headers["x-crossfade-slot"] for seen in server.seen} == {f"{SECRET}-green"}
    assert SECRET not in json.dumps([logs.records, output])
    assert_complete(logs)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (None, "ParameterNotFound"),
        ("no secret\n", "holds no secret of 16 to 100 letters and digits"),
    ],
)
def test_without_the_secret_it_does_not_begin(
    web: StartWeb, logs: LogsEndpoint, task: StartTask, secret: str | None, said: str
) -> None:
    """No slot would be met, so no ledger is opened; the log says what is wrong, without the value."""
    logs.secret = secret
    run = task(lane("green", web(lambda seen: Reply()).url), PROBE_SECRET_PARAMETER="/crossfade/preview/web")
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 1
    assert f"/crossfade/preview/web {'holds' if secret else 'cannot be read'}" in errors
    assert said in errors
    assert "CreateLogStream" not in logs.calls
    assert "no secret\n" not in errors
