"""Cases run together: up to its first fault each goes as its scenario does unharmed; only there they part.

The scenario is run once. Where it enters a state and no handler is at work, the process forks for each case
whose fault comes next: the child places it and goes on to the end, the parent waits for what it has to tell.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from typing import TypeVar

from faults.cases.case import Case, Result, judged, played, points
from faults.cases.scenarios import SCENARIOS, begun
from faults.world import World

Told = TypeVar("Told")


class _AllParted(BaseException):
    """No case is left: nobody needs the rest of the scenario."""


class _Parting:
    """The cases of one run, each due when the run has come by so many points."""

    def __init__(self, world: World, cases: Sequence[Case]) -> None:
        self.told: list[bytes] = []
        self.child: tuple[Case, int] | None = None
        """In a child: its case, and where to tell how that went."""
        self._world = world
        self._due = sorted(((_parts(case), case) for case in cases), key=lambda due: due[0], reverse=True)

    def part(self) -> None:
        """Called where no handler is at work, before the next point."""
        while self._due and self._due[-1][0] == len(self._world.faults.points):
            _, case = self._due.pop()
            reads, writes = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(reads)
                self._begin(case, writes)
                return
            os.close(writes)
            with os.fdopen(reads, "rb") as pipe:
                self.told.append(pipe.read())
            os.waitpid(child, 0)
        if not self._due:
            raise _AllParted

    def _begin(self, case: Case, writes: int) -> None:
        self.child = case, writes
        self._world.faults.when_quiet = None
        for fault in case.faults:
            self._world.faults.place(fault.point, fault.name)


def together(cases: Sequence[Case], tell: Callable[[Result], Told]) -> list[Told]:
    """What there is to tell of cases, in the order of their first faults: of one scenario, each with faults.

    Raises
    ------
    EOFError
        A case's process died before it told.
    """
    world = begun(SCENARIOS[cases[0].scenario])
    parting = _Parting(world, cases)
    world.faults.when_quiet = parting.part
    try:
        broken = played(world)
    except _AllParted:
        return [pickle.loads(told) for told in parting.told]
    if parting.child is None:
        raise AssertionError(f"the scenario has ended, and not all of its cases have begun: {broken}")
    try:
        case, writes = parting.child
        with os.fdopen(writes, "wb") as pipe:
            pickle.dump(tell(judged(case, world, broken)), pipe)
    finally:
        os._exit(0)  # whatever went wrong: what called this goes on in the parent alone


def _parts(case: Case) -> int:
    """How many points come before the last one at which a case can part: it leads to its first fault."""
    known = points(case.scenario)
    first = case.faults[0].point
    at = next(n for n, point in enumerate(known) if point.name == first)
    return next(n for n in range(at, -1, -1) if known[n].quiet)
