"""How a typed function becomes a handler: its parameters are the event."""

import inspect
from typing import Any

import pytest
from pydantic import ValidationError

from crossfade.domain import errors
from crossfade.domain.model import Model, Timestamp, iso
from crossfade.step import step
from tests.unit.examples import at
from tests.unit.handlers.conftest import Context


class Wait(Model):
    """An answer."""

    until: Timestamp
    tries: int


@step
def wait(until: Timestamp, tries: int = 1) -> Wait:
    """Wait until a time."""
    if tries > 9:
        raise errors.InvalidInput("Too many. Try again.")
    if tries < 0:
        raise ValueError("broken")
    return Wait(until=until, tries=tries)


@step
def nothing() -> None:
    """Do nothing."""


def _call(handler: Any, **event: Any) -> dict[str, Any]:
    return handler(event, Context())


def test_json_becomes_arguments_and_the_answer_json() -> None:
    """A parameter with a default may be missing."""
    assert _call(wait, until=iso(at(5)), tries=2) == {"until": iso(at(5)), "tries": 2}
    assert _call(wait, until=iso(at(5))) == {"until": iso(at(5)), "tries": 1}


def test_a_key_that_nobody_knows_is_ignored() -> None:
    """Another version of Crossfade may send it (ADR 20)."""
    assert _call(wait, until=iso(at(5)), newer=1)["tries"] == 1


@pytest.mark.parametrize("event", [{}, {"until": "soon"}, {"until": iso(at(5)), "tries": None}])
def test_what_is_missing_or_malformed_is_refused(event: dict[str, Any]) -> None:
    """By the name of the key."""
    with pytest.raises(ValidationError, match="tries" if event.get("tries", 0) is None else "until"):
        _call(wait, **event)


def test_whoever_is_asked_nothing_answers_nothing() -> None:
    """As an empty object, of which a definition can read no field."""
    assert _call(nothing) == {}


@pytest.mark.parametrize(("tries", "error"), [(10, errors.InvalidInput), (-1, ValueError)])
def test_an_error_of_the_function_keeps_its_class(tries: int, error: type[Exception]) -> None:
    """The class is the error's name in the workflow; it is not taken for a malformed event."""
    with pytest.raises(error) as raised:
        _call(wait, until=iso(at(5)), tries=tries)
    assert type(raised.value) is error


def test_a_handler_shows_the_functions_signature() -> None:
    """The tests of the definitions compare it with what is sent and read."""
    assert list(inspect.signature(wait).parameters) == ["until", "tries"]
    assert inspect.signature(wait).return_annotation is Wait
