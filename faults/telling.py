"""Tells what happened in a case: executions and their states, calls of handlers, where the faults struck."""

from __future__ import annotations

from collections.abc import Iterator

from faults.cases.case import Result
from faults.cases.invariants import items_of, state_of

Moment = tuple[float, int, str]


def lines(result: Result) -> Iterator[str]:
    """One line for each thing that happened, in the order of time; then what it came to."""
    world = result.world
    yield f"{result.case.name}: {', '.join(map(str, result.case.faults)) or 'no fault'}"
    for _, _, text in sorted(_moments(result)):
        yield text
    for execution in world.machines.executions:
        yield f"{execution.name} {execution.status} {execution.error or ''} {execution.cause or ''}".rstrip()
    yield f"state: {state_of(world)}"
    for name, item in items_of(world).items():
        yield f"{name}: {item.get('outcome')}, {item.get('reason')}"
    yield f"live: {world.live()}, weights: {world.weights()}"
    yield from (f"VIOLATED {violation}" for violation in result.violations)
    if not result.violations:
        yield "everything holds"


def _moments(result: Result) -> Iterator[Moment]:
    world = result.world
    for execution in world.machines.executions:
        for at, state in execution.path:
            yield at, 0, f"{at:9.2f}  {execution.name}  {state}"
        yield execution.stopped, 2, f"{execution.stopped:9.2f}  {execution.name}  {execution.status}"
    for call in world.calls:
        struck = f"  <- {call.visit.fault}" if call.visit.fault else ""
        text = f"{call.at:9.2f}      {call.execution}  {call.visit.point}  {call.answer}{struck}"
        yield call.at, 1, text
    for at, slot, weight in world.watcher.gaps:
        yield at, 3, f"{at:9.2f}  {slot} has weight {weight} and no healthy target"
