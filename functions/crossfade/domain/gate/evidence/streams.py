"""All streams that come from one source of outcomes: the probe's slot lanes, or the users."""

from itertools import zip_longest
from math import inf
from typing import NamedTuple

from crossfade.domain.gate.blocks.block import MINUTE, Block, Tally
from crossfade.domain.gate.blocks.by_task import Tasks
from crossfade.domain.gate.blocks.latency import add, quantiles, steps
from crossfade.domain.gate.evidence.comparison import Comparison, Proof
from crossfade.domain.gate.evidence.e_values import NOTHING, Counts
from crossfade.domain.gate.evidence.failure_limit import FailureLimit
from crossfade.domain.gate.evidence.spells import Law, Spells
from crossfade.domain.gate.evidence.warmth import Warmth
from crossfade.domain.spec.gate import GateSettings

QUANTILES = (0.5, 0.9, 0.99)
"""Of the stable side's earlier latencies on the same path: what "slow" is measured from, one stream each."""
LATENCIES = 100
"""How many latencies of the stable side must be known of a path before a request of it can be slow."""
ABSENT_SECONDS = 30
ABSENT_BLOCKS = 2
"""After both without a request, the stable side counts as absent: there is nothing to compare with."""

EARLY = 6
"""A block that begins up to a sixth of its length before a stage counts for the stage: metrics come by the
minute, and a stage would otherwise always miss its first one."""


FIRST, FIRST_OF_PROBE, FIRST_OF_MINUTE = 2.5, 1.0, 4.0
"""What the first bad block of a spell may add at most, in nats. The probe has a way of its own to the
candidate, which may have a spell that no user meets."""


class Margin(NamedTuple):
    """The excess of failures that going on must rule out: fixed, or a part of the stable rate if more."""

    fixed: float
    of_rate: float

    def beyond(self, rate: float) -> float:
        """The margin when the stable side fails at this rate."""
        return max(self.fixed, self.of_rate * rate)


class Streams(NamedTuple):
    """What all blocks of a source so far say.

    ``until``: the end of the last block, in seconds since 1970; one that begins earlier is known already.
    ``seconds``: how long that block was. ``stable_at``: when the stable side last had requests. ``stage``:
    the beginning of the stage that ``proof`` and ``reported_seconds`` belong to. ``reported_seconds``: the
    length of its blocks that report the candidate; ``reported_until``: the end of the last such block.
    ``tasks`` are those of the counts of ``failing``, where tasks can be told apart.

    ``latencies`` are the stable side's of the only path, or the first; ``further`` those of other paths. Each
    request is compared with its own path's bounds, and all paths together make the streams ``slow``. So a
    path adds a histogram to the state and no stream. ``slow_by_path`` has the counts of these streams by
    path, for the words alone; empty where only one is asked.

    ``warmth`` is how the candidate's latency has gone; ``met`` the requests of both sides in ``met_seconds``.
    """

    until: int = 0
    seconds: int = 0
    failing: Comparison = Comparison(spells=Spells())
    slow: tuple[Comparison, ...] = (Comparison(),) * len(QUANTILES)
    latencies: tuple[int, ...] = ()
    failure_limit: FailureLimit = FailureLimit()
    stable_at: int = 0
    stage: float = 0.0
    proof: Proof = Proof()
    reported_seconds: int = 0
    reported_until: int = 0
    tasks: Tasks = Tasks()
    further: tuple[tuple[int, ...], ...] = ()
    slow_by_path: tuple[tuple[Counts, ...], ...] = ()
    warmth: Warmth = Warmth()
    met: int = 0
    met_seconds: int = 0

    @property
    def spells(self) -> Spells:
        """The spells of failures of both sides."""
        return self.failing.spells or Spells()

    @property
    def rate(self) -> float:
        """Requests a second of both sides together; infinite before anything is known."""
        return self.met / self.met_seconds if self.met_seconds else inf

    @property
    def stable_absent(self) -> bool:
        """Whether there has been nothing to compare with for long enough to say so."""
        return self.until - self.stable_at >= max(ABSENT_SECONDS, ABSENT_BLOCKS * self.seconds)

    @property
    def slow_bounds(self) -> tuple[tuple[int, ...], ...]:
        """By path, the bounds of latency beyond which the stable side's requests are slow, from earlier
        blocks; empty for a path of which too little is known."""
        return tuple(
            [
                quantiles(of_path, QUANTILES) if sum(of_path) >= LATENCIES else ()
                for of_path in (self.latencies, *self.further)
            ]
        )

    def at_stage(self, began: float) -> "Streams":
        """The source in a stage: the evidence to advance begins anew with each."""
        if began == self.stage:
            return self
        return self._replace(
            stage=began, proof=Proof(), reported_seconds=0, failure_limit=self.failure_limit.at_stage()
        )

    def after(
        self,
        block: Block,
        settings: GateSettings,
        *,
        warm: float,
        margin: Margin | None,
        launched: float | None = None,
        alone: bool = False,
        met: bool = False,
    ) -> "Streams":
        """The source after one more block; a block that it knows already changes nothing.

        A block that begins before ``warm`` says nothing about the candidate. ``margin`` is None in a stage in
        which only one side has traffic. ``alone``: there is no stable side at all. A block that began while
        the stable side served nothing is treated the same: it compares nothing, and its failures do not
        predict the stable side's later ones. α keeps its meaning, because it is known before a block begins
        whether a bet is made on it.

        ``launched`` is given for the probe: since when the candidate may warm up. Before it is warm there are
        no bets on slowness; those on users' requests pause while it becomes clearly faster. ``met``: another
        source met a spell of the candidate's failures in this block.
        """
        if block.at < self.until:
            return self
        alone = alone or block.alone
        clump, probe = settings.clump_seconds, launched is not None
        first = FIRST_OF_PROBE if probe else FIRST if block.seconds < MINUTE else FIRST_OF_MINUTE
        law = Law(block.at, block.seconds, clump, settings.excess, block.cap, first, block.at < warm, met)
        counts, latencies = block.failing, (self.latencies, *self.further)
        of_candidate = block.candidate is not None and block.at >= warm
        in_stage = of_candidate and block.at >= self.stage - block.seconds / EARLY
        proof, failure_limit = self.proof, self.failure_limit
        if of_candidate and counts.n_c:
            failure_limit = failure_limit.after(counts.n_c, counts.x_c, settings, block.cap)
            if alone and in_stage:
                proof = proof.alone(counts, margin=settings.probe_margin, cap=block.cap)
        compared = of_candidate and not alone and self._comparable(block, margin)
        if compared and in_stage and margin is not None:
            proof = proof.after(counts, self.failing, law, margin=margin.beyond(self.failing.rate.guess))
        if block.stable is not None and not alone:
            latencies = _known(latencies, block.stable)
        warmth = self.warmth.after(block, clump, launched or 0)
        is_warm = self.warmth.warm_at > 0 if probe else not self.warmth.cooling(clump, block.seconds)
        slow, slow_by_path = self.slow, self.slow_by_path
        if not alone:
            slow, slow_by_path = self._slow_after(block, steps(settings.slower_by), law, compared and is_warm)
        return Streams(
            until=block.end,
            seconds=block.seconds,
            failing=self._failing_after(block, settings, law, compared=compared, alone=alone),
            slow=slow,
            latencies=latencies[0],
            failure_limit=failure_limit,
            stable_at=block.end if counts.n_s else self.stable_at or block.at,
            stage=self.stage,
            proof=proof,
            reported_seconds=self.reported_seconds + (block.seconds if in_stage else 0),
            reported_until=self.reported_until if block.candidate is None else block.end,
            further=latencies[1:],
            slow_by_path=slow_by_path,
            warmth=warmth,
            met=self.met + counts.n_c + counts.n_s,
            met_seconds=self.met_seconds + block.seconds,
        )

    def _comparable(self, block: Block, margin: Margin | None) -> bool:
        """Whether a block compares the sides, alone or together with later ones.

        A side that is not reported compares nothing. In a stage in which one side has no traffic,
        later blocks are not waited for.
        """
        if block.candidate is None or block.stable is None:
            return False
        return margin is not None or (block.candidate.requests > 0 and block.stable.requests > 0)

    def _failing_after(
        self, block: Block, settings: GateSettings, law: Law, *, compared: bool, alone: bool
    ) -> Comparison:
        if alone:
            return self.failing
        if not compared:
            return self.failing.learn(block.failing, law)
        return self.failing.after(block.failing, law, scale=1.0, excess=settings.excess)

    def _slow_after(
        self, block: Block, up: int, law: Law, compared: bool
    ) -> tuple[tuple[Comparison, ...], tuple[tuple[Counts, ...], ...]]:
        """The streams of slow requests, and what they have counted by path."""
        by_path = block.slow(self.slow_bounds, up)
        pooled = block.slow_together(by_path)
        if not pooled:
            return self.slow, self.slow_by_path
        slow = tuple(
            [
                stream.after(counts, law, scale=1.0, excess=0.0) if compared else stream.learn(counts, law)
                for stream, counts in zip(self.slow, pooled, strict=True)
            ]
        )
        if not compared or len(by_path) < 2:
            return slow, self.slow_by_path
        return slow, _counted(slow, self.slow_by_path, by_path)


def _known(latencies: tuple[tuple[int, ...], ...], stable: Tally) -> tuple[tuple[int, ...], ...]:
    """The stable side's latencies by path, with those of one more block."""
    both = zip_longest(latencies, stable.by_path, fillvalue=())
    return tuple([add(known, more) for known, more in both])


def _counted(
    slow: tuple[Comparison, ...], before: tuple[tuple[Counts, ...], ...], block: list[list[Counts]]
) -> tuple[tuple[Counts, ...], ...]:
    """The counts of each path with those of one more block; they begin anew when their stream's do."""
    nothing = (NOTHING,) * len(QUANTILES)
    counting = [any(stream.counts) or any(stream.pending) for stream in slow]
    return tuple(
        [
            tuple(
                [
                    known.plus(more) if goes_on else NOTHING
                    for known, more, goes_on in zip(of_path or nothing, new or nothing, counting, strict=True)
                ]
            )
            for of_path, new in zip_longest(before, block, fillvalue=())
        ]
    )
