"""Latencies in buckets with fixed, log-spaced bounds, so that requests slower than a bound can be counted.

The bounds are ``1.2 ** (i / 2)`` ms for i = 0 … 120 (1 ms to 56 s): a bound and 1.2 times it are both among
them. Bucket i holds what is slower than bound i - 1 and at most bound i; the last one has no upper bound.
"""

from bisect import bisect_left
from math import ceil, log

BOUNDS = tuple(1.2 ** (i / 2) for i in range(121))
"""Milliseconds."""

Latencies = tuple[tuple[int, int], ...]
"""A histogram: pairs of bucket and count, without those that are empty."""


def bucket(ms: float) -> int:
    """The bucket of a latency in milliseconds."""
    return min(bisect_left(BOUNDS, ms), len(BOUNDS))


def slower(latencies: Latencies, bound: int) -> int:
    """How many were slower than a bound."""
    return sum([count for place, count in latencies if place > bound])


def quantiles(counts: tuple[int, ...], shares: tuple[float, ...]) -> tuple[int, ...]:
    """For each share (in rising order) the lowest bound that at least as many latencies do not exceed."""
    total, seen, found, place = sum(counts), 0, [], -1
    for share in shares:
        while seen < share * total:
            place += 1
            seen += counts[place]
        found.append(min(place, len(BOUNDS) - 1))
    return tuple(found)


def steps(slower_by: float) -> int:
    """How many bounds up is at least ``1 + slower_by`` times as slow."""
    # A ratio that is itself a whole number of steps must not be rounded up by its last bit.
    return ceil(round(2 * log(1 + slower_by) / log(1.2), 9))


def add(counts: tuple[int, ...], latencies: Latencies) -> tuple[int, ...]:
    """Counts by bucket (without trailing zeros), with a histogram added."""
    if not latencies:
        return counts
    total = list(counts) + [0] * (latencies[-1][0] + 1 - len(counts))
    for place, count in latencies:
        total[place] += count
    return tuple(total)
