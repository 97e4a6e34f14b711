"""What users met, as blocks: from the application's outcome feed, or from the target groups' metrics.

Only spans that are complete are read: those that ended ``settle_seconds`` ago. Which block comes next is
known from the last one (``after``), so outcomes may be handed in any number of times.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from crossfade.domain.gate.blocks import MINUTE, SECONDS, Block, Tally
from crossfade.domain.gate.latency import BOUNDS, Latencies, add
from crossfade.domain.message import Message, Moment
from crossfade.domain.records import Record, Request
from crossfade.domain.spec import Slot, other

SERVER_ERROR = 500


class Outcomes(Message):
    """What one task answered in a span of 5 s: a line of the outcome feed.

    ``latencies`` are pairs of bucket and count in rising order, see ``latency.py``.
    """

    slot: Slot
    task: str
    ended: Moment
    requests: int = Field(ge=0)
    failures: int = Field(ge=0)
    latencies: Latencies

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        """An application writes these: what cannot be must not reach the evidence."""
        if self.failures > self.requests:
            raise ValueError("more failures than requests")
        places = [place for place, _ in self.latencies]
        if any(low >= high for low, high in pairwise([-1, *places, len(BOUNDS) + 1])):
            raise ValueError(f"buckets must rise from 0 to {len(BOUNDS)}")
        if any(count < 0 for _, count in self.latencies):
            raise ValueError("a count below 0")
        return self


class Minute(Message):
    """A target group's metrics for the minute from ``at`` on; the probe's requests are among them.

    A minute for which CloudWatch has no point is not made into one of zeros: it is left out.
    """

    slot: Slot
    at: Moment
    requests: int
    failures: int


def feed_blocks(
    lines: Iterable[Outcomes], *, candidate: Slot, after: int, now: datetime, settle: float
) -> list[Block]:
    """The blocks of a feed that are complete, in order of time.

    A line belongs to the block in which its span ended, and counts once, however often it is handed in.
    """
    spans: dict[int, dict[tuple[Slot, str, datetime], Outcomes]] = {}
    for line in lines:
        at = -(-int(line.ended.timestamp() * 1000) // (SECONDS * 1000)) * SECONDS - SECONDS
        if at >= after and at + SECONDS + settle <= now.timestamp():
            spans.setdefault(at, {})[line.slot, line.task, line.ended] = line
    return [
        Block(at, SECONDS, _sum(found.values(), candidate), _sum(found.values(), other(candidate)))
        for at, found in sorted(spans.items())
    ]


def _sum(lines: Iterable[Outcomes], slot: Slot) -> Tally | None:
    of_slot = [line for line in lines if line.slot == slot]
    if not of_slot:
        return None
    counts: tuple[int, ...] = ()
    for line in of_slot:
        counts = add(counts, line.latencies)
    return Tally(
        sum(line.requests for line in of_slot),
        sum(line.failures for line in of_slot),
        tuple((place, count) for place, count in enumerate(counts) if count),
    )


ProbeMinutes = tuple[tuple[int, tuple[int, int], tuple[int, int]], ...]
"""By minute (seconds since 1970): the probe's requests and its 5xx answers, for the slots blue and green."""
MINUTES_KEPT = 6


def count_probe(
    minutes: ProbeMinutes, records: Iterable[Record], versions: Mapping[str, Slot]
) -> ProbeMinutes:
    """Count the probe's own requests by minute and slot, the last few minutes of them.

    ``versions`` says which slot answers with which version: a request of the production lane went there.
    """
    counts = {at: {"blue": list(blue), "green": list(green)} for at, blue, green in minutes}
    for record in records:
        if not isinstance(record, Request):
            continue
        slot = versions.get(record.version or "") if record.lane == "production" else record.lane
        if slot is None or record.status is None:
            continue
        at = int(record.at.timestamp()) // MINUTE * MINUTE
        tally = counts.setdefault(at, {"blue": [0, 0], "green": [0, 0]})[slot]
        tally[0] += 1
        tally[1] += record.status >= SERVER_ERROR
    kept = sorted(counts.items())[-MINUTES_KEPT:]
    return tuple((at, (by["blue"][0], by["blue"][1]), (by["green"][0], by["green"][1])) for at, by in kept)


def minute_blocks(
    points: Iterable[Minute],
    probe: ProbeMinutes,
    *,
    candidate: Slot,
    after: int,
    now: datetime,
    settle: float,
) -> list[Block]:
    """The blocks of metrics that are complete, in order of time, without the probe's own requests.

    A side that has no point for a minute is None in its block, never zero.
    """
    own = {at: {"blue": blue, "green": green} for at, blue, green in probe}
    found: dict[int, dict[Slot, Tally]] = {}
    for point in points:
        at = int(point.at.timestamp())
        if at >= after and at + MINUTE + settle <= now.timestamp():
            requests, failures = own.get(at, {}).get(point.slot, (0, 0))
            users = max(point.requests - requests, 0)
            found.setdefault(at, {})[point.slot] = Tally(users, min(max(point.failures - failures, 0), users))
    return [
        Block(at, MINUTE, by.get(candidate), by.get(other(candidate))) for at, by in sorted(found.items())
    ]
