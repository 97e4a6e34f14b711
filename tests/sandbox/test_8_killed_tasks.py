"""`kill -9` of tasks in the middle of a shift: only requests of those very seconds may fail for a client."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.client import failed, moments
from tests.sandbox.ending import Ending
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import live, other
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

AROUND_SECONDS = 15.0
"""Two health checks, 5 s apart and each waited 4 s for: so long a load balancer may choose a dead target."""
LONG_SECONDS = 90

Slot = Callable[[Stage], str]


def stable(stage: Stage) -> str:
    """The slot that was live before."""
    found = live(stage.cloud)
    assert found
    return found.slot


def candidate(stage: Stage) -> str:
    """The slot that is to be live."""
    return other(stable(stage))


def kill_one(stage: Stage, slot: Slot) -> Callable[[str], dict[str, Any]]:
    """At weight 10, kill one of a slot's two tasks."""

    def kill(execution: str) -> dict[str, Any]:
        stage.reach(10)
        return {"killed": stage.tasks.kill(stage.tasks.of_slot(slot(stage))[:1])}

    return kill


def kill_all(stage: Stage, slot: Slot) -> Callable[[str], dict[str, Any]]:
    """At weight 50, kill all tasks of a slot, and all that come in their place, until the deployment ends."""

    def kill(execution: str) -> dict[str, Any]:
        stage.reach(50)
        began = time.time()
        with stage.tasks.kept_dead(slot(stage)):
            stage.cloud.ended(execution)
        return {"killed": began}

    return kill


def long_at_50(stage: Stage) -> AbstractContextManager[None]:
    """A spec whose stage of weight 50 does not end by itself, however late the tasks are killed in it."""
    long = {"weight": 50, "min_seconds": LONG_SECONDS, "max_seconds": 2 * LONG_SECONDS}
    return stage.spec(stages=[long if each["weight"] == 50 else each for each in stage.cloud.spec["stages"]])


@pytest.fixture(scope="module")
def one_green(scaled_stage: Stage) -> Rehearsal:
    """One task of the candidate is killed at weight 10."""
    kill = kill_one(scaled_stage, candidate)
    return scaled_stage.rehearse("a green task killed", scaled_stage.push("0.5.1"), kill)


@pytest.fixture(scope="module")
def one_blue(scaled_stage: Stage) -> Rehearsal:
    """One task of the stable version is killed at weight 10."""
    kill = kill_one(scaled_stage, stable)
    return scaled_stage.rehearse("a blue task killed", scaled_stage.push("0.5.2"), kill)


@pytest.fixture(scope="module")
def all_green(scaled_stage: Stage) -> Rehearsal:
    """All tasks of the candidate are killed at weight 50."""
    kill = kill_all(scaled_stage, candidate)
    with long_at_50(scaled_stage):
        return scaled_stage.rehearse("all green tasks killed", scaled_stage.push("0.5.3"), kill)


@pytest.fixture(scope="module")
def all_blue(scaled_stage: Stage) -> Rehearsal:
    """All tasks of the stable version are killed at weight 50."""
    kill = kill_all(scaled_stage, stable)
    with long_at_50(scaled_stage):
        return scaled_stage.rehearse("all blue tasks killed", scaled_stage.push("0.5.4"), kill)


def refuse_failures_outside(rehearsal: Rehearsal, until: float) -> None:
    """Every failed request was sent after the kill, and before ``until`` (seconds since the epoch)."""
    killed = rehearsal.seen["killed"]
    outside = [moment - killed for moment in moments(failed(rehearsal.requests))]

    assert [seconds for seconds in outside if not -1 < seconds < until - killed] == []


def restored(rehearsal: Rehearsal) -> float:
    """When the weights of before were read back, in seconds since the epoch."""
    return datetime.fromisoformat(rehearsal.item["restored"]).timestamp()


class TestOneTask(Ending):
    """One of two tasks is killed, of either slot: a blip, which is no evidence against the candidate."""

    outcome = "promoted"

    @pytest.fixture(params=["one_green", "one_blue"])
    def rehearsal(self, request: pytest.FixtureRequest) -> Rehearsal:
        """One of the two."""
        found = request.getfixturevalue(request.param)
        assert isinstance(found, Rehearsal)
        return found

    def test_clients_failed_around_the_kill_only(self, rehearsal: Rehearsal) -> None:
        """The other task served on."""
        refuse_failures_outside(rehearsal, rehearsal.seen["killed"] + AROUND_SECONDS)


class TestAllGreen(Ending):
    """The candidate is gone."""

    outcome = "rolled_back"

    @pytest.fixture
    def rehearsal(self, all_green: Rehearsal) -> Rehearsal:
        """The one without a candidate."""
        return all_green

    def test_the_stable_version_has_all_traffic_at_once(self, all_green: Rehearsal) -> None:
        """Its tasks had nothing to do with it."""
        assert all_green.before == all_green.after
        assert all_green.shares_seen == [0, 10, 50, 0]
        assert all_green.execution.error == "CandidateWorse"

    def test_clients_failed_until_then_only(self, all_green: Rehearsal) -> None:
        """Half of them were sent to nobody."""
        refuse_failures_outside(all_green, restored(all_green) + 1)


class TestAllBlue(Ending):
    """The stable version is gone while the candidate is well: clients are better off with a version that is
    suspect than with none.
    """

    outcome = "failed"

    @pytest.fixture
    def rehearsal(self, all_blue: Rehearsal) -> Rehearsal:
        """The one without a stable version."""
        return all_blue

    def test_the_candidate_has_all_traffic(self, all_blue: Rehearsal) -> None:
        """And is what the journal calls stable from there on."""
        assert all_blue.before
        assert all_blue.after
        assert (all_blue.after.slot, all_blue.after.version) == (other(all_blue.before.slot), "0.5.4")
        assert all_blue.shares_seen == [0, 10, 50, 100]

    def test_the_reason_says_so(self, all_blue: Rehearsal) -> None:
        """It is no success: the deployment has failed by name."""
        execution, slot = all_blue.execution, all_blue.before and all_blue.before.slot

        assert (execution.status, execution.error) == ("FAILED", "TargetsBelowFloor")
        for told in (all_blue.item["reason"], execution.cause):
            assert f"the stable slot {slot} has no healthy target, so all traffic was given to" in told

    def test_clients_failed_until_then_only(self, all_blue: Rehearsal) -> None:
        """Half of them were sent to nobody."""
        refuse_failures_outside(all_blue, restored(all_blue) + 1)
