"""The graph of a definition: where a state can go, what is assigned on the way, and what bounds a loop."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import networkx

from faults.files import Definition, State
from tests.statemachine.expressions import variable_alone

ANCHORS = ("deadline", "shifted")
"""Arguments by which a handler ends its loop: a deadline, or the moment that one is counted from."""
RISES = {
    "stage": "{% $max([$weight = null ? $stage + 1 : $stage, $states.input.next_stage]) %}",
    "weight": "{% $stage = 0 ? $states.input.next_weight : null %}",
}
"""How a Pass counts the stages up: by one at least, or from a retry, which only follows stage 0, it stays."""

RENAMES = {"VerifyCandidate"}
"""States that assign the plan with another version of its release, and with the same stages."""


class Way(NamedTuple):
    """A way from a state to the next one, and what is assigned on it."""

    kind: str
    next: str
    assigns: dict[str, Any]


def ways(state: State) -> Iterator[Way]:
    """Every way out of a state."""
    own = state.get("Assign", {})
    if "Next" in state:
        yield Way("next", state["Next"], own)
    for choice in state.get("Choices", []):
        yield Way("choice", choice["Next"], choice.get("Assign", {}))
    if "Default" in state:
        yield Way("default", state["Default"], own)
    for catcher in state.get("Catch", []):
        yield Way("catch", catcher["Next"], catcher.get("Assign", {}))


def graph(definition: Definition) -> networkx.DiGraph:
    """The definition as a directed graph."""
    found = networkx.DiGraph()
    found.add_nodes_from(definition["States"])
    for name, state in definition["States"].items():
        found.add_edges_from((name, way.next) for way in ways(state))
    return found


def unbounded_loops(definition: Definition) -> list[set[str]]:
    """The loops that nothing ends; empty for a good definition.

    A nest of loops is taken apart from the outside: an anchor is a state that a walk can pass only a bounded
    number of times while it stays within the nest, so it is taken out and the rest is judged alone. A Task is
    an anchor when it hands its function a deadline that no state of the nest assigns; a Pass is one when it
    counts ``stage`` up, a Choice of the nest ends the counting, and no other state of the nest assigns it or
    what else is counted.
    Any state is one that counts a variable up and is entered, within the nest, only by Choices that ask
    whether the count is below a number.
    """
    return list(_unbounded(graph(definition), definition["States"]))


def _unbounded(part: networkx.DiGraph, states: dict[str, State]) -> Iterator[set[str]]:
    for nest in networkx.strongly_connected_components(part):
        inner = part.subgraph(nest)
        if networkx.is_directed_acyclic_graph(inner):
            continue
        anchor = next((name for name in sorted(nest) if _anchors(name, nest, states)), None)
        if anchor is None:
            yield set(nest)
        else:
            yield from _unbounded(part.subgraph(nest - {anchor}), states)


def _anchors(name: str, nest: set[str], states: dict[str, State]) -> bool:
    assigned = {
        variable: {member for member in nest for way in ways(states[member]) if variable in way.assigns}
        for member in nest
        for way in ways(states[member])
        for variable in way.assigns
    }
    state = states[name]
    if any(_counts(variable, name, nest, states) for variable in assigned if assigned[variable] == {name}):
        return True
    if state["Type"] == "Task":
        payload = state["Arguments"].get("Payload", {})
        variables = [variable_alone(payload[key]) for key in ANCHORS if payload.get(key)]
        return any(variable and variable not in assigned for variable in variables)
    counts = state["Type"] == "Pass" and RISES.items() <= state.get("Assign", {}).items()
    ends = any(
        "$stage + 1 = $count($plan.stages)" in choice["Condition"] and choice["Next"] not in nest
        for member in nest
        for choice in states[member].get("Choices", [])
    )
    alone = counts and all(assigned[variable] == {name} for variable in RISES)
    return alone and ends and assigned.get("plan", set()) <= RENAMES


def _counts(variable: str, name: str, nest: set[str], states: dict[str, State]) -> bool:
    if states[name].get("Assign", {}).get(variable) != f"{{% ${variable} + 1 %}}":
        return False
    entries = [way for member in nest for way in ways(states[member]) if way.next == name]
    asked = [
        choice["Condition"]
        for member in nest
        for choice in states[member].get("Choices", [])
        if choice["Next"] == name
    ]
    below = re.compile(rf"\${variable} < [0-9]+\b")
    return len(entries) == len(asked) and all(below.search(condition) for condition in asked)
