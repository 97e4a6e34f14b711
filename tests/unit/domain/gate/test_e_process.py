"""An e-process: at most 1 on average, however often it is looked at."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.gate.blocks.block import CAP
from crossfade.domain.gate.evidence.comparison import Comparison
from crossfade.domain.gate.evidence.e_process import FIRST, LATER, EProcess
from crossfade.domain.gate.evidence.e_values import Counts
from crossfade.domain.gate.evidence.spells import Law
from tests.unit.domain.gate.binomial import chance

ROUNDING = 1e-9
LAW = Law(at=0, seconds=5, clump=15, excess=0, cap=CAP, first=CAP)
rates = st.floats(0, 1)
Path = tuple[float, list[float]]


def _paths(rates: list[tuple[float, float]]) -> list[Path]:
    """Every course that blocks of one request on the candidate and two on the stable side may take.

    The chance of each, and the evidence after each of its blocks.
    """
    paths = []
    for outcomes in product([(x_c, x_s) for x_c in range(2) for x_s in range(3)], repeat=len(rates)):
        share, stream, seen = 1.0, Comparison(), []
        for (p_c, p_s), (x_c, x_s) in zip(rates, outcomes, strict=True):
            share *= chance(x_c, 1, p_c) * chance(x_s, 2, p_s)
            stream = stream.after(Counts(1, x_c, 2, x_s), LAW, scale=1, excess=0)
            seen.append(stream.evidence)
        paths.append((share, seen))
    return paths


healthy = st.lists(st.tuples(rates, rates).map(lambda pair: (min(pair), max(pair))), min_size=3, max_size=3)


@given(healthy)
def test_the_mean_of_the_evidence_never_rises_above_one(rates: list[tuple[float, float]]) -> None:
    """Law: exact over all courses, at every moment, with bets that learn, whatever the rates do."""
    paths = _paths(rates)
    for moment in range(3):
        assert sum(share * seen[moment] for share, seen in paths) <= 1 + ROUNDING


@given(healthy, st.floats(1.01, 20), st.sets(st.integers(0, 2), min_size=1))
def test_looking_more_often_keeps_the_promise(
    rates: list[tuple[float, float]], threshold: float, looks: set[int]
) -> None:
    """Law: the chance that any look finds 1/α is at most α, at every block or at any choice of them."""
    paths = _paths(rates)
    every = sum(share for share, seen in paths if max(seen) >= threshold)
    some = sum(share for share, seen in paths if max(seen[at] for at in looks) >= threshold)
    assert some <= every + ROUNDING <= 1 / threshold + 2 * ROUNDING


def test_what_is_bet_when() -> None:
    """Half from the first block on, then a little of what is left with each block, without end."""
    capital = EProcess()
    assert capital.evidence == 1
    for blocks in range(1, 4 * 720):
        capital = capital.after([0.0, 0.0], cap=1.0)
        assert capital.unspent == pytest.approx((1 - FIRST) * (1 - LATER) ** (blocks - 1))
        assert capital.evidence == pytest.approx(1)


def test_a_burst_is_capped() -> None:
    """One block gains no more than its cap."""
    assert EProcess().after([9.0], cap=2.5) == EProcess().after([2.5], cap=2.5)
    assert EProcess(5, (2.0,)).after([9.0], cap=2.5) == EProcess(5, (2.0,)).after([2.5], cap=2.5)


def test_numbers_stay_finite() -> None:
    """A candidate that fails all day."""
    capital = EProcess()
    for _ in range(1000):
        capital = capital.after([2.5, -700.0], cap=2.5)
    assert 1e90 < capital.evidence < 1e101


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 4), max_size=8))
def test_a_span_is_held_open_until_both_sides_were_asked(spans: list[tuple[int, int, int, int]]) -> None:
    """Law: nothing is lost by it, and nothing is compared with nothing."""
    stream, total = Comparison(), Counts(0, 0, 0, 0)
    for n_c, x_c, n_s, x_s in spans:
        counts = Counts(n_c, min(x_c, n_c), n_s, min(x_s, n_s))
        total = total.plus(counts)
        stream = stream.after(counts, LAW, scale=1, excess=0)
        assert not (stream.pending.n_c and stream.pending.n_s)
    assert total.n_s == stream.rate.requests + stream.pending.n_s
    assert total.x_s == stream.rate.failures + stream.pending.x_s
