"""The sequence in which several paths are asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.turns import MOST_PATHS, MOST_WEIGHT, sequence


@pytest.mark.parametrize(
    ("weights", "turns"),
    [
        pytest.param([1], (0,), id="one"),
        pytest.param([7], (0,) * 7, id="one-with-a-weight"),
        pytest.param([1, 1, 1], (0, 1, 2), id="in-turn"),
        pytest.param([1, 3], (1, 0, 1, 1), id="by-weight"),
        pytest.param([5, 1, 1], (0, 0, 1, 0, 2, 0, 0), id="spread"),
    ],
)
def test_sequence(weights: list[int], turns: tuple[int, ...]) -> None:
    """Each as often as its weight says, and none for long in a row."""
    assert sequence(weights) == turns


@given(st.lists(st.integers(1, MOST_WEIGHT), min_size=1, max_size=MOST_PATHS))
def test_any_stretch_of_it_has_the_shares(weights: list[int]) -> None:
    """Law: after n turns each place had its share of n, but for less than the number of places.

    So what two lanes ask in the same span is alike, wherever in the sequence each of them is.
    """
    turns, total, had = sequence(weights), sum(weights), [0] * len(weights)
    for n, place in enumerate(turns, start=1):
        had[place] += 1
        assert all(
            abs(count - n * weight / total) < len(weights) for count, weight in zip(had, weights, strict=True)
        )
    assert had == weights
