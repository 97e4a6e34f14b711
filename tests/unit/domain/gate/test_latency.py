"""Buckets of latency: bounds that a factor of 1.2 falls on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.gate.blocks.latency import BOUNDS, add, bucket, quantiles, slower, steps
from tests.unit.examples import histogram


@given(st.floats(0, 200_000))
def test_a_latency_is_between_its_bounds(ms: float) -> None:
    """Law: above the bound below its bucket, at most the one of its bucket."""
    place = bucket(ms)
    assert place == 0 or BOUNDS[place - 1] < ms
    assert place == len(BOUNDS) or ms <= BOUNDS[place]


@given(st.lists(st.floats(0.1, 100_000)), st.integers(0, 120))
def test_slower_counts_exactly(latencies: list[float], bound: int) -> None:
    """Law: a histogram knows how many were slower than any of its bounds."""
    assert slower(histogram(latencies), bound) == sum(ms > BOUNDS[bound] for ms in latencies)


@given(st.lists(st.floats(0.1, 50_000), min_size=1), st.floats(0.01, 0.99))
def test_a_quantile_is_a_bound(latencies: list[float], share: float) -> None:
    """Law: at least the share is not slower than it, and less than the share than the bound before."""
    found = quantiles(add((), histogram(latencies)), (share,))[0]
    not_slower = [sum(ms <= BOUNDS[place] for ms in latencies) for place in (found, max(found - 1, 0))]
    assert not_slower[0] >= share * len(latencies) - 1e-9
    assert found == 0 or not_slower[1] < share * len(latencies)


@pytest.mark.parametrize(("slower_by", "expected"), [(0.2, 2), (0.44, 4), (0.1, 2), (0.05, 1), (1.0, 8)])
def test_steps_are_at_least_as_far(slower_by: float, expected: int) -> None:
    """1.2 times is two bounds up; what falls between two bounds counts as the upper one."""
    assert steps(slower_by) == expected


@given(st.lists(st.floats(0.1, 100_000)), st.lists(st.floats(0.1, 100_000)))
def test_histograms_add(some: list[float], others: list[float]) -> None:
    """Law: the sum of two is that of all latencies."""
    assert add(add((), histogram(some)), histogram(others)) == add((), histogram(some + others))
