"""How log lines reach CloudWatch: together, and some time later."""

from functools import cache
from math import floor
from random import Random

BATCH_SECONDS = 1.0
"""Events are sent together, those of so many seconds at a time."""
LATE_SECONDS = (0.5, 2.0)
"""From the end of a batch until its events can be read."""


def sent(moment: float) -> float:
    """Up to when a writer has sent its events."""
    return floor(moment / BATCH_SECONDS) * BATCH_SECONDS


@cache
def readable(stream: str, batch_end: float) -> float:
    """When the events of a batch of a stream can be read; drawn for each batch."""
    return batch_end + Random(f"{stream}/{batch_end}").uniform(*LATE_SECONDS)
