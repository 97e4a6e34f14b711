"""The tables of the wild worlds: the gate before and now, and the rules of others."""

from collections.abc import Sequence

from benchmarks.gate.contender import FEED
from benchmarks.gate.report import table
from benchmarks.gate.stages import STAGES
from benchmarks.gate.weather import Fault, Wild
from benchmarks.gate.wild import CALM, HEALTHY, OTHER_RATES, QUIET_WORSE, REGRESSIONS, WORLDS
from benchmarks.gate.wild_measure import PEERS, SOURCES, Cell, Cells, PeerCell


def _run(worlds: Sequence[Wild], cells: Cells) -> list[Wild]:
    return [world for world in worlds if world.name in cells]


Others = dict[str, dict[str, PeerCell]]
"""By world and rule."""
FALSE, LONGER, MORE_HARM, FEW = 0.001, 1.5, 1.1, 5
PROMPT = {"all fail, from launch": 35, "+20 points, from launch": 160, "quiet, 2 users/s": 480}
"""Releases, and the seconds that their median may take."""
FOUND = 0.85


def text(now: Cells, before: Cells, others: Others) -> list[str]:
    """All tables, of the worlds that were run."""
    harmed = "users' failed requests (mean), or those served slowly (median)"
    tables = {
        "Healthy candidates: rollbacks, and the median time until promoted": healthy(now, before, others),
        f"Bad candidates{_each(now)}: {harmed}": regressions(now, before, others),
        "Bad candidates: median time of the release": verdicts(now, before),
        "Bad candidates: false advances, of the stages that a bad candidate began": advances(now),
        "Targets in the wild": targets(now, before),
    }
    return [line for title, lines in tables.items() for line in (f"## {title}", "", *lines, "")][:-1]


def _each(cells: Cells) -> str:
    found = {cell.deployments for world in _run(REGRESSIONS, cells) for cell in cells[world.name].values()}
    return f" ({max(found):,} deployments of each)" if found else ""


def healthy(now: Cells, before: Cells, others: Others) -> list[str]:
    """Rollbacks of healthy candidates, and the median time until they were promoted."""
    head = ["world"]
    for source in SOURCES:
        head += [f"{source}, before", f"{source}, now", "median, before", "median, now"]
    rows = []
    for world in _run(HEALTHY, now):
        row = [world.name]
        for source in SOURCES:
            row += [_rolled_back(cells, world.name, source) for cells in (before, now)]
            row += [_time(cells, world.name, source) for cells in (before, now)]
        rows.append([*row, *[_share(others[world.name][name]) for name in PEERS]])
    return table([*head, *PEERS], rows)


def _rolled_back(cells: Cells, world: str, source: str) -> str:
    cell = _cell(cells, world, source)
    return f"{cell.rolled_back:,} of {cell.deployments:,}" if cell else "–"


def _share(cell: Cell | PeerCell) -> str:
    return f"{cell.rolled_back / cell.deployments:.1%}"


def _cell(cells: Cells, world: str, source: str) -> Cell | None:
    return cells.get(world, {}).get(source)


def _time(cells: Cells, world: str, source: str) -> str:
    cell, ratio = _cell(cells, world, source), times_calm(cells, world, source)
    if cell is None or cell.promoted_seconds is None:
        return "–"
    return f"{cell.promoted_seconds:.0f} s" + (f", × {ratio:.2f}" if ratio else "")


def times_calm(cells: Cells, world: str, source: str) -> float | None:
    """The median time in units of the calm one; None where nothing was promoted, or at another rate."""
    cell, calm = _cell(cells, world, source), _cell(cells, CALM, source)
    if world in OTHER_RATES or not (cell and calm and cell.promoted_seconds and calm.promoted_seconds):
        return None
    return cell.promoted_seconds / calm.promoted_seconds


def regressions(now: Cells, before: Cells, others: Others) -> list[str]:
    """What bad candidates cost: the users' failed requests (mean), or those served slowly (median)."""
    head = ["candidate", *[f"{source}, {when}" for source in SOURCES for when in ("before", "now")], *PEERS]
    rows = []
    for world in _run(REGRESSIONS, now):
        row = [world.name]
        for source in SOURCES:
            row += [_harm(_cell(cells, world.name, source), world.name) for cells in (before, now)]
        for name in PEERS:
            peer = others[world.name][name]
            row.append(_missed("–" if _is_slow(world.name) else f"{peer.failed:,.1f}", peer))
        rows.append(row)
    return table(head, rows)


def _is_slow(world: str) -> bool:
    fault = WORLDS[world].fault
    return fault is not None and (fault.slowness > 1 or fault.leak > 0)


def _harm(cell: Cell | None, world: str) -> str:
    if cell is None:
        return "–"
    return _missed(f"{harm(cell, world):,.1f}" + (" slow" if _is_slow(world) else ""), cell)


def harm(cell: Cell, world: str) -> float:
    """What is charged in this world."""
    return cell.slow if _is_slow(world) else cell.failed


def _missed(text: str, cell: Cell | PeerCell) -> str:
    missed = 1 - cell.rolled_back / cell.deployments
    return f"{text}; {missed:.0%} missed" if missed else text


def verdicts(now: Cells, before: Cells) -> list[str]:
    """The median time until bad candidates were rolled back, or promoted."""
    rows = [
        [
            world.name,
            *[
                f"{cell.seconds:.0f} s" if cell else "–"
                for source in SOURCES
                for cell in (_cell(before, world.name, source), _cell(now, world.name, source))
            ],
        ]
        for world in _run(REGRESSIONS, now)
    ]
    return table(
        ["candidate", *[f"{source}, {when}" for source in SOURCES for when in ("before", "now")]], rows
    )


def advances(now: Cells) -> list[str]:
    """Of the stages that a candidate began when it failed more than the margin, how many advanced."""
    rows = []
    for world in _run(REGRESSIONS, now):
        for source in SOURCES:
            cell = _cell(now, world.name, source)
            if cell is None or world.fault is None:
                continue
            row = []
            for place, stage in enumerate(STAGES):
                advanced, of = cell.advances.get(str(stage.weight), (0, 0))
                row.append(f"{advanced} of {of}" if of and _beyond(world.fault, place) else "–")
            if set(row) != {"–"}:
                rows.append([f"{world.name}, {source}", *row])
    return table(["candidate", *[f"{stage.weight} %" for stage in STAGES]], rows)


def _beyond(fault: Fault, place: int) -> bool:
    """Whether a candidate fails more than the margin of the stage at this place of the defaults."""
    stage = STAGES[place]
    if fault.probed and fault.failing >= FEED.probe_margin:
        return True
    if not 0 < stage.weight < 100:
        return False
    most = FEED.users_harmed * 100 / STAGES[place + 1].weight
    return fault.failing >= min(FEED.users_margin, most)


def targets(now: Cells, before: Cells) -> list[str]:
    """Each target, the worst of what was measured, and whether that reaches it."""
    rows: list[tuple[str, str, bool]] = []
    for source in SOURCES:
        if found := {world.name: cells[source] for world in _run(HEALTHY, now) if (cells := now[world.name])}:
            rows += _healthy_targets(found, now, source)
        rows += _bad_targets(now, before, source)
    for name, most in PROMPT.items():
        if cell := _cell(now, name, "feed"):
            rows.append((f"{name}: median of {most} s", f"{cell.seconds:.0f} s", cell.seconds <= most))
    if cell := _cell(now, QUIET_WORSE, "feed"):
        share = cell.rolled_back / cell.deployments
        rows.append((f"{QUIET_WORSE}: found in 85 %", f"{share:.0%}", share >= FOUND))
    return table(
        ["target", "measured", "reached"],
        [[what, measured, "yes" if reached else "NO"] for what, measured, reached in rows],
    )


def _healthy_targets(found: dict[str, Cell], now: Cells, source: str) -> list[tuple[str, str, bool]]:
    guilty = max(found, key=lambda name: found[name].rolled_back / found[name].deployments)
    share = found[guilty].rolled_back / found[guilty].deployments
    rows = [(f"healthy, {source}: at most 0.1 % rolled back", f"{share:.1%} ({guilty})", share <= FALSE)]
    ratios = {name: ratio for name in found if (ratio := times_calm(now, name, source))}
    if ratios:
        slowest = max(ratios, key=ratios.__getitem__)
        rows.append(
            (
                f"healthy, {source}: promoted in 1.5 × the calm time",
                f"{ratios[slowest]:.2f} × ({slowest})",
                ratios[slowest] <= LONGER,
            )
        )
    return rows


def _bad_targets(now: Cells, before: Cells, source: str) -> list[tuple[str, str, bool]]:
    worse, missed = [], []
    for world in _run(REGRESSIONS, now):
        cell, old = _cell(now, world.name, source), _cell(before, world.name, source)
        if cell is None or old is None:
            continue
        charged = harm(old, world.name)
        if harm(cell, world.name) > max(MORE_HARM * charged, charged + FEW):
            worse.append(world.name)
        if round(cell.rolled_back / cell.deployments, 2) < round(old.rolled_back / old.deployments, 2):
            missed.append(world.name)
    return [
        (
            f"bad, {source}: no more than 1.1 × the harm of before, or 5 requests",
            f"more: {'; '.join(worse) or 'none'}",
            not worse,
        ),
        (
            f"bad, {source}: found as often as before",
            f"less often: {'; '.join(missed) or 'none'}",
            not missed,
        ),
    ]
