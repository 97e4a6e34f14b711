"""What filters the gate's verdict: CloudWatch alarms. A further filter joins the list in ``filters``.

A filter meets no verdict to go back that the probe's evidence has made: ``gate.py`` returns that first.
Tasks are counted after the filters, in WatchStage and RetireStable; the roles of both need the rights of a
filter.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.aws.alarms import Alarms
from crossfade.aws.clients import client
from crossfade.domain.gate.past import Caution
from crossfade.domain.gate.state import Watch
from crossfade.domain.planning.plan import Plan
from crossfade.domain.rollout.alarms import Alarm, with_alarms
from crossfade.domain.verdict import Verdict
from crossfade.watching.users import warn_or_refuse

ALARM_SECONDS = 5.0
"""How long an answer about alarms is good for."""

Filter = Callable[[Verdict, datetime], Verdict]
"""Returns the verdict that it is given at that time, or another one in its place."""


def filters(plan: Plan, watch: Watch, caution: Caution) -> list[Filter]:
    """The filters of one invocation; each one gets what the one before it has returned."""
    alarms = AlarmStates(plan.spec.alarms)

    def by_alarms(verdict: Verdict, now: datetime) -> Verdict:
        return with_alarms(
            verdict,
            plan.spec.alarms,
            alarms.at(now),
            began=plan.began,
            watch=watch,
            caution=caution,
            clump_seconds=plan.spec.gate.clump_seconds,
            now=now,
        )

    return [by_alarms]


class AlarmStates:
    """The alarms of a spec as CloudWatch last told of them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._read_at: datetime | None = None
        self._found: dict[str, Alarm] = {}

    def at(self, now: datetime) -> dict[str, Alarm]:
        """The alarms as they are, or as they were when AWS last answered."""
        due = self._read_at is None or now - self._read_at >= timedelta(seconds=ALARM_SECONDS)
        if self._names and due:
            self._read_at = now
            try:
                self._found = Alarms(client("cloudwatch")).states(self._names)
            except (ClientError, BotoCoreError) as error:
                if not self._found:
                    raise
                warn_or_refuse(error)
        return self._found
