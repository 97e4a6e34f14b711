"""FilterLogEvents: which lines match, of which streams, and page after page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.logs import events
from tests.sandbox_parts.metrics.conftest import Call

GROUP = "/crossfade/shop"
PATTERN = '{ $.crossfade = "outcomes/1" }'
NOW = 1_900_000_000_000


def line(**fields: Any) -> str:
    return json.dumps({"crossfade": "outcomes/1", **fields})


@pytest.fixture
def logs(emulator: Callable[[str], Call]) -> Call:
    """CloudWatch Logs with an empty log group."""
    call = emulator("logs")
    call("CreateLogGroup", logGroupName=GROUP)
    return call


@pytest.fixture
def write(logs: Call) -> Callable[..., None]:
    """Writes events, (milliseconds after NOW, message), to a new stream."""

    def put(stream: str, *events: tuple[int, str]) -> None:
        logs("CreateLogStream", logGroupName=GROUP, logStreamName=stream)
        told = [{"timestamp": NOW + after, "message": message} for after, message in events]
        logs("PutLogEvents", logGroupName=GROUP, logStreamName=stream, logEvents=told)

    return put


def pages(logs: Call, **parameters: Any) -> list[list[dict[str, Any]]]:
    """All pages of the answer."""
    found: list[list[dict[str, Any]]] = []
    more: dict[str, str] = {}
    while True:
        answer = logs("FilterLogEvents", logGroupName=GROUP, **parameters, **more)
        found.append(answer["events"])
        if "nextToken" not in answer:
            return found
        more = {"nextToken": answer["nextToken"]}


def messages(logs: Call, **parameters: Any) -> list[str]:
    return [event["message"] for page in pages(logs, **parameters) for event in page]


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        pytest.param(PATTERN, line(ok=3), True, id="the-feed"),
        pytest.param(PATTERN, "GET /outcomes/1 outcomes/1 200", False, id="not-json"),
        pytest.param(PATTERN, '"outcomes/1"', False, id="json-but-no-object"),
        pytest.param(PATTERN, line().replace("/1", "/2"), False, id="another-value"),
        pytest.param(PATTERN, line() + " trailing", False, id="json-and-more"),
        pytest.param(PATTERN, '{"crossfade": 1}', False, id="a-number-is-no-string"),
        pytest.param('{$.crossfade="outcomes/*"}', line(), True, id="wildcard"),
        pytest.param("{ $.level = error }", '{"level": "error"}', True, id="unquoted"),
        pytest.param("{ $.a.b[1] >= 2 }", '{"a": {"b": [0, 2]}}', True, id="path-and-number"),
        pytest.param("{ $.a.b[1] >= 2 }", '{"a": {"b": [2]}}', False, id="beyond-the-list"),
        pytest.param("{ $.n = 1 }", '{"n": true}', False, id="true-is-no-number"),
        pytest.param('{ $.n != "x" }', "{}", False, id="what-is-not-there-differs-from-nothing"),
        pytest.param("{ $.n NOT EXISTS }", "{}", True, id="not-exists"),
        pytest.param("{ $.n IS NULL }", '{"n": null}', True, id="null"),
        pytest.param("{ $.n IS TRUE }", '{"n": true}', True, id="true"),
        pytest.param('{ $.a = 1 && $.b = "x && y" }', '{"a": 1, "b": "x && y"}', True, id="and"),
        pytest.param("{ $.a = 1 && $.b = 2 || $.c = 3 }", '{"c": 3}', True, id="or-binds-less"),
        pytest.param("{ $.a = 1 && $.b = 2 || $.c = 3 }", '{"a": 1}', False, id="and-needs-both"),
    ],
)
def test_json_patterns(pattern: str, message: str, expected: bool) -> None:
    """A pattern in braces looks into lines that are JSON objects, and into no others."""
    assert events.matcher(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern", ["{ }", "{ $.a }", '{ $.a = "x" ', '{ $.a > "x" }', "{ $.a = 1 & $.b = 2 }"]
)
def test_a_pattern_that_is_not_understood_is_refused(logs: Call, pattern: str) -> None:
    """It matches neither everything nor nothing."""
    with pytest.raises(ValueError, match="InvalidParameterException"):
        logs("FilterLogEvents", logGroupName=GROUP, filterPattern=pattern)


def test_streams_are_chosen_by_their_prefix(logs: Call, write: Callable[..., None]) -> None:
    """The slash counts; events of all streams come in the order of time, with what a reader needs of each."""
    write("app/a/1", (0, "first"), (20, "third"))
    write("app/b/2", (10, "second"))
    write("apple/a/3", (5, "of another"))
    ((first, *others),) = pages(logs, logStreamNamePrefix="app/")
    assert [event["message"] for event in others] == ["second", "third"]
    assert first.keys() >= {"eventId", "ingestionTime"}
    assert (first["logStreamName"], first["timestamp"], first["message"]) == ("app/a/1", NOW, "first")


def test_start_and_end_are_inside(logs: Call, write: Callable[..., None]) -> None:
    """startTime and endTime belong to what is looked at."""
    write("app/a/1", *((after, str(after)) for after in range(5)))
    assert messages(logs, startTime=NOW + 1, endTime=NOW + 3) == ["1", "2", "3"]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 50])
def test_pages_leave_nothing_out(logs: Call, write: Callable[..., None], limit: int) -> None:
    """Whatever fits on a page: each event once, in order, also those of one millisecond; no empty page."""
    write("app/a/1", *((after // 3, line(n=after)) for after in range(12)), (9, "no match"))
    write("app/b/2", *((after // 4, line(n=after)) for after in range(12)))
    found = pages(logs, filterPattern=PATTERN, limit=limit)
    events = [event for page in found for event in page]
    assert len({event["eventId"] for event in events}) == len(events) == 24
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert 1 <= len(found[-1]) <= limit


def test_a_page_ends_at_a_mebibyte(logs: Call, write: Callable[..., None]) -> None:
    """Long lines make short pages."""
    write("app/a/1", *((after, "x" * 400_000) for after in range(5)))
    assert [len(page) for page in pages(logs)] == [2, 2, 1]


def test_lines_between_two_pages(logs: Call, write: Callable[..., None]) -> None:
    """What is written while somebody pages is on the next page."""
    write("app/a/1", (0, "a"), (1, "b"))
    first = logs("FilterLogEvents", logGroupName=GROUP, limit=1)
    write("app/b/2", (2, "c"))
    second = logs("FilterLogEvents", logGroupName=GROUP, nextToken=first["nextToken"])
    assert [event["message"] for event in second["events"]] == ["b", "c"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        pytest.param({"logGroupName": "gone"}, "ResourceNotFoundException", id="no-such-group"),
        pytest.param({"nextToken": "x"}, "InvalidParameterException", id="a-token-of-nobody's"),
        pytest.param(
            {"logStreamNames": ["a"], "logStreamNamePrefix": "a"}, "InvalidParameterException", id="both"
        ),
    ],
)
def test_refusals(logs: Call, parameters: dict[str, Any], code: str) -> None:
    """What AWS refuses is refused; a prefix without streams is no error."""
    with pytest.raises(ValueError, match=code):
        logs("FilterLogEvents", **{"logGroupName": GROUP, **parameters})
    assert messages(logs, logStreamNamePrefix="nobody/") == []
