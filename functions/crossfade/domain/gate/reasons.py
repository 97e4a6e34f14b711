"""The evidence behind a verdict, in words for a person on call."""

from math import floor, log10

from crossfade.domain.gate.blocks.latency import BOUNDS, steps
from crossfade.domain.gate.evidence.e_values import Counts
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.slots import Slot, other
from crossfade.domain.spec.gate import GateSettings

MOST = 1e6
"""Evidence beyond this is shown as more than this."""


def odds(evidence: float) -> str:
    """Evidence as odds with two digits, e.g. ``1 : 4,100``."""
    if evidence >= MOST:
        return f"more than 1 : {MOST:,.0f}"
    digits = 10 ** max(floor(log10(max(evidence, 1.0))) - 1, 0)
    return f"1 : {floor(evidence / digits) * digits:,}"


def roles(candidate: Slot) -> tuple[str, str]:
    """The two slots by their roles, e.g. ``candidate (green)`` and ``stable (blue)``."""
    return f"candidate ({candidate})", f"stable ({other(candidate)})"


def failures(counts: Counts, slot: Slot) -> str:
    """E.g. ``candidate (green) fails 12 of 240, stable (blue) 0 of 250``."""
    candidate, stable = roles(slot)
    return f"{candidate} fails {counts.x_c:,} of {counts.n_c:,}, {stable} {counts.x_s:,} of {counts.n_s:,}"


def slowness(counts: Counts, bound: int, settings: GateSettings, slot: Slot) -> str:
    """E.g. ``candidate (green) takes more than 26 ms in 61 of 100, stable (blue) more than 21 ms in 10``."""
    candidate, stable = roles(slot)
    far = min(bound + steps(settings.slower_by), len(BOUNDS) - 1)
    return (
        f"{candidate} takes more than {BOUNDS[far]:.3g} ms in {counts.x_c:,} of {counts.n_c:,}, "
        f"{stable} more than {BOUNDS[bound]:.3g} ms in {counts.x_s:,} of {counts.n_s:,}"
    )


def strongest(
    sources: dict[str, Streams], evidence: float, settings: GateSettings, candidate: Slot
) -> tuple[str, str]:
    """The source of the strongest stream against the candidate, and that stream's counts in words.

    The evidence in the words is that of all streams together.
    """
    found: list[tuple[float, str, str]] = []
    for name, source in sources.items():
        found.append((source.failing.evidence, failures(source.failing.counts, candidate), name))
        for stream, bound in zip(source.slow, source.slow_bounds, strict=False):
            found.append((stream.evidence, slowness(stream.counts, bound, settings, candidate), name))
    _, text, name = max(found)
    return name, f"{text}{name} (evidence {odds(evidence)})"
