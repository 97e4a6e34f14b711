"""Fargate has no room for the candidate or for the probe: it is waited for, and told in ECS's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.ecs.capacity import KEY, NO_CAPACITY
from tests.sandbox.ending import PutBack, WithoutFailure
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import live, other
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

PROBE = "family:crossfade-probe"
FOR_AGES = 3600


def candidate(stage: Stage) -> str:
    """The candidate's tasks, as ECS calls their group."""
    found = live(stage.cloud)
    assert found
    return f"service:{SERVICE}-{other(found.slot)}"


def no_room(stage: Stage, group: str, seconds: int) -> None:
    """From now on there is no room for a group of tasks; 0 seconds: there is some again."""
    tag = {"key": f"{KEY}{group}", "value": str(seconds)}
    stage.cloud.client("ecs").tag_resource(resourceArn=stage.cloud.cluster, tags=[tag])


@contextmanager
def without_room(stage: Stage, *groups: str) -> Iterator[None]:
    """No room for these while the block lasts, unless it ends that earlier."""
    for group in groups:
        no_room(stage, group, FOR_AGES)
    try:
        yield
    finally:
        for group in groups:
            no_room(stage, group, 0)


@pytest.fixture(scope="module")
def in_time(scaled_stage: Stage) -> Rehearsal:
    """There is room for the probe, then for the candidate, as soon as each was seen to wait for it."""
    stage = scaled_stage
    green = candidate(stage)

    def make_room(execution: str) -> None:
        stage.enter(execution, "WaitForProbesRoom")
        no_room(stage, PROBE, 0)
        stage.enter(execution, "WaitForRoom")
        no_room(stage, green, 0)

    with stage.spec(launch={"deadline_seconds": 90}), without_room(stage, PROBE, green):
        return stage.rehearse("no room at first", stage.push("0.8.1"), make_room)


@pytest.fixture(scope="module")
def never(in_time: Rehearsal, scaled_stage: Stage) -> Rehearsal:
    """There is none for the candidate until its deadline."""
    with without_room(scaled_stage, candidate(scaled_stage)):
        return scaled_stage.rehearse("no room for the candidate", scaled_stage.push("0.8.2"))


class TestInTime(WithoutFailure):
    """Both are waited for."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, in_time: Rehearsal) -> Rehearsal:
        """The one that found room in time."""
        return in_time

    def test_it_is_promoted(self, in_time: Rehearsal) -> None:
        """As if there had been room at once."""
        assert (in_time.execution.status, in_time.execution.error) == ("SUCCEEDED", "")
        assert in_time.certificate["ledger"]["complete"]


class TestNever(PutBack):
    """The release is not to blame, and what is told of it says so."""

    @pytest.fixture
    def rehearsal(self, never: Rehearsal) -> Rehearsal:
        """The one that found none."""
        return never

    def test_the_reason_is_ecss_own(self, never: Rehearsal) -> None:
        """In the cause, the certificate and the journal."""
        assert never.execution.error == "CandidateNotHealthy"
        for sentence in ("0 of 2 tasks run", NO_CAPACITY.rstrip("."), "Fargate has no room for these tasks"):
            assert sentence in never.execution.cause
            assert sentence in never.certificate["reason"]
