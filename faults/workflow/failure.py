"""Errors of a state: their names, and which Retry and Catch they meet."""

from __future__ import annotations

from random import Random
from typing import Any


class Failure(Exception):
    """An error of a state, by its name in ``ErrorEquals``."""

    def __init__(self, error: str, cause: str | None = None) -> None:
        super().__init__(error, cause)
        self.error, self.cause = error, cause

    @property
    def output(self) -> dict[str, str]:
        """What a Catch is given."""
        return {"Error": self.error} | ({} if self.cause is None else {"Cause": self.cause})

    def meets(self, names: list[str]) -> bool:
        """Whether it is one of the names of an ``ErrorEquals``."""
        if self.error in names or ("States.TaskFailed" in names and self.error != "States.Timeout"):
            return True
        return "States.ALL" in names and self.error not in {"States.Runtime", "States.DataLimitExceeded"}


class Retries:
    """The retriers of a state while the execution is in it: how often each was used."""

    def __init__(self, retriers: list[dict[str, Any]], random: Random) -> None:
        self._retriers, self._random = retriers, random
        self._used = [0] * len(retriers)

    def delay(self, failure: Failure) -> float | None:
        """Seconds until another attempt; None when there is none."""
        for n, retrier in enumerate(self._retriers):
            if failure.meets(retrier["ErrorEquals"]):
                if self._used[n] >= retrier.get("MaxAttempts", 3):
                    return None
                delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** self._used[n]
                delay = min(delay, retrier.get("MaxDelaySeconds", delay))
                self._used[n] += 1
                return self._random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay
        return None
