"""The tables, as Markdown, which a terminal shows well enough."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from benchmarks.gate.cpu import Look
from benchmarks.gate.measure import CONTENDERS, Score, Scores
from benchmarks.gate.traffic import PROBE_RATE
from benchmarks.gate.worlds import ALL, FIVE, POINT
from crossfade.domain.gate.evidence.spells import at_least

FEED, METRICS, FEED_ALONE, METRICS_ALONE = CONTENDERS[:4]
FLAGGER, ARGO, ALARM, ALARM_OF_3, KAYENTA = CONTENDERS[4:]
CONFIDENCE = 0.95
MOST_MS, MOST_BYTES = 5, 16_384


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table whose columns line up."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in lines
    ]


def detection(faulty: dict[str, Scores]) -> list[str]:
    """Share found, median seconds, median failed requests, for each fault and contender."""
    rows = [[world, *[_cell(scores[name]) for name in CONTENDERS]] for world, scores in faulty.items()]
    return table(["candidate", *CONTENDERS], rows)


def _cell(score: Score) -> str:
    if score.median_seconds == inf:
        return f"{score.share:.0%}"
    share = "" if score.rolled_back == len(score.seconds) else f"{score.share:.0%}: "
    return f"{share}{score.median_seconds:.0f} s / {score.median_failed:,.0f}"


def false_rollbacks(healthy: dict[str, Scores]) -> list[str]:
    """How many healthy deployments each contender rolled back."""
    rows = []
    for world, scores in healthy.items():
        of = len(scores[FEED].seconds)
        gates = max(scores[name].rolled_back for name in CONTENDERS[:4])
        rows.append(
            [world, f"{of:,}", *[f"{scores[name].rolled_back:,}" for name in CONTENDERS], at_most(gates, of)]
        )
    return table(["world", "deployments", *CONTENDERS, "the gate's share, with 95 % confidence"], rows)


class Target(NamedTuple):
    """What is to be reached, what was measured, and whether that reaches it."""

    what: str
    measured: str
    reached: bool


def targets(rows: Sequence[Target]) -> list[str]:
    """All of them, those that were missed marked."""
    return table(
        ["target", "measured", "reached"],
        [[what, measured, "yes" if reached else "NO"] for what, measured, reached in rows],
    )


def steady(faulty: dict[str, Scores], healthy: dict[str, Scores], look: Look) -> list[Target]:
    """The targets of the steady worlds, and of what a look costs."""
    deployments = sum(len(scores[FEED].seconds) for scores in healthy.values())
    guilty = sum(max(scores[name].rolled_back for name in CONTENDERS[:4]) for scores in healthy.values())
    # The candidate turns bad up to one interval of the probe before its first bad answer.
    slowest = max(faulty[ALL][FEED].seconds) - 1 / PROBE_RATE
    rows = [
        Target(
            "steady worlds: no false rollback",
            f"{guilty} of {deployments:,} ({at_most(guilty, deployments)})",
            not guilty,
        ),
        Target("all fail: 5 s after the first bad answer at most", f"{slowest:.2f} s", slowest <= 5),
    ]
    for world, than, least in (
        (FIVE, FLAGGER, 10),
        (FIVE, ALARM_OF_3, 5),
        (ALL, FLAGGER, 10),
        (ALL, ALARM_OF_3, 5),
        (POINT, FLAGGER, 4),
        (POINT, ALARM_OF_3, 2),
    ):
        for name in (FEED, FEED_ALONE):
            rows.append(_fewer(faulty, world, name, than, least))
    rows += [_fewer(faulty, world, METRICS_ALONE, FLAGGER, 2) for world in (POINT, FIVE, ALL)]
    times = _times_fewer(faulty[ALL], METRICS_ALONE, ALARM_OF_3)
    rows.append(Target(f"{ALL}, {METRICS_ALONE}: not worse than {ALARM_OF_3}", f"{times:.2f} ×", times >= 1))
    took, size = look.milliseconds, look.state
    rows.append(Target(f"one look: {MOST_MS:g} ms of CPU at most", f"{took:.2f} ms", took <= MOST_MS))
    rows.append(Target(f"state: {MOST_BYTES:,} bytes at most", f"{size:,} bytes", size <= MOST_BYTES))
    return rows


def _fewer(faulty: dict[str, Scores], world: str, name: str, than: str, least: float) -> Target:
    times = _times_fewer(faulty[world], name, than)
    what = f"{world}, {name}: {least} × fewer failed requests than {than}"
    return Target(what, f"{times:.1f} ×", times >= least)


def _times_fewer(scores: Scores, name: str, than: str) -> float:
    return scores[than].median_failed / max(scores[name].median_failed, 1)


def at_most(found: int, deployments: int) -> str:
    """The share that is not exceeded, with 95 % confidence: of none in N, 3 / N."""
    least, most = float(found), found + 10 + 4 * found**0.5
    while most - least > 1e-3:
        mean = (least + most) / 2
        least, most = (mean, most) if at_least(found + 1, mean) < CONFIDENCE else (least, mean)
    return f"at most {min(most / deployments, 1.0):.2%}"
