"""Simulated deployments: what the probe and the users meet on both sides, span by span.

The candidate stands at a weight of 10 % for half an hour. Both sides share everything but what is said to be
the candidate's own: arrivals are Poisson, failures independent, latencies lognormal (median 20 ms, σ = 0.5).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import erf, log
from random import Random
from typing import NamedTuple

from benchmarks.gate.sampling import LARGE, binomial, cumulative, poisson
from crossfade.domain.gate.blocks.block import SECONDS, Tally
from crossfade.domain.gate.blocks.latency import BOUNDS

WEIGHT = 0.1
PROBE_RATE = 20.0
"""Requests per second on each slot's lane."""
DEPLOYMENT_SECONDS = 1800
MEDIAN_MS, SIGMA = 20.0, 0.5
TAIL = 0.0005
"""Buckets with fewer latencies than this at either end are left out."""


class Moment(NamedTuple):
    """How things are: users' requests per second, and the shares that fail and the slowness of each side."""

    rate: float
    stable: float
    candidate: float
    probed: float
    """The share that fails of what the probe asks the candidate."""
    stable_slowness: float = 1.0
    slowness: float = 1.0


def steady(rate: float, base: float) -> Moment:
    """A candidate exactly as good as the stable side."""
    return Moment(rate, base, base, base)


@dataclass(frozen=True)
class World:
    """What a deployment happens in, by the seconds since its beginning; ``bad``: of a bad candidate."""

    name: str
    at: Callable[[float], Moment]
    begins: float = 0.0
    """From when on, in seconds, the candidate turns bad: with the next span that begins."""
    bad: bool = False

    def turns(self, phase: int) -> float:
        """When it does, in a deployment that begins ``phase`` seconds after a full minute."""
        return self.begins + -(self.begins + phase) % SECONDS if self.begins else 0.0


class Span(NamedTuple):
    """What was met in a span, from ``began`` to ``ended`` (seconds from the deployment's beginning)."""

    began: float
    ended: float
    probe: tuple[Tally, Tally]
    users: tuple[Tally, Tally]
    """The candidate's tally, and the stable side's."""


def spans(world: World, random: Random, phase: int) -> Iterator[Span]:
    """A deployment that begins ``phase`` seconds after a full minute, in spans that end with the clock's."""
    began = 0.0
    while began < DEPLOYMENT_SECONDS:
        clock = int(began) + phase
        ended = float((clock // SECONDS + 1) * SECONDS - phase)
        now = world.at(began)
        seconds = ended - began
        yield Span(
            began,
            ended,
            (
                tally(random, PROBE_RATE * seconds, now.probed, now.slowness),
                tally(random, PROBE_RATE * seconds, now.stable, now.stable_slowness),
            ),
            (
                tally(random, WEIGHT * now.rate * seconds, now.candidate, now.slowness),
                tally(random, (1 - WEIGHT) * now.rate * seconds, now.stable, now.stable_slowness),
            ),
        )
        began = ended


def tally(random: Random, mean: float, rate: float, slowness: float) -> Tally:
    """Requests of which so many are expected, with failures and latencies."""
    found, requests, draw = [], 0, random.random
    if mean >= LARGE:
        counts = [(place, poisson(random, mean * share)) for place, share in latency_shares(slowness)]
    else:
        counts = [(place, bisect_left(chances, draw())) for place, chances in _chances(mean, slowness)]
    for place, count in counts:
        if count:
            found.append((place, count))
            requests += count
    return Tally(requests, binomial(random, requests, rate), tuple(found))


@lru_cache(maxsize=2000)
def _chances(mean: float, slowness: float) -> tuple[tuple[int, tuple[float, ...]], ...]:
    """Buckets and the chances of their counts; drawing them is most of a simulation's own time."""
    return tuple((place, cumulative(mean * share)) for place, share in latency_shares(slowness) if mean > 0)


@lru_cache(maxsize=1000)
def latency_shares(slowness: float) -> tuple[tuple[int, float], ...]:
    """Buckets and the shares of requests in them."""

    def below(ms: float) -> float:
        return 0.5 * (1 + erf(log(ms / (MEDIAN_MS * slowness)) / (SIGMA * 2**0.5)))

    shares = [
        (place, below(high) - below(low)) for place, (low, high) in enumerate(pairwise(BOUNDS), start=1)
    ]
    kept = [(place, share) for place, share in shares if share > TAIL]
    total = sum(share for _, share in kept)
    return tuple((place, share / total) for place, share in kept)
