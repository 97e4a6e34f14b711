"""Spells: failures that come together for a while, on one side only, by no fault of the release.

A pause, a noisy neighbour or a lost connection pool fails many requests at once, and then it is over. A block
with many failures is *bad*; blocks without a spell fail independently. A spell goes on while its last bad
block began at most ``clump_seconds`` ago. The stable side has spells too: how often they begin there says how
often they may on the candidate's side.

Each bet stakes a part of its money on "this block is bad". Let h be the chance of that by a spell, and f what
a bad block multiplies the bet by at most: dividing each block's gain by 1 + h (f - 1) leaves at most 1 on
average, if the block is bad with chance h at most and the bet gains nothing otherwise. The stake is the one
that pays most if the bet's alternative is right: f is the ratio of the odds of a bad block.
"""

from collections.abc import Iterable, Sequence
from math import ceil, erfc, exp, log, log1p, sqrt
from typing import NamedTuple

from crossfade.domain.gate.blocks.block import Block
from crossfade.domain.gate.evidence.e_values import NOTHING, Counts
from crossfade.domain.gate.evidence.sign import Sign

BLOCK = 5
"""The seconds of a block that the constants below are for."""
LEAST, SPREAD = 2.5, 3.5
"""A block is bad with that many failures beyond those expected: this number, and times the deviation."""
LEAST_TOUCHED, SPREAD_TOUCHED = 1.0, 2.0
"""The same for a block in which something was met: one spell need not make every source's block bad."""
FIRST_BLOCKS = 40
"""The blocks in which one spell is taken for granted, before anything is seen."""
PRUDENCE = 2
"""The spells that may begin on the candidate's side, in units of those that the stable side had."""
MOST_OFTEN = 0.5
GOING_ON = 4.0
"""What a later bad block of a spell may multiply a bet by at most (in nats): the charge leaves a third."""
SURE = 1 - 1e-9
EXACT = 200.0
"""Beyond this mean a Poisson count is taken as normal."""


def most_failures(requests: int, rate: float, least: float = LEAST, spread: float = SPREAD) -> int:
    """How many failures make a block bad, where this share is expected to fail."""
    expected = requests * rate
    return ceil(least + expected + spread * sqrt(expected))


def at_least(count: int, mean: float) -> float:
    """The chance of that many failures or more, if ``mean`` are expected (Poisson)."""
    if mean > EXACT:
        return 0.5 * erfc((count - 0.5 - mean) / sqrt(2 * mean))
    chance, below = exp(-mean), 0.0
    for number in range(count):
        below += chance
        chance *= mean / (number + 1)
    return max(1 - below, 0.0)


class Law(NamedTuple):
    """Where a block is, and how its spells are treated.

    ``at``, ``seconds``: its beginning (since 1970) and length. ``clump``: how long a spell goes on.
    ``excess``: failures of the candidate beyond the stable side's that are no fault (share of requests).
    ``cap``: what a block that is not bad may add at most, ``first``: what the first bad one may, in nats.
    ``earlier``: the block began before the candidate was warm. ``met``: another source met a spell of the
    candidate in it, so what fails here is a part of that, however little it is.
    """

    at: int
    seconds: int
    clump: float
    excess: float
    cap: float
    first: float
    earlier: bool = False
    met: bool = False

    @property
    def goes_on(self) -> float:
        """The chance that a spell of this block goes on in the next one."""
        return self.clump / self.seconds if self.seconds > self.clump else exp(-self.seconds / self.clump)

    def fills(self, share: float) -> float:
        """How many times less likely a spell is to fail this share of the block's requests than any: in nats.

        A block that is shorter than a spell may be filled by any.
        """
        return share * self.seconds / self.clump if self.seconds > self.clump else 0.0

    def within(self, at: int) -> bool:
        """Whether the spell of a bad block that began then may go on in this block."""
        return bool(at) and self.at - at <= max(self.clump, self.seconds)


class Spells(NamedTuple):
    """The spells of both sides so far.

    ``blocks``: how many were seen; ``stable``: how many spells the stable side had, ``earlier``: of these,
    before the candidate was compared with it. ``began`` and
    ``bad_at``: the beginnings of the first and the last bad block of the candidate's last spell, in seconds
    since 1970; ``touched_at`` that of the last one in which something was met. ``in_row``: how many blocks up
    to now were bad; ``last``: the counts of the last bad one. ``stable_at`` is as ``bad_at``. ``even_at``:
    the last bad blocks of both sides, seen alike (see `Sign`).
    """

    blocks: int = 0
    stable: int = 0
    earlier: int = 0
    began: int = 0
    bad_at: int = 0
    touched_at: int = 0
    in_row: int = 0
    last: Counts = NOTHING
    stable_at: int = 0
    even_at: tuple[int, int] = (0, 0)
    sign: Sign = Sign()

    def hazard(self, law: Law) -> float:
        """The chance that a spell makes this block bad."""
        if law.met or law.within(self.bad_at):
            return law.goes_on
        length = law.seconds / BLOCK
        often = length * (1 + PRUDENCE * self.stable) / (FIRST_BLOCKS + length * self.blocks)
        return min(often, MOST_OFTEN)

    def gains(
        self, counts: Counts, bets: Sequence[tuple[float, float]], stable_rate: float, law: Law
    ) -> list[float]:
        """What bets on "worse" gain in a block, where spells are no evidence beyond their chance.

        ``bets`` are pairs: what the bet gains where failures are independent, and the rate that it bets on.
        In a spell that was met elsewhere too they gain no more than without: that it was met is not known
        before the block.
        """
        found = self._gains(counts, bets, stable_rate, law)
        if not law.met:
            return found
        elsewhere = self._gains(counts, bets, stable_rate, law._replace(met=False))
        return [min(pair) for pair in zip(found, elsewhere, strict=True)]

    def _gains(
        self, counts: Counts, bets: Sequence[tuple[float, float]], stable_rate: float, law: Law
    ) -> list[float]:
        hazard = self.hazard(law)
        limit = (_touched if law.met else _limit)(counts, stable_rate, law)
        most = GOING_ON if law.met or law.within(self.bad_at) else law.first
        gains = []
        for gain, rate in bets:
            expected = counts.n_c * rate
            enough, filled = limit, 0.0
            if law.fills(1) and expected - 2 * sqrt(expected) > limit:
                enough = ceil(expected - 2 * sqrt(expected))
                filled = law.fills(enough / counts.n_c)
            of_spells = hazard * exp(-filled)
            chance = min(at_least(enough, expected), SURE)
            factor = min(max(chance * (1 - of_spells) / (of_spells * (1 - chance)), 1.0), exp(most + filled))
            most_gain = log(factor) if counts.x_c >= enough else 0.0 if counts.x_c >= limit else law.cap
            gains.append(min(gain, most_gain) - log1p(of_spells * (factor - 1)))
        return gains

    def losses(
        self, counts: Counts, gains: Iterable[float], stable_rate: float, margin: float, law: Law
    ) -> list[float]:
        """What bets on "no worse" gain: a bad block takes a bounded part from them.

        The charge is for a candidate at the margin, which has bad blocks by its own fault.
        """
        limit = _limit(counts, stable_rate, law)
        most = -log(law.goes_on) if law.within(self.bad_at) else law.cap
        chance = at_least(limit, counts.n_c * (stable_rate + margin))
        charge = log1p(chance * exp(-most))
        bad = counts.x_c >= limit
        return [(max(gain, -most) if bad else gain) - charge for gain in gains]

    def after(self, counts: Counts, stable_rate: float, law: Law) -> "Spells":
        """With one more block."""
        bad = counts.x_c >= _limit(counts, stable_rate, law)
        stable_bad = counts.x_s >= _limit(_mirrored(counts), stable_rate, law)
        touched = _touched(counts, stable_rate, law)
        even = _even(counts)
        candidate_even = even.x_c >= _limit(even, stable_rate, law)
        stable_even = even.x_s >= _limit(_mirrored(even), stable_rate, law)
        ours, theirs = self.even_at
        return Spells(
            blocks=self.blocks + 1,
            stable=self.stable + (stable_bad and not law.within(self.stable_at)),
            earlier=self.earlier,
            began=law.at if bad and not law.within(self.bad_at) else self.began,
            bad_at=law.at if bad else self.bad_at,
            touched_at=law.at if bad or counts.x_c >= touched else self.touched_at,
            in_row=self.in_row + 1 if bad else 0,
            last=counts if bad else self.last,
            stable_at=law.at if stable_bad else self.stable_at,
            even_at=(law.at if candidate_even else ours, law.at if stable_even else theirs),
            sign=self.sign.after(
                candidate=candidate_even and not law.within(ours),
                stable=stable_even and not law.within(theirs),
            ),
        )

    def meets(self, block: Block, clump: float) -> bool:
        """Whether the candidate's last spell may go on in a block of another source."""
        return self.bad_at > 0 and self.began < block.end and block.at <= self.bad_at + clump

    def learn(self, counts: Counts, stable_rate: float, law: Law) -> "Spells":
        """With a block of the stable side only."""
        bad = counts.x_s >= most_failures(counts.n_s, stable_rate + law.excess)
        more = bad and not law.within(self.stable_at)
        return self._replace(
            blocks=self.blocks + 1,
            stable=self.stable + more,
            earlier=self.earlier + (more and law.earlier),
            stable_at=law.at if bad else self.stable_at,
        )


def _limit(counts: Counts, stable_rate: float, law: Law) -> int:
    """How many of the candidate's failures make the block bad; what both sides fail is no spell of one."""
    return most_failures(counts.n_c, _expected(counts, stable_rate, law))


def _touched(counts: Counts, stable_rate: float, law: Law) -> int:
    """How many of the candidate's failures may be a part of a spell that was met elsewhere."""
    return most_failures(counts.n_c, _expected(counts, stable_rate, law), LEAST_TOUCHED, SPREAD_TOUCHED)


def _expected(counts: Counts, stable_rate: float, law: Law) -> float:
    """The share of the candidate's requests that may fail."""
    return max(stable_rate + law.excess, counts.x_s / counts.n_s)


def _mirrored(counts: Counts) -> Counts:
    return Counts(counts.n_s, counts.x_s, counts.n_c, counts.x_c)


def _even(counts: Counts) -> Counts:
    """As many requests on the side with more as on the other: its spells are not seen more often."""
    n_c, x_c, n_s, x_s = counts
    if n_c > n_s:
        return Counts(n_s, x_c * n_s // n_c, n_s, x_s)
    return Counts(n_c, x_c, n_c, x_s * n_c // n_s)
