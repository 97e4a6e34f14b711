"""The ledger's records, read as the probe writes them."""

import pytest

from crossfade.domain.ledger import Closed, LaneTotals, Opened, Request, read_records
from tests.unit.examples import at, lane_event, request

OPENED = '{"type":"opened","deployment":"d1","at":"2026-11-23T04:00:00.000Z","lanes":["production","blue"]}'
ANSWER = (
    '{"type":"request","lane":"green","n":1,"at":"2026-11-23T04:00:00.500Z",'
    '"status":200,"version":"0.0.2","ms":3.0,"error":null}'
)
PAUSED = '{"type":"lane","lane":"green","event":"paused","at":"2026-11-23T04:00:01.000Z"}'
CLOSED = (
    '{"type":"closed","at":"2026-11-23T04:00:02.000Z","reason":"stopped",'
    '"lanes":{"green":{"sent":1,"ok":1,"failed":0,"missed":0}},"rejected":0}'
)


def test_every_kind_of_record_is_read() -> None:
    """In the order in which they were written."""
    totals = LaneTotals(sent=1, ok=1, failed=0, missed=0)
    assert read_records([OPENED, ANSWER, PAUSED, CLOSED]) == [
        Opened(type="opened", deployment="d1", at=at(0), lanes=("production", "blue")),
        request("green", 1, 0.5),
        lane_event("paused", seconds=1),
        Closed(type="closed", at=at(2), reason="stopped", lanes={"green": totals}, rejected=0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(ANSWER[:40], id="cut-line"),
        pytest.param("Traceback (most recent call last):", id="foreign-message"),
        pytest.param('{"type":"request"}', id="keys-missing"),
        pytest.param('{"type":"other"}', id="unknown-type"),
        pytest.param(ANSWER.replace("green", "canary"), id="unknown-lane"),
        pytest.param(ANSWER.replace("Z", ""), id="time-without-zone"),
        pytest.param("", id="empty"),
    ],
)
def test_a_line_that_is_no_record_is_left_out(line: str) -> None:
    """The others still count; a request left out shows as a gap."""
    assert read_records([line, ANSWER]) == [request("green", 1, 0.5)]


@pytest.mark.parametrize(
    ("status", "ok"), [(None, False), (199, False), (200, True), (299, True), (300, False), (503, False)]
)
def test_ok_is_2xx(status: int | None, ok: bool) -> None:
    """No answer is no good answer."""
    found = request(status=status)
    assert isinstance(found, Request)
    assert found.ok is ok
