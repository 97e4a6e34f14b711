"""What one block may say: nothing, on average, against a hypothesis that holds."""

from math import exp, isfinite, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.gate.evidence.e_values import Counts, above, below, no_worse, worse
from tests.unit.domain.gate.binomial import chance

ROUNDING = 1e-9
requests = st.integers(1, 7)
rates = st.floats(0, 1)
guesses = st.floats(1e-6, 0.9)


def _expected(n_c: int, p_c: float, n_s: int, p_s: float, gains: list[list[float]]) -> list[float]:
    """The exact expectation of each bet's gain; ``gains`` in the order of ``_outcomes``."""
    chances = [chance(x_c, n_c, p_c) * chance(x_s, n_s, p_s) for x_c, x_s in _outcomes(n_c, n_s)]
    bets = zip(*gains, strict=True)
    return [sum(share * exp(gain) for share, gain in zip(chances, bet, strict=True)) for bet in bets]


def _outcomes(n_c: int, n_s: int) -> list[tuple[int, int]]:
    return [(x_c, x_s) for x_c in range(n_c + 1) for x_s in range(n_s + 1)]


@given(requests, requests, rates, rates, guesses, st.floats(0.2, 3), st.floats(0, 0.1))
def test_a_candidate_that_is_no_worse_costs_the_bet_on_worse(
    n_c: int, n_s: int, p_s: float, part: float, guess: float, scale: float, excess: float
) -> None:
    """Law: under ``p_c <= s p_s + excess`` every bet's expected gain is at most 1, however it guessed."""
    p_c = part * min(scale * p_s + excess, 1)
    gains = [
        worse(Counts(n_c, x_c, n_s, x_s), guess, scale=scale, excess=excess)
        for x_c, x_s in _outcomes(n_c, n_s)
    ]
    assert max(_expected(n_c, p_c, n_s, p_s, gains)) <= 1 + ROUNDING


@given(requests, requests, rates, rates, guesses, st.floats(1e-4, 0.5))
def test_a_candidate_beyond_the_margin_costs_the_bet_on_no_worse(
    n_c: int, n_s: int, p_s: float, part: float, guess: float, margin: float
) -> None:
    """Law: under ``p_c >= p_s + margin`` every bet's expected gain is at most 1."""
    p_s = p_s * (1 - margin)
    p_c = p_s + margin + part * (1 - p_s - margin)
    gains = [no_worse(Counts(n_c, x_c, n_s, x_s), guess, margin=margin) for x_c, x_s in _outcomes(n_c, n_s)]
    assert max(_expected(n_c, min(p_c, 1.0), n_s, p_s, gains)) <= 1 + ROUNDING


@given(requests, rates, st.floats(0.001, 0.5))
def test_one_side_alone(n: int, part: float, rate: float) -> None:
    """Law: the same holds for the bets on one rate."""
    healthy, sick = part * rate, rate + part * (1 - rate)
    outcomes = _outcomes(n, 0)
    against_healthy = _expected(n, healthy, 0, 0, [above(n, x, rate) for x, _ in outcomes])
    against_sick = _expected(n, min(sick, 1.0), 0, 0, [below(n, x, rate) for x, _ in outcomes])
    assert max(*against_healthy, *against_sick) <= 1 + ROUNDING


@given(requests, requests, guesses, st.floats(0, 0.1), st.data())
def test_a_failure_more_speaks_against_the_candidate(
    n_c: int, n_s: int, guess: float, excess: float, data: st.DataObject
) -> None:
    """Law: with one more failure of the candidate every bet on worse gains, every other one loses."""
    x_c, x_s = data.draw(st.integers(0, n_c - 1)), data.draw(st.integers(0, n_s))
    less, more = Counts(n_c, x_c, n_s, x_s), Counts(n_c, x_c + 1, n_s, x_s)
    margin = excess + 0.001
    for low, high in (
        (worse(less, guess, scale=1, excess=excess), worse(more, guess, scale=1, excess=excess)),
        (no_worse(more, guess, margin=margin), no_worse(less, guess, margin=margin)),
        (above(n_c, x_c, 0.05), above(n_c, x_c + 1, 0.05)),
        (below(n_c, x_c + 1, 0.01), below(n_c, x_c, 0.01)),
    ):
        assert all(a <= b + ROUNDING for a, b in zip(low, high, strict=True))


def test_worth_of_a_failure() -> None:
    """Nearest pair by hand: with no excess s0 is the pooled rate, and the gain is the likelihood ratio."""
    counts, guess = Counts(10, 1, 90, 0), 0.01
    found = worse(counts, guess, scale=1, excess=0)[4]
    alternative = guess + 0.1
    pooled = (10 * alternative + 90 * guess) / 100
    stake = (alternative - pooled) / (pooled * (1 - pooled))
    by_hand = (1 + (1 - pooled) * stake) * (1 - pooled * stake) ** 9 * (1 + pooled * stake / 9) ** 90
    assert found == pytest.approx(log(by_hand))


def test_guesses_at_their_ends() -> None:
    """No gain is infinite or not a number."""
    for guess in (1e-12, 0.9):
        gains = worse(Counts(1, 1, 10_000, 0), guess, scale=1, excess=0.0005)
        assert all(isfinite(gain) for gain in gains + no_worse(Counts(9, 9, 1, 1), guess, margin=0.45))
