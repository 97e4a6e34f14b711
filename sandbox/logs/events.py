"""FilterLogEvents as AWS answers it: by prefix, by JSON pattern, in pages.

MiniStack ignores `logStreamNamePrefix`, takes every line for a match of a JSON pattern, and cuts what exceeds
the limit without a `nextToken`. Patterns of words stay MiniStack's.
"""

from __future__ import annotations

import bisect
import heapq
import json
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import cloudwatch_logs

from sandbox.patching import replaces

MOST_EVENTS = 10_000
MOST_BYTES = 1 << 20  # of messages in one page

Response = tuple[int, dict[str, str], bytes]
Event = dict[str, Any]
Test = Callable[[object], bool]

_CLAUSE = re.compile(
    r"""\s*\$(?P<path>(?:\.[\w-]+|\[\d+\])+)\s*
    (?:(?P<state>IS\s+NULL|IS\s+TRUE|IS\s+FALSE|NOT\s+EXISTS)
      |(?P<sign>!=|<=|>=|=|<|>)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s&|{}()"]+))\s*""",
    re.VERBOSE,
)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ABSENT = object()
_STATES: dict[str, Test] = {
    "IS NULL": lambda found: found is None,
    "IS TRUE": lambda found: found is True,
    "IS FALSE": lambda found: found is False,
    "NOT EXISTS": lambda found: found is _ABSENT,
}


class InvalidRequest(Exception):
    """AWS answers InvalidParameterException with this text."""


@replaces(cloudwatch_logs, "_filter_log_events", version="1.5.33")
def filter_log_events(emulator: Callable[..., Response], data: dict[str, Any]) -> Response:
    """One page of events, oldest first, of all the log streams that are asked for."""
    group = cloudwatch_logs._resolve_log_group_name(data)
    if group not in cloudwatch_logs._log_groups:
        message = f"The specified log group does not exist: {group}"
        return error_response_json("ResourceNotFoundException", message, 400)
    try:
        return json_response(_page(cloudwatch_logs._log_groups[group]["streams"], data))
    except InvalidRequest as error:
        return error_response_json("InvalidParameterException", str(error), 400)


def _page(streams: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    if data.get("logStreamNames") and data.get("logStreamNamePrefix"):
        raise InvalidRequest("logStreamNames and logStreamNamePrefix exclude each other.")
    matches = matcher(data.get("filterPattern") or "")
    limit = min(int(data.get("limit") or MOST_EVENTS), MOST_EVENTS)
    since, passed = _position(data.get("nextToken"), data.get("startTime") or 0)
    events: list[Event] = []
    size, at, seen = 0, since, 0
    for event in _in_order(streams, data, since):
        if event["timestamp"] != at:
            at, seen = event["timestamp"], 0
        seen += 1
        if (at == since and seen <= passed) or not matches(event["message"]):
            continue
        size += len(event["message"].encode())
        if events and (len(events) == limit or size > MOST_BYTES):
            # The next page begins with this event: the seen-th of that millisecond.
            return {"events": events, "searchedLogStreams": [], "nextToken": f"{at}/{seen - 1}"}
        events.append(event)
    return {"events": events, "searchedLogStreams": []}


def _position(token: str | None, start: int) -> tuple[int, int]:
    """(time in ms, how many events of that time earlier pages went through)."""
    if token is None:
        return start, 0
    time, _, passed = token.partition("/")
    if not (time.isdigit() and passed.isdigit()):
        raise InvalidRequest("The specified nextToken is invalid.")
    return int(time), int(passed)


def _in_order(streams: dict[str, Any], data: dict[str, Any], since: int) -> Iterator[Event]:
    names, prefix, end = (
        data.get("logStreamNames"),
        data.get("logStreamNamePrefix") or "",
        data.get("endTime"),
    )
    time = operator.itemgetter("timestamp")
    chosen = []
    with cloudwatch_logs._log_events_lock:
        for name, stream in list(streams.items()):
            if name in names if names else name.startswith(prefix):
                first = bisect.bisect_left(stream["events"], since, key=time)
                chosen.append(_named(name, stream["events"][first:]))
    for event in heapq.merge(*chosen, key=time):
        if end is not None and event["timestamp"] > end:
            return
        yield event


def _named(stream: str, events: list[Event]) -> Iterator[Event]:
    return (event | {"logStreamName": stream} for event in events)


def matcher(pattern: str) -> Callable[[str], bool]:
    """What a filter pattern lets pass. JSON patterns: comparisons with `&&` and `||`, without parentheses."""
    text = pattern.strip()
    if not text.startswith("{"):
        words: Callable[[str], bool] = cloudwatch_logs._compile_filter_pattern(text)
        return words
    any_of = _alternatives(text)

    def match(message: str) -> bool:
        try:
            line = json.loads(message)
        except ValueError:
            return False
        return isinstance(line, dict) and any(all(test(line) for test in all_of) for all_of in any_of)

    return match


def _alternatives(text: str) -> list[list[Test]]:
    any_of: list[list[Test]] = [[]]
    inside, position = text[1:-1], 0
    while text.endswith("}") and (clause := _CLAUSE.match(inside, position)):
        any_of[-1].append(_test(clause))
        position = clause.end()
        if position == len(inside):
            return any_of
        sign = inside[position : position + 2]
        if sign == "||":
            any_of.append([])
        elif sign != "&&":
            break
        position += 2
    raise InvalidRequest("Invalid filter pattern")


def _test(clause: re.Match[str]) -> Test:
    path = [name or int(index) for name, index in _STEP.findall(clause["path"])]
    holds = _STATES[" ".join(clause["state"].split())] if clause["state"] else _comparison(clause)
    return lambda line: holds(_follow(line, path))


def _follow(line: object, path: list[str | int]) -> object:
    for step in path:
        known = range(len(line)) if isinstance(line, list) else line if isinstance(line, dict) else ()
        if step not in known:
            return _ABSENT
        line = line[step]  # type: ignore[index]
    return line


def _comparison(clause: re.Match[str]) -> Test:
    """A number is compared with numbers; anything else with strings, where `*` stands for any characters."""
    compare, value = _SIGNS[clause["sign"]], clause["value"]
    try:
        number = float(value)
    except ValueError:
        text = json.loads(value) if value.startswith('"') else value
        if clause["sign"] not in ("=", "!="):
            raise InvalidRequest("Invalid filter pattern") from None
        like = re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)
        wanted = clause["sign"] == "="
        return lambda found: isinstance(found, str) and (like.fullmatch(found) is not None) == wanted
    return lambda found: (
        isinstance(found, int | float) and not isinstance(found, bool) and compare(found, number)
    )
