"""Where a moment or a number is drawn, and what stands beside it."""

from datetime import UTC, datetime
from math import floor, log10
from typing import NamedTuple

STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12)),
)
"""Seconds between two marks of time; beyond these whole days."""
DAY = 86_400
MARKS, NARROW_MARKS = 10, 4
"""The most marks whose labels fit beside each other on a wide page, and on a phone."""


MOST_LEVELS = 4


class Mark(NamedTuple):
    """A mark of time: where, in percent, and its label; ``wide``: on a wide page only."""

    place: float
    label: str
    wide: bool


class TimeAxis(NamedTuple):
    """The one axis of all pictures, from ``began`` to ``ended`` (seconds since 1970)."""

    began: float
    ended: float

    def place(self, moment: float) -> float:
        """Where a moment is, in percent of the width."""
        share = (moment - self.began) / max(self.ended - self.began, 1e-3)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    @property
    def marks(self) -> list[Mark]:
        """Round moments, in UTC."""
        lasted = max(self.ended - self.began, 0.1)
        coarse = _step(lasted, NARROW_MARKS)
        parts = [step for step in STEPS if lasted / step <= MARKS and _divides(step, coarse)]
        fine = min(parts, default=coarse)
        every = round(coarse / fine)
        return [
            Mark(self.place(number * fine), _label(number * fine, fine), wide=number % every > 0)
            for number in range(floor(self.began / fine) + 1, floor(self.ended / fine) + 1)
        ]


def _divides(step: float, coarse: float) -> bool:
    return step <= coarse and round(coarse / step, 6).is_integer()


def _step(lasted: float, marks: int) -> float:
    """The seconds between two marks, where there are ``marks`` at most."""
    days = DAY * (floor(lasted / DAY / marks) + 1)
    return next((step for step in STEPS if lasted / step <= marks), days)


def _label(moment: float, step: float) -> str:
    at = datetime.fromtimestamp(moment, UTC)
    if step < 1:
        return f"{at:%H:%M:%S}.{at.microsecond // 100_000}"
    if step >= DAY:
        return f"{at:%b} {at.day}"
    return f"{at:%H:%M}" if step >= 60 else f"{at:%H:%M:%S}"


class LogScale(NamedTuple):
    """Numbers from ``low`` to ``high``, each power of ten as high as the other."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """How high, between 0 and 1."""
        value = min(max(value, self.low), self.high)
        return (log10(value) - log10(self.low)) / max(log10(self.high) - log10(self.low), 1e-9)

    @property
    def levels(self) -> list[float]:
        """Round numbers within, four at most."""
        powers = range(floor(log10(self.low)), floor(log10(self.high)) + 1)
        fine = self._within([digit * 10.0**power for power in powers for digit in (1, 2, 5)])
        coarse = self._within([10.0**power for power in powers])
        found = coarse if len(fine) > MOST_LEVELS else fine
        return found[:: (len(found) - 1) // MOST_LEVELS + 1] if found else []

    def _within(self, numbers: list[float]) -> list[float]:
        return [number for number in numbers if self.low <= number <= self.high]


def clock(moment: float) -> str:
    """A moment in UTC, to the millisecond, e.g. ``04:00:10.250``."""
    at = datetime.fromtimestamp(moment, UTC)
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def day_and_clock(moment: float) -> str:
    """E.g. ``2026-11-23 04:00:10 UTC``."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def lasting(seconds: float) -> str:
    """A duration, e.g. ``4.2 s``, ``12 min 5 s``, ``2 h 3 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
