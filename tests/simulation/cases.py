"""Cases: a scenario with a fault at one point, or with two; each has a name by which it is run again.

``healthy/throttled@shift:ModifyRule#2`` is one fault at one point, ``pair:worse:seed=17:3`` the third pair of
faults that the seed 17 draws for the scenario ``worse``, ``healthy`` the scenario unharmed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import NamedTuple

from tests.simulation.faults import KINDS, PASSING, Point
from tests.simulation.inhabit import inhabited
from tests.simulation.invariants import violations
from tests.simulation.scenarios import SCENARIOS, begun
from tests.simulation.world import World


class Fault(NamedTuple):
    """A kind of fault and the point where it is placed, e.g. ``throttled`` at ``shift:ModifyRule#2``."""

    kind: str
    point: str

    def __str__(self) -> str:
        return f"{self.kind}@{self.point}"


class Case(NamedTuple):
    """A scenario and its faults; none for the scenario unharmed."""

    name: str
    scenario: str
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Result:
    """How a case went: the world that it left behind, and what does not hold there."""

    case: Case
    world: World
    violations: tuple[str, ...]


class UnknownCase(Exception):
    """No case has this name."""


def run(case: Case) -> Result:
    """Run a case to its end."""
    scenario = SCENARIOS[case.scenario]
    # Up to its second fault a pair goes as the first one alone does: jitter is drawn by that one.
    seed = str(case.faults[:1])
    world = begun(scenario, {fault.point: fault.kind for fault in case.faults}, seed)
    try:
        with inhabited(world):
            world.run()
    except Exception as error:  # of the simulation itself: refused, never settled, or broken
        return Result(case, world, (f"{type(error).__name__}: {error}",))
    return Result(case, world, (*violations(scenario, world), *_changed(case, world), *_missed(case, world)))


def singles(scenario: str, *, thorough: bool = False) -> Iterator[Case]:
    """One fault at one point of the scenario.

    Of the points of one place, which are mostly reads in a loop, the first two and the last one are taken.
    In the first scenario that comes by a place each kind of fault is placed there, in the others one that is
    drawn. ``thorough``: every kind at every point.
    """
    places: dict[tuple[str, ...], list[Point]] = defaultdict(list)
    for point in points(scenario):
        places[point.place].append(point)
    before = list(SCENARIOS)[: list(SCENARIOS).index(scenario)]
    known = {point.place for other in before for point in points(other)}
    for place, found in places.items():
        for n, point in enumerate(found):
            if thorough or n < 2 or n == len(found) - 1:
                kinds = KINDS[point.kind]
                if place in known and not thorough:
                    kinds = (Random(f"{scenario}/{point.name}").choice(kinds),)
                for kind in kinds:
                    yield _single(scenario, Fault(kind, point.name))


def pairs(scenario: str, seed: int, count: int) -> Iterator[str]:
    """The names of so many pairs of faults."""
    return (f"pair:{scenario}:seed={seed}:{n}" for n in range(1, count + 1))


def named(name: str) -> Case:
    """The case of a name.

    Raises
    ------
    UnknownCase
        There is none.
    """
    if name in SCENARIOS:
        return Case(name, name)
    scenario, _, fault = name.partition("/")
    kind, _, point = fault.partition("@")
    if scenario in SCENARIOS and any(
        kind in KINDS[known.kind] for known in points(scenario) if known.name == point
    ):
        return _single(scenario, Fault(kind, point))
    drawn = re.fullmatch(r"pair:([\w-]+):seed=\d+:\d+", name)
    if drawn and drawn[1] in SCENARIOS:
        return _pair(name, drawn[1])
    raise UnknownCase(f"There is no case {name}. Scenarios: {', '.join(SCENARIOS)}.")


def scenario_of(name: str) -> str:
    """The scenario that a case's name begins with."""
    return name.removeprefix("pair:").partition(":")[0].partition("/")[0]


@cache
def points(scenario: str) -> tuple[Point, ...]:
    """The points that the scenario comes by unharmed."""
    return tuple(run(Case(scenario, scenario)).world.faults.points)


def _single(scenario: str, fault: Fault) -> Case:
    return Case(f"{scenario}/{fault}", scenario, (fault,))


def _pair(name: str, scenario: str) -> Case:
    """Two faults; the second one is drawn from what comes after the first one struck, a rollback included."""
    random = Random(name)
    first = _draw(random, points(scenario))
    seen = run(_single(scenario, first)).world.faults
    after = seen.points[[point.name for point in seen.points].index(first.point) + 1 :]
    return Case(name, scenario, (first, _draw(random, tuple(after))) if after else (first,))


def _draw(random: Random, among: tuple[Point, ...]) -> Fault:
    point = random.choice(among)
    return Fault(random.choice(KINDS[point.kind]), point.name)


def _changed(case: Case, world: World) -> Iterator[str]:
    """A single fault that passes changes nothing of what comes of a scenario."""
    scenario = SCENARIOS[case.scenario]
    if len(case.faults) < 2 and all(fault.kind in PASSING for fault in case.faults):
        live = {tag for tags in world.live().values() for tag in tags}
        late = {scenario.or_else} if case.faults else set()
        if live not in ({scenario.serves}, late):
            yield f"a fault that passes changes nothing: {scenario.serves} should be live, and {live} is"


def _missed(case: Case, world: World) -> Iterator[str]:
    """A fault that did not strike has tested nothing."""
    for fault in case.faults:
        if fault.point not in world.faults.struck:
            yield f"every fault strikes: {fault} did not"
