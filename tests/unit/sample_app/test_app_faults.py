"""The faults and settings of the sample application, without a server."""

import json
from collections.abc import Coroutine
from typing import Any

import pytest

from sample_app.app.faults import BreakOnCall, ErrorRate, FailAfter, Latency, Spells, with_faults
from sample_app.app.pages import pages
from sample_app.app.settings import BadSetting, Faults, read_settings

PREVIEW = [(b"x-crossfade-slot", b"secret-green")]


def answer_of(
    app: Any, path: str = "/version", headers: list[tuple[bytes, bytes]] | None = None
) -> tuple[int, dict[str, Any]]:
    """Send one GET request to an ASGI application that waits for nothing, and return status and JSON."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": headers or [],
        "query_string": b"",
        "root_path": "",
    }
    call: Coroutine[Any, Any, None] = app(scope, receive, send)
    with pytest.raises(StopIteration):
        call.send(None)
    return int(sent[0]["status"]), json.loads(sent[1]["body"])


def status_of(app: Any, path: str = "/version") -> int:
    """The status of one GET request, answered in JSON."""
    return answer_of(app, path)[0]


@pytest.mark.parametrize(
    ("chance", "expected"),
    [pytest.param(0.0, 500, id="below-the-share"), pytest.param(0.3, 200, id="the-share-is-exclusive")],
)
def test_error_rate(chance: float, expected: int) -> None:
    """Requests fail when chance falls below the share; the health check never does."""
    app = ErrorRate(pages("0.0.1", "t"), 0.3, chance=lambda: chance)
    assert (expected, 200) == (status_of(app), status_of(app, "/healthz"))


def test_fail_after() -> None:
    """Everything is fine until the age is reached, and nothing from then on."""
    now = [100.0]
    app = FailAfter(pages("0.0.1", "t"), 60, clock=lambda: now[0])
    now[0] = 159.9
    assert status_of(app) == 200
    now[0] = 160.0
    assert (status_of(app), status_of(app, "/healthz")) == (500, 200)


def test_users_error_rate() -> None:
    """Only those fail who ask for what neither the probe nor the load balancer asks for."""
    app = with_faults(pages("0.0.1", "t"), Faults(users_error_rate=1), "t")
    assert [status_of(app, path) for path in ("/nothing", "/version", "/healthz")] == [500, 200, 200]


def test_users_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those wait who ask for what neither the probe nor the load balancer asks for."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("sample_app.app.faults.asyncio.sleep", note)
    app = with_faults(pages("0.0.1", "t"), Faults(users_latency_ms=20, users_error_rate=1), "t")
    assert [status_of(app, path) for path in ("/version", "/healthz", "/nothing")] == [200, 200, 500]
    assert waited == [0.02]


def test_break_on_call() -> None:
    """The call names the task; all else but the health check fails from then on."""
    app = with_faults(pages("0.0.1", "t"), Faults(break_path="/break"), "0a0a")
    assert status_of(app) == 200
    assert answer_of(app, "/break") == (200, {"task": "0a0a"})
    assert [status_of(app, path) for path in ("/version", "/else", "/healthz")] == [500, 500, 200]
    assert answer_of(app, "/break") == (200, {"task": "0a0a"})


def test_the_call_that_breaks_is_answered_by_what_fails_already() -> None:
    """A release may fail a share of its requests and turn worse at a call."""
    app = with_faults(pages("0.0.1", "t"), Faults(error_rate=1, break_path="/break"), "t")
    assert [status_of(app), status_of(app, "/break")] == [500, 200]


def test_broken_for_some_seconds() -> None:
    """It is well again when the time is over; a call meanwhile changes nothing, one afterwards does."""
    now = [100.0]
    app = BreakOnCall(pages("0.0.1", "t"), "/break", "0a0a", seconds=8, clock=lambda: now[0])
    statuses = []
    for now[0], path in [
        (100, "/break"),
        (106, "/break"),
        (107.9, "/version"),
        (108, "/version"),
        (109, "/break"),
    ]:
        statuses.append(status_of(app, path))
    assert statuses == [200, 200, 500, 200, 200]
    assert status_of(app) == 500


def test_broken_for_the_preview_only() -> None:
    """Who comes by the preview rule fails, and production is well."""
    faults = Faults(break_path="/break", break_seconds=60, break_preview=True)
    app = with_faults(pages("0.0.1", "t"), faults, "t")
    assert answer_of(app, headers=PREVIEW)[0] == 200
    assert answer_of(app, "/break", PREVIEW)[0] == 200
    assert [answer_of(app, headers=PREVIEW)[0], status_of(app)] == [500, 200]


def test_spells() -> None:
    """All fails for 3 s at each multiple of a minute's age, and the health check never does."""
    now = [100.0]
    app = Spells(pages("0.0.1", "t"), 3, 60, clock=lambda: now[0])
    found = []
    for now[0] in (100, 102, 159.9, 160, 162.9, 163, 219.9, 220):
        found.append(status_of(app))
    assert found == [200, 200, 200, 500, 500, 200, 200, 500]
    assert status_of(app, "/healthz") == 200


def test_warm_up() -> None:
    """Three times as slow at first, 1.2 times at the end of the warm-up; it goes on falling after that."""
    now = [100.0]
    app = Latency(pages("0.0.1", "t"), 50, 40, clock=lambda: now[0])
    found = []
    for now[0] in (100, 120, 140, 180):
        found.append(round(app.seconds, 4))
    assert found == [0.15, 0.0816, 0.06, 0.051]


def test_no_fault_no_wrapping() -> None:
    """An ordinary image runs the pages alone."""
    app = pages("0.0.1", "t")
    assert with_faults(app, Faults(), "t") is app


def test_defaults() -> None:
    """Nothing set, or set to nothing, is an ordinary version on port 8080 with 20 s of grace."""
    settings = read_settings(
        {"FAULT_VERSION": "", "FAULT_BREAK_PATH": "", "FAULT_ERROR_RATE": "", "PORT": ""}
    )
    assert settings.faults == Faults()
    assert (settings.host, settings.port, settings.shutdown_grace_seconds) == ("0.0.0.0", 8080, 20.0)


def test_faults_are_read() -> None:
    """Each fault has its variable."""
    settings = read_settings(
        {
            "FAULT_ERROR_RATE": "0.25",
            "FAULT_USERS_ERROR_RATE": "0.5",
            "FAULT_LATENCY_MS": "40",
            "FAULT_VERSION": "9",
            "FAULT_CRASH_AFTER_SECONDS": "30",
            "FAULT_NEVER_HEALTHY": "1",
            "FAULT_FAIL_AFTER_SECONDS": "90",
            "FAULT_USERS_LATENCY_MS": "30",
            "FAULT_BREAK_PATH": "/break",
            "FAULT_BREAK_SECONDS": "8",
            "FAULT_BREAK_PREVIEW": "1",
            "FAULT_WARM_UP_SECONDS": "45",
            "FAULT_SPELL_SECONDS": "3",
            "FAULT_SPELL_EVERY_SECONDS": "60",
        }
    )
    expected = Faults(
        error_rate=0.25,
        users_error_rate=0.5,
        latency_ms=40,
        users_latency_ms=30,
        version="9",
        crash_after_seconds=30,
        never_healthy=True,
        fail_after_seconds=90,
        break_path="/break",
        break_seconds=8,
        break_preview=True,
        warm_up_seconds=45,
        spell_seconds=3,
        spell_every_seconds=60,
    )
    assert settings.faults == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAULT_ERROR_RATE", "1.5"),
        ("FAULT_USERS_ERROR_RATE", "2"),
        ("FAULT_LATENCY_MS", "-1"),
        ("FAULT_NEVER_HEALTHY", "0.5"),
        ("FAULT_FAIL_AFTER_SECONDS", "nan"),
        ("FAULT_BREAK_PATH", "break"),
        ("FAULT_BREAK_SECONDS", "8"),
        ("FAULT_BREAK_PREVIEW", "1"),
        ("FAULT_WARM_UP_SECONDS", "40"),
        ("FAULT_SPELL_SECONDS", "3"),
        ("FAULT_SPELL_EVERY_SECONDS", "60"),
        ("PORT", "http"),
        ("PORT", "70000"),
        ("SHUTDOWN_GRACE_SECONDS", "long"),
    ],
)
def test_bad_values(name: str, value: str) -> None:
    """A value that cannot be used is named; so is one that would be no fault without another one."""
    with pytest.raises(BadSetting, match=name):
        read_settings({name: value})
