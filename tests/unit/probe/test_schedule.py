"""The open-loop schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.schedule import Due, Schedule


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(99.9, Due(0, 0), id="before-the-first"),
        pytest.param(100.0, Due(1, 0), id="the-first-is-due-at-once"),
        pytest.param(100.09, Due(1, 0), id="just-before-the-second"),
        pytest.param(100.1, Due(2, 0), id="one-interval-late-is-in-time"),
        pytest.param(100.35, Due(1, 3), id="stalled-for-more-than-an-interval"),
    ],
)
def test_first_question(now: float, expected: Due) -> None:
    """Ticks at most one interval late are sent, older ones are missed."""
    assert expected == Schedule(rate=10, began=100.0).due(now)


def test_ends_after_its_ticks() -> None:
    """A schedule with an end hands out that many ticks and then has no next one."""
    schedule = Schedule(rate=10, began=0.0, ticks=3)
    assert Due(send=1, missed=2) == schedule.due(0.3)
    assert schedule.next_at is None
    assert Due(send=0, missed=0) == schedule.due(100.0)


@given(
    rate=st.floats(0.1, 500),
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_every_tick_is_handed_out_once(rate: float, steps: list[float]) -> None:
    """Law: however it is asked, sent + missed is the number of ticks that have come."""
    schedule, now, handed_out = Schedule(rate, began=0.0), 0.0, 0
    for step in steps:
        now += step
        due = schedule.due(now)
        assert due.send >= 0
        assert due.missed >= 0
        handed_out += due.send + due.missed
        assert int(now * rate + 1e-6) + 1 == handed_out
        assert schedule.next_at is not None
        assert schedule.next_at >= now - 1e-5
