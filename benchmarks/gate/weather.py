"""What happens to a service while it is deployed: spells of failures, pauses, outages, candidates' faults.

Everything is drawn from a source of its own, so a deployment of the same number meets the same spells
whatever the gate does. Times are seconds since the candidate's targets were healthy ("launch").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import pairwise
from math import cos, exp, log, pi
from random import Random
from typing import NamedTuple

SLOW = 1.2
"""From this many times the usual latency on a candidate counts as slow."""
COLD = 3.0
"""How many times slower a candidate is that has just been launched, where it has to warm up."""
TREND = 600.0
"""How long a drifting rate takes from its lowest to its lowest."""


class Spell(NamedTuple):
    """A span in which a share of requests fails, or all are slower by a factor."""

    began: float
    ended: float
    failing: float
    slowness: float = 1.0


@dataclass(frozen=True)
class Spells:
    """How spells come: how often and how long on average; gaps and lengths are exponential."""

    every: float
    seconds: float
    failing: float

    @property
    def share(self) -> float:
        """The share of the time that is in a spell."""
        return self.seconds / (self.every + self.seconds)

    def drawn(self, random: Random, times: float = 1.0) -> Iterator[Spell]:
        """Spells without end, ``times`` as often."""
        ended = 0.0
        while True:
            began = ended + random.expovariate(times / self.every)
            ended = began + random.expovariate(1 / self.seconds)
            yield Spell(began, ended, self.failing)


@dataclass(frozen=True)
class Pauses:
    """Garbage collections of one length at one interval, from a drawn moment on."""

    every: float
    seconds: float
    slowness: float

    def drawn(self, random: Random) -> Iterator[Spell]:
        """Pauses without end."""
        began = random.uniform(0, self.every)
        while True:
            yield Spell(began, began + self.seconds, 0.0, self.slowness)
            began += self.every


@dataclass(frozen=True)
class Glitches:
    """Spells in which only the probe's way to the candidate fails, within the first ``within`` seconds."""

    number: int
    shortest: float
    longest: float
    within: float = 300.0

    def drawn(self, random: Random) -> Iterator[Spell]:
        """All of them."""
        for began in sorted(random.uniform(0, self.within) for _ in range(self.number)):
            yield Spell(began, began + random.uniform(self.shortest, self.longest), 1.0)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a candidate.

    ``failing``: the share of requests that it fails beyond the base. ``leak``: how much slower it gets with
    each second. ``probed``: whether the probe meets it too. ``after``: in seconds since users came;
    None: from launch on.
    """

    failing: float = 0.0
    slowness: float = 1.0
    leak: float = 0.0
    probed: bool = True
    after: float | None = None

    def seconds(self, at: float, users_at: float | None) -> float:
        """How long it has gone on; negative before."""
        if self.after is None:
            return at
        return -1.0 if users_at is None else at - users_at - self.after


@dataclass(frozen=True)
class Wild:
    """A world: what all its deployments have in common.

    ``spells`` come on each side by the same law, ``candidate_spells`` times as often on the candidate's;
    ``outages`` meet both sides at once. ``warm_up``: seconds until a cold candidate is less than 1.2 times
    slower than a warm one.
    """

    name: str
    rate: float = 100.0
    base: float = 0.001
    drifting: bool = False
    spells: Spells | None = None
    candidate_spells: float = 1.0
    outages: Spells | None = None
    glitches: Glitches | None = None
    pauses: Pauses | None = None
    warm_up: float = 0.0
    fault: Fault | None = None

    @property
    def stable_rate(self) -> float:
        """The share of the stable side's requests that fails, its spells included; not where it drifts."""
        of_spells = self.spells.failing * self.spells.share if self.spells else 0.0
        return 1 - (1 - self.base) * (1 - of_spells)

    @property
    def steady(self) -> bool:
        """Whether nothing happens to the stable side."""
        return not (self.drifting or self.spells or self.outages or self.pauses)


class Piece(NamedTuple):
    """A part of a second in which nothing changes: the shares that fail of what is asked, and the slowness.

    ``users``: of users' requests. ``asked``: of the probe's on the production path. ``lane``: of the probe's
    on the slot's own lane.
    """

    began: float
    ended: float
    users: float
    asked: float
    lane: float
    slowness: float


Pieces = tuple[Piece, ...]


class Second(NamedTuple):
    """Both sides in one second; ``bad``: the fault has begun, ``slow``: it makes the candidate slow."""

    candidate: Pieces
    stable: Pieces
    bad: bool
    slow: bool


class Timeline:
    """Spells in the order in which they begin, taken in as time goes on."""

    def __init__(self, *sources: Iterator[Spell]) -> None:
        self._coming = merge(*sources)
        self._next = next(self._coming, None)
        self._now: list[Spell] = []

    def during(self, at: float) -> list[Spell]:
        """The spells that touch the second from ``at`` on; asked for in rising order."""
        while self._next is not None and self._next.began < at + 1:
            self._now.append(self._next)
            self._next = next(self._coming, None)
        if self._now:
            self._now = [spell for spell in self._now if spell.ended > at]
        return self._now


class Weather:
    """One deployment's share of its world."""

    def __init__(self, world: Wild, random: Random) -> None:
        self._world = world
        self._phase = random.uniform(0, TREND)
        seeds = [random.random() for _ in range(6)]
        stable, candidate = [], []
        if world.spells:
            stable.append(world.spells.drawn(Random(seeds[0])))
            candidate.append(world.spells.drawn(Random(seeds[1]), world.candidate_spells))
        if world.pauses:
            stable.append(world.pauses.drawn(Random(seeds[2])))
            candidate.append(world.pauses.drawn(Random(seeds[3])))
        if world.outages:  # the same source twice: the same moments
            stable.append(world.outages.drawn(Random(seeds[4])))
            candidate.append(world.outages.drawn(Random(seeds[4])))
        self._stable, self._candidate = Timeline(*stable), Timeline(*candidate)
        self._glitches = Timeline(*([world.glitches.drawn(Random(seeds[5]))] if world.glitches else []))

    def second(self, at: float, users_at: float | None) -> Second:
        """The second from ``at`` on; ``users_at``: when the first users came."""
        base, fault = self._base(at), self._world.fault
        lasted = fault.seconds(at, users_at) if fault else -1.0
        stable = _pieces(at, self._stable.during(at), [], base, base, 1.0)
        users, asked, slowness = base, base, self._cold(at)
        if fault and lasted >= 0:
            users = min(base + fault.failing, 1.0)
            asked = users if fault.probed else base
            slowness *= round(fault.slowness + fault.leak * lasted, 1)
        candidate = _pieces(at, self._candidate.during(at), self._glitches.during(at), users, asked, slowness)
        return Second(candidate, stable, lasted >= 0, lasted >= 0 and slowness >= SLOW)

    def _base(self, at: float) -> float:
        """The share that fails on both sides; where it drifts, between 0.01 and 0.41 %, in steps of 15 s."""
        if not self._world.drifting:
            return self._world.base
        step = (at + self._phase) // 15 * 15
        return round(0.0021 - 0.002 * cos(2 * pi * step / TREND), 5)

    def _cold(self, at: float) -> float:
        """How much slower a cold candidate is, in steps of 0.05."""
        if not self._world.warm_up:
            return 1.0
        left = (COLD - 1) * exp(-at / self._world.warm_up * log((COLD - 1) / (SLOW - 1)))
        return 1 + round(left * 20) / 20


def _pieces(
    at: float, spells: list[Spell], glitches: list[Spell], users: float, asked: float, slowness: float
) -> Pieces:
    if not spells and not glitches:
        return (Piece(at, at + 1, users, asked, asked, slowness),)
    moments = {at, at + 1}
    for spell in (*spells, *glitches):
        moments |= {max(spell.began, at), min(spell.ended, at + 1)}
    found = []
    for began, ended in pairwise(sorted(moments)):
        right, factor = 1.0, 1.0
        for spell in spells:
            if spell.began <= began < spell.ended:
                right *= 1 - spell.failing
                factor *= spell.slowness
        glitch = any(spell.began <= began < spell.ended for spell in glitches)
        of_probe = 1 - right * (1 - asked)
        found.append(
            Piece(
                began,
                ended,
                1 - right * (1 - users),
                of_probe,
                1.0 if glitch else of_probe,
                slowness * factor,
            )
        )
    return tuple(found)
