"""The records of the ledger and their JSON: one object per line, with exactly these keys.

Times are UTC, ISO 8601 with milliseconds and a Z. These names are read by the deployment's handlers.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import ClassVar, Literal


def utc(epoch_seconds: float) -> str:
    """Write a moment, in seconds since 1970, as `2026-11-23T04:00:00.123Z`."""
    moment = datetime.fromtimestamp(epoch_seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Opened:
    """The first record: which lanes this ledger will hold."""

    type: ClassVar[str] = "opened"
    deployment: str
    at: str
    lanes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that counts, numbered from 1 within its lane in the order of completion, without gaps."""

    type: ClassVar[str] = "request"
    lane: str
    n: int
    at: str
    """When it was sent."""
    status: int | None
    version: str | None
    ms: float
    """From sending to the last byte of the answer, or to giving up; milliseconds."""
    error: str | None
    """The fault of the transport; None when an HTTP answer came, whatever its status."""
    note: str | None = None
    """What a 2xx answer has instead of a version, where a 3xx leads, or that the load balancer gave it."""
    accepted: bool | None = None
    """Whether an answer came with a status that is good here; None where nobody said which are."""
    path: str | None = None
    """Which one of several paths was asked; None for the one whose answer names the version, or the only."""

    @property
    def ok(self) -> bool:
        """Whether an answer came with a status that is good: 200 to 299 where nobody said which are."""
        if self.accepted is not None:
            return self.accepted
        return self.status is not None and 200 <= self.status <= 299


@dataclass(frozen=True, slots=True)
class LaneRecord:
    """A lane found its first target (`resumed`) or lost its last one (`paused`)."""

    type: ClassVar[str] = "lane"
    lane: str
    event: Literal["resumed", "paused"]
    at: str


@dataclass(frozen=True, slots=True)
class UnansweredRecord:
    """What a polling lane meets while no application answers; the other fields as in RequestRecord."""

    type: ClassVar[str] = "unanswered"
    lane: str
    at: str
    asked: int
    """How many requests were sent since polling began."""
    status: int | None
    version: str | None
    error: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class LaneTotals:
    """What a lane sent in all. `missed` counts the ticks at which it could not send in time."""

    sent: int
    ok: int
    failed: int
    missed: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The last record: with it, a reader can tell a complete ledger from a cut one."""

    type: ClassVar[str] = "closed"
    at: str
    reason: Literal["stopped", "deadline"]
    lanes: Mapping[str, LaneTotals]
    rejected: int
    """Log events that CloudWatch Logs refused."""


Record = Opened | RequestRecord | LaneRecord | UnansweredRecord | Closed


def to_json(record: Record) -> str:
    """Return the record as one line of JSON; what is asked most often needs no path to be named."""
    values = {"type": record.type, **asdict(record)}
    if isinstance(record, RequestRecord) and record.path is None:
        del values["path"]
    return json.dumps(values, separators=(",", ":"))
