"""Crossfade is updated in the middle of a deployment, by `sam deploy` of a version with other messages.

The deployment keeps the code that it began with; what puts a service back is the newest rollback.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.figures import FIGURES
from tests.sandbox import next_version
from tests.sandbox.beginning import deployed, started
from tests.sandbox.client import failed, versions
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import live, other
from tests.sandbox.shell import PROJECT
from tests.sandbox.stage import Stage

pytestmark = pytest.mark.enable_socket

BREAK_PATH = "/break"
PROMOTED_SECONDS = 90
"""How long the stage at weight 10 lasts at least that an update happens in."""
ENDLESS_SECONDS = 600
"""A stage at weight 10 that does not end by itself, however slow the machine is."""


class Updates:
    """A service of which 0.0.1 is live, and two versions of Crossfade: the project's own and the next one."""

    def __init__(self, stage: Stage, following: Path) -> None:
        self.stage, self.following = stage, following
        self._deployed = PROJECT

    def rehearse(
        self,
        version: str,
        before: Path,
        after: Path,
        then: Callable[[str], None] | None = None,
        seconds: int = ENDLESS_SECONDS,
    ) -> Rehearsal:
        """Push a version of the service, and at its weight 10 update Crossfade; then comes ``then``.

        In ``seen``: weight and status when the update was through, and how many seconds that took.
        """
        stage = self.stage
        self._deploy(before)

        def update(execution: str) -> dict[str, Any]:
            stage.reach(10)
            began = time.monotonic()
            self._deploy(after)
            took = time.monotonic() - began
            seen = {"share": stage.share(), "status": stage.cloud.status(execution), "seconds": took}
            if then:
                then(execution)
            return seen

        long = {"weight": 10, "min_seconds": seconds, "max_seconds": 2 * seconds}
        stages = [long if each["weight"] == 10 else each for each in stage.cloud.spec["stages"]]
        with stage.spec(stages=stages):
            rehearsal = stage.rehearse(
                f"updated during {version}", stage.push(version, FAULT_BREAK_PATH=BREAK_PATH), update
            )
        stage.note(f"the update during {version} took {rehearsal.seen['seconds']:.0f} s")
        return rehearsal

    def rolled_back_by(self, **asked: str) -> Path:
        """Which version's rollback has put right what it was asked for."""
        cloud = self.stage.cloud
        arn = cloud.started("rollback", lambda given: asked.items() <= given.items(), f"rollback of {asked}")
        return self.following if next_version.MARK in cloud.ended(arn).output else PROJECT

    def _deploy(self, version: Path) -> None:
        if version != self._deployed:
            self.stage.cloud.sam_deploy(version)
            self._deployed = version


@pytest.fixture(scope="module")
def updates(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Updates]:
    """A sandbox of its own with a first release in it: other stories stay on the project's own version."""
    state, home, clients = (tmp_path_factory.mktemp(name) for name in ("updated", "home", "clients"))
    with started(state, pytestconfig) as sandbox:
        stage = Stage(deployed(sandbox, home, pytestconfig), sandbox, clients, pytestconfig.stash[FIGURES])
        stage.rehearse("first release, to be updated upon", stage.push("0.0.1"))
        yield Updates(stage, next_version.make(tmp_path_factory.mktemp("next")))


@pytest.fixture(scope="module")
def bad(updates: Updates) -> Rehearsal:
    """A release that this version has begun, and that turns bad as soon as the next one is there."""

    def break_it(execution: str) -> None:
        stable = live(updates.stage.cloud)
        assert stable
        updates.stage.tasks.break_all(other(stable.slot), BREAK_PATH)

    return updates.rehearse("0.1.1", PROJECT, updates.following, break_it)


@pytest.fixture(scope="module")
def stopped(updates: Updates) -> Rehearsal:
    """A deployment that the next version has begun, stopped as soon as this one is back: no Catch runs."""
    return updates.rehearse("0.1.2", updates.following, PROJECT, updates.stage.cloud.stop)


@pytest.fixture(scope="module")
def promoted(updates: Updates) -> Rehearsal:
    """A good release that this version has begun, and that goes on under the next one."""
    return updates.rehearse("0.1.3", PROJECT, updates.following, seconds=PROMOTED_SECONDS)


# ---- bad, once Crossfade is updated ------------------------------------------------------------------------


def test_the_update_came_in_the_middle_of_a_bad_release(bad: Rehearsal) -> None:
    """The deployment went on at weight 10 when the update was through."""
    assert (bad.seen["share"], bad.seen["status"]) == (10, "RUNNING")
    assert bad.shares_seen == [0, 10, 0]


def test_a_bad_release_is_rolled_back_for_its_true_reason(bad: Rehearsal) -> None:
    """The gate's, which is of the version before the update, in all three places."""
    execution, item = bad.execution, bad.item

    assert (execution.status, execution.error) == ("FAILED", "CandidateWorse")
    assert (item["outcome"], bad.certificate["outcome"]) == ("rolled_back", "rolled_back")
    assert item["reason"] == bad.certificate["reason"]


def test_the_newer_rollback_puts_a_bad_release_back(updates: Updates, bad: Rehearsal) -> None:
    """The deployment's own Catch runs the rollback of the version after it. The service is at rest."""
    assert updates.rolled_back_by(deployment=bad.execution.name) == updates.following
    assert (bad.before, bad.unrest) == (bad.after, [])


def test_only_the_bad_release_failed(bad: Rehearsal) -> None:
    """With its own answer: no request got none, or one of the load balancer's."""
    assert {request.status for request in failed(bad.requests)} == {500}


# ---- stopped, as soon as Crossfade is updated --------------------------------------------------------------


@pytest.mark.long
def test_the_update_came_right_before_the_stop(stopped: Rehearsal) -> None:
    """It was at weight 10 when it was stopped."""
    assert (stopped.seen["share"], stopped.seen["status"]) == (10, "RUNNING")
    assert stopped.execution.status == "ABORTED"
    assert stopped.shares_seen == [0, 10, 0]


@pytest.mark.long
def test_the_newer_rollback_puts_back_what_was_stopped(updates: Updates, stopped: Rehearsal) -> None:
    """It has read a journal of another shape. The service is at rest, and journal and certificate say why."""
    assert updates.rolled_back_by(ended=stopped.execution.arn) == PROJECT
    assert (stopped.item["outcome"], stopped.certificate["outcome"]) == ("rolled_back", "rolled_back")
    assert stopped.certificate["reason"] == f"{stopped.execution.name} ended ABORTED"
    assert (stopped.before, stopped.unrest) == (stopped.after, [])


@pytest.mark.long
def test_no_client_failed_when_it_was_stopped(stopped: Rehearsal) -> None:
    """By a client's own record."""
    assert stopped.requests
    assert failed(stopped.requests) == []


# ---- good --------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_update_came_in_the_middle_of_a_good_release(promoted: Rehearsal) -> None:
    """It began at weight 10 and was through before the last stage; the deployment began no stage anew."""
    assert promoted.seen["share"] in (10, 50)
    assert promoted.seen["status"] == "RUNNING"
    assert promoted.shares_seen == [0, 10, 50, 100]


@pytest.mark.long
def test_a_good_release_is_promoted_all_the_same(promoted: Rehearsal) -> None:
    """It keeps the definition and the functions that it began with. The service is at rest."""
    assert (promoted.execution.status, promoted.execution.error) == ("SUCCEEDED", "")
    assert (promoted.item["outcome"], promoted.certificate["outcome"]) == ("promoted", "promoted")
    assert promoted.unrest == []


@pytest.mark.long
def test_no_client_failed_when_it_was_promoted(promoted: Rehearsal) -> None:
    """They have met two versions and no error."""
    assert versions(promoted.requests) == ["0.0.1", "0.1.3"]
    assert failed(promoted.requests) == []
