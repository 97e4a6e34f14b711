"""What one block of requests says, as bets that cannot gain on average while the candidate is fine.

Of ``n_c`` requests of the candidate ``x_c`` failed, of ``n_s`` of the stable side ``x_s``. A bet puts the
stakes ``bet_c`` on each request of the candidate and ``bet_s`` on each of the stable side; its gain is the
product of ``1 + bet (failed - rate)``. The stakes balance, ``n_c bet_c + n_s bet_s / scale = 0``, so that by
``ln(1 + z) <= z`` the expected gain is at most ``exp(n_c bet_c (p_c - scale p_s - excess))``: at most 1 under
the hypothesis bet against, whatever the two rates do from block to block. How much a bet gains when it is
right depends on how well ``stable_rate`` and ``alternative`` were guessed, its validity does not.

Sources: Turner, Ly, Grünwald, arXiv 2106.02693 and 2203.09785 (2x2 block e-variables); Lindon, Sanden,
Shirikian, arXiv 2205.14762. The functions return logarithms ("nats").
"""

from math import log, log1p, sqrt
from typing import NamedTuple

EXCESSES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.9)
"""By how much a worse candidate may be worse: one bet each."""
HIGHEST = 0.999
MOST_OF_THE_PURSE = 0.98
"""The share of its money that a bet may lose on one request of the stable side."""


class Counts(NamedTuple):
    """Requests and failures of both sides in one span."""

    n_c: int
    x_c: int
    n_s: int
    x_s: int

    def plus(self, more: "Counts") -> "Counts":
        """Both spans together."""
        return Counts(self[0] + more[0], self[1] + more[1], self[2] + more[2], self[3] + more[3])


NOTHING = Counts(0, 0, 0, 0)


def worse(counts: Counts, stable_rate: float, *, scale: float, excess: float) -> list[float]:
    """Bets against ``p_c <= scale * p_s + excess``: one for each of `EXCESSES`."""
    return [gain for gain, _ in worse_bets(counts, stable_rate, scale=scale, excess=excess)]


def worse_bets(
    counts: Counts, stable_rate: float, *, scale: float, excess: float
) -> list[tuple[float, float]]:
    """The same bets, each with the rate of the candidate that it comes to: a stake may be limited."""
    base = scale * stable_rate + excess
    return _bets(counts, [base + more for more in EXCESSES], stable_rate, scale, excess, worse=True)


def no_worse(counts: Counts, stable_rate: float, *, margin: float) -> list[float]:
    """Bets against ``p_c >= p_s + margin``: that the candidate is as good, or a little worse."""
    alternatives = [stable_rate, stable_rate + margin / 4]
    return [gain for gain, _ in _bets(counts, alternatives, stable_rate, 1.0, margin, worse=False)]


def above(requests: int, failures: int, rate: float) -> list[float]:
    """Bets against ``p <= rate``, where there is nothing to compare with."""
    return [_ratio(requests, failures, min(rate + more, HIGHEST), rate) for more in EXCESSES]


def below(requests: int, failures: int, rate: float) -> list[float]:
    """Bets against ``p >= rate``, where there is nothing to compare with."""
    return [_ratio(requests, failures, rate * part, rate) for part in (0.1, 0.25, 0.5)]


def _ratio(requests: int, failures: int, alternative: float, rate: float) -> float:
    right = (requests - failures) * log((1 - alternative) / (1 - rate))
    return failures * log(alternative / rate) + right if failures else right


def _bets(
    counts: Counts,
    alternatives: list[float],
    stable_rate: float,
    scale: float,
    excess: float,
    *,
    worse: bool,
) -> list[tuple[float, float]]:
    """What bets on ``p_c = alternative``, ``p_s = stable_rate`` gain, and the rate that they come to.

    One loop: most of the gate's time.
    ``s0`` and ``c0 = scale * s0 + excess`` are the pair of rates within the hypothesis nearest to that.
    """
    n_c, x_c, n_s, x_s = counts
    share = scale * n_c / n_s
    most = MOST_OF_THE_PURSE / share
    a = 2 * scale * (n_c * scale + n_s)
    offset = n_c * scale * excess + n_s * (excess - scale * stable_rate)
    product = 2 * a * n_s * stable_rate * excess
    gains = []
    for alternative in alternatives:
        b = offset - n_c * scale * min(alternative, HIGHEST)
        root = sqrt(b * b + product)
        # Of the two forms of the same root, the one that subtracts no nearly equal numbers.
        s0 = (root - b) / a if b <= 0 else product / (a * (b + root))
        c0 = scale * s0 + excess
        if not (0 < s0 < 1 and c0 < 1):
            gains.append((0.0, c0))
            continue
        bet_c = (min(alternative, HIGHEST) - c0) / (c0 * (1 - c0))
        bet_c = min(max(bet_c, 0.0), most / (1 - s0)) if worse else max(min(bet_c, 0.0), -most / s0)
        bet_s = -share * bet_c
        gain = (n_c - x_c) * log1p(-c0 * bet_c) + (n_s - x_s) * log1p(-s0 * bet_s)
        if x_c:
            gain += x_c * log1p((1 - c0) * bet_c)
        if x_s:
            gain += x_s * log1p((1 - s0) * bet_s)
        gains.append((gain, c0 + c0 * (1 - c0) * bet_c))
    return gains
