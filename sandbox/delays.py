"""How late AWS is: when a write takes effect, and when it is seen by those who read and by clients.

Every delay is drawn from a seed, by what it is of and by how many were drawn for that before. So a run can be
repeated, in whatever order the threads of the emulator come.

The environment says which delays (`start` prints it):

SANDBOX_SEED
    Any text; default "1".
SANDBOX_PACE
    `rehearsal` (default) or `aws`.
SANDBOX_STALE_READS
    `bounded` (default): reads may be stale for a time after a write. `first`: moreover, what a role reads
    first after a role's write is stale, however late it reads within the time that AWS allows itself.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ministack.core import iam_evaluator

Range = tuple[float, float]
"""The shortest and the longest delay, in seconds."""


class Delay(StrEnum):
    """What is late."""

    CLIENTS = "clients meet a rule"
    RULE_READ = "a rule is read as written"
    ECS_READ = "a service or a task is read as written"
    ECS_EFFECT = "ECS begins to do what was written"
    SCALING_READ = "a scalable target is read as written"
    EXECUTION_READ = "an execution is read as begun or ended"
    LOG_SHIPPED = "a container's line leaves its task"
    LOG_READ = "a log event is found"


PACES: dict[str, dict[Delay, Range]] = {
    # The longest are what AWS's documentation and issue trackers report in ordinary times.
    "aws": {
        Delay.CLIENTS: (8.0, 12.0),
        Delay.RULE_READ: (0.5, 10.0),
        Delay.ECS_READ: (0.5, 10.0),
        Delay.ECS_EFFECT: (1.0, 5.0),
        Delay.SCALING_READ: (0.5, 10.0),
        Delay.EXECUTION_READ: (0.2, 2.0),
        Delay.LOG_SHIPPED: (4.0, 5.0),
        Delay.LOG_READ: (0.5, 5.0),
    },
    "rehearsal": {
        Delay.CLIENTS: (1.0, 2.0),
        Delay.RULE_READ: (0.3, 1.5),
        Delay.ECS_READ: (0.3, 1.5),
        Delay.ECS_EFFECT: (0.1, 0.5),
        Delay.SCALING_READ: (0.3, 1.5),
        Delay.EXECUTION_READ: (0.1, 0.5),
        Delay.LOG_SHIPPED: (0.3, 0.5),
        Delay.LOG_READ: (0.2, 1.5),
    },
}
LONGEST_STALE: dict[Delay, float] = {
    Delay.RULE_READ: 300.0,
    Delay.ECS_READ: 60.0,
    Delay.SCALING_READ: 60.0,
    Delay.EXECUTION_READ: 60.0,
}
"""Seconds after which a read is never stale, at any pace. Crossfade is built for these bounds."""

_STALE_READS = ("bounded", "first")


class Delays:
    """Draws delays at one pace, from one seed."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.seed = environment.get("SANDBOX_SEED", "1")
        self.pace = environment.get("SANDBOX_PACE", "rehearsal")
        self.stale_reads = environment.get("SANDBOX_STALE_READS", "bounded")
        if self.pace not in PACES:
            raise ValueError(f"SANDBOX_PACE is {self.pace!r}: one of {', '.join(PACES)}")
        if self.stale_reads not in _STALE_READS:
            raise ValueError(f"SANDBOX_STALE_READS is {self.stale_reads!r}: one of {', '.join(_STALE_READS)}")
        self._drawn: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return f"SANDBOX_SEED={self.seed} SANDBOX_PACE={self.pace} SANDBOX_STALE_READS={self.stale_reads}"

    def seconds(self, delay: Delay, subject: str) -> float:
        """The next delay of a subject. Its name must be the same in every run: no random id."""
        draw = f"{delay.name} {subject}"
        with self._lock:
            number = self._drawn[draw]
            self._drawn[draw] += 1
        return random.Random(f"{self.seed} {draw} {number}").uniform(*PACES[self.pace][delay])


def reader() -> str | None:
    """The role that asks now; None for the account's own user, who sees everything as it is.

    Tests, the demo and people at a shell are that user: what they look at has to be true.
    """
    caller = str(iam_evaluator.caller_arn())
    return None if caller.endswith(":root") or ":user/" in caller else caller


@dataclass
class _Write:
    """A write that may not be seen yet: what stood `before`, and until when (monotonic) that may be shown."""

    before: object
    until: float
    longest: float
    seen_by: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Stale:
    """What is shown instead of what is: the `value` before a write; None: there was nothing."""

    value: object


class Past:
    """What stood before the last writes, for as long as it may still be met."""

    def __init__(self, delay: Delay, delays: Delays, clock: Callable[[], float] = time.monotonic) -> None:
        self._delay, self._delays, self._clock = delay, delays, clock
        self._writes: dict[str, list[_Write]] = {}
        self._lock = threading.Lock()

    def wrote(self, key: str, before: object, subject: str, ago: float = 0.0) -> None:
        """Something was written, `ago` seconds ago: until it is seen, `before` is.

        `subject` is as for `Delays.seconds`. No write is seen before an earlier one of the same key.
        """
        seconds = self._delays.seconds(self._delay, subject)
        with self._lock:
            now, writes = self._clock() - ago, self._writes.setdefault(key, [])
            until = max([now + seconds, *(write.until for write in writes)])
            # What the account's owner has done was done before a deployment began, and is seen by then.
            longest = now + LONGEST_STALE.get(self._delay, 0.0) if reader() else until
            writes.append(_Write(before, until, max(until, longest)))

    def shown(self, key: str, reader: str | None = None) -> Stale | None:
        """What is shown of a key instead of what is; None: what is."""
        with self._lock:
            now = self._clock()
            writes = [write for write in self._writes.pop(key, []) if write.longest > now]
            if not writes:
                return None
            self._writes[key] = writes
            new = [write for write in writes if reader and reader not in write.seen_by]
            for write in new:
                write.seen_by.add(str(reader))
            hidden = [write for write in writes if write.until > now]
            if hidden:
                return Stale(hidden[0].before)
            return Stale(new[-1].before) if new and self._delays.stale_reads == "first" else None

    def read(self, key: str) -> Stale | None:
        """What the caller of the request under way is shown of a key instead of what is."""
        who = reader()
        return self.shown(key, who) if who else None

    def forget(self) -> None:
        """Show everything as it is."""
        with self._lock:
            self._writes.clear()

    def lately(self) -> list[str]:
        """What was written lately."""
        with self._lock:
            return list(self._writes)


delays = Delays()
"""Those of this process."""
