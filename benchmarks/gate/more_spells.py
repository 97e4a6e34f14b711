"""A candidate with more spells than the stable side: how many are found, and at what price."""

from benchmarks.gate.report import at_most, table
from benchmarks.gate.wild import OFTEN_BOTH, OFTEN_CANDIDATE
from benchmarks.gate.wild_measure import DEFAULTS, Cell, Choice

Tried = dict[Choice, dict[str, Cell]]
"""What was found by what was chosen, by world."""
CHOICES = tuple(
    Choice(bar, seconds)
    for seconds in (1800.0, 3600.0)
    for bar in (DEFAULTS.bar / 2, DEFAULTS.bar, 4 * DEFAULTS.bar)
)


def curve(tried: Tried) -> list[str]:
    """Found against false, at several bars and times."""
    rows = []
    for choice, cells in tried.items():
        bad, healthy = cells[OFTEN_CANDIDATE], cells[OFTEN_BOTH]
        rows.append(
            [
                f"{choice.bar:g}{', the default' if choice == DEFAULTS else ''}",
                f"{choice.give_up_seconds / 60:.0f} min",
                f"{bad.rolled_back:,} of {bad.deployments:,} ({bad.rolled_back / bad.deployments:.0%})",
                f"{bad.seconds / 60:.0f} min",
                f"{healthy.rolled_back:,} of {healthy.deployments:,} "
                f"({at_most(healthy.rolled_back, healthy.deployments)})",
                f"{healthy.seconds:.0f} s",
            ]
        )
    return table(
        [
            "bar to step back for more spells",
            "given up after",
            "3 × more spells: rolled back",
            "after (median)",
            "as many spells: rolled back",
            "median until the end",
        ],
        rows,
    )
