"""Delays of the sandbox at a time that the test sets, and a caller that is a role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ministack.core import iam_evaluator

ROLE = "arn:aws:sts::000000000000:assumed-role/crossfade-Shift/crossfade-shift"


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def as_role() -> Iterator[str]:
    """Whoever asks the emulator in this test is a function's role."""
    token = iam_evaluator._request_caller_arn.set(ROLE)
    yield ROLE
    iam_evaluator._request_caller_arn.reset(token)
