"""`kill -9` of tasks, before a release and in the middle of a shift: what fails for a client, how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from typing import Any

import pytest
import requests

from crossfade.domain.verdict import EMERGENCY
from tests.sandbox.client import failed, moments, versions
from tests.sandbox.ending import Ending
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import live, other
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

AROUND_SECONDS = 15.0
"""Two health checks, 5 s apart and each waited 4 s for: so long a load balancer may choose a dead target."""
LATE_SECONDS = 3.0
"""Until clients follow the load balancer's rule, and a little more."""
LONG_SECONDS = 90
BACK_SECONDS = 60.0
"""From the push of a fix until clients are served again, where the live version serves nothing."""
HELD_SECONDS = 45
"""So long after the last shift a candidate that is short of tasks is held."""

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
    """At weight 50, kill all tasks of a slot; none comes in their place until the deployment ends."""

    def kill(execution: str) -> dict[str, Any]:
        stage.reach(50)
        with stage.tasks.gone_for_good(slot(stage)) as killed:
            stage.cloud.ended(execution)
        return {"killed": killed}

    return kill


def kill_one_for_good(stage: Stage) -> Callable[[str], dict[str, Any]]:
    """At weight 100, kill one of the candidate's two tasks, and leave no room for another one."""

    def kill(execution: str) -> dict[str, Any]:
        slot = candidate(stage)
        stage.reach(100)
        with no_room(stage, slot):
            killed = stage.tasks.kill(stage.tasks.of_slot(slot)[:1])
            stage.cloud.ended(execution)
        return {"killed": killed}

    return kill


@contextmanager
def no_room(stage: Stage, slot: str) -> Iterator[None]:
    """For the time of a block there is no room for new tasks of a slot."""
    ecs, cluster = stage.cloud.client("ecs"), stage.cloud.cluster
    key = f"sandbox:no-capacity:service:{SERVICE}-{slot}"
    ecs.tag_resource(resourceArn=cluster, tags=[{"key": key, "value": "600"}])
    try:
        yield
    finally:
        ecs.tag_resource(resourceArn=cluster, tags=[{"key": key, "value": "0"}])


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
def short_of_one(scaled_stage: Stage) -> Rehearsal:
    """One task of the candidate is killed at weight 100, and no other one can be placed."""
    kill = kill_one_for_good(scaled_stage)
    with scaled_stage.spec(retire={"deadline_seconds": HELD_SECONDS}):
        return scaled_stage.rehearse("a green task killed for good", scaled_stage.push("0.5.6"), kill)


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


@pytest.fixture(scope="module")
def dead(scaled_stage: Stage) -> Rehearsal:
    """All tasks of the live version die, with no room for others in their place; then a fix is pushed."""
    stage, stack = scaled_stage, ExitStack()
    push, slot = stage.push("0.5.5"), stable(scaled_stage)
    seen: dict[str, Any] = {}

    def kill_and_push() -> str:
        seen["killed"] = stack.enter_context(stage.tasks.gone_for_good(slot))
        until(lambda: _status(stage) >= 500, "clients to be served by nobody")
        seen["pushed"] = time.time()
        return push()

    def stay_dead(execution: str) -> dict[str, Any]:
        stage.cloud.ended(execution)
        return seen

    with stack:
        return stage.rehearse("live version dead, fix pushed", kill_and_push, stay_dead)


def _status(stage: Stage) -> int:
    return requests.get(f"{stage.cloud.url}/version", timeout=10).status_code


def refuse_failures_outside(rehearsal: Rehearsal, until: float) -> None:
    """Every failed request was sent after the kill, and before ``until`` (seconds since the epoch)."""
    killed = rehearsal.seen["killed"]
    outside = [moment - killed for moment in moments(failed(rehearsal.requests))]

    assert [seconds for seconds in outside if not -1 < seconds < until - killed] == []


def restored(rehearsal: Rehearsal) -> float:
    """When the weights of before were read back, in seconds since the epoch."""
    return datetime.fromisoformat(rehearsal.item["restored"]).timestamp()


def taken(rehearsal: Rehearsal) -> float:
    """When the candidate was seen to have all traffic, in seconds since the epoch."""
    last = rehearsal.samples[-1].weights
    return next(sample.at for sample in rehearsal.samples if sample.weights == last)


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


class TestOneTaskForGood(Ending):
    """The candidate has all the traffic, and half of its tasks."""

    outcome = "rolled_back"

    @pytest.fixture
    def rehearsal(self, short_of_one: Rehearsal) -> Rehearsal:
        """The one with half a candidate."""
        return short_of_one

    def test_the_old_slot_has_the_traffic_back(self, short_of_one: Rehearsal) -> None:
        """It was held for as long as its task might have come, and then not promoted."""
        assert short_of_one.before == short_of_one.after
        assert short_of_one.shares_seen == [0, 10, 50, 100, 0]
        assert short_of_one.execution.error == "TargetsBelowFloor"
        assert "1 healthy targets of 2 tasks and needs 2 for weight 100" in short_of_one.execution.cause

    def test_clients_failed_around_the_kill_only(self, short_of_one: Rehearsal) -> None:
        """What the lost task had; the other one answered all."""
        refuse_failures_outside(short_of_one, short_of_one.seen["killed"] + AROUND_SECONDS)


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
    """The stable version is gone, and the candidate is well and was verified before: it takes all of it."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, all_blue: Rehearsal) -> Rehearsal:
        """The one without a stable version."""
        return all_blue

    def test_the_candidate_has_all_traffic(self, all_blue: Rehearsal) -> None:
        """In one step, and it is what the journal calls stable from there on."""
        assert all_blue.before
        assert all_blue.after
        assert (all_blue.after.slot, all_blue.after.version) == (other(all_blue.before.slot), "0.5.4")
        assert all_blue.shares_seen == [0, 10, 50, 100]
        assert all_blue.execution.status == "SUCCEEDED"

    def test_the_reason_says_so(self, all_blue: Rehearsal) -> None:
        """The stage did not wait for a comparison that could not come."""
        (half,) = [each for each in all_blue.certificate["reported"]["stages"] if each["weight"] == 50]

        assert half["reason"].startswith(EMERGENCY)

    def test_clients_failed_until_then_only(self, all_blue: Rehearsal) -> None:
        """Half of them were sent to nobody."""
        refuse_failures_outside(all_blue, taken(all_blue) + LATE_SECONDS)


class TestDead(Ending):
    """Nobody is served when the fix is pushed: it is verified by itself, and then has all traffic at once."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, dead: Rehearsal) -> Rehearsal:
        """The one whose live version is dead."""
        return dead

    def test_clients_are_served_soon(self, dead: Rehearsal, scaled_stage: Stage) -> None:
        """From the push on, by the record of an independent client."""
        good = [request for request in dead.requests if request.version == "0.5.5"]
        seconds = moments(good)[0] - dead.seen["pushed"]
        scaled_stage.note(f"live version dead: clients are served {seconds:.1f} s after the push of a fix")

        assert seconds < BACK_SECONDS

    def test_it_goes_live_in_one_step(self, dead: Rehearsal) -> None:
        """After its verification; each stage's reason says why."""
        assert dead.shares_seen == [0, 100]
        assert dead.execution.status == "SUCCEEDED"
        assert [stage["weight"] for stage in dead.certificate["reported"]["stages"]] == [0, 100]
        for stage in dead.certificate["reported"]["stages"]:
            assert stage["reason"].startswith(EMERGENCY)

    def test_clients_failed_until_then_only(self, dead: Rehearsal) -> None:
        """None failed once it had the traffic."""
        refuse_failures_outside(dead, taken(dead) + LATE_SECONDS)
        assert versions(dead.requests)[-1] == "0.5.5"
