"""The tables of the wild worlds: the gate before and now, and the rules of others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from benchmarks.gate.contender import FEED
from benchmarks.gate.more_spells import Tried, curve
from benchmarks.gate.report import Target, at_most, table
from benchmarks.gate.stages import STAGES
from benchmarks.gate.weather import Wild
from benchmarks.gate.wild import (
    BUSY,
    CALM,
    HEALTHY,
    OFTEN_CANDIDATE,
    OTHER_RATES,
    QUIET,
    QUIET_WORSE,
    REGRESSIONS,
    WORLDS,
)
from benchmarks.gate.wild_measure import PEERS, SOURCES, Cell, Cells, PeerCell


def _run(worlds: Sequence[Wild], cells: Cells) -> list[Wild]:
    return [world for world in worlds if world.name in cells]


Others = dict[str, dict[str, PeerCell]]
"""By world and rule."""
FALSE, LONGER, MORE_HARM, FEW = 0.001, 1.5, 1.1, 5
DEAD, TWENTY = "all fail, from launch", "+20 points, from launch"
AT_ZERO = {DEAD: 35, TWENTY: 160}
"""Candidates that no client meets, and the seconds until the median one is rolled back."""
QUIET_SECONDS = 480
BUSY_SECONDS = {"feed": 240, "metrics": 720}
FOUND = 0.85
FOUND_LESS = {OFTEN_CANDIDATE, QUIET_WORSE}
"""Regressions that may be missed more often than before: their targets are others."""
WITH_CLIENTS = ("all fail, users only", "all fail, 100 s after users")
AS_FAST = 1.0
"""By how many seconds the clients may be taken away later than by a rollback before."""
ENOUGH = 60
"""Stages that a bad candidate began: a share of fewer says little."""


@dataclass(frozen=True)
class Report:
    """What was found in the worlds that were run."""

    now: Cells
    before: Cells
    others: Others
    tried: Tried = field(default_factory=dict)

    @property
    def text(self) -> list[str]:
        """All tables."""
        now, before, harmed = (
            self.now,
            self.before,
            "users' failed requests (mean), or served slowly (median)",
        )
        tables = {
            "Healthy candidates: rollbacks, and the median time until promoted": healthy(
                now, before, self.others
            ),
            f"Bad candidates{_each(now)}: {harmed}": regressions(now, before, self.others),
            "Bad candidates: median time of the release": verdicts(now, before),
            "Bad candidates: false advances, of the stages that a bad candidate began": advances(now),
        }
        if self.tried:
            tables["The price of finding a candidate with more spells"] = curve(self.tried)
        return [line for title, lines in tables.items() for line in (f"## {title}", "", *lines, "")][:-1]

    @property
    def targets(self) -> list[Target]:
        """Each target, and the worst of what was measured."""
        return [row for source in SOURCES for row in _targets(self.now, self.before, source)]


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
            row += [_rolled_back(before, world.name, source), _false(now, world.name, source)]
            row += [_time(cells, world.name, source) for cells in (before, now)]
        rows.append([*row, *[_share(others[world.name][name]) for name in PEERS]])
    return table([*head, *PEERS], rows)


def _rolled_back(cells: Cells, world: str, source: str) -> str:
    cell = _cell(cells, world, source)
    return f"{cell.rolled_back:,} of {cell.deployments:,}" if cell else "–"


def _false(cells: Cells, world: str, source: str) -> str:
    cell = _cell(cells, world, source)
    if cell is None:
        return "–"
    return f"{_rolled_back(cells, world, source)} ({at_most(cell.rolled_back, cell.deployments)})"


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
            if cell is None:
                continue
            row = []
            for place, stage in enumerate(STAGES):
                row.append(_advanced(cell, stage.weight) if _beyond(world, place) else "–")
            if set(row) != {"–"}:
                rows.append([f"{world.name}, {source}", *row])
    return table(["candidate", *[f"{stage.weight} %" for stage in STAGES]], rows)


def _advanced(cell: Cell, weight: int) -> str:
    advanced, of = cell.advances.get(str(weight), (0, 0))
    waited = cell.waited.get(str(weight), 0)
    if not of:
        return "–"
    return f"{advanced} of {of}" + (f", {waited} without users' proof" if waited else "")


def _beyond(world: Wild, place: int) -> bool:
    """Whether a candidate fails more than the margin of the stage at this place of the defaults.

    The margin grows with the stable side's rate; of its spells the gate leaves out the long ones at least.
    """
    stage, fault = STAGES[place], world.fault
    if fault is None:
        return False
    if fault.probed and fault.failing >= max(FEED.probe_margin, world.stable_rate):
        return True
    if not 0 < stage.weight < 100:
        return False
    fixed = min(FEED.users_margin, FEED.users_harmed * 100 / STAGES[place + 1].weight)
    return fault.failing >= max(fixed, world.stable_rate / 2)


def _targets(now: Cells, before: Cells, source: str) -> list[Target]:
    rows: list[Target] = []
    if found := {world.name: cells[source] for world in _run(HEALTHY, now) if (cells := now[world.name])}:
        rows += _healthy_targets(found, now, source)
    rows += _bad_targets(now, before, source)
    rows += _false_advances(now, source)
    for name, most in AT_ZERO.items():
        if cell := _cell(now, name, source):
            what = f"{name}, {source}: rolled back in {most} s (median)"
            rows.append(Target(what, f"{cell.seconds:.0f} s", cell.seconds <= most))
    for name in WITH_CLIENTS:
        cell, old = _cell(now, name, source), _cell(before, name, source)
        if cell and old and cell.harmed is not None and old.harmed is not None:
            what = f"{name}, {source}: weight 0 as soon as by a rollback before"
            measured = f"{cell.harmed:.0f} s, before {old.harmed:.0f} s"
            rows.append(Target(what, measured, cell.harmed <= old.harmed + AS_FAST))
    return rows + _quick_targets(now, source)


def _quick_targets(now: Cells, source: str) -> list[Target]:
    """How long busy and quiet services take, and what a quiet one misses."""
    rows = []
    if cell := _cell(now, BUSY, source):
        most, within = BUSY_SECONDS[source], inf if cell.within is None else cell.within
        what = f"{BUSY}, {source}: 9 of 10 promoted in {most} s"
        rows.append(Target(what, f"{within:.0f} s", within <= most))
    if cell := _cell(now, QUIET, source):
        seconds = inf if cell.promoted_seconds is None else cell.promoted_seconds
        what = f"{QUIET}, {source}: promoted in {QUIET_SECONDS} s (median)"
        rows.append(Target(what, f"{seconds:.0f} s", seconds <= QUIET_SECONDS))
    if cell := _cell(now, QUIET_WORSE, source):
        share = cell.rolled_back / cell.deployments
        rows.append(Target(f"{QUIET_WORSE}, {source}: found in {FOUND:.0%}", f"{share:.0%}", share >= FOUND))
    return rows


def _healthy_targets(found: dict[str, Cell], now: Cells, source: str) -> list[Target]:
    guilty = max(found, key=lambda name: found[name].rolled_back / found[name].deployments)
    worst = found[guilty]
    share = worst.rolled_back / worst.deployments
    rolled_back = sum(cell.rolled_back for cell in found.values())
    deployments = sum(cell.deployments for cell in found.values())
    measured = f"{rolled_back} of {deployments:,} ({at_most(rolled_back, deployments)})"
    if rolled_back:
        given_up = sum(cell.errors.get("EvidenceMissing", 0) for cell in found.values())
        measured += (
            f", {given_up} of them given up; most: {worst.rolled_back} of {worst.deployments:,} ({guilty})"
        )
    rows = [Target(f"healthy, {source}: at most 0.1 % rolled back in each world", measured, share <= FALSE)]
    ratios = {name: ratio for name in found if (ratio := times_calm(now, name, source))}
    if ratios:
        slowest = max(ratios, key=ratios.__getitem__)
        rows.append(
            Target(
                f"healthy, {source}: promoted in {LONGER:g} × the calm time",
                f"{ratios[slowest]:.2f} × ({slowest})",
                ratios[slowest] <= LONGER,
            )
        )
    return rows


def _bad_targets(now: Cells, before: Cells, source: str) -> list[Target]:
    """The harm, and what is found; a row of its own for each world in which that is not reached."""
    worse: list[Target] = []
    missed: list[Target] = []
    worlds = 0
    for world in _run(REGRESSIONS, now):
        name = world.name
        cell, old = _cell(now, name, source), _cell(before, name, source)
        if cell is None or old is None:
            continue
        worlds += 1
        charged, harmed = harm(old, name), harm(cell, name)
        if harmed > max(MORE_HARM * charged, charged + FEW):
            much = f"{harmed:,.1f}, before {charged:,.1f}"
            worse.append(Target(f"- {name}: harm", much, False))
        shares = [of.rolled_back / of.deployments for of in (cell, old)]
        if round(shares[0], 2) < round(shares[1], 2) and name not in FOUND_LESS:
            few = f"{shares[0]:.0%}, before {shares[1]:.0%}"
            missed.append(Target(f"- {name}: found", few, False))
    much = f"bad, {source}: at most {MORE_HARM:g} × the harm of before, or {FEW} requests more"
    often = f"bad, {source}: found as often as before"
    return [
        Target(much, f"in {worlds - len(worse)} of {worlds} worlds", not worse),
        *worse,
        Target(often, f"in {worlds - len(missed)} of {worlds} worlds", not missed),
        *missed,
    ]


def _false_advances(now: Cells, source: str) -> list[Target]:
    """Of the stages that a candidate began which fails more than the margin, how many advanced at most.

    A quiet service advances without its users' proof by intent; how many it misses is a target of its own.
    """
    proved: list[tuple[float, str]] = []
    waited: list[tuple[float, str]] = []
    for world in _run(REGRESSIONS, now):
        cell = _cell(now, world.name, source)
        for place, stage in enumerate(STAGES):
            advanced, of = cell.advances.get(str(stage.weight), (0, 0)) if cell else (0, 0)
            if cell is None or of < ENOUGH or not _beyond(world, place):
                continue
            few = cell.waited.get(str(stage.weight), 0)
            where = f"({world.name}, {stage.weight} %)"
            proved.append(((advanced - few) / of, f"{advanced - few} of {of} {where}"))
            if world.name != QUIET_WORSE:
                waited.append((few / of, f"{few} of {of} {where}"))
    if not (proved and waited):
        return []
    (by_proof, at_proof), (by_time, at_time) = max(proved), max(waited)
    beta = FEED.beta
    return [
        Target(f"bad, {source}: false advances by proof, at most {beta:.0%}", at_proof, by_proof <= beta),
        Target(f"bad, {source}: advances without users' proof, at most {beta:.0%}", at_time, by_time <= beta),
    ]
