"""An open-loop schedule: when requests are due does not depend on how fast they are answered.

A client that waits for one answer before the next request asks least often when the service is worst, and so
hides the worst. Pure: the time is an argument.
"""

import math
from dataclasses import dataclass

LEAST_TOLERANCE_SECONDS = 0.05
"""No thread of an ordinary system wakes up more punctually than this under load."""


@dataclass(frozen=True, slots=True)
class Due:
    """The ticks that have come since the last question: to be sent now, or too late for that."""

    send: int
    missed: int


class Schedule:
    """Tick k is due at `began + k / rate`; it is missed when more than one interval has passed since.

    Parameters
    ----------
    rate
        Ticks per second, above 0.
    began
        Time of the first tick, in seconds of any clock that never goes back.
    ticks
        How many there are; None: no end.
    """

    def __init__(self, rate: float, began: float, ticks: int | None = None) -> None:
        self._rate = rate
        self._began = began
        self._ticks = ticks
        self._tolerance = max(1 / rate, LEAST_TOLERANCE_SECONDS)
        self._next = 0

    @property
    def next_at(self) -> float | None:
        """The time of the next tick, None after the last."""
        if self._ticks is not None and self._next >= self._ticks:
            return None
        return self._began + self._next / self._rate

    def due(self, now: float) -> Due:
        """Take the ticks that have come by `now`; each is handed out exactly once."""
        end = self._first_tick_after(now)
        if end <= self._next:
            return Due(send=0, missed=0)
        first_in_time = min(max(self._first_tick_from(now - self._tolerance), self._next), end)
        due = Due(send=end - first_in_time, missed=first_in_time - self._next)
        self._next = end
        return due

    def _first_tick_after(self, moment: float) -> int:
        tick = math.floor((moment - self._began) * self._rate + 1e-6) + 1
        return tick if self._ticks is None else min(tick, self._ticks)

    def _first_tick_from(self, moment: float) -> int:
        return math.ceil((moment - self._began) * self._rate - 1e-6)
