"""Cases: a scenario with a fault at one point, or with two; each has a name by which it is run again.

``healthy/throttled@shift_traffic:ModifyRule#2`` is one fault at one point, ``healthy/late-effect:12.5@…`` one
that lasts for 12.5 s, ``pair:worse:seed=17:3`` the third pair of faults that the seed 17 draws for the
scenario ``worse``, ``healthy`` the scenario unharmed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import product
from math import ceil
from random import Random
from typing import NamedTuple

from crossfade.domain.model import iso
from faults.aws.views import Range
from faults.cases.disturbances import DISTURBANCES, Setting
from faults.cases.fault import KINDS, LASTING, PASSING, Point, kinds_at
from faults.cases.invariants import items_of, state_of, violations
from faults.cases.respecs import CHANGES, CUT_OFF, GONE, RESPECS
from faults.cases.scenarios import SCENARIOS, Scenario, begun
from faults.inhabit import inhabited
from faults.workflow.clock import START
from faults.workflow.execution import Execution
from faults.world import World

DRAWS, DRAWS_ELSEWHERE = {"stale-read": 6, "late-effect": 10}, {"stale-read": 2, "late-effect": 2}
"""For so many different times a fault that lasts is placed at a point of a place that is new; of one that an
earlier scenario came by."""
DISTURBED_ELSEWHERE = 6
"""So many states of a scenario are disturbed in settings that are known."""


class Fault(NamedTuple):
    """A fault and the point where it is placed, e.g. ``throttled`` or ``stale-read:12.5``."""

    name: str
    point: str

    @property
    def kind(self) -> str:
        """Its kind, without for how many seconds it lasts."""
        return self.name.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.name}@{self.point}"


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


class Unharmed(NamedTuple):
    """A scenario unharmed: the points that it comes by, and the errors by which its deployments end."""

    points: tuple[Point, ...]
    errors: list[str]


class UnknownCase(Exception):
    """No case has this name."""


def run(case: Case) -> Result:
    """Run a case to its end."""
    world = begun(SCENARIOS[case.scenario], {fault.point: fault.name for fault in case.faults})
    return judged(case, world, played(world))


def played(world: World) -> tuple[str, ...]:
    """Run a world to its end; what broke the simulation itself, if anything did."""
    try:
        with inhabited(world):
            world.run()
    except Exception as error:  # refused, never settled, or broken
        return (f"{type(error).__name__}: {error}", *world.writes.breaches)
    return ()


def judged(case: Case, world: World, broken: tuple[str, ...]) -> Result:
    """What does not hold in the world that a case has left behind, unless that was broken on the way."""
    if broken:
        return Result(case, world, broken)
    found = (*violations(SCENARIOS[case.scenario], world), *_changed(case, world), *_missed(case, world))
    return Result(case, world, found)


def singles(scenario: str, *, thorough: bool = False) -> Iterator[Case]:
    """One fault at one point of the scenario.

    Of the points of one place, which are mostly reads in a loop, the first two and the last one are taken.
    In the first scenario that comes by a place each kind of fault is placed there; in every fourth of the
    others one that is drawn, at one of these. Faults that last are placed wherever they make a difference,
    for fewer times where a place is known. The spec is changed or lost at every state that no scenario before
    has entered, disturbances come in every setting.
    ``thorough``: every kind at every point.
    """
    yield from disturbed(scenario, DISTURBANCES)
    if not SCENARIOS[scenario].faulted and not thorough:
        return
    places: dict[tuple[str, ...], list[Point]] = defaultdict(list)
    for point in points(scenario):
        places[point.place].append(point)
    before = [point for other in _before(scenario) for point in points(other)]
    known = set() if thorough else {point.place for point in before}
    lasted = set() if thorough else {point.place for point in before if point.seconds}
    for place, found in places.items():
        some = found if thorough else _some(found)
        if place in known:
            random = Random(f"{scenario}/{found[0].name}")
            if random.random() < 0.25:
                point = random.choice(some)
                yield _single(scenario, Fault(random.choice(KINDS[point.kind]), point.name))
        else:
            for point, kind in product(some, KINDS[found[0].kind]):
                yield _single(scenario, Fault(kind, point.name))
        if found[0].kind == "state" and place not in known:
            for kind in _respecs(found[0]):
                yield _single(scenario, Fault(kind, found[0].name))
        lasting = [point for point in found if point.seconds]
        draws = DRAWS_ELSEWHERE if place in lasted else DRAWS
        for point in lasting if thorough else _some(lasting):
            yield from _lasting(scenario, point, draws)


def disturbed(scenario: str, kinds: Collection[str]) -> Iterator[Case]:
    """Disturbances in each setting that no scenario before has come by, wherever they make a difference.

    All that are new to a state and a weight, half of those where only the count or the candidate is new.
    Of the settings that are known some are drawn, and a disturbance for each.
    """
    before = [point for other in _before(scenario) for point in points(other)]
    known = {(point.setting, kind) for point in before for kind in point.possible}
    shares = {(setting.share, kind) for setting, kind in known if setting}
    random = Random(scenario)
    settings: dict[Setting | None, dict[str, Point]] = defaultdict(dict)
    for point in points(scenario):
        for kind in point.possible:
            if kind in kinds:
                settings[point.setting].setdefault(kind, point)
    draws = []
    for setting, at in settings.items():
        new = [kind for kind in at if (setting, kind) not in known]
        draws += [] if new else [at]
        elsewhere = [kind for kind in new if setting and (setting.share, kind) in shares]
        for kind in random.sample(elsewhere, len(elsewhere) // 2):
            new.remove(kind)
        for kind in new:
            yield _single(scenario, Fault(kind, at[kind].name))
    for at in random.sample(draws, min(DISTURBED_ELSEWHERE, len(draws))):
        kind = random.choice([*at])
        yield _single(scenario, Fault(kind, at[kind].name))


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
    placed = Fault(*fault.partition("@")[::2])
    if scenario in SCENARIOS and any(
        _fits(placed, known) for known in points(scenario) if known.name == placed.point
    ):
        return _single(scenario, placed)
    drawn = re.fullmatch(r"pair:([\w-]+):seed=\d+:\d+", name)
    if drawn and drawn[1] in SCENARIOS:
        return _pair(name, drawn[1])
    raise UnknownCase(f"There is no case {name}. Scenarios: {', '.join(SCENARIOS)}.")


def scenario_of(name: str) -> str:
    """The scenario that a case's name begins with."""
    return name.removeprefix("pair:").partition(":")[0].partition("/")[0]


def points(scenario: str) -> tuple[Point, ...]:
    """The points that the scenario comes by unharmed."""
    return _unharmed(scenario).points


@cache
def _unharmed(scenario: str) -> Unharmed:
    world = run(Case(scenario, scenario)).world
    return Unharmed(tuple(world.faults.points), _errors(world))


def _respecs(point: Point) -> Iterator[str]:
    """What becomes of the spec where a state is entered, alone or together with a stop of the execution."""
    yield from RESPECS
    for kind in (GONE, CUT_OFF, Random(point.name).choice(list(CHANGES))):
        yield f"{kind}+stopped"


def _before(scenario: str) -> list[str]:
    """The scenarios that come before this one."""
    return list(SCENARIOS)[: list(SCENARIOS).index(scenario)]


def _some(of: list[Point]) -> list[Point]:
    """Some of the points of one place: the first two and the last one."""
    return [point for n, point in enumerate(of) if n < 2 or n == len(of) - 1]


def _lasting(scenario: str, point: Point, draws: Mapping[str, int]) -> Iterator[Case]:
    """A fault that lasts, for a short, a long and some more times between."""
    (kind,) = LASTING.keys() & set(kinds_at(point))
    random = Random(f"{scenario}/{point.name}")
    times = [_drawn(point, (part + random.random()) / draws[kind]) for part in range(draws[kind])]
    for seconds in dict.fromkeys(times):  # of a point where few make a difference, two may be the same
        yield _single(scenario, Fault(f"{kind}:{seconds}", point.name))


def _drawn(point: Point, place: float) -> float:
    """A time that makes a difference at a point; ``place``: 0 for the shortest one, 1 for the longest."""
    assert point.seconds
    above, most = point.seconds
    # Rounded up: at the shortest one nothing would differ.
    return min(ceil((above + place * (most - above)) * 100 + 1) / 100, most)


def _single(scenario: str, fault: Fault) -> Case:
    return Case(f"{scenario}/{fault}", scenario, (fault,))


def _pair(name: str, scenario: str) -> Case:
    """Two faults; the second one is drawn from what comes after the first one struck, a rollback included."""
    random = Random(name)
    first = _draw(random, points(scenario))
    world = begun(SCENARIOS[scenario], {first.point: first.name})
    played(world)
    seen = world.faults.points
    after = seen[[point.name for point in seen].index(first.point) + 1 :]
    return Case(name, scenario, (first, _draw(random, tuple(after))) if after else (first,))


def _draw(random: Random, among: tuple[Point, ...]) -> Fault:
    point = random.choice(among)
    kinds = (kind for kind in kinds_at(point) if not kind.startswith(RESPECS) and kind not in DISTURBANCES)
    kind = random.choice([*kinds])
    return Fault(f"{kind}:{_drawn(point, random.random())}" if kind in LASTING else kind, point.name)


def _fits(fault: Fault, point: Point) -> bool:
    """Whether a fault can be placed at a point and makes a difference there."""
    if fault.kind not in kinds_at(point) or (fault.kind in LASTING) != (":" in fault.name):
        return False
    if not point.seconds or fault.kind not in LASTING:
        return True
    seconds = fault.name.partition(":")[2]
    return bool(re.fullmatch(r"\d+(\.\d+)?", seconds)) and _within(float(seconds), point.seconds)


def _within(seconds: float, limits: Range) -> bool:
    return limits.above < seconds <= limits.most


def _changed(case: Case, world: World) -> Iterator[str]:
    """A single fault that passes changes nothing of what comes of a scenario, nor of the reasons for it."""
    scenario = SCENARIOS[case.scenario]
    if len(case.faults) < 2 and all(_passes(fault, scenario, world) for fault in case.faults):
        live: set[str | None] = {tag for tags in world.live().values() for tag in tags}
        if world.disturber.happened:
            # Where the last of its tasks have died it is live all the same.
            live = {state_of(world).get("version")}
        fine = {scenario.serves, *([scenario.or_else] if case.faults and scenario.or_else else [])}
        if len(live) > 1 or next(iter(live), None) not in fine:
            yield f"a fault that passes changes nothing: {scenario.serves} should be live, and {live} is"
        unreported = [name for name, item in items_of(world).items() if "not_reported" in item]
        if unreported and not scenario.uncertified:
            yield f"a fault that passes changes nothing: {', '.join(unreported)} should have a certificate"
        if case.faults and scenario.or_else is None:
            unharmed, found = _unharmed(scenario.name).errors, _errors(world)
            if found != unharmed:
                yield f"a fault that passes changes nothing: deployments end with {found}, not {unharmed}"


def _passes(fault: Fault, scenario: Scenario, world: World) -> bool:
    """Whether a fault is one that is ridden out: what becomes of the spec is, once there is a plan."""
    if fault.kind in DISTURBANCES:
        passes = DISTURBANCES[fault.kind].passes
        deployed_now = scenario.serves not in {*scenario.released, scenario.runs}
        good = deployed_now and not _promoted_before(fault, scenario, world)
        return passes == "always" or (passes == "good" and good)
    if fault.kind in RESPECS:
        return _last_plan(world) < world.faults.struck.get(fault.point, 0.0)
    return fault.kind in PASSING


def _promoted_before(fault: Fault, scenario: Scenario, world: World) -> bool:
    """Whether a fault struck a release that had been promoted already."""
    struck = iso(START + timedelta(seconds=world.faults.struck.get(fault.point, 0.0)))
    before = {f"release-{tag}" for tag in scenario.released}
    promoted = [
        item["promoted"]
        for name, item in items_of(world).items()
        if "promoted" in item and name not in before
    ]
    return any(at < struck for at in promoted)


def _last_plan(world: World) -> float:
    """When an execution had the last plan of all and left the state that makes it."""
    found = 0.0
    for execution in world.executions("deploy"):
        ends = [*(at for at, _ in execution.path[1:]), execution.stopped]
        left = (end for (_, state), end in zip(execution.path, ends, strict=True) if state == "PlanRelease")
        found = max(found, *left)
    return found


def _errors(world: World) -> list[str]:
    """The errors by which deployments ended, one for each that did not succeed.

    One that a person's rollback takes over is stopped, or finds out just before that it has lost its service.
    One that was to step back to a slot without a target has failed by right (ADR 45).
    """
    return sorted(
        "Stopped" if execution.error == "ServiceLost" else execution.error or execution.status
        for execution in world.executions("deploy")
        if execution.status != "SUCCEEDED" and not _back_to_nobody(execution)
    )


def _back_to_nobody(deployment: Execution) -> bool:
    """Whether a deployment ended where it was to be stepped back, for want of a target to go back to."""
    path = [state for _, state in deployment.path]
    since = path[path.index("RollBack") - 1 :: -1] if "RollBack" in path else []
    back = next((state for state in since if state not in _SHIFTS), None) == "StepBack"
    return back and deployment.error == "TargetsBelowFloor"


_SHIFTS = ("ShiftTraffic", "TrafficShifted", "WaitForTargets")
"""The states of a shift of traffic."""


def _missed(case: Case, world: World) -> Iterator[str]:
    """A fault that did not strike has tested nothing."""
    for fault in case.faults:
        if fault.point not in world.faults.struck:
            yield f"every fault strikes: {fault} did not"
