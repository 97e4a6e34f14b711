"""The records' JSON, whose names other parts read."""

import json

import pytest

from probe.record import (
    Closed,
    LaneRecord,
    LaneTotals,
    Opened,
    Record,
    RequestRecord,
    UnansweredRecord,
    to_json,
    utc,
)

AT = "2026-11-23T04:00:00.123Z"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            Opened("d-1", AT, ("production", "green")),
            {"type": "opened", "deployment": "d-1", "at": AT, "lanes": ["production", "green"]},
            id="opened",
        ),
        pytest.param(
            RequestRecord("green", 1, AT, 200, "0.0.2", 3.1, None, None, True),
            {
                "type": "request",
                "lane": "green",
                "n": 1,
                "at": AT,
                "status": 200,
                "version": "0.0.2",
                "ms": 3.1,
                "error": None,
                "note": None,
                "accepted": True,
            },
            id="request",
        ),
        pytest.param(
            UnansweredRecord(
                "production", AT, 7, None, None, "ConnectionRefusedError: Connection refused", None
            ),
            {
                "type": "unanswered",
                "lane": "production",
                "at": AT,
                "asked": 7,
                "status": None,
                "version": None,
                "error": "ConnectionRefusedError: Connection refused",
                "note": None,
            },
            id="unanswered",
        ),
        pytest.param(
            LaneRecord("green", "paused", AT),
            {"type": "lane", "lane": "green", "event": "paused", "at": AT},
            id="lane",
        ),
        pytest.param(
            Closed(AT, "deadline", {"green": LaneTotals(3, 2, 1, 4)}, 5),
            {
                "type": "closed",
                "at": AT,
                "reason": "deadline",
                "lanes": {"green": {"sent": 3, "ok": 2, "failed": 1, "missed": 4}},
                "rejected": 5,
            },
            id="closed",
        ),
    ],
)
def test_json(record: Record, expected: dict[str, object]) -> None:
    """Each record is one line of JSON with exactly the agreed keys."""
    line = to_json(record)
    assert expected == json.loads(line)
    assert "\n" not in line


def test_utc() -> None:
    """Times are UTC with milliseconds, also when these are zero."""
    assert utc(1795406400.0) == "2026-11-23T04:00:00.000Z"
