"""The bound on harm: ``docs/what-crossfade-changes.md`` as the tests read it.

An account is a mapping of its resources, each by kind and name, to their attributes. What differs between two
accounts are changes, and the law says which of them Crossfade may make.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

from faults.files import ROOT

PREFIXES = {"elbv2": "elasticloadbalancing", "stepfunctions": "states"}
"""Services whose actions in IAM begin otherwise than boto3 calls them."""
PAGE = "docs/what-crossfade-changes.md"
READS = ("Describe", "Filter", "Get", "List", "Query")
"""How the operations of AWS that write nothing begin."""
COMES, GOES, ANYTHING, NOTHING = "comes", "goes", "anything", "nothing"


class Resource(NamedTuple):
    """A resource by its kind, e.g. ``listener rule``, and its name, which the page says how to build."""

    kind: str
    name: str


class Change(NamedTuple):
    """What has become of a resource: it ``comes``, it ``goes``, or an attribute differs.

    An attribute is a path, e.g. ``Actions[].Type``: the places of a list are all called ``[]``.
    """

    resource: Resource
    what: str

    def __str__(self) -> str:
        kind, name = self.resource
        return f"{kind} {name}: {self.what}"


Attributes = Mapping[str, Any]
Held = Mapping[Resource, Attributes]
"""What an account holds."""


class Row(NamedTuple):
    """A row of the first table. ``ground``: ``made``, ``given``, or nothing where nothing may differ."""

    kind: str
    which: tuple[str, ...]
    what: frozenset[str]
    ground: str


class Law:
    """The page, with the names of one service and one stack in the place of its braces."""

    def __init__(self, **names: Any) -> None:
        self._rows = [
            row._replace(which=tuple(_filled(pattern, names) for pattern in row.which)) for row in rows()
        ]

    def covers(self, resource: Resource) -> bool:
        """Whether anything of a resource may differ at all."""
        return any(row.ground for row in self._of(resource))

    def allows(self, change: Change, *, made: bool) -> bool:
        """Whether Crossfade may make a change; ``made``: it has made the resource."""
        return any(
            _among(change.what, row.what) and (row.ground == "given" or made or change.what == COMES)
            for row in self._of(change.resource)
        )

    def _of(self, resource: Resource) -> Iterator[Row]:
        for row in self._rows:
            if row.kind == resource.kind and any(fnmatchcase(resource.name, one) for one in row.which):
                yield row


def rows() -> list[Row]:
    """The first table."""
    return [
        Row(kind, tuple(_names(which)), frozenset(name.strip("`") for name in what.split(", ")), ground)
        for kind, which, what, ground in _table("What may differ")
    ]


@cache
def settings() -> dict[str, tuple[str, frozenset[str]]]:
    """The second table: call, e.g. ``ecs:RunTask`` → the kind of what it changes, and what it may set."""
    return {
        name: (kind, frozenset(_names(sets)))
        for kind, call, sets in _table("What a call sets")
        for name in _names(call)
    }


def calls(
    service: str, operation: str, request: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The writes that a call of boto3 consists of, each as the page names it, with what it sets.

    A transaction consists of its parts; those that only check something write nothing.
    """
    if operation != "TransactWriteItems":
        yield f"{PREFIXES.get(service, service)}:{operation}", request
        return
    for part in request["TransactItems"]:
        for kind, given in part.items():
            if kind != "ConditionCheck":
                yield f"dynamodb:{kind}Item", given


def unnamed(call: str, request: Mapping[str, Any]) -> Iterator[str]:
    """What a write sets and the page does not name for it."""
    if call not in settings():
        yield f"{call} is not in {PAGE}"
        return
    for name in sorted(request.keys() - settings()[call][1]):
        yield f"{call} sets {name}, which {PAGE} does not name"


def changes(before: Held, after: Held) -> Iterator[Change]:
    """What differs between two accounts."""
    for resource in before.keys() | after.keys():
        if resource not in before:
            yield Change(resource, COMES)
        elif resource not in after:
            yield Change(resource, GOES)
        elif before[resource] is not after[resource] and before[resource] != after[resource]:
            old, new = (dict(flat(held[resource])) for held in (before, after))
            differ = {
                path for path in old.keys() | new.keys() if old.get(path, _NONE) != new.get(path, _NONE)
            }
            for name in sorted({_PLACES.sub("[]", path) for path in differ}):
                yield Change(resource, name)


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The paths of a value's leaves, and the leaves; an empty list or mapping is a leaf."""
    if isinstance(value, Mapping) and (value or not path):
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and value:
        for place, inner in enumerate(value):
            yield from flat(inner, f"{path}[{place}]")
    else:
        yield path, value


_NONE = object()
_PLACES = re.compile(r"\[\d+\]")


def _among(what: str, named: frozenset[str]) -> bool:
    """Whether a change is one of those named, or of something within it."""
    if what in named or (ANYTHING in named and what not in (COMES, GOES)):
        return True
    return any(what.startswith((f"{name}.", f"{name}[")) for name in named)


def _names(cell: str) -> list[str]:
    """What stands in code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def _filled(pattern: str, names: Mapping[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(names[found[1]]), pattern)


@cache
def _table(heading: str) -> list[list[str]]:
    """The cells of the rows of the table under a heading."""
    section = (ROOT / PAGE).read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[1:]]
