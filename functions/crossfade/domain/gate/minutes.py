"""The target groups' metrics, minute by minute: what users met where the application writes no feed.

Only minutes that are complete are read: those that ended ``settle_seconds`` ago. Which minute comes next is
known from the last one (``after``), so points may be handed in any number of times.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from crossfade.domain.gate.blocks import MINUTE, Block, Tally
from crossfade.domain.message import Message, Moment
from crossfade.domain.records import Record, Request
from crossfade.domain.spec import Slot, other

SERVER_ERROR = 500


class Minute(Message):
    """A target group's metrics for the minute from ``at`` on; the probe's requests are among them.

    A minute for which CloudWatch has no point is not made into one of zeros: it is left out.
    """

    slot: Slot
    at: Moment
    requests: int
    failures: int


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
