"""Blocks of the outcome feed: what users met, as the application reports it in its log every 5 s.

The format is published in ``docs/outcome-feed.md``. A block is taken ``settle_seconds`` after its end, so
that a verdict need not wait for the last line. Lines may be handed in any number of times: the last block
(``after``) says which one is next, and what was counted of earlier ones is remembered. A line that CloudWatch
Logs shows late counts in the next block.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from crossfade.domain.gate.blocks.block import SECONDS, Block, Tally, rest, together
from crossfade.domain.gate.blocks.by_task import OfTask, task_of
from crossfade.domain.gate.blocks.latency import BOUNDS, Latencies
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.slots import Slot, other

FORMAT = "outcomes/1"
LATE_SECONDS = 60
"""A line counts if it comes at most this long after the end of its span, or a little later."""


class Outcomes(Model):
    """What one process of a task answered in a span of 5 s: a line of the feed.

    ``latencies`` are pairs of bucket and count in rising order, see ``latency.py``. What a later format adds
    to a line is left alone.
    """

    model_config = ConfigDict(extra="ignore")

    crossfade: Literal["outcomes/1"]
    began: Timestamp
    ended: Timestamp
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


class FeedBlocks(NamedTuple):
    """The blocks that were taken, and what was counted of the last minute.

    ``counted`` does not grow with the number of tasks, so it is small enough for the workflow. So a line that
    came too late for its own block is counted without its task.
    """

    blocks: list[Block]
    counted: tuple[Block, ...]


def feed_blocks(
    lines: Iterable[Line],
    counted: tuple[Block, ...],
    *,
    candidate: Slot,
    after: int,
    now: datetime,
    settle: float,
) -> FeedBlocks:
    """The blocks of a feed that are complete, in order of time.

    A line belongs to the block in which its span ended. It counts once, however often it is handed in: the
    same stream, process and end of span are the same line, even if a log driver has sent it twice.

    A line whose block was taken without it counts in the next one, up to ``LATE_SECONDS`` late. There it is
    compared with a slightly later time; a single block adds a bounded amount to the evidence, so this does
    not decide by itself.
    """
    found = _by_block(lines, candidate)
    fresh = [at for at in sorted(found) if at >= after and at + SECONDS + settle <= now.timestamp()]
    if not fresh:
        return FeedBlocks([], counted)
    known = {block.at: block for block in counted if block.at >= after - LATE_SECONDS}
    # Without a memory of what was counted, earlier blocks must not count again.
    remembers = bool(known) or not after
    first = found[fresh[0]]
    for at in [at for at in sorted(found) if at in known]:
        block, before = found[at], known[at]
        news = rest(block.candidate, before.candidate), rest(block.stable, before.stable)
        first, known[at] = _plus(first, *news), _plus(before, *news)
    blocks = [first, *(found[at] for at in fresh[1:])]
    known |= {at: found[at]._replace(tasks=()) for at in fresh}
    end = blocks[-1].end
    remembered = range(end - LATE_SECONDS if remembers else fresh[0], end, SECONDS)
    return FeedBlocks(blocks, tuple(known.get(at, Block(at, SECONDS, None, None)) for at in remembered))


def _by_block(lines: Iterable[Line], candidate: Slot) -> dict[int, Block]:
    spans: dict[int, dict[tuple[Slot, str, int, datetime], Line]] = {}
    for line in lines:
        outcomes = line.outcomes
        at = -(-int(outcomes.ended.timestamp() * 1000) // (SECONDS * 1000)) * SECONDS - SECONDS
        spans.setdefault(at, {})[line.slot, line.stream, outcomes.process, outcomes.ended] = line
    return {
        at: Block(
            at,
            SECONDS,
            _sum(found.values(), candidate),
            _sum(found.values(), other(candidate)),
            tasks=_by_task(found.values(), candidate),
        )
        for at, found in spans.items()
    }


def _by_task(lines: Iterable[Line], slot: Slot) -> tuple[OfTask, ...]:
    return tuple(
        OfTask(task_of(line.stream), line.outcomes.requests, line.outcomes.failures)
        for line in lines
        if line.slot == slot
    )


def _sum(lines: Iterable[Line], slot: Slot) -> Tally | None:
    of_slot = [line.outcomes for line in lines if line.slot == slot]
    if not of_slot:
        return None
    return together([Tally(outcomes.requests, outcomes.failures, outcomes.latencies) for outcomes in of_slot])


def _plus(block: Block, candidate: Tally | None, stable: Tally | None) -> Block:
    return block._replace(
        candidate=_together(block.candidate, candidate), stable=_together(block.stable, stable)
    )


def _together(tally: Tally | None, more: Tally | None) -> Tally | None:
    sides = [side for side in (tally, more) if side is not None]
    return together(sides) if sides else None
