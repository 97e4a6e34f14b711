"""The outcome feed: what users met, as the application itself tells it in its log every 5 s.

The format is published in ``docs/outcome-feed.md``. Only spans that are complete are read: those that ended
``settle_seconds`` ago. Which block comes next is known from the last one (``after``), so lines may be handed
in any number of times.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from crossfade.domain.gate.blocks import SECONDS, Block, Tally, together
from crossfade.domain.gate.latency import BOUNDS, Latencies
from crossfade.domain.message import Message, Moment
from crossfade.domain.spec import Slot, other

FORMAT = "outcomes/1"


class Outcomes(Message):
    """What one process of a task answered in a span of 5 s: a line of the feed.

    ``latencies`` are pairs of bucket and count in rising order, see ``latency.py``. What a later format adds
    to a line is left alone.
    """

    model_config = ConfigDict(extra="ignore")

    crossfade: Literal["outcomes/1"]
    began: Moment
    ended: Moment
    process: int
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
        if sum(count for _, count in self.latencies) != self.requests:
            raise ValueError("latencies must count every request")
        return self


class Line(NamedTuple):
    """A line, with the slot whose log it was found in and its log stream, which is of one task."""

    slot: Slot
    stream: str
    outcomes: Outcomes


def read_outcomes(text: str) -> Outcomes:
    """Read a line of the log.

    Raises
    ------
    ValueError
        It is no line of the feed, or one that does not add up; says why.
    """
    try:
        return Outcomes.model_validate_json(text)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'line'}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
        raise ValueError("; ".join(faults)) from error


def feed_blocks(
    lines: Iterable[Line], *, candidate: Slot, after: int, now: datetime, settle: float
) -> list[Block]:
    """The blocks of a feed that are complete, in order of time.

    A line belongs to the block in which its span ended, and counts once, however often it is handed in.
    """
    spans: dict[int, dict[tuple[Slot, str, int, datetime], Line]] = {}
    for line in lines:
        told = line.outcomes
        at = -(-int(told.ended.timestamp() * 1000) // (SECONDS * 1000)) * SECONDS - SECONDS
        if at >= after and at + SECONDS + settle <= now.timestamp():
            spans.setdefault(at, {})[line.slot, line.stream, told.process, told.ended] = line
    return [
        Block(at, SECONDS, _sum(found.values(), candidate), _sum(found.values(), other(candidate)))
        for at, found in sorted(spans.items())
    ]


def _sum(lines: Iterable[Line], slot: Slot) -> Tally | None:
    of_slot = [line.outcomes for line in lines if line.slot == slot]
    if not of_slot:
        return None
    return together([Tally(told.requests, told.failures, told.latencies) for told in of_slot])
