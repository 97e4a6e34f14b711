"""What one block of requests says, as bets that cannot gain on average while the candidate is fine.

A bet puts the stakes ``c_g`` on each request of the candidate and ``c_b`` on each of the stable side; its
gain is the product of ``1 + c(failed - rate)``. The stakes balance, ``n_g c_g + n_b c_b / s = 0``, so that by
``ln(1 + z) <= z`` the expected gain is at most ``exp(n_g c_g (p_g - s p_b - excess))``: at most 1 under the
hypothesis bet against, whatever the two rates do from block to block. How much a bet gains when it is right
depends on how well ``stable_rate`` and ``alternative`` were guessed, its validity does not.

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

    n_g: int
    x_g: int
    n_b: int
    x_b: int

    def plus(self, more: "Counts") -> "Counts":
        """Both spans together."""
        return Counts(self[0] + more[0], self[1] + more[1], self[2] + more[2], self[3] + more[3])


NOTHING = Counts(0, 0, 0, 0)


def worse(counts: Counts, stable_rate: float, *, scale: float, excess: float) -> list[float]:
    """Bets against ``p_g <= scale * p_b + excess``: one for each of `EXCESSES`."""
    base = scale * stable_rate + excess
    return _gains(counts, [base + more for more in EXCESSES], stable_rate, scale, excess, worse=True)


def no_worse(counts: Counts, stable_rate: float, *, margin: float) -> list[float]:
    """Bets against ``p_g >= p_b + margin``: that the candidate is as good, or a little worse."""
    return _gains(counts, [stable_rate, stable_rate + margin / 4], stable_rate, 1.0, margin, worse=False)


def above(requests: int, failures: int, rate: float) -> list[float]:
    """Bets against ``p <= rate``, where there is nothing to compare with."""
    return [_ratio(requests, failures, min(rate + more, HIGHEST), rate) for more in EXCESSES]


def below(requests: int, failures: int, rate: float) -> list[float]:
    """Bets against ``p >= rate``, where there is nothing to compare with."""
    return [_ratio(requests, failures, rate * part, rate) for part in (0.1, 0.25, 0.5)]


def _ratio(requests: int, failures: int, alternative: float, rate: float) -> float:
    right = (requests - failures) * log((1 - alternative) / (1 - rate))
    return failures * log(alternative / rate) + right if failures else right


def _gains(
    counts: Counts,
    alternatives: list[float],
    stable_rate: float,
    scale: float,
    excess: float,
    *,
    worse: bool,
) -> list[float]:
    """What bets on ``p_g = alternative``, ``p_b = stable_rate`` gain; one loop: it is most of a look's time.

    ``b0`` and ``g0 = scale * b0 + excess`` are the pair of rates within the hypothesis nearest to that.
    """
    n_g, x_g, n_b, x_b = counts
    share = scale * n_g / n_b
    most = MOST_OF_THE_PURSE / share
    a = 2 * scale * (n_g * scale + n_b)
    offset = n_g * scale * excess + n_b * (excess - scale * stable_rate)
    product = 2 * a * n_b * stable_rate * excess
    gains = []
    for alternative in alternatives:
        b = offset - n_g * scale * min(alternative, HIGHEST)
        root = sqrt(b * b + product)
        # Of the two forms of the same root, the one that subtracts no nearly equal numbers.
        b0 = (root - b) / a if b <= 0 else product / (a * (b + root))
        g0 = scale * b0 + excess
        if not (0 < b0 < 1 and g0 < 1):
            gains.append(0.0)
            continue
        c_g = (min(alternative, HIGHEST) - g0) / (g0 * (1 - g0))
        c_g = min(max(c_g, 0.0), most / (1 - b0)) if worse else max(min(c_g, 0.0), -most / b0)
        c_b = -share * c_g
        gain = (n_g - x_g) * log1p(-g0 * c_g) + (n_b - x_b) * log1p(-b0 * c_b)
        if x_g:
            gain += x_g * log1p((1 - g0) * c_g)
        if x_b:
            gain += x_b * log1p((1 - b0) * c_b)
        gains.append(gain)
    return gains
