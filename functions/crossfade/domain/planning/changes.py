"""What changes with a release beside its image: its task definition and its service, field by field.

Values are shown of fields that hold none of an application's secrets. Of the others, such as a variable of
the environment, the name is shown alone: a plan is read by everybody who may see an execution.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from crossfade.domain.answers import shortened
from crossfade.domain.planning.task_definition import COPIED, OWN_TAGS, PREFIX
from crossfade.domain.spec.placed import Pattern

HIDDEN = frozenset({"environment", "command", "entryPoint", "options", "dockerLabels", "extraHosts"})
"""Fields of a container whose values may be secrets, as their owner has written them."""
NAMES = ("name", "key", "PolicyName", "ScheduledActionName", "AlarmName", "capacityProvider")
"""By which of its fields an object is known in a list."""
VALUES = frozenset({"value", "valueFrom"})
MOST_CHANGES = 40
"""Of a release: a plan travels with each state, of whose 256 KiB it is to take little."""

Given = Mapping[str, Any]


def changes(
    before: Given, after: Given, live: Pattern | None, pattern: Pattern, released: Collection[str]
) -> tuple[str, ...]:
    """The differences between what runs and a release, as texts such as ``cpu: 256 → 512``.

    ``before`` is the live task definition with its tags, ``after`` the arguments of RegisterTaskDefinition.
    ``live`` is the pattern that the live release was made from, None where that is not known. ``released``
    names the containers whose image is the release's: that is no change of the configuration.
    """
    found = list(_differences(_of_definition(before, released), _of_definition(after, released)))
    if live is not None and live.fingerprint != pattern.fingerprint:
        found += _differences(_of_service(live), _of_service(pattern))
    more = len(found) - MOST_CHANGES
    return (*found[:MOST_CHANGES], *([f"and {more} more"] if more > 0 else []))


def _of_definition(given: Given, released: Collection[str]) -> dict[str, Any]:
    own = [
        {key: value for key, value in one.items() if key != "image" or one["name"] not in released}
        for one in given["containerDefinitions"]
    ]
    tags = [tag for tag in given["tags"] if tag["key"] not in OWN_TAGS and not tag["key"].startswith("aws:")]
    fields = {key: given[key] for key in COPIED if given.get(key)}
    return dict(_leaves({**fields, "containers": own, "tags": tags}))


def _of_service(pattern: Pattern) -> dict[str, Any]:
    scaling = pattern.scaling.model_dump(mode="json") if pattern.scaling else {}
    return dict(_leaves({"service": {**pattern.settings, "tags": pattern.tags}, "scaling": scaling}))


def _differences(before: Given, after: Given) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if HIDDEN & set(path.split(".")):
            yield f"{path} {'added' if old is None else 'removed' if new is None else 'changed'}"
        else:
            yield f"{path}: {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return shortened(value if isinstance(value, str) else json.dumps(value))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values below a path, each by its own; what is empty is as what is left out."""
    if isinstance(value, list | tuple):
        known = next((name for name in NAMES if value and all(_has(one, name) for one in value)), None)
        if known is None:
            if value:
                yield path, sorted(value, key=json.dumps) if path.split(".")[-1] not in HIDDEN else value
            return
        value = {str(one[known]): _rest(one, known) for one in value}
    if not isinstance(value, Mapping):
        if value not in (None, ""):
            yield path, value
        return
    for key, inner in value.items():
        # It names the release, and so is another one each time.
        if key != PREFIX:
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))


def _has(one: Any, name: str) -> bool:
    return isinstance(one, Mapping) and name in one


def _rest(one: Mapping[str, Any], known: str) -> Any:
    """The other fields of a named object: of a variable, a secret or a tag its value alone."""
    rest = {key: value for key, value in one.items() if key != known}
    return next(iter(rest.values())) if len(rest) == 1 and rest.keys() <= VALUES else rest
