"""JSONata expressions in a definition: whether they parse, and what they read."""

from collections.abc import Iterator
from typing import Any

from jsonata import Jsonata


def is_expression(text: str) -> bool:
    """Whether a string of a definition is an expression."""
    return text.strip().startswith("{%")


def parsed(text: str) -> Any:
    """The syntax tree of an expression; raises when it does not parse."""
    return Jsonata.jsonata(text.strip().removeprefix("{%").removesuffix("%}").strip()).ast


def reads(text: str) -> set[tuple[str, ...]]:
    """What an expression reads, e.g. ``{("plan", "spec", "service"), ("states", "input", "action")}``."""
    return set(_reads(parsed(text)))


def variable_alone(text: str) -> str | None:
    """The variable that an expression consists of; None when it is anything more."""
    tree = parsed(text) if is_expression(text) else None
    return tree.value if tree is not None and _kind(tree) == "variable" else None


def equalities(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Comparisons of a path with a literal, e.g. ``(("states", "input", "status"), "ready")``."""
    for node in _nodes(parsed(text)):
        if _kind(node) == "binary" and node.value == "=" and _kind(node.rhs) == "string":
            for path in _reads(node.lhs):
                yield path, node.rhs.value


def _kind(node: Any) -> str | None:
    kind = getattr(node, "type", None)
    return str(kind) if isinstance(kind, str) else None


def _children(node: Any) -> Iterator[Any]:
    for key, value in vars(node).items():
        if key == "procedure":
            continue  # the name of a function is no variable
        items = value if isinstance(value, list) else [value]
        for item in items:
            for part in item if isinstance(item, list | tuple) else [item]:
                if _kind(part):
                    yield part


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _reads(node: Any) -> Iterator[tuple[str, ...]]:
    kind = _kind(node)
    if kind == "variable" and node.value:
        yield (node.value,)
    elif kind == "path" and _kind(node.steps[0]) == "variable":
        names = [step.value for step in node.steps if _kind(step) in {"variable", "name"}]
        yield tuple(names)
        for step in node.steps:
            for child in _children(step):
                yield from _reads(child)
    else:
        for child in _children(node):
            yield from _reads(child)
