"""What ECS says of tasks that do not run, and what to do about it."""

import pytest

from crossfade.domain.tasks.reasons import CAUSES, MOST_CHARACTERS, Event, advice, passes, said, trouble
from tests.unit.examples import at

NO_ROOM = (
    "(service web-green) was unable to place a task. Reason: Capacity is unavailable at this time. Please "
    "try again later or in a different availability zone."
)
GAVE_UP = "(service web-green) (deployment ecs-svc/1) deployment failed: tasks failed to start."
STEADY = "(service web-green) has reached a steady state."
STARTED = "(service web-green) has started 1 tasks: (task 1)."
REGISTERED = "(service web-green) registered 1 targets in (target-group green)"


def _events(*told: tuple[float, str]) -> list[Event]:
    return [Event(at=at(seconds), message=message) for seconds, message in told]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], "", id="silence"),
        pytest.param([(9, STARTED), (8, REGISTERED)], "", id="all-goes-its-way"),
        pytest.param([(7, NO_ROOM)], f"ECS at 04:00:07: {NO_ROOM.rstrip('.')}", id="its-words-and-when"),
        pytest.param([(4, NO_ROOM)], "", id="before-the-moment"),
        pytest.param([(9, STEADY), (7, NO_ROOM)], "", id="over"),
        pytest.param(
            [(9, NO_ROOM), (8, STEADY)], f"ECS at 04:00:09: {NO_ROOM.rstrip('.')}", id="not-over-again"
        ),
        pytest.param(
            [(9, STARTED), (7, NO_ROOM)], f"ECS at 04:00:07: {NO_ROOM.rstrip('.')}", id="some-were-started"
        ),
        pytest.param(
            [(9, GAVE_UP), (7, NO_ROOM)], f"ECS at 04:00:07: {NO_ROOM.rstrip('.')}", id="a-reason-goes-first"
        ),
        pytest.param([(9, GAVE_UP)], f"ECS at 04:00:09: {GAVE_UP.rstrip('.')}", id="no-reason-at-all"),
        pytest.param(
            [(6, "old. Reason: x"), (7, "new. Reason: y")], "ECS at 04:00:07: new. Reason: y", id="any-order"
        ),
    ],
)
def test_the_newest_trouble_is_told(events: list[tuple[float, str]], expected: str) -> None:
    """Of those since the fifth second."""
    assert trouble(_events(*events), at(5)) == expected


def test_text_from_outside_is_visible_and_bounded() -> None:
    """It forges no line of a cause."""
    assert said("one\nECS: all is well.") == r"one\nECS: all is well"
    assert len(said("x" * 10_000)) == MOST_CHARACTERS + 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (NO_ROOM, "Fargate has no room for these tasks"),
        ("You've reached the limit on the number of vCPUs you can run concurrently", "quota is used up"),
        ("Reason: The requested CPU configuration is above your limit.", "larger than the account's"),
        (
            "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment "
            "enabled in subnet 'subnet-1': InsufficientFreeAddressesInSubnet",
            "free addresses",
        ),
        ("Timeout waiting for network interface provisioning to complete.", "no network in time"),
        ("CannotPullContainerError: pull image manifest has been retried 1 time(s)", "the image is there"),
        ("ResourceInitializationError: unable to pull secrets or registry auth", "secrets, parameters"),
        ("OutOfMemoryError: Container killed due to memory usage", "more memory"),
        ("Essential container in task exited", "otherwise"),
    ],
)
def test_advice_fits_what_ecs_says(words: str, expected: str) -> None:
    """And is what the caller says where nobody knows."""
    assert expected in advice(words, "otherwise")


def test_what_passes_is_what_is_known_to() -> None:
    """An image that is not there does not come by itself; what is not known is not waited for."""
    assert passes(NO_ROOM)
    assert not passes("CannotPullContainerError: not found")
    assert not passes("something new")
    assert {cause.words for cause in CAUSES if cause.passes} == {
        "Capacity is unavailable",
        "reached the limit on the number of",
        "is above your limit",
        "Create Network Interface",
        "network interface provisioning",
    }
