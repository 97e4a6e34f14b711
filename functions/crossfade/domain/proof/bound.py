"""What a count of failures supports: a bound on the share that fails."""

from math import exp, floor, lgamma, log, log1p, log10

DOUBT = 0.05
"""The chance that the bound does not hold: it is one of 95 %."""
DIGITS = 3
CLOSE = 1e-9
"""As near as the bound is found, of its size; no digit is rounded up for so little."""


def at_most(failed: int, sent: int) -> float | None:
    """The share of requests that fails is at most this, at 95 %; None where none was sent.

    The exact bound of the binomial distribution (Clopper and Pearson, one-sided): the largest share of which
    the failures, or fewer, are not too unlikely. For 0 of N it is about 3/N. It holds where requests fail
    independently of each other. It is rounded up to `DIGITS` digits.
    """
    if not sent:
        return None
    if failed >= sent:
        return 1.0
    low, high = failed / sent, 1.0
    while high - low > high * CLOSE:
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(failed, sent, middle) > DOUBT else (low, middle)
    return _rounded_up(low)


def _chance(failed: int, sent: int, share: float) -> float:
    """Of ``failed`` or fewer, where ``share`` fails, which is more than ``failed / sent``."""
    ways = lgamma(sent + 1) - lgamma(failed + 1) - lgamma(sent - failed + 1)
    term = exp(ways + (log(share) * failed if failed else 0.0) + log1p(-share) * (sent - failed))
    total, odds = term, (1 - share) / share
    # Below the share each term is smaller than the one above it, and soon too small to count.
    for fewer in range(failed, 0, -1):
        term *= fewer / (sent - fewer + 1) * odds
        total += term
        if term < total * 1e-12:
            break
    return total


def _rounded_up(share: float) -> float:
    places = DIGITS - 1 - floor(log10(share))
    rounded = round(share, places)
    return min(rounded if rounded >= share * (1 - CLOSE) else round(rounded + 10.0**-places, places), 1.0)
