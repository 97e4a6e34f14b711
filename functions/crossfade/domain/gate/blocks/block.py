"""Requests and failures of both sides in the same span of time: what all evidence is made of."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from crossfade.domain.gate.blocks.by_task import OfTask
from crossfade.domain.gate.blocks.latency import Latencies, add, slower
from crossfade.domain.gate.evidence.e_values import Counts

SECONDS = 5
"""The length of a block of the ledger and of the outcome feed."""
MINUTE = 60
"""The length of a block of metrics."""
CAP, MINUTE_CAP = 2.5, 5.5
"""What a block may add to the evidence at most, in nats."""


class Tally(NamedTuple):
    """One side's requests in a span. A failed request counts into the latencies too.

    ``latencies`` are those of the only path, or of the first; ``further`` those of the other paths that the
    probe asks, in the order of ``Lanes.paths``.
    """

    requests: int = 0
    failures: int = 0
    latencies: Latencies = ()
    further: tuple[Latencies, ...] = ()

    @property
    def by_path(self) -> tuple[Latencies, ...]:
        """The latencies of each path."""
        return self.latencies, *self.further


def together(tallies: Sequence[Tally]) -> Tally:
    """All requests of one side, counted apart so far; users' requests are of one path."""
    counts: tuple[int, ...] = ()
    for tally in tallies:
        counts = add(counts, tally.latencies)
    return Tally(
        sum(tally.requests for tally in tallies),
        sum(tally.failures for tally in tallies),
        tuple((place, count) for place, count in enumerate(counts) if count),
    )


def rest(whole: Tally | None, part: Tally | None) -> Tally | None:
    """What there is in ``whole`` beyond ``part``; None where that is nothing.

    None as well if something of the part is missing in the whole, as in a stale read.
    """
    if whole is None or whole == part:
        return None
    taken = part or Tally()
    counts = dict(whole.latencies)
    for place, count in taken.latencies:
        counts[place] = counts.get(place, 0) - count
    left = Tally(
        whole.requests - taken.requests,
        whole.failures - taken.failures,
        tuple((place, count) for place, count in sorted(counts.items()) if count),
    )
    negative = min(left.requests, left.failures, *(count for _, count in left.latencies), 0) < 0
    return None if negative else left


class Block(NamedTuple):
    """A span from ``at`` (seconds since 1970, a multiple of ``seconds``) on.

    A side is None if nothing was reported of it, which is not the same as no requests. ``alone``: the span
    began while the stable side served nothing, so there is nothing to compare with. ``tasks`` are the
    candidate's requests by task, where tasks can be told apart.
    """

    at: int
    seconds: int
    candidate: Tally | None
    stable: Tally | None
    alone: bool = False
    tasks: tuple[OfTask, ...] = ()

    @property
    def end(self) -> int:
        """When the span was over, in seconds since 1970."""
        return self.at + self.seconds

    @property
    def cap(self) -> float:
        """What the block may add to the evidence at most, in nats."""
        return CAP if self.seconds < MINUTE else MINUTE_CAP

    @property
    def failing(self) -> Counts:
        """Requests and failures."""
        candidate, stable = self.candidate or _NONE, self.stable or _NONE
        return Counts(candidate.requests, candidate.failures, stable.requests, stable.failures)

    def slow(self, bounds: tuple[tuple[int, ...], ...], steps: int) -> list[list[Counts]]:
        """By path, for each of its bounds: requests, and those slower than it; for the candidate, than the
        bound ``steps`` up. ``bounds`` are empty for a path that has none yet: it counts nowhere."""
        sides = zip_longest(
            bounds, (self.candidate or _NONE).by_path, (self.stable or _NONE).by_path, fillvalue=()
        )
        return [_slow(ours, theirs, of_path, steps) for of_path, ours, theirs in sides]

    def slow_together(self, by_path: Sequence[Sequence[Counts]]) -> list[Counts]:
        """The same of all paths together: each request was compared with a bound of its own path.

        A failed request of the stable side counts as slow, however fast it failed.
        """
        failures = (self.stable or _NONE).failures
        pooled = [
            Counts(*map(sum, zip(*counts, strict=True)))
            for counts in zip(*filter(None, by_path), strict=True)
        ]
        return [counts._replace(x_s=min(counts.x_s + failures, counts.n_s)) for counts in pooled]


def _slow(ours: Latencies, theirs: Latencies, bounds: tuple[int, ...], steps: int) -> list[Counts]:
    n_c, n_s = sum([count for _, count in ours]), sum([count for _, count in theirs])
    return [Counts(n_c, slower(ours, bound + steps), n_s, slower(theirs, bound)) for bound in bounds]


_NONE = Tally()
