"""The outcome feed in CloudWatch Logs: the lines of both slots' tasks."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from crossfade.domain.gate.blocks.from_feed import FORMAT, Line, read_outcomes
from crossfade.domain.planning.plan import LogStreams
from crossfade.domain.slots import Slot

PATTERN = f'{{ $.crossfade = "{FORMAT}" }}'
"""What CloudWatch filters by: an application's log holds much else."""


class FeedLog:
    """Reads the feed through a boto3 ``logs`` client."""

    def __init__(self, logs: Any) -> None:
        self._logs = logs

    def lines(self, slot: Slot, streams: LogStreams, since: datetime) -> tuple[list[Line], dict[str, str]]:
        """A slot's lines since a moment, and what is wrong with those that cannot be read, by event id.

        FilterLogEvents reads all streams of the prefix each time, so lines that became visible late are among
        them; a token would skip them.
        """
        lines: list[Line] = []
        faults: dict[str, str] = {}
        for event in self._events(streams, since):
            try:
                lines.append(Line(slot, event["logStreamName"], read_outcomes(event["message"])))
            except ValueError as error:
                faults[event["eventId"]] = f"{event['logStreamName']}: {error}"
        return lines, faults

    def _events(self, streams: LogStreams, since: datetime) -> Iterator[dict[str, Any]]:
        # A task that has not written yet has no stream; a prefix without streams is no error.
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=streams.group,
            logStreamNamePrefix=streams.prefix,
            startTime=int(since.timestamp() * 1000),
            filterPattern=PATTERN,
        )
        for page in pages:
            yield from page["events"]
