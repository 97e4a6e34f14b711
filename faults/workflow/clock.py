"""Virtual time: what happens next, and threads that run one at a time, each in its turn.

Everything happens in the order of its moments, and at one moment in the order in which it was asked for: so a
run depends on its inputs alone.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
EPOCH = START.timestamp()
"""The same in seconds since 1970."""
MOST_SECONDS = 5 * 86_400
MOST_EVENTS = 200_000


class NeverSettles(Exception):
    """Something goes on and on: the run is broken off."""


class Due:
    """Something that is to happen at a moment, unless it is cancelled.

    ``background``: it does not keep the simulation running.
    """

    __slots__ = ("at", "background", "call", "clock", "order")

    def __init__(
        self, clock: Clock, at: float, order: int, call: Callable[[], Any], background: bool
    ) -> None:
        self.clock, self.at, self.order, self.background = clock, at, order, background
        self.call: Callable[[], Any] | None = call

    def __lt__(self, other: Due) -> bool:
        return (self.at, self.order) < (other.at, other.order)

    def cancel(self) -> None:
        """Let it not happen; harmless when it has happened."""
        if self.call is not None:
            self.call = None
            self.clock.awaited -= not self.background


class Clock:
    """Seconds since ``START``, and what is due."""

    def __init__(self) -> None:
        self.now = 0.0
        self.awaited = 0
        self.strand: Strand | None = None
        """The thread whose turn it is; None while it is the clock's own."""
        self.strands = 0
        """How many threads have begun and not ended."""
        self._queue: list[Due] = []
        self._events = 0

    def time(self) -> datetime:
        """The time of day."""
        return START + timedelta(seconds=self.now)

    def after(self, seconds: float, call: Callable[..., Any], *given: Any, background: bool = False) -> Due:
        """Call something in so many seconds."""
        self._events += 1
        due = Due(self, self.now + seconds, self._events, partial(call, *given), background)
        self.awaited += not background
        heapq.heappush(self._queue, due)
        return due

    def run(self) -> None:
        """Go on until nothing is awaited any more; what is due in the background meanwhile happens too."""
        while self.awaited:
            self._next()

    def run_for(self, seconds: float) -> None:
        """Go on for so many seconds."""
        until = self.now + seconds
        while self._queue and self._queue[0].at <= until:
            self._next()
        self.now = until

    def free_until(self, moment: float) -> bool:
        """Whether nothing is due up to a moment."""
        while self._queue and self._queue[0].call is None:
            heapq.heappop(self._queue)
        return not self._queue or self._queue[0].at > moment

    def _next(self) -> None:
        due = heapq.heappop(self._queue)
        if due.call is None:
            return
        self.now = due.at
        if self.now > MOST_SECONDS or self._events > MOST_EVENTS:
            raise NeverSettles(f"after {self.now:.0f} s and {self._events} events")
        call, due.call = due.call, None
        self.awaited -= not due.background
        call()


class Strand:
    """Work in a thread of its own that runs only while it is its turn; it gives the turn away by sleeping.

    An exception that leaves the work is raised where the clock runs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._broken: BaseException | None = None
        # Each is held by the other side for as long as that side waits for its turn.
        self._mine, self._theirs = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._theirs.acquire()
        clock.after(0, self._begin)

    def work(self) -> None:
        """What to do; for those who inherit."""
        raise NotImplementedError

    def sleep(self, seconds: float) -> None:
        """Let time pass, and others have their turn meanwhile; called by the work itself."""
        clock = self._clock
        if clock.free_until(clock.now + seconds):
            clock.now += seconds
            return
        clock.after(seconds, self._turn)
        self._theirs.release()
        self._mine.acquire()

    def _begin(self) -> None:
        self._clock.strands += 1
        threading.Thread(target=self._run, daemon=True).start()
        self._turn()

    def _turn(self) -> None:
        self._clock.strand = self
        self._mine.release()
        self._theirs.acquire()
        self._clock.strand = None
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        self._mine.acquire()
        try:
            self.work()
        except BaseException as error:  # whatever it is, the run must not go on as if nothing had happened
            self._broken = error
        finally:
            self._clock.strands -= 1
            self._theirs.release()
