"""Waiting on conditions, with the patience that a busy machine needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 240.0
"""Seconds that a wait may take before the test fails. Long: the machine may be busy with other things."""

Found = TypeVar("Found")


def until(
    condition: Callable[[], Found | None], what: str, seconds: float = PATIENCE, every: float = 0.2
) -> Found:
    """The condition's first value that is true; AssertionError when there is none in time.

    It is looked at in intervals of ``every`` seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(every)
