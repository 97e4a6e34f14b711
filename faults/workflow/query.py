"""JSONata in a definition, as Step Functions evaluates it.

Parsed once. What is not in the lists below is refused when a definition is read, not when a case comes to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonata import Jsonata
from jsonata.jexception import JException
from jsonata.utils import Utils

FUNCTIONS = frozenset(
    {"now", "millis", "fromMillis", "exists", "contains", "parse", "count", "max", "string", "match"}
)
OPERATORS = frozenset({"=", "!=", "<", "<=", ">", ">=", "and", "or", "in", "&", "+", "-", "*", "/", "[", "{"})
NODES = frozenset(
    {"path", "name", "variable", "string", "number", "value", "binary", "unary", "function", "condition",
     "filter", "block"}
)  # fmt: skip
PARTS = frozenset(
    {"steps", "stages", "predicate", "expr", "arguments", "procedure", "lhs", "rhs", "lhs_object",
     "expressions", "expression", "condition", "then", "_else"}
)  # fmt: skip
_PLAIN = frozenset({"type", "value", "id", "position", "bp", "lbp", "_outer_instance", "consarray"})
STATES = (
    ("input",),
    ("result",),
    ("errorOutput",),
    ("context", "Execution", "Id"),
    ("context", "Execution", "Name"),
    ("context", "Execution", "Input"),
    ("context", "Execution", "StartTime"),
)
"""What of ``$states`` there is."""


class Refused(Exception):
    """The simulation does not implement this. Implement it, with a test, or do without it."""


class QueryEvaluationError(Exception):
    """What Step Functions calls States.QueryEvaluationError."""


def is_expression(value: Any) -> bool:
    """Whether a value of a definition is an expression."""
    return isinstance(value, str) and value.strip().startswith("{%")


def check(value: Any) -> None:
    """Refuse what a value of a definition holds, at any depth, and the simulation does not implement."""
    if isinstance(value, Mapping):
        for item in value.values():
            check(item)
    elif isinstance(value, list):
        for item in value:
            check(item)
    elif is_expression(value):
        _parsed(value)


def evaluate(value: Any, variables: Mapping[str, Any], states: Mapping[str, Any], millis: int) -> Any:
    """A value of a definition with its expressions replaced by what they give.

    ``millis`` is the moment, in milliseconds since 1970.

    Raises
    ------
    QueryEvaluationError
        An expression fails, or its result is undefined.
    """
    if isinstance(value, Mapping):
        return {key: evaluate(item, variables, states, millis) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, variables, states, millis) for item in value]
    if not is_expression(value):
        return value
    found = _at(_path(value), variables, states)
    if found is not None:
        return found
    bindings = {name: _given(item) for name, item in variables.items()}
    bindings |= {
        "states": states,
        "now": Jsonata.JLambda(lambda: _from_millis(millis)),
        "millis": Jsonata.JLambda(lambda: millis),
        "parse": Jsonata.JLambda(_parse),
    }
    try:
        found = _parsed(value).evaluate(None, bindings)
    except (JException, ValueError, TypeError) as error:
        raise QueryEvaluationError(f"{value}: {error}") from error
    if found is None:
        raise QueryEvaluationError(f"{value} is undefined")
    return _taken(found)


@cache
def _path(text: str) -> tuple[str, ...]:
    """The names of an expression that is a path and no more, e.g. ``$plan.service``; empty for others."""
    _parsed(text)
    found = _PATH.fullmatch(text.strip())
    return tuple(found[1].split(".")) if found else ()


_PATH = re.compile(r"\{%\s*\$(\w+(?:\.\w+)*)\s*%\}")


def _at(path: tuple[str, ...], variables: Mapping[str, Any], states: Mapping[str, Any]) -> Any:
    """What a path leads to through mappings alone, as JSONata gives it; None where JSONata has to say."""
    if not path:
        return None
    found: Any = states if path[0] == "states" else variables.get(path[0])
    for name in path[1:]:
        if type(found) is not dict:
            return None
        found = found.get(name)
    return found if type(found) in (str, bool, int, float, dict) else None


@cache
def _parsed(text: str) -> Jsonata:
    stripped = text.strip()
    if not stripped.endswith("%}"):
        raise Refused(f"an expression within a text: {text}")
    try:
        query = Jsonata(stripped[2:-2].strip())
    except JException as error:
        raise Refused(f"{text}: {error}") from error
    query.set_output_convert_nulls(False)  # null is a value, undefined is an error
    query.set_validate_input(False)
    _check_node(query.ast, text)
    return query


def _check_node(node: Any, text: str) -> None:
    kind = node.type
    odd = [name for name, part in vars(node).items() if part and name not in PARTS | _PLAIN]
    if kind not in NODES or odd or (kind in {"binary", "unary"} and node.value not in OPERATORS):
        raise Refused(f"{text}: {kind} {node.value} {' '.join(odd)}")
    if kind == "block" and len(node.expressions) != 1:
        raise Refused(f"{text}: several expressions in one")
    if kind == "function":
        if node.procedure.type != "variable" or node.procedure.value not in FUNCTIONS:
            raise Refused(f"{text}: function {node.procedure.value}")
        if node.procedure.value in {"now", "millis"} and node.arguments:
            raise Refused(f"{text}: an argument of ${node.procedure.value}")
        if node.procedure.value == "match" and [part.type for part in node.arguments[1:]] != ["regex"]:
            raise Refused(f"{text}: $match without a regular expression, or with a limit")
    if kind == "variable" and node.value == "states":
        raise Refused(f"{text}: $states as a whole")
    steps = _check_path(node, text) if kind == "path" else None
    for part in _parts(node):
        if part is not steps and not (kind == "function" and part.type == "regex"):
            _check_node(part, text)


def _check_path(node: Any, text: str) -> Any:
    """Refuse parts of ``$states`` that are not there; the first step is returned when it is ``$states``."""
    first = node.steps[0]
    if first.type != "variable" or first.value != "states":
        return None
    names = tuple(step.value for step in node.steps[1:])
    if not any(names[: len(known)] == known for known in STATES):
        raise Refused(f"{text}: $states.{'.'.join(map(str, names))}")
    return first


def _parts(node: Any) -> Iterator[Any]:
    for name in PARTS & vars(node).keys():
        if name == "procedure":
            continue
        part = getattr(node, name)
        for item in part if isinstance(part, list) else [part]:
            for piece in item if isinstance(item, list | tuple) else [item]:
                if hasattr(piece, "type"):
                    yield piece


def _given(value: Any) -> Any:
    return Utils.NULL_VALUE if value is None else value


def _taken(value: Any) -> Any:
    """Plain JSON of what the library gives."""
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        return {key: _taken(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_taken(item) for item in value]
    return value


def _parse(text: Any) -> Any:
    return _given(json.loads(text))


def _from_millis(millis: int) -> Any:
    return Jsonata("$fromMillis(m)").evaluate({"m": millis})
