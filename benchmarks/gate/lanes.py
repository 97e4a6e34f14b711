"""The probe's lanes, request by request where something fails: runs of failures come out of it.

``ledger_blocks`` makes the same of records; a record for each request would take most of the time, and nearly
all of them are good.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from random import Random

from benchmarks.gate.sampling import binomial
from benchmarks.gate.traffic import PROBE_RATE, latency_shares
from benchmarks.gate.weather import Pieces, Second
from crossfade.domain.gate.blocks.block import SECONDS, Block, Tally
from crossfade.domain.gate.blocks.from_ledger import FEW_WRONG, RECENT, Lanes, Run, Seen
from crossfade.domain.spec.gate import GateSettings

EACH = int(PROBE_RATE)
"""Requests of a slot's lane in a second."""
OF_PRODUCTION = 10
"""Requests of the production lane in a second."""
SELDOM = 0.05
"""Below this share the failures of a second are counted first, and then placed."""
GOOD = "." * RECENT
NO_RUN = Run()


@dataclass(slots=True)
class Lane:
    """A slot's lane: what it has shown, as ``Seen`` has it, and its open block."""

    run: Run = NO_RUN
    recent: str = ""
    at: float = 0.0
    failing_at: float = 0.0
    good_at: float = 0.0
    failures: int = 0
    slowness: Counter[float] = field(default_factory=Counter)

    def seen(self) -> Seen:
        """The product's form of what it has shown."""
        return Seen(
            answered_at=self.at,
            good_at=self.good_at,
            recent=self.recent,
            at=self.at,
            failing_at=self.failing_at,
            run=self.run,
        )

    def closed(self, random: Random) -> Tally:
        """The tally of the block, which begins anew."""
        latencies: Counter[int] = Counter()
        for slowness, requests in self.slowness.items():
            places, chances = _buckets(slowness)
            latencies.update(random.choices(places, cum_weights=chances, k=requests))
        tally = Tally(latencies.total(), self.failures, tuple(sorted(latencies.items())))
        self.failures = 0
        self.slowness.clear()
        return tally


class ProbeLanes:
    """The three lanes of a deployment's probe; times in seconds since 1970."""

    def __init__(self, random: Random, settings: GateSettings) -> None:
        self._random, self._settings = random, settings
        self._candidate, self._stable, self._production = Lane(), Lane(), Lane()
        self._asked = 0
        self._alone = False
        self.eventful = False
        """Whether a slot's lane showed failures in the last second, or shortly before it."""

    @property
    def lanes(self) -> Lanes:
        """All lanes as the ledger's reader has them."""
        return Lanes(self._candidate.seen(), self._stable.seen(), self._production.seen(), alone=self._alone)

    def second(self, clock: int, now: Second, weight: int) -> None:
        """Ask for a second; ``weight``: the candidate's share of the production lane, in percent."""
        candidate, stable = self._candidate, self._stable
        failed = self._failed(now.candidate), self._failed(now.stable)
        for lane, pieces, ticks in zip((candidate, stable), (now.candidate, now.stable), failed, strict=True):
            lane.failures += len(ticks)
            if len(pieces) == 1:
                lane.slowness[pieces[0].slowness] += EACH
            else:
                lane.slowness.update(pieces[place].slowness for place in _places(pieces))
        self.eventful = any(failed) or candidate.recent != GOOD or stable.recent != GOOD
        if self.eventful:
            self._walk(clock, set(failed[0]), set(failed[1]))
        else:
            candidate.at = stable.at = candidate.good_at = stable.good_at = clock + 1 - 1 / EACH
        share = weight / 100 * _mean(now.candidate) + (1 - weight / 100) * _mean(now.stable)
        failures = binomial(self._random, OF_PRODUCTION, share)
        production = self._production
        production.failures += failures
        production.at = clock + 1
        good = production.run if production.run.length else Run(0, clock, clock)
        production.run = NO_RUN if failures else Run(good.length + OF_PRODUCTION, good.began, clock + 1)
        if failures < OF_PRODUCTION:
            self._production.good_at = clock + 1
        self._asked += OF_PRODUCTION

    def close(self, end: int) -> tuple[Block, Tally]:
        """The block that ends now, with the production lane's tally; the next one begins."""
        candidate, stable = self._candidate.closed(self._random), self._stable.closed(self._random)
        block = Block(end - SECONDS, SECONDS, candidate, stable, self._alone)
        production = Tally(self._asked, self._production.failures)
        self._production.failures = self._asked = 0
        self._alone = self.lanes.stable_serves_nothing(self._settings)
        return block, production

    def _failed(self, pieces: Pieces) -> list[int]:
        """Which of a second's requests on a slot's lane fail, by their number in it."""
        draw = self._random.random
        if len(pieces) > 1:
            return [tick for tick, place in enumerate(_places(pieces)) if draw() < pieces[place].lane]
        share = pieces[0].lane
        if share >= SELDOM:
            return [tick for tick in range(EACH) if draw() < share]
        failures = binomial(self._random, EACH, share)
        return self._random.sample(range(EACH), failures) if failures else []

    def _walk(self, clock: int, candidate: set[int], stable: set[int]) -> None:
        """What the lanes show after each request; see ``take`` in ``from_ledger.py``."""
        for tick in range(EACH):
            at = clock + tick / EACH
            self._take(self._candidate, self._stable, at, tick in candidate)
            self._take(self._stable, self._candidate, at, tick in stable)

    @staticmethod
    def _take(lane: Lane, opposite: Lane, at: float, failed: bool) -> None:
        lane.at = at
        if failed:
            lane.run = lane.run.longer(at)
        else:
            lane.run, lane.good_at = Run(), at
        lane.recent = (lane.recent + ("x" if failed else "."))[-RECENT:]
        if lane.recent.count("x") > FEW_WRONG:
            lane.failing_at, opposite.run = at, Run()


def _places(pieces: Pieces) -> list[int]:
    """The piece that each request of a second falls into."""
    began, place, found = pieces[0].began, 0, []
    for tick in range(EACH):
        while began + tick / EACH >= pieces[place].ended:
            place += 1
        found.append(place)
    return found


def _mean(pieces: Pieces) -> float:
    return sum(piece.asked * (piece.ended - piece.began) for piece in pieces)


@lru_cache(maxsize=1000)
def _buckets(slowness: float) -> tuple[list[int], list[float]]:
    shares = latency_shares(slowness)
    return [place for place, _ in shares], list(accumulate(share for _, share in shares))
