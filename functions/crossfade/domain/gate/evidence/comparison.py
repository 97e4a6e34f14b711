"""One stream: the candidate against the stable side, in blocks of requests and failures."""

from typing import NamedTuple

from crossfade.domain.gate.evidence.e_process import EProcess
from crossfade.domain.gate.evidence.e_values import NOTHING, Counts, below, no_worse, worse

PRIOR_FAILURES, PRIOR_REQUESTS = 0.5, 200.0
"""What the stable side's rate is guessed from before anything was seen."""
MOST_RATE = 0.9
AT_ONCE = 0.9
"""A stage is short: little is kept for after an outage that both sides shared."""


class StableRate(NamedTuple):
    """What earlier blocks say about the stable side's rate: bets are chosen by it, without looking ahead."""

    requests: int = 0
    failures: int = 0

    @property
    def guess(self) -> float:
        """The rate to expect in the next block."""
        return min((PRIOR_FAILURES + self.failures) / (PRIOR_REQUESTS + self.requests), MOST_RATE)

    def after(self, counts: Counts) -> "StableRate":
        """With a block that is over."""
        return StableRate(self.requests + counts.n_s, self.failures + counts.x_s)


class Comparison(NamedTuple):
    """Evidence that the candidate is worse; ``counts`` is what it rests on, since it last was none.

    ``pending`` holds requests back until both sides have at least one: a span in which one side was not
    asked compares nothing.
    """

    capital: EProcess = EProcess()
    rate: StableRate = StableRate()
    pending: Counts = NOTHING
    counts: Counts = NOTHING

    @property
    def evidence(self) -> float:
        """How much a bet on "worse" has made of 1."""
        return self.capital.evidence

    def after(self, block: Counts, *, scale: float, excess: float, cap: float) -> "Comparison":
        """The stream after one more block."""
        block = self.pending.plus(block) if any(self.pending) else block
        if not (block.n_c and block.n_s):
            return Comparison(self.capital, self.rate, block, self.counts)
        capital = self.capital.after(worse(block, self.rate.guess, scale=scale, excess=excess), cap)
        counts = self.counts.plus(block) if capital.evidence > 1 else NOTHING
        return Comparison(capital, self.rate.after(block), NOTHING, counts)

    def learn(self, block: Counts) -> "Comparison":
        """The stream after a block that compares nothing: what it says of the stable side's rate is kept."""
        return Comparison(self.capital, self.rate.after(block), self.pending, self.counts)


class Proof(NamedTuple):
    """Evidence that the candidate is no worse, gathered anew in each stage.

    Blocks that compare and blocks of the candidate alone make one e-process, since a bet on a block is chosen
    before it begins. Nobody who bets against a candidate beyond the margin gains by the second kind either:
    it fails at least the margin more than the stable side, so at least the margin.
    """

    capital: EProcess = EProcess()
    pending: Counts = NOTHING
    counts: Counts = NOTHING

    @property
    def evidence(self) -> float:
        """How much a bet on "no worse" has made of 1."""
        return self.capital.evidence

    def after(self, block: Counts, rate: float, *, margin: float, cap: float) -> "Proof":
        """The proof after one more block; ``rate`` is the stable side's guess from before the block."""
        block = self.pending.plus(block) if any(self.pending) else block
        if not (block.n_c and block.n_s):
            return Proof(self.capital, block, self.counts)
        capital = self.capital.after(no_worse(block, rate, margin=margin), cap, AT_ONCE)
        return Proof(capital, NOTHING, self.counts.plus(block))

    def alone(self, block: Counts, *, margin: float, cap: float) -> "Proof":
        """The proof after a block of the candidate's requests only, with what was held open before it."""
        block = self.pending.plus(block) if any(self.pending) else block
        capital = self.capital.after(below(block.n_c, block.x_c, margin), cap, AT_ONCE)
        return Proof(capital, NOTHING, self.counts.plus(block))
