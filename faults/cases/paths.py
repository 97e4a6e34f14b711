"""The states that a scenario enters, in a form that does not depend on how often a loop was run."""

from __future__ import annotations

from collections.abc import Sequence

from faults.cases.case import Case, run
from faults.cases.scenarios import SCENARIOS

LONGEST_LOOP = 8


def paths(scenario: str) -> list[tuple[str, list[str]]]:
    """The executions of a scenario in the order of their start: each one's machine and collapsed path."""
    world = run(Case(scenario, scenario)).world
    begun_with = len(SCENARIOS[scenario].released)
    return [
        (execution.machine, collapsed([state for _, state in execution.path]))
        for execution in world.machines.executions[begun_with:]
    ]


def collapsed(states: Sequence[str]) -> list[str]:
    """The states with every run of a loop that follows on the same run of it taken out, inner loops first."""
    found = list(states)
    for length in range(1, LONGEST_LOOP + 1):
        n = 0
        while n + 2 * length <= len(found):
            if found[n : n + length] == found[n + length : n + 2 * length]:
                del found[n : n + length]
            else:
                n += 1
    return found
