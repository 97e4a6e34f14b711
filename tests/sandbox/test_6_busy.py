"""A push while another deployment holds the service: what becomes of it, the spec's ``when_busy`` says.

``reject`` is in test_3: the push in the middle of the good release.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import versions
from tests.sandbox.cloud import Cloud
from tests.sandbox.ending import WithoutFailure
from tests.sandbox.executions import Execution
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import other
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]


def pushed_while_busy(stage: Stage, *versions: str) -> dict[str, Execution]:
    """Push versions while a deployment is at weight 10; how the execution of each push has ended."""
    stage.reach(10)
    ended = {}
    for version in versions:
        stage.cloud.push_app(version)
        ended[version] = stage.cloud.ended(stage.cloud.started_by_push(SERVICE, version))
    return ended


def started_for(cloud: Cloud, version: str) -> Execution:
    """The deployment that Crossfade itself has started for a release that waited, once it has ended."""
    what = f"a deployment of {version}, which waited"
    return cloud.ended(cloud.started("deploy", lambda asked: asked.get("image_tag") == version, what))


@pytest.fixture(scope="module")
def queued(scaled_stage: Stage) -> Rehearsal:
    """0.2.1 is deployed when 0.2.2 is pushed, and then 0.2.3."""
    stage = scaled_stage

    def push_two(execution: str) -> dict[str, Any]:
        pushed = pushed_while_busy(stage, "0.2.2", "0.2.3")
        stage.cloud.ended(execution)
        return {"pushed": pushed, "next": started_for(stage.cloud, "0.2.3")}

    return stage.rehearse("queued", stage.push("0.2.1"), push_two)


@pytest.fixture(scope="module")
def superseded(scaled_stage: Stage) -> Rehearsal:
    """0.2.4 is deployed when 0.2.5 is pushed, which may take its place at once."""
    stage = scaled_stage

    def push_one(execution: str) -> dict[str, Any]:
        pushed = pushed_while_busy(stage, "0.2.5")
        stage.cloud.ended(execution)
        return {"pushed": pushed, "next": started_for(stage.cloud, "0.2.5")}

    with stage.spec(when_busy="supersede"):
        return stage.rehearse("superseded", stage.push("0.2.4"), push_one)


class TestQueued(WithoutFailure):
    """What holds of the deployment that was not disturbed by what came after it."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, queued: Rehearsal) -> Rehearsal:
        """The one with the queue."""
        return queued

    def test_the_last_that_was_pushed_is_live(self, queued: Rehearsal) -> None:
        """One after the other, each from 0 to 100, and the one in between never."""
        assert queued.before
        assert queued.after
        assert (queued.after.version, queued.after.slot) == ("0.2.3", queued.before.slot)
        assert queued.shares_seen == [0, 10, 50, 100, 90, 50, 0]
        assert versions(queued.requests) == [queued.before.version, "0.2.1", "0.2.3"]

    def test_those_who_wait_are_told_so(self, queued: Rehearsal) -> None:
        """Their executions end well at once: whoever has pushed need not watch."""
        told = {
            version: (execution.status, execution.output["action"])
            for version, execution in queued.seen["pushed"].items()
        }

        assert told == {"0.2.2": ("SUCCEEDED", "queued"), "0.2.3": ("SUCCEEDED", "queued")}
        assert "0.2.2, which waited, is dropped" in queued.seen["pushed"]["0.2.3"].output["reason"]

    def test_only_the_newest_waits(self, cloud: Cloud, queued: Rehearsal) -> None:
        """The one that it has dropped is history, with its outcome and why."""
        dropped = cloud.item(queued.seen["pushed"]["0.2.2"].name)

        assert dropped["outcome"] == "dropped"
        assert dropped["reason"] == "0.2.2 gave way to 0.2.3 while it waited"

    def test_the_newest_is_deployed_in_its_turn(self, cloud: Cloud, queued: Rehearsal) -> None:
        """By an execution that Crossfade has started, with an outcome and a certificate of its own."""
        follower = queued.seen["next"]

        assert (follower.status, follower.output["outcome"]) == ("SUCCEEDED", "promoted")
        assert cloud.item(follower.name)["outcome"] == "promoted"
        assert (cloud.certificate(follower.name) or {})["from"]["version"] == "0.2.1"


class TestSuperseded(WithoutFailure):
    """What holds of the deployment that has made room."""

    outcome = "rolled_back"

    @pytest.fixture
    def rehearsal(self, superseded: Rehearsal) -> Rehearsal:
        """The one that was superseded."""
        return superseded

    def test_it_made_room_for_the_newer_one(self, superseded: Rehearsal) -> None:
        """It failed by name, and its reason names the version that it made room for."""
        execution = superseded.execution

        assert (execution.status, execution.error) == ("FAILED", "Superseded")
        assert "0.2.5 was asked for by" in superseded.item["reason"]

    def test_the_newer_one_is_live(self, superseded: Rehearsal) -> None:
        """In the slot of the one that made room, which was taken back from wherever it stood."""
        assert superseded.before
        assert superseded.after
        assert (superseded.after.version, superseded.after.slot) == ("0.2.5", other(superseded.before.slot))
        assert superseded.shares_seen[:2] == [0, 10]
        assert superseded.shares_seen[-4:] == [0, 10, 50, 100]

    def test_the_newer_one_begins_from_the_stable_version(self, cloud: Cloud, superseded: Rehearsal) -> None:
        """Not from the one that was taken back."""
        assert superseded.before
        follower = superseded.seen["next"]

        assert (follower.status, follower.output["outcome"]) == ("SUCCEEDED", "promoted")
        assert (cloud.certificate(follower.name) or {})["from"]["version"] == superseded.before.version
