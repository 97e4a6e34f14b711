"""What MiniStack leaves out of the states language and Crossfade's definitions use."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from sandbox.patching import replaces

Context = dict[str, Any]
State = dict[str, Any]


@replaces(stepfunctions, "_apply_output_path", version="1.5.33")
def let_succeed_have_an_output(
    emulator: Callable[..., object], state: State, data: object, ctx: Context | None = None
) -> object:
    """MiniStack: the Output of a JSONata Succeed state is ignored."""
    if state.get("Type") == "Succeed" and "Output" in state:
        return stepfunctions._apply_jsonata_output(state, data, ctx, default=data)
    return emulator(state, data, ctx)


@replaces(stepfunctions, "_execute_choice", version="1.5.33")
def let_a_choices_default_have_an_output(
    emulator: Callable[..., tuple[object, str]], state: State, given: object, ctx: Context | None = None
) -> tuple[object, str]:
    """MiniStack: the Output of a Choice state is ignored; on AWS it is that of its Default."""
    if "Output" not in state or "Default" not in state:
        return emulator(state, given, ctx)
    rules = {name: value for name, value in state.items() if name != "Default"}
    try:
        return emulator(rules, given, ctx)
    except stepfunctions._ExecutionError as error:
        if error.error != "States.NoChoiceMatched":
            raise
        output = stepfunctions._apply_jsonata_output(state, given, ctx, default=given)
        stepfunctions._apply_state_assign(state, given, ctx)
        return output, state["Default"]


@replaces(stepfunctions, "_apply_state_assign", version="1.5.33")
def assign_all_at_once(
    emulator: Callable[..., None], state: State, given: object, ctx: Context | None, **found: Any
) -> None:
    """MiniStack: an expression of an Assign sees what those above it have assigned; on AWS all see the
    variables as they were when the state began.
    """
    if ctx is None:
        return
    before = ctx.get("variables", {})
    after = dict(before)
    for name, template in (state.get("Assign") or {}).items():
        scratch = {**ctx, "variables": dict(before)}
        emulator({**state, "Assign": {name: template}}, given, scratch, **found)
        if name in scratch["variables"]:  # an Assign in JSONPath is left alone
            after[name] = scratch["variables"][name]
    ctx["variables"] = after


@replaces(stepfunctions, "_find_matching_retrier", version="1.5.33")
def bound_delays_of_retries(
    emulator: Callable[..., tuple[State | None, int]],
    retriers: list[State],
    error: str,
    counts: dict[int, int],
) -> tuple[State | None, int]:
    """MiniStack: MaxDelaySeconds and JitterStrategy of a Retry are ignored."""
    retrier, place = emulator(retriers, error, counts)
    if retrier is None:
        return None, -1
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(place, 0)
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    if retrier.get("JitterStrategy") == "FULL":
        delay = random.uniform(0, delay)
    return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1}, place


@replaces(stepfunctions, "_error_matches", version="1.5.33")
def let_nothing_catch_runtime_errors(
    emulator: Callable[..., bool], error_equals: list[str], error: str
) -> bool:
    """MiniStack: States.ALL matches States.Runtime, which on AWS passes every Retry and Catch."""
    return error != "States.Runtime" and bool(emulator(error_equals, error))
