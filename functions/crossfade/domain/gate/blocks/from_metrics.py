"""Blocks of the target groups' metrics, minute by minute: what users met, if the application writes no feed.

CloudWatch may show a minute before all of it has arrived. A minute is taken ``settle_seconds`` after its end
at the earliest, when two readings of it agree, and never changes once it is taken. The last one (``after``)
says which minute is next, so points may be handed in any number of times.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from crossfade.domain.gate.blocks.block import MINUTE, Block, Tally
from crossfade.domain.ledger import Record, Request
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.slots import SLOTS, Slot, other

SERVER_ERROR = 500
READ_SECONDS = 10
"""The least time between two readings whose agreement means something."""
LATEST_SECONDS = 60
"""How long after it has settled a minute is taken as it is, though its numbers still change."""


class Minute(Model):
    """A target group's metrics for the minute from ``at`` on; the probe's requests are among them.

    A minute for which CloudWatch has no point is not made into one of zeros: it is left out.
    """

    slot: Slot
    at: Timestamp
    requests: int
    failures: int


class Glance(NamedTuple):
    """What the last reading of the metrics found, and when that was (seconds since 1970)."""

    at: float = 0.0
    points: tuple[Minute, ...] = ()

    def due(self, now: datetime) -> bool:
        """Whether another reading may show something new."""
        return now.timestamp() >= self.at + READ_SECONDS

    def agrees(self, at: int, points: Iterable[Minute]) -> bool:
        """Whether the minute from ``at`` on was the same then."""
        return _of(self.points, at) == _of(points, at)


class ProbeMinute(NamedTuple):
    """The probe's requests and 5xx answers of the minute from ``at`` on (seconds since 1970), by slot.

    ``blue`` and ``green`` count the slots' lanes. ``production`` counts the production lane, for blue and
    green, by the version that answered; ``unknown`` are requests of that lane without a version.
    """

    at: int
    blue: tuple[int, int] = (0, 0)
    green: tuple[int, int] = (0, 0)
    production: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    unknown: int = 0

    def of(self, slot: Slot) -> tuple[int, int]:
        """What to take out of the slot's minute.

        If one answer of the production lane belongs to an unknown slot, all of that lane stay in: taking out
        only the good answers would leave failures.
        """
        place = SLOTS.index(slot)
        requests, failures = (self.blue, self.green)[place]
        if self.unknown:
            return requests, failures
        return requests + self.production[place][0], failures + self.production[place][1]


ProbeMinutes = tuple[ProbeMinute, ...]
MINUTES_KEPT = 6


def count_probe(
    minutes: ProbeMinutes, records: Iterable[Record], versions: Mapping[str, Slot]
) -> ProbeMinutes:
    """Count the probe's own requests by minute, the last few minutes of them.

    ``versions`` says which slot answers with which version: a request of the production lane went there.
    """
    counts = {minute.at: minute for minute in minutes}
    for record in records:
        if isinstance(record, Request):
            at = int(record.at.timestamp()) // MINUTE * MINUTE
            counts[at] = _counted(counts.get(at, ProbeMinute(at)), record, versions)
    return tuple(counts[at] for at in sorted(counts)[-MINUTES_KEPT:])


def _counted(minute: ProbeMinute, request: Request, versions: Mapping[str, Slot]) -> ProbeMinute:
    slot = versions.get(request.version or "") if request.lane == "production" else request.lane
    if request.lane == "production" and (slot is None or request.status is None):
        return minute._replace(unknown=minute.unknown + 1)
    if request.status is None:  # nothing that a target group has counted
        return minute
    failed = request.status >= SERVER_ERROR
    if request.lane == "production":
        blue, green = minute.production
        production = (_plus(blue, failed), green) if slot == "blue" else (blue, _plus(green, failed))
        return minute._replace(production=production)
    if slot == "blue":
        return minute._replace(blue=_plus(minute.blue, failed))
    return minute._replace(green=_plus(minute.green, failed))


def _plus(counts: tuple[int, int], failed: bool) -> tuple[int, int]:
    return counts[0] + 1, counts[1] + failed


def minute_blocks(
    points: Collection[Minute],
    earlier: Glance,
    probe: ProbeMinutes,
    *,
    candidate: Slot,
    after: int,
    now: datetime,
    settle: float,
) -> list[Block]:
    """The blocks of metrics that are complete, in order of time, without the probe's own requests.

    ``earlier`` is the reading before this one. A side without a point for a minute is None in its block,
    never zero.
    """
    own = {minute.at: minute for minute in probe}
    blocks: list[Block] = []
    for at in sorted({int(point.at.timestamp()) for point in points}):
        settled = now.timestamp() - (at + MINUTE + settle)
        if at < after:
            continue
        if settled < 0 or not (earlier.agrees(at, points) or settled >= LATEST_SECONDS):
            break
        sides = {
            point.slot: _users(point, own.get(at, ProbeMinute(at)).of(point.slot))
            for point in points
            if int(point.at.timestamp()) == at
        }
        blocks.append(Block(at, MINUTE, sides.get(candidate), sides.get(other(candidate))))
    return blocks


def _users(point: Minute, probe: tuple[int, int]) -> Tally:
    users = max(point.requests - probe[0], 0)
    return Tally(users, min(max(point.failures - probe[1], 0), users))


def _of(points: Iterable[Minute], at: int) -> dict[Slot, Minute]:
    return {point.slot: point for point in points if int(point.at.timestamp()) == at}
