"""CloudWatch Logs: the ledgers, and the logs of the applications' tasks."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from faults.aws.answer import AwsError
from faults.aws.delivery import BATCH_SECONDS, readable, sent
from faults.aws.users import Users
from faults.workflow.clock import EPOCH
from faults.workflow.query import Refused

if TYPE_CHECKING:
    from faults.aws.probe import Probe

PAGE = 500
"""Events of one answer."""


class Logs:
    """Operations of ``logs``. ``writers`` are asked to write what they have to before anyone reads."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self.writers: list[Probe] = []
        self.streams: dict[tuple[str, str], list[tuple[float, str, float]]] = {}
        """Each event with its moment, its message, and from when on it can be read."""

    def append(self, group: str, stream: str, moment: float, message: str) -> None:
        """One event, at the end of its stream."""
        events = self.streams.setdefault((group, stream), [])
        visible = readable(stream, sent(moment) + BATCH_SECONDS)
        events.append((moment, message, max(visible, events[-1][2]) if events else visible))

    def catch_up(self) -> None:
        """Have everything written that is to be read by now."""
        for writer in self.writers:
            writer.write()

    def get_log_events(
        self, *, logGroupName: str, logStreamName: str, startFromHead: bool, nextToken: str | None = None,
        limit: int = PAGE,
    ) -> dict[str, Any]:  # fmt: skip
        """A page of a stream; at its end the token is the one that was given."""
        self.catch_up()
        events = self.streams.get((logGroupName, logStreamName))
        if events is None:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        begin = int(nextToken.removeprefix("f/")) if nextToken else 0
        now = self._users.now
        page = [event for event in events[begin : begin + limit] if event[2] <= now]
        return {
            "events": [
                {"timestamp": _milliseconds(moment), "message": message} for moment, message, _ in page
            ],
            "nextForwardToken": f"f/{begin + len(page)}",
            "nextBackwardToken": f"b/{begin}",
        }

    def filter_log_events(
        self, *, logGroupName: str, logStreamNamePrefix: str, startTime: int | None = None,
        filterPattern: str | None = None, limit: int = PAGE,
    ) -> dict[str, Any]:  # fmt: skip
        """What the tasks of services wrote since a moment; a prefix without streams is no error."""
        wanted = _PATTERN.fullmatch(filterPattern) if filterPattern else None
        if wanted is None and filterPattern:
            raise Refused(f"filter pattern {filterPattern}")
        since = startTime / 1000 - EPOCH if startTime else 0.0
        events = (
            {
                "logStreamName": line.stream,
                "timestamp": _milliseconds(line.moment),
                "message": line.message,
                "eventId": f"{line.stream}/{line.moment}/{line.number}",
            }
            for line in self._users.log(since)
            if line.group == logGroupName
            and line.stream.startswith(logStreamNamePrefix)
            and (wanted is None or _field(line.message, wanted["field"]) == wanted["value"])
        )
        return {"events": list(islice(events, limit)), "searchedLogStreams": []}


_PATTERN = re.compile(r'\{ \$\.(?P<field>\w+) = "(?P<value>[^"]*)" \}')


def _field(message: str, name: str) -> Any:
    """A field of a line; None where it is not JSON."""
    return json.loads(message).get(name) if message.startswith("{") else None


def _milliseconds(moment: float) -> int:
    return int((EPOCH + moment) * 1000)
