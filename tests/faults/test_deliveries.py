"""Deliveries of events: a sample of the cases, and that each law finds a function that breaks it."""

from contextlib import suppress
from typing import Any
from unittest import mock

import pytest

from crossfade.aws.event_bus import EventBus, EventNotSent
from crossfade.domain.events.event import Happening
from crossfade.handlers import publish_events
from faults.cases.deliveries import unharmed, violations

SAMPLE = [
    *(f"delivery:{trouble}:queued" for trouble in ("none", "entries-refused", "answers-lost", "repeated")),
    "delivery:all-of-it:back-out", "delivery:killed:spell", "delivery:calls-fail:refused",
    "delivery:late:queued",
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE)
def test_every_change_is_told_in_the_end(name: str) -> None:
    """Whatever becomes of single calls, entries, answers, batches and processes."""
    assert name in unharmed()
    assert violations(name) == ()


def test_a_function_that_reads_no_answer_is_found() -> None:
    """PutEvents succeeds where single entries do not."""
    real = EventBus.put

    def careless(bus: EventBus, happening: Happening) -> None:
        with suppress(EventNotSent):
            real(bus, happening)

    with mock.patch.object(EventBus, "put", careless):
        found = violations("delivery:entries-refused:queued")
    assert any("each state change has its event" in one for one in found)


def test_an_id_that_is_another_one_each_time_is_found() -> None:
    """By it nobody knows a repeat; and one for two things loses one of them."""
    with mock.patch.object(Happening, "id", "the same"):
        assert any("a repeat is the same" in found for found in violations("delivery:none:queued"))


def test_a_function_that_goes_on_after_a_failure_is_found() -> None:
    """What comes later would be there first."""

    def of_all(event: dict[str, Any], context: Any) -> dict[str, Any]:
        failed = []
        for record in event.get("Records", []):
            answer = real({"Records": [record]}, context)
            failed += answer["batchItemFailures"]
        return {"batchItemFailures": failed}

    real = publish_events.handler
    with mock.patch.object(publish_events, "handler", of_all):
        found = violations("delivery:entries-refused:queued")
    assert any("events come in the order" in one for one in found)


def test_a_function_that_gives_up_is_found() -> None:
    """What is never taken stays."""
    with mock.patch.object(EventBus, "put", side_effect=EventNotSent("no")):
        found = violations("delivery:none:healthy")
    assert any("what is handed over has its event in the end" in one for one in found)
