"""What MiniStack 1.5.33 leaves out of the states language and Crossfade's definitions use."""

from __future__ import annotations

import random
from typing import Any

from ministack.services import stepfunctions

Context = dict[str, Any]
State = dict[str, Any]


def install() -> None:
    """Put the patches in place; each is looked up by name when an execution runs."""
    _let_succeed_have_an_output()
    _let_choice_default_have_an_output()
    _assign_all_at_once()
    _bound_delays_of_retries()
    _let_nothing_catch_runtime_errors()


def _let_succeed_have_an_output() -> None:
    """MiniStack 1.5.33: the Output of a JSONata Succeed state is ignored."""
    emulator = stepfunctions._apply_output_path

    def apply_output_path(state: State, data: object, ctx: Context | None = None) -> object:
        if state.get("Type") == "Succeed" and "Output" in state:
            return stepfunctions._apply_jsonata_output(state, data, ctx, default=data)
        return emulator(state, data, ctx)

    stepfunctions._apply_output_path = apply_output_path


def _let_choice_default_have_an_output() -> None:
    """MiniStack 1.5.33: the Output of a Choice state is ignored; on AWS it is that of its Default."""
    emulator = stepfunctions._execute_choice

    def execute_choice(state: State, given: object, ctx: Context | None = None) -> tuple[object, str]:
        if "Output" not in state or "Default" not in state:
            chosen: tuple[object, str] = emulator(state, given, ctx)
            return chosen
        rules = {name: value for name, value in state.items() if name != "Default"}
        try:
            chosen = emulator(rules, given, ctx)
        except stepfunctions._ExecutionError as error:
            if error.error != "States.NoChoiceMatched":
                raise
            output = stepfunctions._apply_jsonata_output(state, given, ctx, default=given)
            stepfunctions._apply_state_assign(state, given, ctx)
            return output, state["Default"]
        return chosen

    stepfunctions._execute_choice = execute_choice


def _assign_all_at_once() -> None:
    """MiniStack 1.5.33: an expression of an Assign sees what those above it have assigned; on AWS all see
    the variables as they were when the state began.
    """
    emulator = stepfunctions._apply_state_assign

    def apply_state_assign(state: State, given: object, ctx: Context | None, **found: Any) -> None:
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

    stepfunctions._apply_state_assign = apply_state_assign


def _bound_delays_of_retries() -> None:
    """MiniStack 1.5.33: MaxDelaySeconds and JitterStrategy of a Retry are ignored."""
    emulator = stepfunctions._find_matching_retrier

    def find_matching_retrier(
        retriers: list[State], error: str, counts: dict[int, int]
    ) -> tuple[State | None, int]:
        retrier, place = emulator(retriers, error, counts)
        if retrier is None:
            return None, -1
        delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(place, 0)
        delay = min(delay, retrier.get("MaxDelaySeconds", delay))
        if retrier.get("JitterStrategy") == "FULL":
            delay = random.uniform(0, delay)
        return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1}, place

    stepfunctions._find_matching_retrier = find_matching_retrier


def _let_nothing_catch_runtime_errors() -> None:
    """MiniStack 1.5.33: States.ALL matches States.Runtime, which on AWS passes every Retry and Catch."""
    emulator = stepfunctions._error_matches

    def error_matches(error_equals: list[str], error: str) -> bool:
        return error != "States.Runtime" and bool(emulator(error_equals, error))

    stepfunctions._error_matches = error_matches
