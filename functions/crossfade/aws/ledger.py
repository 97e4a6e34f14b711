"""The ledger in CloudWatch Logs: read onwards from where the last read ended."""

from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.failures import code


class Ledger:
    """Reads ledgers through a boto3 ``logs`` client.

    GetLogEvents on one stream is the freshest read that CloudWatch Logs offers.
    """

    def __init__(self, logs: Any, log_group: str) -> None:
        self._logs = logs
        self._log_group = log_group

    def begun(self, stream: str) -> bool:
        """Whether a stream has a line."""
        try:
            page = self._logs.get_log_events(
                logGroupName=self._log_group, logStreamName=stream, startFromHead=True, limit=1
            )
        except ClientError as error:
            if code(error) == "ResourceNotFoundException":
                return False
            raise
        return bool(page["events"])

    def after(self, stream: str, cursor: str | None) -> tuple[list[str], str | None]:
        """The lines of a stream after ``cursor`` (None: from its beginning), and the new cursor.

        A stream that does not exist yet has no lines.
        """
        lines: list[str] = []
        while True:
            request = {"logGroupName": self._log_group, "logStreamName": stream, "startFromHead": True}
            if cursor:
                request["nextToken"] = cursor
            try:
                page = self._logs.get_log_events(**request)
            except ClientError as error:
                if code(error) == "ResourceNotFoundException":
                    return lines, cursor
                raise
            lines.extend(event["message"] for event in page["events"])
            reached, cursor = cursor, page["nextForwardToken"]
            if reached == cursor:  # the documented sign of the stream's end
                return lines, cursor
