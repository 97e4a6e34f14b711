"""One stream: the candidate against the stable side, in blocks of requests and failures."""

from typing import NamedTuple

from crossfade.domain.gate.evidence.e_process import EProcess
from crossfade.domain.gate.evidence.e_values import NOTHING, Counts, below, no_worse, worse_bets
from crossfade.domain.gate.evidence.spells import Law, Spells

PRIOR_FAILURES, PRIOR_REQUESTS = 0.5, 200.0
"""The first guess of the stable side's rate."""
MOST_RATE = 0.9
AT_ONCE = 0.9
"""A stage is short, so most is bet at once; little is kept for the time after a shared outage."""


class StableRate(NamedTuple):
    """The stable side's rate in earlier blocks: bets are chosen by it, without looking ahead."""

    requests: int = 0
    failures: int = 0

    @property
    def guess(self) -> float:
        """The rate to expect in the next block."""
        return min((PRIOR_FAILURES + self.failures) / (PRIOR_REQUESTS + self.requests), MOST_RATE)

    def after(self, counts: Counts) -> "StableRate":
        """With one more block."""
        return StableRate(self.requests + counts.n_s, self.failures + counts.x_s)


class Comparison(NamedTuple):
    """Evidence that the candidate is worse; ``counts`` are the requests since it was last 1 or less.

    ``pending`` holds requests back until both sides have at least one: a span without requests of one side
    compares nothing. ``spells`` are those of failures; None where slow requests are compared.
    """

    e_process: EProcess = EProcess()
    rate: StableRate = StableRate()
    pending: Counts = NOTHING
    counts: Counts = NOTHING
    spells: Spells | None = None

    @property
    def evidence(self) -> float:
        """How much a bet on "worse" has made of 1."""
        return self.e_process.evidence

    def after(self, block: Counts, law: Law, *, scale: float, excess: float) -> "Comparison":
        """The stream after one more block."""
        block = self.pending.plus(block) if any(self.pending) else block
        if not (block.n_c and block.n_s):
            return self._replace(pending=block)
        guess, spells = self.rate.guess, self.spells
        bets = worse_bets(block, guess, scale=scale, excess=excess)
        if spells is None:
            gains = [gain for gain, _ in bets]
        else:
            gains = spells.gains(block, bets, guess, law)
            spells = spells.after(block, guess, law)
        stable_is_bad = spells is not None and spells.stable_at == law.at
        e_process = self.e_process.after(gains, law.cap)
        counts = self.counts.plus(block) if e_process.evidence > 1 else NOTHING
        # A spell of the stable side does not predict its rate in blocks without one.
        rate = self.rate if stable_is_bad else self.rate.after(block)
        return Comparison(e_process, rate, NOTHING, counts, spells)

    def learn(self, block: Counts, law: Law) -> "Comparison":
        """The stream after a block that compares nothing: the stable side's rate and spells alone."""
        spells = self.spells
        if spells is not None and block.n_s:
            spells = spells.learn(block, self.rate.guess, law)
            if spells.stable_at == law.at:
                return self._replace(spells=spells)
        return self._replace(rate=self.rate.after(block), spells=spells)


class Proof(NamedTuple):
    """Evidence that the candidate is no worse, gathered anew in each stage.

    Blocks that compare and blocks of the candidate alone make one e-process, since a bet on a block is chosen
    before it begins. A candidate beyond the margin makes neither kind gain on average: it fails at least the
    margin more than the stable side, so at least the margin.
    """

    e_process: EProcess = EProcess()
    pending: Counts = NOTHING
    counts: Counts = NOTHING

    @property
    def evidence(self) -> float:
        """How much a bet on "no worse" has made of 1."""
        return self.e_process.evidence

    def after(self, block: Counts, failing: Comparison, law: Law, *, margin: float) -> "Proof":
        """The proof after one more block; ``failing`` is the comparison from before the block."""
        block = self.pending.plus(block) if any(self.pending) else block
        if not (block.n_c and block.n_s):
            return Proof(self.e_process, block, self.counts)
        rate = failing.rate.guess
        gains = no_worse(block, rate, margin=margin)
        if failing.spells is not None:
            gains = failing.spells.losses(block, gains, rate, margin, law)
        e_process = self.e_process.after(gains, law.cap, AT_ONCE)
        return Proof(e_process, NOTHING, self.counts.plus(block))

    def alone(self, block: Counts, *, margin: float, cap: float) -> "Proof":
        """The proof after a block of the candidate's requests only, with what was held open before it."""
        block = self.pending.plus(block) if any(self.pending) else block
        e_process = self.e_process.after(below(block.n_c, block.x_c, margin), cap, AT_ONCE)
        return Proof(e_process, NOTHING, self.counts.plus(block))
