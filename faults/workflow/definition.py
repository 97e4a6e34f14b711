"""Definitions in the Amazon States Language: read, and refused where the simulation falls short of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faults.workflow.query import Refused, check, is_expression

State = dict[str, Any]
Definition = dict[str, Any]

INVOKE = "arn:aws:states:::lambda:invoke"
START_AND_WAIT = "arn:aws:states:::states:startExecution.sync:2"

_MACHINE = {"Comment", "QueryLanguage", "TimeoutSeconds", "StartAt", "States"}
_ALL = {"Type", "Comment", "Output", "Assign"}
_FIELDS = {
    "Task": _ALL | {"Resource", "Arguments", "TimeoutSeconds", "Retry", "Catch", "Next"},
    "Choice": _ALL | {"Choices", "Default"},
    "Wait": _ALL | {"Seconds", "Next"},
    "Pass": _ALL | {"Next"},
    "Succeed": {"Type", "Comment", "Output"},
    "Fail": {"Type", "Comment", "Error", "Cause"},
}
_NEEDED = {
    "Task": {"Resource", "Arguments", "TimeoutSeconds", "Next"},
    "Choice": {"Choices", "Default"},
    "Wait": {"Seconds", "Next"},
    "Pass": {"Next"},
    "Succeed": set[str](),
    "Fail": {"Error", "Cause"},
}
_ARGUMENTS = {
    INVOKE: ({"FunctionName", "Payload"}, set[str]()),
    START_AND_WAIT: ({"StateMachineArn", "Input"}, {"Name"}),
}
_CHOICE = {"Condition", "Next", "Assign", "Output", "Comment"}
_RETRY = {
    "ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy",
    "Comment",
}  # fmt: skip
_CATCH = {"ErrorEquals", "Next", "Assign", "Output", "Comment"}
_OWN_NAMES = {"States.ALL", "States.Timeout", "States.TaskFailed", "States.QueryEvaluationError"}


def read(definition: Definition) -> Definition:
    """The definition, once nothing in it is beyond the simulation.

    Raises
    ------
    Refused
        A field, a state type, a resource, an error name or a function that the simulation does not implement.
    """
    _fields("the machine", definition, _MACHINE, needed={"StartAt", "States", "QueryLanguage"})
    if definition["QueryLanguage"] != "JSONata":
        raise Refused(f"query language {definition['QueryLanguage']}")
    _seconds("the machine", definition.get("TimeoutSeconds", 1))
    targets = {definition["StartAt"]}
    for name, state in definition["States"].items():
        targets |= _state(name, state)
    if missing := targets - definition["States"].keys():
        raise Refused(f"states that are not there: {missing}")
    return definition


def _state(name: str, state: State) -> set[str]:
    """Check a state; the names that it leads to are returned."""
    kind = state.get("Type")
    if kind not in _FIELDS:
        raise Refused(f"{name}: state type {kind}")
    _fields(name, state, _FIELDS[kind], _NEEDED[kind])
    check(state)
    targets = {state["Next"]} if "Next" in state else set()
    if kind == "Task":
        targets |= _task(name, state)
    elif kind == "Choice":
        targets |= _choice(name, state)
    elif kind == "Wait" and not is_expression(state["Seconds"]):
        _seconds(name, state["Seconds"])
    return targets


def _task(name: str, state: State) -> set[str]:
    if state["Resource"] not in _ARGUMENTS:
        raise Refused(f"{name}: resource {state['Resource']}")
    needed, optional = _ARGUMENTS[state["Resource"]]
    _fields(f"{name}.Arguments", state["Arguments"], needed | optional, needed)
    _seconds(name, state["TimeoutSeconds"])
    for retrier in state.get("Retry", []):
        _fields(f"{name}.Retry", retrier, _RETRY, {"ErrorEquals"})
        _errors(name, retrier["ErrorEquals"])
        if retrier.get("JitterStrategy", "NONE") not in {"FULL", "NONE"}:
            raise Refused(f"{name}: jitter {retrier['JitterStrategy']}")
    for catcher in state.get("Catch", []):
        _fields(f"{name}.Catch", catcher, _CATCH, {"ErrorEquals", "Next"})
        _errors(name, catcher["ErrorEquals"])
    return {catcher["Next"] for catcher in state.get("Catch", [])}


def _choice(name: str, state: State) -> set[str]:
    for rule in state["Choices"]:
        _fields(f"{name}.Choices", rule, _CHOICE, {"Condition", "Next"})
        if not is_expression(rule["Condition"]):
            raise Refused(f"{name}: a condition that is no expression")
    return {state["Default"], *(rule["Next"] for rule in state["Choices"])}


def _errors(name: str, names: list[str]) -> None:
    own = {error for error in names if error.startswith("States.")}
    if own - _OWN_NAMES or ("States.ALL" in names and len(names) > 1):
        raise Refused(f"{name}: ErrorEquals {names}")


def _fields(name: str, given: Mapping[str, Any], known: set[str], needed: set[str]) -> None:
    if odd := given.keys() - known:
        raise Refused(f"{name}: field {', '.join(sorted(odd))}")
    if missing := needed - given.keys():
        raise Refused(f"{name}: {', '.join(sorted(missing))} is missing")


def _seconds(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refused(f"{name}: {value!r} seconds")
