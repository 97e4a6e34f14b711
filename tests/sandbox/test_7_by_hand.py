"""The rollback as a person starts it: twice at once, stopped half-way, for an instant way back, in vain."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.sandbox.client import versions
from tests.sandbox.cloud import Cloud, Snapshot
from tests.sandbox.ending import PutBack, WithoutFailure
from tests.sandbox.executions import Execution
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import other
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

WARM_SECONDS = 60


def taken_up(cloud: Cloud, ended: str) -> Execution:
    """The rollback that EventBridge has started because an execution had ended, once it has ended itself."""
    what = f"a rollback because of {ended}"
    return cloud.ended(cloud.started("rollback", lambda asked: asked.get("ended") == ended, what))


@pytest.fixture(scope="module")
def by_two_hands(scaled_stage: Stage) -> Rehearsal:
    """Two people start a rollback at once, while a deployment is at weight 10."""
    stage = scaled_stage

    def roll_back(execution: str) -> dict[str, Any]:
        stage.reach(10)
        with ThreadPoolExecutor() as pool:
            started = [pool.submit(stage.cloud.roll_back) for _ in range(2)]
        return {"rollbacks": [stage.cloud.ended(each.result()) for each in started]}

    return stage.rehearse("rolled back by two hands", stage.push("0.3.1"), roll_back)


@pytest.fixture(scope="module")
def stopped_half_way(scaled_stage: Stage) -> Rehearsal:
    """A rollback is started by hand at weight 50, and stopped as soon as it has moved the weights."""
    stage, cloud = scaled_stage, scaled_stage.cloud

    def stop(execution: str) -> dict[str, Any]:
        stage.reach(50)
        rollback = cloud.roll_back()
        stage.enter(rollback, "VerifyRestored")
        cloud.stop(rollback)
        seen = {"holder": cloud.holder(), "stopped": cloud.ended(rollback)}
        return {**seen, "again": taken_up(cloud, rollback)}

    cloud.settled()  # a rollback that looks a second time, after an earlier rehearsal, would take this over
    with stage.spec(retire={"drain_seconds": 10}):
        return stage.rehearse("rollback stopped half-way", stage.push("0.3.2"), stop)


@pytest.fixture(scope="module")
def backed_out(scaled_stage: Stage) -> Rehearsal:
    """A release is promoted, and then turns out to be wrong in a way that no probe sees.

    Whoever asks for the version of before gets it by a rollback.
    """
    stage, cloud = scaled_stage, scaled_stage.cloud
    before, version = cloud.weights(), cloud.state()["version"]

    def back_out(execution: str) -> dict[str, Any]:
        stage.enter(execution, "KeepWarm")
        began = time.monotonic()
        asked = cloud.start({"service": SERVICE, "image_tag": version})
        until(lambda: cloud.weights() == before, "all traffic on the old version")
        seconds = time.monotonic() - began
        rollback = cloud.started("rollback", lambda given: given.get("asked_by") == asked, "the rollback")
        return {"seconds": seconds, "rollback": cloud.ended(rollback), "asked": cloud.ended(asked)}

    with stage.spec(retire={"warm_seconds": WARM_SECONDS}):
        return stage.rehearse("backed out", stage.push("0.3.3"), back_out)


@pytest.fixture(scope="module")
def asked_again(scaled_stage: Stage) -> Rehearsal:
    """A person rolls a release back at weight 10, and while that is at work asks for it again."""
    stage, cloud = scaled_stage, scaled_stage.cloud

    def ask_again(execution: str) -> dict[str, Any]:
        stage.reach(10)
        rollback = cloud.roll_back()
        until(lambda: cloud.holder() == rollback, "the rollback holds the service")
        asked = cloud.start({"service": SERVICE, "image_tag": "0.3.5"})
        told = cloud.ended(asked)
        what = f"what waited on account of {asked}"
        follower = cloud.started("deploy", lambda given: given.get("asked_by") == asked, what)
        return {"told": told, "rollback": cloud.ended(rollback), "follower": cloud.ended(follower)}

    return stage.rehearse("asked for again", stage.push("0.3.5"), ask_again)


@dataclass(frozen=True)
class InVain:
    """A rollback of a service that nothing works on, and what was there before and after it."""

    execution: Execution
    again: Execution
    before: Snapshot
    after: Snapshot


@pytest.fixture(scope="module")
def in_vain(scaled_stage: Stage) -> InVain:
    """A person starts a rollback, and there is nothing to go back to."""
    cloud = scaled_stage.cloud
    before = cloud.snapshot()
    execution = cloud.ended(cloud.roll_back())
    again = taken_up(cloud, execution.arn)
    return InVain(execution, again, before, cloud.snapshot())


class TestByTwoHands(PutBack):
    """What holds of the deployment that two people have taken back."""

    @pytest.fixture
    def rehearsal(self, by_two_hands: Rehearsal) -> Rehearsal:
        """The one that two people have taken back."""
        return by_two_hands

    def test_it_was_stopped_at_weight_10(self, by_two_hands: Rehearsal) -> None:
        """A person's word counts at once, not at the next shift."""
        assert by_two_hands.execution.status == "ABORTED"
        assert by_two_hands.shares_seen == [0, 10, 0]
        assert by_two_hands.item["reason"] == "rolled back by hand"

    def test_one_of_them_did_it_and_the_other_found_nothing_to_do(self, by_two_hands: Rehearsal) -> None:
        """Both end well, and nothing was done twice."""
        rollbacks = by_two_hands.seen["rollbacks"]

        assert [each.status for each in rollbacks] == ["SUCCEEDED", "SUCCEEDED"]
        assert sorted(each.output["outcome"] for each in rollbacks) == ["nothing", "rolled_back"]


class TestAskedAgain(WithoutFailure):
    """What holds of the deployment that a person has taken back, and wanted after all."""

    outcome = "rolled_back"

    @pytest.fixture
    def rehearsal(self, asked_again: Rehearsal) -> Rehearsal:
        """The one that was rolled back first."""
        return asked_again

    def test_who_asks_again_is_told_to_wait(self, asked_again: Rehearsal) -> None:
        """For the rollback, which is named; not that it is being deployed."""
        told, rollback = asked_again.seen["told"], asked_again.seen["rollback"]

        assert (told.status, told.output["action"]) == ("SUCCEEDED", "queued")
        assert told.output["reason"].startswith(f"0.3.5 waits until {SERVICE} is free")
        assert told.output["reason"].endswith(f"{rollback.arn} holds {SERVICE}.")

    def test_it_is_deployed_after_the_rollback(self, asked_again: Rehearsal) -> None:
        """The request is not lost."""
        follower = asked_again.seen["follower"]

        assert asked_again.seen["rollback"].output["outcome"] == "rolled_back"
        assert (follower.status, follower.output["outcome"]) == ("SUCCEEDED", "promoted")
        assert asked_again.after
        assert asked_again.after.version == "0.3.5"
        assert asked_again.shares_seen[:4] == [0, 10, 0, 10]


class TestStoppedHalfWay(PutBack):
    """What holds of the deployment whose rollback was stopped."""

    @pytest.fixture
    def rehearsal(self, stopped_half_way: Rehearsal) -> Rehearsal:
        """The one whose rollback was stopped."""
        return stopped_half_way

    def test_the_stopped_one_had_not_finished(self, stopped_half_way: Rehearsal) -> None:
        """It was the holder when it was stopped."""
        stopped = stopped_half_way.seen["stopped"]

        assert (stopped.status, stopped_half_way.seen["holder"]) == ("ABORTED", stopped.arn)
        assert stopped_half_way.shares_seen == [0, 10, 50, 0]

    def test_another_one_has_finished_it(self, stopped_half_way: Rehearsal) -> None:
        """Started by the event that it had ended, after half a minute; the certificate gives both reasons."""
        again, stopped = stopped_half_way.seen["again"], stopped_half_way.seen["stopped"]

        assert (again.status, again.output["outcome"]) == ("SUCCEEDED", "rolled_back")
        assert again.seconds > 30
        assert stopped_half_way.item["reason"] == f"{stopped.name} ended ABORTED"


class TestBackedOut(WithoutFailure):
    """What holds of the deployment that was promoted, and backed out while the old version was warm."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, backed_out: Rehearsal) -> Rehearsal:
        """The one that was backed out."""
        return backed_out

    def test_the_old_version_is_live_again(self, backed_out: Rehearsal) -> None:
        """In its old slot: its tasks had never stopped."""
        assert backed_out.before
        assert backed_out.before == backed_out.after
        assert backed_out.shares_seen == [0, 10, 50, 100, 0]
        assert versions(backed_out.requests) == [backed_out.before.version, "0.3.3"]
        place = ("blue", "green").index(backed_out.before.slot)
        assert {sample.desired[place] for sample in backed_out.samples} == {2}

    def test_it_took_seconds(self, backed_out: Rehearsal, scaled_stage: Stage) -> None:
        """No task had to start; the time of the `aws` command is in it."""
        scaled_stage.note(f"backed out: {backed_out.seen['seconds']:.1f} s to all traffic on the old version")

        assert backed_out.seen["seconds"] < 30

    def test_the_way_back_has_an_item_and_a_certificate(self, cloud: Cloud, backed_out: Rehearsal) -> None:
        """Of its own; the promotion stays what it was."""
        rollback = backed_out.seen["rollback"]
        certificate = cloud.certificate(rollback.name) or {}

        assert (rollback.status, rollback.output["outcome"]) == ("SUCCEEDED", "rolled_back")
        assert cloud.item(rollback.name)["outcome"] == certificate["outcome"] == "rolled_back"
        by = f"crossfade-deploy:{backed_out.seen['asked'].name}"
        assert certificate["reason"] == f"0.3.3 was backed out: rolled back by hand, by {by}"
        assert certificate["requests"]["production"]["failed"] == 0
        assert certificate["ledger"]["complete"]

    def test_who_has_asked_is_told(self, backed_out: Rehearsal) -> None:
        """Not by stages, and not before it is done."""
        asked = backed_out.seen["asked"]

        assert (asked.status, asked.output["action"]) == ("SUCCEEDED", "went_back")
        assert asked.output["reason"].startswith("0.3.3 was backed out: rolled back by hand")

    def test_the_deployment_has_ended_well(self, backed_out: Rehearsal) -> None:
        """It found that somebody has made use of the slot that it had kept warm."""
        assert (backed_out.execution.status, backed_out.execution.output["outcome"]) == (
            "SUCCEEDED",
            "promoted",
        )
        assert backed_out.execution.seconds > WARM_SECONDS


def test_with_nothing_to_go_back_to_it_says_so(in_vain: InVain) -> None:
    """By a name, and with what can be done instead."""
    assert (in_vain.execution.status, in_vain.execution.error) == ("FAILED", "NothingToRollBack")
    assert "To go back to an older version, deploy it." in in_vain.execution.cause


def test_with_nothing_to_go_back_to_nothing_changes(in_vain: InVain) -> None:
    """Neither by the rollback nor by the one that looks after it."""
    assert in_vain.before == in_vain.after
    assert (in_vain.again.status, in_vain.again.output["outcome"]) == ("SUCCEEDED", "nothing")


@pytest.fixture(scope="module")
def stopped_while_warm(scaled_stage: Stage) -> Rehearsal:
    """A release is promoted, and its execution is stopped while it keeps the old version warm."""
    stage = scaled_stage

    def stop(execution: str) -> None:
        stage.enter(execution, "KeepWarm")
        stage.cloud.stop(execution)

    with stage.spec(retire={"warm_seconds": WARM_SECONDS}):
        return stage.rehearse("stopped while warm", stage.push("0.3.4"), stop)


class TestStoppedWhileWarm(WithoutFailure):
    """What holds of the deployment that was stopped after its promotion."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, stopped_while_warm: Rehearsal) -> Rehearsal:
        """The one that was stopped while it kept the old version warm."""
        return stopped_while_warm

    def test_the_new_version_stays(self, stopped_while_warm: Rehearsal) -> None:
        """All that was left to do was to stop the old slot, which no longer waits for its time."""
        assert stopped_while_warm.before
        assert stopped_while_warm.after
        assert stopped_while_warm.execution.status == "ABORTED"
        assert stopped_while_warm.after.version == "0.3.4"
        assert stopped_while_warm.after.slot == other(stopped_while_warm.before.slot)
