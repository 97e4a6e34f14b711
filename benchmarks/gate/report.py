"""The tables, as Markdown, which a terminal shows well enough."""

from collections.abc import Sequence
from math import inf
from statistics import median

from benchmarks.gate.measure import CONTENDERS, Score, Scores
from benchmarks.gate.stages import Release
from benchmarks.gate.traffic import PROBE_RATE
from benchmarks.gate.worlds import ALL, FIVE, POINT

FEED, METRICS, FEED_ALONE, METRICS_ALONE = CONTENDERS[:4]
FLAGGER, ARGO, ALARM, ALARM_OF_3, KAYENTA = CONTENDERS[4:]
LEAST_HEALTHY = 3000
PROMPT = {
    "healthy, feed, 1,000 requests/s, 0.1 % fail": 240,
    "healthy, metrics, 1,000 requests/s, 0.1 % fail": 720,
}
"""Releases, and the seconds that they may take."""


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
        rows.append([world, f"{of:,}", *[f"{scores[name].rolled_back:,}" for name in CONTENDERS]])
    return table(["world", "deployments", *CONTENDERS], rows)


def releases(found: dict[str, list[Release]]) -> list[str]:
    """How long releases take through all stages, or until they are rolled back."""
    rows = []
    for name, done in found.items():
        times = sorted(release.seconds for release in done)
        promoted = sum(release.promoted for release in done)
        rows.append(
            [
                name,
                f"{promoted} of {len(done)}",
                f"{times[len(times) // 2]:.0f} s",
                f"{times[len(times) * 9 // 10]:.0f} s",
                f"{times[-1]:.0f} s",
                f"{median(release.failed for release in done):,.0f}",
            ]
        )
    return table(
        ["release", "promoted", "median", "90 % within", "longest", "users' requests failed by it"], rows
    )


def targets(
    faulty: dict[str, Scores],
    healthy: dict[str, Scores],
    released: dict[str, list[Release]],
    cpu: float,
) -> list[str]:
    """Each target, what was measured, and whether that reaches it."""
    rows = []

    def check(what: str, measured: str, reached: bool) -> None:
        rows.append([what, measured, "yes" if reached else "NO"])

    fewest = min(len(scores[FEED].seconds) for scores in healthy.values())
    guilty = sum(scores[name].rolled_back for scores in healthy.values() for name in CONTENDERS[:4])
    rows.append(
        [
            f"no false rollback in {LEAST_HEALTHY:,} healthy deployments of each world",
            f"{guilty} in {fewest:,} of each",
            "NO" if guilty else "yes" if fewest >= LEAST_HEALTHY else "so far; see --full",
        ]
    )
    # The candidate turns bad up to one interval of the probe before its first bad answer.
    slowest = max(faulty[ALL][FEED].seconds) - 1 / PROBE_RATE
    check("all fail: 5 s after the first bad answer at most", f"{slowest:.2f} s", slowest <= 5)
    for world, than, least in (
        (FIVE, FLAGGER, 10),
        (FIVE, ALARM_OF_3, 5),
        (ALL, FLAGGER, 10),
        (ALL, ALARM_OF_3, 5),
        (POINT, FLAGGER, 4),
        (POINT, ALARM_OF_3, 2),
    ):
        for name in (FEED, FEED_ALONE):
            times = _times_fewer(faulty[world], name, than)
            check(
                f"{world}, {name}: {least} × fewer failed requests than {than}",
                f"{times:.1f} ×",
                times >= least,
            )
    for world in (POINT, FIVE, ALL):
        times = _times_fewer(faulty[world], METRICS_ALONE, FLAGGER)
        check(f"{world}, {METRICS_ALONE}: 2 × fewer than {FLAGGER}", f"{times:.1f} ×", times >= 2)
    times = _times_fewer(faulty[ALL], METRICS_ALONE, ALARM_OF_3)
    check(f"{ALL}, {METRICS_ALONE}: not worse than {ALARM_OF_3}", f"{times:.2f} ×", times >= 1)
    for name, least in PROMPT.items():
        taken = sorted(release.seconds if release.promoted else inf for release in released[name])
        most = taken[len(taken) * 9 // 10]
        check(f"{name}: 9 of 10 promoted in {least} s", f"{most:.0f} s", most <= least)
    check("one look with all streams: 5 ms of CPU at most", f"{cpu:.2f} ms", cpu <= 5)
    return table(["target", "measured", "reached"], rows)


def _times_fewer(scores: Scores, name: str, than: str) -> float:
    return scores[than].median_failed / max(scores[name].median_failed, 1)
