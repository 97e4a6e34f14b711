"""moto, which remembers what it would work out anew for each field of an answer: a tenth of the time."""

from collections.abc import Callable, Iterator
from inspect import isfunction
from typing import Any

import pytest
from moto.core import responses
from moto.core.serialize import AttributePicker, AttributePickerContext, XFormedAttributePicker

Names = Callable[[Any, AttributePickerContext], Iterator[str]]


def remember(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto look for the one method, and once only for the names that a field may have in its objects."""
    monkeypatch.setattr(responses, "method_names_from_class", Methods)
    for picker in (AttributePicker, XFormedAttributePicker):
        monkeypatch.setattr(picker, "get_possible_keys", _once(picker.get_possible_keys))


class Methods:
    """The names of a class's methods, those that a test has put there included."""

    def __init__(self, of: type) -> None:
        self._class = of

    def __contains__(self, name: str) -> bool:
        return isfunction(getattr(self._class, name, None))


def _once(names: Names) -> Names:
    known: dict[tuple[object, ...], tuple[str, ...]] = {}

    def remembered(picker: Any, context: AttributePickerContext) -> Iterator[str]:
        """All that moto's alias providers look at: the field, its shapes, and the class of what holds it."""
        shape, service = context.shape, context.service_model
        parent = getattr(shape, "parent", None)
        key = (
            *(context.key, type(context.obj), *picker.alias_providers),
            *(service and service.service_name, shape and (shape.name, shape.serialization.get("name"))),
            parent and parent.name,
        )
        if key not in known:
            known[key] = tuple(names(picker, context))
        return iter(known[key])

    return remembered
