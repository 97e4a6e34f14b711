"""The ledger in CloudWatch Logs: read onwards from where the last read ended."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code

LARGE_PAGE = 1000
"""A page with this many lines may be followed by another one."""


class Ledger:
    """Reads ledgers through a boto3 ``logs`` client.

    GetLogEvents on one stream is the freshest read that CloudWatch Logs offers.
    """

    def __init__(self, logs: Any, log_group: str) -> None:
        self._logs = logs
        self._log_group = log_group

    def begun(self, stream: str) -> bool:
        """Whether a stream has a line."""
        return any(lines for lines, _ in self.pages(stream, None))

    def news(self, stream: str, cursor: str | None) -> tuple[list[str], str | None]:
        """Lines of a stream after ``cursor`` (None: from its beginning), and the new cursor.

        A small page is taken for the stream's end, since the caller asks again at once: being sure would take
        a second call, and GetLogEvents has a quota.
        """
        lines: list[str] = []
        while True:
            page, cursor = self._page(stream, cursor)
            lines += page
            if len(page) < LARGE_PAGE:
                return lines, cursor

    def pages(self, stream: str, cursor: str | None) -> Iterator[tuple[list[str], str | None]]:
        """All lines of a stream after ``cursor`` (None: from its beginning), page by page, each with the
        cursor behind it."""
        while True:
            reached = cursor
            page, cursor = self._page(stream, cursor)
            yield page, cursor
            if reached == cursor:  # the documented sign of the stream's end
                return

    def _page(self, stream: str, cursor: str | None) -> tuple[list[str], str | None]:
        """A stream that does not exist yet has no lines."""
        request = {"logGroupName": self._log_group, "logStreamName": stream, "startFromHead": True}
        if cursor:
            request["nextToken"] = cursor
        try:
            page = self._logs.get_log_events(**request)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return [], cursor
            raise
        return [event["message"] for event in page["events"]], page["nextForwardToken"]
