"""The evidence behind a verdict, in words for a person on call."""

from collections.abc import Sequence
from math import exp, floor, log10

from crossfade.domain.gate.blocks.latency import BOUNDS, steps
from crossfade.domain.gate.evidence.e_values import Counts
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.gate.evidence.warmth import Warmth
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


def slower(warmth: Warmth) -> str:
    """E.g. ``its latency is 1.8 times the stable slot's``."""
    if not warmth.slower:
        return "its latency is not known yet"
    return f"its latency is {exp(warmth.slower[-1]):.2g} times the stable slot's"


def slowness(counts: Counts, bound: int, settings: GateSettings, slot: Slot, path: str = "") -> str:
    """E.g. ``candidate (green) takes more than 26 ms in 61 of 100, stable (blue) more than 21 ms in 10``.

    ``path`` is named where it is known, and one of several.
    """
    candidate, stable = roles(slot)
    far = min(bound + steps(settings.slower_by), len(BOUNDS) - 1)
    return (
        f"{candidate} takes more than {BOUNDS[far]:.3g} ms in {counts.x_c:,} of {counts.n_c:,}, "
        f"{stable} more than {BOUNDS[bound]:.3g} ms in {counts.x_s:,} of {counts.n_s:,}"
        f"{f' at {path}' if path else ''}"
    )


def slowest(source: Streams, quantile: int, paths: Sequence[str]) -> tuple[Counts, int, str] | None:
    """The path on which the candidate is slowest beside the stable side, for one of the streams.

    Its counts, its bound and its name, which is empty where only one is asked; None before there are bounds.
    """
    of_paths = source.slow_by_path or ((source.slow[quantile].counts,) * len(source.slow),)
    names = ("the version path", *paths) if len(of_paths) > 1 else ("",)
    known = [
        (counts[quantile], bounds[quantile], name)
        for counts, bounds, name in zip(of_paths, source.slow_bounds, names, strict=False)
        if bounds
    ]
    return max(known, key=lambda found: _more_often(found[0]), default=None)


def _more_often(counts: Counts) -> float:
    return counts.x_c / max(counts.n_c, 1) - counts.x_s / max(counts.n_s, 1)


def strongest(
    sources: dict[str, Streams],
    evidence: float,
    settings: GateSettings,
    candidate: Slot,
    paths: Sequence[str] = (),
) -> tuple[str, str]:
    """The source of the strongest stream against the candidate, and that stream's counts in words.

    The evidence in the words is that of all streams together. Failures say whether one task fails or all of
    them do, where that is known. ``paths`` are those that the probe asks besides
    the version path; of a stream of slow requests the words have the path on which it is slowest.
    """
    found: list[tuple[float, str, str, str]] = []
    for name, source in sources.items():
        words = failures(source.failing.counts, candidate)
        found.append((source.failing.evidence, words, name, source.tasks.failing))
        for quantile, stream in enumerate(source.slow):
            if worst := slowest(source, quantile, paths):
                counts, bound, path = worst
                words = slowness(counts, bound, settings, candidate, path)
                found.append((stream.evidence, words, name, ""))
    _, text, name, tasks = max(found)
    return name, f"{text}{name} (evidence {odds(evidence)}){f'; {tasks}' if tasks else ''}"
