"""How the watch hears of users: from the feed or from metrics, and no oftener than there can be news."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.aws.alarms import Alarms
from crossfade.aws.clients import client
from crossfade.aws.failures import named
from crossfade.aws.feed import FeedLog
from crossfade.aws.target_metrics import TargetMetrics
from crossfade.domain.alarms import Alarm
from crossfade.domain.errors import AwsUnavailable
from crossfade.domain.gate.blocks import MINUTE, SECONDS, Block
from crossfade.domain.gate.feed import Line, feed_blocks
from crossfade.domain.gate.minutes import minute_blocks
from crossfade.domain.gate.state import GateState
from crossfade.domain.plan import Feed, Plan
from crossfade.domain.spec import other
from crossfade.handlers.step import logger

FEED_SECONDS, METRICS_SECONDS, ALARM_SECONDS = 2.5, 10.0, 5.0
"""How long an answer is good for: within that time there is seldom a new one."""
FIRST_SECONDS = 120
"""How far back the first reading goes."""


class Outcomes:
    """What was read of users and alarms, and when."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._read_at: dict[str, datetime] = {}
        self._alarms: dict[str, Alarm] = {}

    def blocks(self, state: GateState, now: datetime) -> list[Block]:
        """The blocks of users' outcomes that may have become complete since the last reading.

        While AWS does not answer there are none: the stage is held, and what else is known goes on counting.
        """
        try:
            return self._read(state, now)
        except (ClientError, BotoCoreError) as error:
            _warn_or_refuse(error)
            return []

    def alarms(self, now: datetime) -> dict[str, Alarm]:
        """The spec's alarms as they are, or as they were when AWS last answered."""
        if self._plan.spec.alarms and self._due("alarms", now, ALARM_SECONDS):
            try:
                self._alarms = Alarms(client("cloudwatch")).states(self._plan.spec.alarms)
            except (ClientError, BotoCoreError) as error:
                if not self._alarms:
                    raise
                _warn_or_refuse(error)
        return self._alarms

    def _read(self, state: GateState, now: datetime) -> list[Block]:
        gate, after = self._plan.spec.gate, state.users.until
        since = datetime.fromtimestamp(after, now.tzinfo) if after else now - timedelta(seconds=FIRST_SECONDS)
        if self._plan.feed is not None:
            if not _complete(after, SECONDS, gate.settle, now) or not self._due("feed", now, FEED_SECONDS):
                return []
            lines = self._lines(self._plan.feed, since)
            return feed_blocks(
                lines, candidate=self._plan.candidate, after=after, now=now, settle=gate.settle
            )
        if not _complete(after, MINUTE, gate.settle, now) or not self._due("metrics", now, METRICS_SECONDS):
            return []
        return minute_blocks(
            TargetMetrics(client("cloudwatch"), self._plan.spec).minutes(_minute(since), now),
            state.probe_minutes,
            candidate=self._plan.candidate,
            after=after,
            now=now,
            settle=gate.settle,
        )

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
            if faults:
                logger.warning(
                    "%d lines of %s's outcome feed cannot be read: %s", len(faults), slot, faults[0]
                )
            yield from lines


def _warn_or_refuse(error: ClientError | BotoCoreError) -> None:
    """What another try may mend must not keep the gate from what the probe says."""
    failure = named(error)
    if not isinstance(failure, AwsUnavailable):
        raise failure from error
    logger.warning("not heard this time: %s", failure)


def _complete(after: int, seconds: int, settle: float, now: datetime) -> bool:
    """Whether a block can have become complete since the last one that was taken in."""
    return now.timestamp() >= after + seconds + settle


def _minute(moment: datetime) -> datetime:
    """The beginning of its minute: CloudWatch's points stand there."""
    return moment.replace(second=0, microsecond=0)
