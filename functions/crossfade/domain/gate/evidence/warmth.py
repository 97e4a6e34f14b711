"""Whether the candidate is warm: a fresh process is slower at first, by no fault of the release.

Each block gives one number: how much slower the candidate is than the stable side, as the difference of the
means of the logarithms of their latencies on the same path. It falls while the candidate warms up.
"""

from math import ceil, log
from typing import NamedTuple

from crossfade.domain.gate.blocks.block import Block
from crossfade.domain.gate.blocks.latency import Latencies

NEAR = log(1.12)
"""As fast as the stable side, about."""
FASTER = log(1.05)
"""What a side that warms up becomes faster by, from one span to the next."""
NEAR_SPAN, STEADY_SPAN, PAUSE_SPAN = 4 / 3, 2.0, 1.0
"""How long the spans are that are looked at, and below how long a candidate may take: in spells."""
LONGEST, LATE = 16, 2
STEP = log(1.2) / 2
"""Between two bounds of the histogram."""
FEWEST = 3
"""Requests that both sides need for a number."""


class Warmth(NamedTuple):
    """How the candidate's latency has gone: ``slower`` are the last blocks' numbers.

    ``warm_at``: the end of the block in which it was seen to be warm, in seconds since 1970; 0 before.
    ``late``: it was not simply as fast as the stable side, so its slowness must be watched for a while.
    """

    slower: tuple[float, ...] = ()
    warm_at: int = 0
    late: bool = False

    def after(self, block: Block, clump: float, launched: float) -> "Warmth":
        """With one more block; ``launched`` is when the candidate's targets were healthy."""
        steady = _blocks(STEADY_SPAN, clump, block.seconds)
        ratio = _slower(block)
        slower = self.slower if ratio is None else (*self.slower, round(ratio, 3))[-2 * steady :]
        if self.warm_at:
            return self._replace(slower=slower)
        near = _blocks(NEAR_SPAN, clump, block.seconds)
        if len(slower) >= near and _mean(slower[-near:]) < NEAR:
            return Warmth(slower, block.end)
        known = len(slower) == 2 * steady and not _falls(slower, steady)
        if known or block.end >= launched + LONGEST * clump:
            return Warmth(slower, block.end, late=True)
        return Warmth(slower)

    def ready(self, launched: float, clump: float, now: float) -> bool:
        """Whether the first stage may end; times in seconds since 1970."""
        warm_at = self.warm_at or launched + LONGEST * clump
        return now >= warm_at + (LATE * clump if self.late else 0)

    def cooling(self, clump: float, seconds: int) -> bool:
        """Whether the candidate becomes clearly faster now: what is slow then is no fault yet."""
        span = _blocks(PAUSE_SPAN, clump, seconds)
        return len(self.slower) >= 2 * span and _falls(self.slower[-2 * span :], span)


def _blocks(spells: float, clump: float, seconds: int) -> int:
    return max(ceil(spells * clump / seconds), 1)


def _falls(slower: tuple[float, ...], span: int) -> bool:
    return _mean(slower[-span:]) < _mean(slower[:span]) - FASTER


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _slower(block: Block) -> float | None:
    """None where too few requests can be compared, or there is no histogram.

    Each path is compared with itself, and counts as often as both sides were asked for it: the sides may have
    been asked for a slow path more or less often.
    """
    if block.candidate is None or block.stable is None:
        return None
    requests, difference = 0, 0.0
    for ours, theirs in zip(block.candidate.by_path, block.stable.by_path, strict=False):
        compared = min(_requests(ours), _requests(theirs))
        if compared:
            requests += compared
            difference += compared * (_mean_place(ours) - _mean_place(theirs))
    return difference / requests * STEP if requests >= FEWEST else None


def _requests(latencies: Latencies) -> int:
    return sum([count for _, count in latencies])


def _mean_place(latencies: Latencies) -> float:
    return sum([place * count for place, count in latencies]) / _requests(latencies)
