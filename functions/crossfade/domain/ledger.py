"""The ledger's records, as the probe writes them: one JSON object for each CloudWatch Logs event.

The ledger is what the probe saw; who holds a service and what is live is in the journal.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from crossfade.domain.model import Model, Timestamp

Lane = Literal["production", "blue", "green"]
LANES: tuple[Lane, ...] = ("production", "blue", "green")


class Opened(Model):
    """The first record: the probe has begun."""

    type: Literal["opened"]
    deployment: str
    at: Timestamp
    lanes: tuple[Lane, ...]


class Request(Model):
    """One request: ``n`` counts from 1 within the lane without gaps, ``ms`` is its latency.

    ``error`` is the transport's fault; ``note`` says what an answer had that was no version, where it
    redirects, or that the load balancer gave it by itself. ``accepted``: whether its status is one that the
    spec's ``version.ok`` names; probes of Crossfade 0.2 and before do not say. ``path``: which one of the
    spec's ``probe.paths`` was asked; None for the version path.
    """

    type: Literal["request"]
    lane: Lane
    n: int
    at: Timestamp
    status: int | None
    version: str | None
    ms: float
    error: str | None
    note: str | None = None
    accepted: bool | None = None
    path: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it was answered with a good status, by whatever version."""
        if self.accepted is not None:
            return self.accepted
        return self.status is not None and 200 <= self.status < 300


class LaneEvent(Model):
    """A slot's lane was ``paused`` because the slot has no target, or ``resumed`` because it answers."""

    type: Literal["lane"]
    lane: Lane
    event: Literal["paused", "resumed"]
    at: Timestamp


class Unanswered(Model):
    """What a polling lane met last, of the ``asked`` requests since it began to poll; they count nowhere.

    Probes of Crossfade 0.1.0 called it ``knock``.
    """

    type: Literal["unanswered", "knock"]
    lane: Lane
    at: Timestamp
    asked: int
    status: int | None
    version: str | None
    error: str | None
    note: str | None

    @property
    def ok(self) -> bool:
        """Never: no application has answered."""
        return False

    @property
    def path(self) -> None:
        """Always the version path: a lane polls there."""


class LaneTotals(Model):
    """What the probe sent on a lane; ``missed`` counts requests of the schedule that could not be sent."""

    sent: int
    ok: int
    failed: int
    missed: int


class Closed(Model):
    """The last record: what a complete ledger must hold."""

    type: Literal["closed"]
    at: Timestamp
    reason: Literal["stopped", "deadline"]
    lanes: dict[Lane, LaneTotals]
    rejected: int


Record = Opened | Request | LaneEvent | Unanswered | Closed
_reader: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="type")])


def read_record(line: str) -> Record | None:
    """Read a record; None for a line that is not one (a cut line, a foreign message).

    Leaving a request out shows as a gap in its lane's numbers, so nothing is hidden by it.
    """
    try:
        return _reader.validate_json(line)
    except ValidationError:
        return None


def read_records(lines: Iterable[str]) -> list[Record]:
    """Read records; a line that is not one is left out."""
    return [record for record in map(read_record, lines) if record is not None]
