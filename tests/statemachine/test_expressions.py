"""What the definitions say in JSONata: that it parses, and that what it reads is there."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from faults.files import MACHINES, State, definition
from tests.statemachine.definitions import (
    answer_model,
    event_keys,
    every,
    function_of,
    handler_module,
    lambda_tasks,
    states,
    strings,
)
from tests.statemachine.expressions import equalities, is_expression, reads
from tests.statemachine.flow import ways

JSONPATH = {
    "InputPath", "OutputPath", "Parameters", "ResultPath", "ResultSelector", "ItemsPath", "Result",
    "SecondsPath", "TimestampPath", "TimeoutSecondsPath", "ErrorPath", "CausePath", "Variable",
}  # fmt: skip
UNKNOWN = object()
PAYLOAD = ("states", "result", "Payload")


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _expressions(value: Any) -> list[str]:
    return [text for text in strings(value) if is_expression(text)]


def _variables(value: Any) -> set[str]:
    return {path[0] for text in _expressions(value) for path in reads(text)} - {"states"}


def _known_at(machine: str) -> dict[str, set[str]]:
    """The variables that are assigned on every way to a state: a must-assign data flow analysis."""
    found: dict[str, set[str] | None] = dict.fromkeys(states(machine))
    found[definition(machine)["StartAt"]] = set()
    changed = True
    while changed:
        changed = False
        for name, state in states(machine).items():
            before = found[name]
            if before is None:
                continue
            for way in ways(state):
                after, known = before | set(way.assigns), found[way.next]
                merged = after if known is None else known & after
                if merged != known:
                    found[way.next], changed = merged, True
    assert None not in found.values(), "a state that nothing leads to"
    return {name: known or set() for name, known in found.items()}


def _follow(annotation: Any, names: tuple[str, ...]) -> Any:
    """The annotation that a path of fields ends at; UNKNOWN in an open shape; None for no such field."""
    for name in names:
        if annotation is None:
            return None  # the handler answers nothing
        inner = [part for part in get_args(annotation) if part is not type(None) and part is not Ellipsis]
        while get_origin(annotation) is not None and get_origin(annotation) is not Literal and inner:
            annotation = inner[0]
            inner = [part for part in get_args(annotation) if part is not type(None) and part is not Ellipsis]
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return UNKNOWN
        if name not in annotation.model_fields:
            return None
        annotation = annotation.model_fields[name].annotation
    return annotation


def _answer(machine: str, name: str) -> Any:
    return answer_model(handler_module(function_of(machine, name)))


def _types(machine: str) -> dict[str, list[Any]]:
    """The models of the variables that are assigned from handlers' answers."""
    found: dict[str, list[Any]] = {}
    for name in lambda_tasks(machine):
        for variable, value in states(machine)[name].get("Assign", {}).items():
            if not (isinstance(value, str) and is_expression(value)):
                continue
            for path in reads(value):
                if path[:3] == PAYLOAD:
                    found.setdefault(variable, []).append(_follow(_answer(machine, name), path[3:]))
    return found


@pytest.mark.parametrize("machine", MACHINES)
def test_jsonata_only(machine: str) -> None:
    """One query language, set once; no field of the other one, at any depth."""
    found = definition(machine)
    assert found["QueryLanguage"] == "JSONata"
    for state in found["States"].values():
        keys = set(_keys({key: value for key, value in state.items() if key not in {"Arguments", "Output"}}))
        assert not keys & JSONPATH
        assert "QueryLanguage" not in keys
        assert not any(key.endswith(".$") for key in _keys(state))


@pytest.mark.parametrize(("machine", "name"), every(states))
def test_expressions_parse(machine: str, name: str) -> None:
    """A slip in an expression would show on its first use only, which may be a rollback."""
    for text in strings(states(machine)[name]):
        if "{%" in text:
            assert is_expression(text)
            assert text.strip().endswith("%}")
            reads(text)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_variable_is_assigned_before_it_is_read(machine: str) -> None:
    """On every way to a state, a Catch's as well; else the read is States.QueryEvaluationError."""
    known = _known_at(machine)
    missing = {
        name: _variables(state) - known[name]
        for name, state in states(machine).items()
        if _variables(state) - known[name]
    }
    assert missing == {}


@pytest.mark.parametrize("machine", MACHINES)
def test_no_variable_is_dead(machine: str) -> None:
    """What is assigned is read somewhere."""
    assigned = {
        variable for state in states(machine).values() for way in ways(state) for variable in way.assigns
    }
    assert assigned - _variables(states(machine)) == set()


@pytest.mark.parametrize(("machine", "name"), every(lambda_tasks))
def test_payload_is_the_handlers_event(machine: str, name: str) -> None:
    """The keys that a Task sends are the parameters of its handler, no more and no fewer."""
    payload = states(machine)[name]["Arguments"]["Payload"]
    assert set(payload) == event_keys(handler_module(function_of(machine, name)))


@pytest.mark.parametrize(("machine", "name"), every(lambda_tasks))
def test_fields_read_from_an_answer_exist(machine: str, name: str) -> None:
    """`$states.result.Payload.x` names a field of the handler's answer."""
    for text in _expressions(states(machine)[name]):
        for path in reads(text):
            if path[:3] == PAYLOAD:
                assert _follow(_answer(machine, name), path[3:]) is not None, path


SHOWN = {
    "reason": "the console shows with a state what its handler has found",
    "started": "the console shows which releases were started; their own executions do not name this one",
    "slot": "the console shows whether the old slot was stopped, or is in use again",
}
"""Fields of answers that no definition reads, and what a person reads in them."""


def _read(machine: str, name: str) -> Iterator[str]:
    """The fields of a Task's answer that are read: at once, from a variable, or as the input of a Choice."""
    state = states(machine)[name]
    whole = [key for key, value in state.get("Assign", {}).items() if _is_payload(value)]
    users = [(state, PAYLOAD)] + [(states(machine), (variable,)) for variable in whole]
    if _is_payload(state.get("Output")):
        choice = states(machine)[state["Next"]]
        after = [choice, *(states(machine)[way.next] for way in ways(choice))]
        users += [(user, ("states", "input")) for user in after]
    for user, source in users:
        for text in _expressions(user):
            yield from (path[len(source)] for path in reads(text) if path[:-1][: len(source)] == source)


def _is_payload(value: Any) -> bool:
    """Whether a value of a definition is the whole of a handler's answer."""
    return isinstance(value, str) and is_expression(value) and reads(value) == {PAYLOAD}


def test_every_field_of_an_answer_is_read() -> None:
    """By a definition or by a person; a handler that nobody asks anything answers nothing."""
    answered: dict[str, set[str]] = {}
    for machine, name in every(lambda_tasks):
        answered.setdefault(function_of(machine, name), set()).update(_read(machine, name))
    for function, read in answered.items():
        model = answer_model(handler_module(function))
        fields = set(model.model_fields) if model else set()
        assert read <= fields <= read | SHOWN.keys(), function


@pytest.mark.parametrize("machine", MACHINES)
def test_fields_read_from_variables_exist(machine: str) -> None:
    """`$plan.spec.service` and the like follow the fields of the models that the handlers answered with."""
    types = _types(machine)
    assert "plan" in types or "found" in types
    for state in states(machine).values():
        for text in _expressions(state):
            for path in reads(text):
                for model in types.get(path[0], []):
                    assert _follow(model, path[1:]) is not None, path


OWN_COUNT = {
    *("MayPlanAgain", "ProbeRestarted", "TriedBefore", "StaysWarm", "ProbeAtWork", "Reported"),
    *("WentBack", "Settled", "LoserRunsOn"),
}
"""Choices that compare no handler's word: a count of the definition's own, its input, the plan's spec, what
the other machine puts out.
"""


@pytest.mark.parametrize(
    ("machine", "name"),
    [(machine, name) for machine, name in every(states) if states(machine)[name]["Type"] == "Choice"],
)
def test_choices_compare_with_words_that_exist(machine: str, name: str) -> None:
    """`'shifted'` in a Condition is one of the words that the state before can answer with."""
    types, compared = _types(machine), 0
    for choice in states(machine)[name]["Choices"]:
        for path, word in equalities(choice["Condition"]):
            for annotation in _annotations(machine, name, path, types):
                compared += 1
                assert get_origin(annotation) is Literal
                assert word in get_args(annotation)
    assert compared or name in OWN_COUNT


def _annotations(machine: str, choice: str, path: tuple[str, ...], types: dict[str, list[Any]]) -> list[Any]:
    if path[:2] != ("states", "input"):
        return [_follow(model, path[1:]) for model in types.get(path[0], [])]
    before = [name for name, state in lambda_tasks(machine).items() if state.get("Next") == choice]
    assert before, "a Choice that reads its input follows a Task"
    return [_of_input(machine, name, states(machine)[name], path[2:]) for name in before]


def _of_input(machine: str, name: str, state: State, path: tuple[str, ...]) -> Any:
    output, rest = state["Output"], path
    if isinstance(output, dict):
        output, rest = output[path[0]], path[1:]
    (source,) = reads(output)
    return _follow(_answer(machine, name), source[3:] + rest)
