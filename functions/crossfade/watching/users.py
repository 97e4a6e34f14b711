"""Reads users' outcomes, from the feed or from metrics, polling no faster than new data can appear."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.aws.clients import client
from crossfade.aws.errors import translate
from crossfade.aws.outcome_feed import FeedLog
from crossfade.aws.target_metrics import TargetMetrics
from crossfade.domain.errors import AwsUnavailable
from crossfade.domain.gate.blocks.block import MINUTE, SECONDS, Block
from crossfade.domain.gate.blocks.from_feed import LATE_SECONDS, Line, feed_blocks
from crossfade.domain.gate.blocks.from_metrics import READ_SECONDS, Glance, minute_blocks
from crossfade.domain.gate.state import GateState
from crossfade.domain.planning.plan import Feed, Plan
from crossfade.domain.slots import other
from crossfade.step import logger

FEED_SECONDS = 2.5
"""How long an answer is good for: within that time there is seldom a new one."""
FIRST_SECONDS = 120
"""How far back the first reading of a feed goes."""
FIRST_MINUTES = timedelta(hours=1)
"""How far back the first reading of metrics goes: how often the stable slot has spells of failures says how
often the candidate may. What its slot served earlier in that hour counts too; that makes the gate more
careful at most. An hour of a feed may be too many lines to read while the clients wait."""


class Outcomes:
    """What was read of users, and when."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._read_at: dict[str, datetime] = {}
        self._warned: set[str] = set()  # events that cannot be read: each is logged once

    def new_blocks(self, state: GateState, now: datetime) -> tuple[GateState, list[Block]]:
        """The blocks of users' outcomes that have become complete since the last reading.

        The state remembers the reading. While AWS does not answer there are no blocks: the stage holds, and
        the other evidence still counts.
        """
        try:
            return self._read(state, now)
        except (ClientError, BotoCoreError) as error:
            warn_or_refuse(error)
            return state, []

    def _read(self, state: GateState, now: datetime) -> tuple[GateState, list[Block]]:
        if self._plan.feed is not None:
            return self._read_feed(self._plan.feed, state, now)
        return self._read_metrics(state, now)

    def _read_feed(self, feed: Feed, state: GateState, now: datetime) -> tuple[GateState, list[Block]]:
        after, settle = state.users.until, self._plan.spec.gate.settle
        if not _complete(after, SECONDS, settle, now) or not self._due("feed", now, FEED_SECONDS):
            return state, []
        read = feed_blocks(
            self._lines(feed, _since(max(after - LATE_SECONDS, 0), now, timedelta(seconds=FIRST_SECONDS))),
            state.feed_counted,
            candidate=self._plan.candidate,
            after=after,
            now=now,
            settle=settle,
        )
        return state.model_copy(update={"feed_counted": read.counted}), read.blocks

    def _read_metrics(self, state: GateState, now: datetime) -> tuple[GateState, list[Block]]:
        after, settle = state.users.until, self._plan.spec.gate.settle
        # A minute is read once before it can be taken, so that the reading that takes it is the second one.
        if not _complete(after, MINUTE, settle - READ_SECONDS, now) or not state.minutes_seen.due(now):
            return state, []
        if not self._due("metrics", now, READ_SECONDS):
            return state, []
        since = _since(after, now, FIRST_MINUTES)
        since = since.replace(second=0, microsecond=0)  # CloudWatch's points stand there
        points = tuple(TargetMetrics(client("cloudwatch"), self._plan.spec).minutes(since, now))
        blocks = minute_blocks(
            points,
            state.minutes_seen,
            state.probe_minutes,
            candidate=self._plan.candidate,
            after=after,
            now=now,
            settle=settle,
        )
        taken = blocks[-1].end if blocks else after
        untaken = tuple(point for point in points if point.at.timestamp() >= taken)
        seen = Glance(now.timestamp(), untaken) if points else Glance()
        return state.model_copy(update={"minutes_seen": seen}), blocks

    def _due(self, name: str, now: datetime, seconds: float) -> bool:
        last = self._read_at.get(name)
        if last is not None and now - last < timedelta(seconds=seconds):
            return False
        self._read_at[name] = now
        return True

    def _lines(self, feed: Feed, since: datetime) -> Iterable[Line]:
        log, candidate = FeedLog(client("logs")), self._plan.candidate
        for slot, streams in ((candidate, feed.candidate), (other(candidate), feed.stable)):
            if streams is None:
                continue
            lines, faults = log.lines(slot, streams, since)
            new = [text for event, text in faults.items() if event not in self._warned]
            if new:
                logger.warning("%d lines of %s's outcome feed cannot be read: %s", len(new), slot, new[0])
            self._warned |= faults.keys()
            yield from lines


def warn_or_refuse(error: ClientError | BotoCoreError) -> None:
    """What another try may mend must not keep the gate from what the probe says."""
    failure = translate(error)
    if not isinstance(failure, AwsUnavailable):
        raise failure from error
    logger.warning("not read this time: %s", failure)


def _complete(after: int, seconds: int, settle: float, now: datetime) -> bool:
    """Whether a block can have become complete since the last one that was taken in."""
    return now.timestamp() >= after + seconds + settle


def _since(after: int, now: datetime, first: timedelta) -> datetime:
    """From when on there is something to read; ``after`` is the end of what was taken in, 0 for nothing.

    ``first`` is how far back the first reading goes.
    """
    return datetime.fromtimestamp(after, now.tzinfo) if after else now - first
