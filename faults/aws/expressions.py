"""DynamoDB's expressions, as far as the journal uses them; anything else is refused.

Values are in DynamoDB's own form, e.g. ``{"S": "web"}``; an item maps names to values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from faults.aws.answer import AwsError
from faults.workflow.query import Refused

Item = dict[str, Any]
_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|[(),.]|<>|=)")


class _Reader:
    """Reads an expression from left to right; ``names`` and ``values`` are what the request gave with it."""

    def __init__(self, text: str, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        self.tokens, place, text = [], 0, text.strip()
        while place < len(text):
            found = _TOKEN.match(text, place)
            if not found:
                raise Refused(f"DynamoDB expression: {text[place:]}")
            self.tokens.append(found[1])
            place = found.end()
        self.names, self.values, self.text = names, values, text

    def next(self) -> str:
        """The next word, taken."""
        if not self.tokens:
            raise Refused(f"DynamoDB expression ends early: {self.text}")
        return self.tokens.pop(0)

    def peek(self) -> str:
        """The next word, in capitals."""
        return self.tokens[0].upper() if self.tokens else ""

    def take(self, *words: str) -> bool:
        """Take the next word if it is one of these."""
        if self.peek() in words:
            self.tokens.pop(0)
            return True
        return False

    def need(self, word: str) -> None:
        """Take a word that must be there."""
        if not self.take(word):
            raise Refused(f"DynamoDB expression: {word} is missing in {self.text}")

    def path(self) -> tuple[str, ...]:
        """A document path such as ``stages.#weight``."""
        parts = [self._name()]
        while self.take("."):
            parts.append(self._name())
        return tuple(parts)

    def value(self) -> Any:
        """A value such as ``:weights``."""
        word = self.next()
        if not word.startswith(":"):
            raise Refused(f"DynamoDB expression: {word} for a value in {self.text}")
        return self.values[word]

    def _name(self) -> str:
        word = self.next()
        if not re.fullmatch(r"#?\w+", word):
            raise Refused(f"DynamoDB expression: {word} for a name in {self.text}")
        return self.names[word] if word.startswith("#") else word


def holds(text: str, item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether a ConditionExpression holds for an item; an empty item is one that does not exist."""
    reader = _Reader(text, names, values)
    found = _any(reader, item)
    if reader.tokens:
        raise Refused(f"DynamoDB condition: {text}")
    return found


def updated(text: str, item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> Item:
    """The item after an UpdateExpression; every right-hand side sees the item before it."""
    reader = _Reader(text, names, values)
    changes: list[tuple[tuple[str, ...], Any]] = []
    while reader.tokens:
        clause = reader.next().upper()
        if clause not in {"SET", "REMOVE"}:
            raise Refused(f"DynamoDB update: {clause}")
        changes.append(_assignment(reader, item) if clause == "SET" else (reader.path(), None))
        while reader.take(","):
            changes.append(_assignment(reader, item) if clause == "SET" else (reader.path(), None))
    paths = [path for path, _ in changes]
    if any(a[: len(b)] == b for n, a in enumerate(paths) for b in paths[:n] + paths[n + 1 :]):
        raise AwsError("ValidationException", f"Two document paths overlap with each other: {text}")
    for path, value in changes:
        item = _put(item, path, value)
    return item


def look_up(item: Item, path: tuple[str, ...]) -> Any:
    """The value at a path; None where there is none."""
    value: Any = {"M": item}
    for name in path:
        value = value.get("M", {}).get(name)
        if value is None:
            return None
    return value


def _assignment(reader: _Reader, item: Item) -> tuple[tuple[str, ...], Any]:
    path = reader.path()
    reader.need("=")
    if reader.take("IF_NOT_EXISTS"):
        reader.need("(")
        known = look_up(item, reader.path())
        reader.need(",")
        value = reader.value()
        reader.need(")")
        return path, value if known is None else known
    return path, reader.value()


def _put(item: Item, path: tuple[str, ...], value: Any) -> Item:
    name, *rest = path
    if rest:
        inner = item.get(name, {}).get("M")
        if inner is None:
            raise AwsError("ValidationException", "The document path provided is invalid for update")
        return item | {name: {"M": _put(inner, tuple(rest), value)}}
    if value is None:
        return {key: known for key, known in item.items() if key != name}
    return item | {name: value}


def _any(reader: _Reader, item: Item) -> bool:
    found = _all(reader, item)
    while reader.take("OR"):
        found = _all(reader, item) or found
    return found


def _all(reader: _Reader, item: Item) -> bool:
    found = _one(reader, item)
    while reader.take("AND"):
        found = _one(reader, item) and found
    return found


def _one(reader: _Reader, item: Item) -> bool:
    if reader.take("("):
        found = _any(reader, item)
        reader.need(")")
        return found
    if reader.take("NOT"):
        return not _one(reader, item)
    for word, holds_if in _EXISTENCE.items():
        if reader.take(word):
            reader.need("(")
            found = holds_if(look_up(item, reader.path()))
            reader.need(")")
            return found
    known = look_up(item, reader.path())
    operator = reader.next()
    value = reader.value()
    if operator == "=":
        return bool(known == value)
    if operator == "<>":
        return bool(known != value)
    raise Refused(f"DynamoDB condition: {operator}")


_EXISTENCE: dict[str, Callable[[Any], bool]] = {
    "ATTRIBUTE_EXISTS": lambda value: value is not None,
    "ATTRIBUTE_NOT_EXISTS": lambda value: value is None,
}
