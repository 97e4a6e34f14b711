"""Log lines in the sandbox: in batches, late, and each stream in its order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import cloudwatch_logs, ecs

from sandbox import patching
from sandbox.delays import PACES, Delay, Delays
from sandbox.logs import delays as log_delays

GROUP = "/group"


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A log group with the streams a and b; events are found 0.3 to 0.6 s after they were written."""
    monkeypatch.setattr(cloudwatch_logs, "_put_log_events", cloudwatch_logs._put_log_events)
    monkeypatch.setattr(ecs, "_forward_awslogs", ecs._forward_awslogs)
    patching.install(log_delays)
    monkeypatch.setitem(PACES["rehearsal"], Delay.LOG_READ, (0.3, 0.6))
    monkeypatch.setitem(PACES["rehearsal"], Delay.LOG_SHIPPED, (0.2, 0.3))
    monkeypatch.setattr(log_delays, "delays", Delays({"SANDBOX_SEED": "3"}))
    cloudwatch_logs.reset()
    cloudwatch_logs._create_log_group({"logGroupName": GROUP})
    for stream in ("a", "b"):
        cloudwatch_logs._create_log_stream({"logGroupName": GROUP, "logStreamName": stream})
    yield
    time.sleep(0.7)
    cloudwatch_logs.reset()


def put(stream: str, *lines: str) -> int:
    """Write lines; returns the answer's status."""
    events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
    given = {"logGroupName": GROUP, "logStreamName": stream, "logEvents": events}
    return int(cloudwatch_logs._put_log_events(given)[0])


def found(stream: str) -> list[str]:
    """The lines that GetLogEvents finds."""
    given = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True}
    return [event["message"] for event in json.loads(cloudwatch_logs._get_log_events(given)[2])["events"]]


def test_events_are_found_late(logs: None):
    """The call has succeeded, and nothing is there yet."""
    status = put("a", "one")
    at_once = found("a")
    time.sleep(0.8)

    assert (status, at_once, found("a")) == (200, [], ["one"])


def test_a_wrong_call_fails_at_once(logs: None):
    """A stream that does not exist takes nothing."""
    assert put("none", "one") == 400


def test_a_stream_keeps_its_order(logs: None):
    """Whatever delays are drawn, whoever reads on has read all that came before."""
    seen: list[list[str]] = []
    for number in range(10):
        put("a", str(number))
        seen.append(found("a"))
        time.sleep(0.05)
    time.sleep(0.8)

    every = [str(number) for number in range(10)]
    assert all(lines == every[: len(lines)] for lines in seen)
    assert found("a") == every


def test_streams_overtake_each_other(logs: None):
    """Of two streams, what was written later may be found earlier."""
    overtaken = False
    for number in range(20):
        put("a", str(number))
        put("b", str(number))
        time.sleep(0.02)
        overtaken |= len(found("b")) > len(found("a"))
    for _ in range(40):
        time.sleep(0.02)
        overtaken |= len(found("b")) > len(found("a"))

    assert overtaken
    assert found("a") == found("b") == [str(number) for number in range(20)]


class Talks:
    """A container that says three lines, the third one later, and ends."""

    def logs(self, **_: Any) -> Iterator[bytes]:
        yield b"one\n"
        yield b"two\n"
        time.sleep(0.5)
        yield b"three\n"


def test_a_container_ships_in_batches(logs: None, monkeypatch: pytest.MonkeyPatch):
    """Lines that come together are one call, with their own times; the last ones are not lost."""
    calls: list[list[dict[str, Any]]] = []
    real = cloudwatch_logs._put_log_events
    monkeypatch.setattr(
        cloudwatch_logs, "_put_log_events", lambda data: calls.append(data["logEvents"]) or real(data)
    )
    began = time.time() * 1000
    config = {"group": GROUP, "stream": "a", "create_group": False}
    ecs._forward_awslogs(Talks(), config, "000000000000", "us-east-1")
    time.sleep(0.8)

    assert [[event["message"] for event in call] for call in calls] == [["one", "two"], ["three"]]
    assert calls[0][0]["timestamp"] < began + 150
    assert found("a") == ["one", "two", "three"]
