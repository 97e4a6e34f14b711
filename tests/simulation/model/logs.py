"""CloudWatch Logs: the ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.clock import START
from tests.simulation.model.answer import AwsError

if TYPE_CHECKING:
    from tests.simulation.model.probe import Probe

PAGE = 500
"""Events of one answer."""


class Logs:
    """Operations of ``logs``. ``writers`` are asked to write what they have to before anyone reads."""

    def __init__(self) -> None:
        self.writers: list[Probe] = []
        self.streams: dict[tuple[str, str], list[tuple[float, str]]] = {}

    def append(self, group: str, stream: str, moment: float, message: str) -> None:
        """One event, at the end of its stream."""
        self.streams.setdefault((group, stream), []).append((moment, message))

    def get_log_events(
        self, *, logGroupName: str, logStreamName: str, startFromHead: bool, nextToken: str | None = None
    ) -> dict[str, Any]:
        """A page of a stream; at its end the token is the one that was given."""
        for writer in self.writers:
            writer.write()
        events = self.streams.get((logGroupName, logStreamName))
        if events is None:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        begin = int(nextToken.removeprefix("f/")) if nextToken else 0
        page = events[begin : begin + PAGE]
        return {
            "events": [
                {"timestamp": int((START.timestamp() + moment) * 1000), "message": message}
                for moment, message in page
            ],
            "nextForwardToken": f"f/{begin + len(page)}",
            "nextBackwardToken": f"b/{begin}",
        }
