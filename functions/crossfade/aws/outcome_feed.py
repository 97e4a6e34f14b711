"""The outcome feed in CloudWatch Logs: the lines of both slots' tasks."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.gate.blocks.from_feed import FORMAT, Line, read_outcomes
from crossfade.domain.planning.plan import LogStreams
from crossfade.domain.slots import Slot

PATTERN = f'{{ $.crossfade = "{FORMAT}" }}'
"""What CloudWatch filters by: an application's log holds much else."""
UNREADABLE = frozenset({"AccessDeniedException", "ResourceNotFoundException"})
"""CloudWatch's codes for a group that Crossfade may not read, or that is not there."""


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

    def unreadable(self, streams: LogStreams) -> str:
        """Why a log cannot be read, in CloudWatch's words; empty where it can."""
        try:
            self._logs.filter_log_events(
                logGroupName=streams.group, logStreamNamePrefix=streams.prefix, limit=1
            )
        except ClientError as error:
            if error_code(error) not in UNREADABLE:
                raise
            return str(error).rstrip(". ")
        return ""

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
