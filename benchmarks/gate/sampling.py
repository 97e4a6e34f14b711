"""Random counts, quickly enough for millions of blocks, with the standard library alone."""

from bisect import bisect_left
from functools import lru_cache
from math import exp, log
from random import Random

LARGE = 400
"""From this mean on a Poisson count is drawn as a normal one."""


@lru_cache(maxsize=20_000)
def cumulative(mean: float) -> tuple[float, ...]:
    """The chances of at most 0, 1, 2 … when so many are expected; look a random number up in it."""
    chance, total, found, count = exp(-mean), 0.0, [], 0
    while total < 1 - 1e-12 and count < mean + 40 + 12 * mean**0.5:
        total += chance
        found.append(total)
        count += 1
        chance *= mean / count
    return tuple(found)


def poisson(random: Random, mean: float) -> int:
    """A Poisson count."""
    if mean <= 0:
        return 0
    if mean >= LARGE:
        return max(round(random.gauss(mean, mean**0.5)), 0)
    return bisect_left(cumulative(mean), random.random())


def binomial(random: Random, requests: int, rate: float) -> int:
    """How many of so many requests fail: jumps from failure to failure."""
    if rate <= 0 or not requests:
        return 0
    if rate > 0.5:
        return requests - binomial(random, requests, 1 - rate)
    step, place, failures = log(1 - rate), 0, 0
    while True:
        place += int(log(1.0 - random.random()) / step) + 1
        if place > requests:
            return failures
        failures += 1
