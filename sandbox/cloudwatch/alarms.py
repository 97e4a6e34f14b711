"""Alarms that look at their own metric, every minute, and know since when they are in their state.

MiniStack evaluates an alarm only when PutMetricData or PutMetricAlarm is called, over all metrics of
its name whatever their dimensions, passes over missing data, and leaves StateTransitionedTimestamp out.
"""

from __future__ import annotations

import logging
import math
import operator
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, request_scope
from ministack.services import cloudwatch

from sandbox.cloudwatch.metric_data import DELAY_SECONDS, MINUTE
from sandbox.patching import changes, replaced, replaces

logger = logging.getLogger("sandbox.alarms")

BEYOND = 2  # periods looked at in addition when some have no data, as in AWS's own tables
HELD_SECONDS = 30.0
"""A state that SetAlarmState set is left alone that long, so that a reader has time to see it."""

Alarm = dict[str, Any]

_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def verdict(points: Sequence[bool | None], *, periods: int, needed: int, missing: str) -> str | None:
    """The state that AWS's rules for missing data come to, or None: the alarm stays as it is.

    `points`: whether each period of the evaluation range breaches (None: no data), the newest first; `needed`
    of `periods` must breach; `missing`: TreatMissingData.
    """
    real = [point for point in points if point is not None]
    breaching = sum(real[:periods])
    if len(real) >= periods or breaching >= needed or missing == "notBreaching":
        return "ALARM" if breaching >= needed else "OK"
    if missing == "breaching":
        return "ALARM" if breaching + periods - len(real) >= needed else "OK"
    if not real:
        return None if missing == "ignore" else "INSUFFICIENT_DATA"
    if not all(real):
        return "OK"
    # Only breaching points, but too few: an alarm as soon as the oldest is old enough, not before.
    oldest = max(age for age, point in enumerate(points, start=1) if point)
    return "ALARM" if missing != "ignore" and oldest >= needed else None


class Evaluation:
    """Moves metric alarms from state to state. The clock is the time of day in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._set_by_hand: dict[str, float] = {}

    def alarm(self, alarm: Alarm) -> None:
        """Evaluate one metric alarm now. One on metric math is left as it is: the emulator has none."""
        if not alarm.get("Namespace") or alarm.get("ComparisonOperator") not in _BREACHES:
            return
        with self._lock:
            periods = int(alarm["EvaluationPeriods"])
            points = self._points(alarm, periods + BEYOND)
            needed = int(alarm.get("DatapointsToAlarm") or periods)
            state = verdict(points, periods=periods, needed=needed, missing=alarm["TreatMissingData"])
            if state is not None and state != alarm["StateValue"]:
                self._move(alarm, state, _reason(state, points, needed))

    def all(self) -> None:
        """Evaluate the metric alarms of the current account and region."""
        for alarm in cloudwatch._alarms.values():
            if self._clock() - self._set_by_hand.get(alarm["AlarmArn"], 0.0) < HELD_SECONDS:
                continue
            try:
                self.alarm(alarm)
            except Exception:  # one odd alarm must not end the evaluation of the others
                logger.exception("the alarm %s cannot be evaluated", alarm["AlarmName"])

    def changed_by_hand(self, alarm: Alarm) -> None:
        """Note a change of state that is not of this evaluation's."""
        self._note(alarm)
        if "AlarmRule" not in alarm:
            self._set_by_hand[alarm["AlarmArn"]] = self._clock()

    def _note(self, alarm: Alarm) -> None:
        alarm["StateUpdatedTimestamp"] = alarm["StateTransitionedTimestamp"] = round(self._clock(), 3)

    def _move(self, alarm: Alarm, state: str, reason: str) -> None:
        old = alarm["StateValue"]
        alarm |= {"StateValue": state, "StateReason": reason}
        self._note(alarm)
        cloudwatch._record_history(alarm["AlarmName"], old, state, reason)
        replaced(note_change_by_hand)(alarm, old, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)

    def _points(self, alarm: Alarm, number: int) -> list[bool | None]:
        """Whether the last complete periods breach, the newest first; None: no data."""
        dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        stored = cloudwatch._metrics.get((alarm["Namespace"], alarm["MetricName"], dimensions)) or []
        if alarm.get("Unit"):
            stored = [point for point in stored if point["Unit"] == alarm["Unit"]]
        period = float(alarm["Period"])
        step = min(period, MINUTE)
        end = (self._clock() - DELAY_SECONDS) // step * step
        periods: list[list[Any]] = [[] for _ in range(number)]
        for point in list(stored):
            age = math.ceil((end - point["Timestamp"]) / period) - 1
            if 0 <= age < number:
                periods[age].append(point)
        return [_breaches(alarm, points) for points in periods]


def _breaches(alarm: Alarm, points: list[Any]) -> bool | None:
    if not points:
        return None
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    value = cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points)
    return None if value is None else _BREACHES[alarm["ComparisonOperator"]](value, alarm["Threshold"])


def _reason(state: str, points: Sequence[bool | None], needed: int) -> str:
    breaching, known = sum(point is True for point in points), sum(point is not None for point in points)
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: there is no datapoint in the last {len(points)} periods."
    return f"Threshold Crossed: {breaching} of {known} datapoints breach, {needed} make an alarm."


class _Alarms(AccountRegionScopedDict):  # type: ignore[misc]
    """MiniStack replaces the whole record when an alarm is put again; the time of its state stays."""

    def __setitem__(self, name: str, alarm: Alarm) -> None:
        since = (self.get(name) or alarm).get("StateTransitionedTimestamp")
        alarm["StateTransitionedTimestamp"] = since or alarm["StateUpdatedTimestamp"]
        super().__setitem__(name, alarm)


evaluation = Evaluation()
"""That of this process."""


@changes(cloudwatch, "_alarms", version="1.5.33")
def keep_alarms(emulator: AccountRegionScopedDict) -> _Alarms:
    """There are none yet."""
    return _Alarms()


@replaces(cloudwatch, "_evaluate_alarm", version="1.5.33")
def evaluate_alarm(emulator: Callable[[Alarm], None], alarm: Alarm) -> None:
    """By its own metric, its dimensions and TreatMissingData."""
    evaluation.alarm(alarm)


@replaces(cloudwatch, "_evaluate_all_alarms", version="1.5.33")
def evaluate_all_alarms(emulator: Callable[[], None]) -> None:
    """Leave alone for a while what was set by hand."""
    evaluation.all()


@replaces(cloudwatch, "_dispatch_alarm_actions", version="1.5.33")
def note_change_by_hand(emulator: Callable[..., None], alarm: Alarm, old: str, new: str, reason: str) -> None:
    """By this name the emulator acts on SetAlarmState, and on a composite alarm's change of state."""
    evaluation.changed_by_hand(alarm)
    emulator(alarm, old, new, reason)


def evaluate_everywhere() -> None:
    """Evaluate the metric alarms of every account and region that has some."""
    for account, region in {key[:2] for key in list(cloudwatch._alarms._data)}:
        with request_scope(account, region):
            cloudwatch._evaluate_all_alarms()
