"""The launch: when the candidate is ready, and when waiting is pointless."""

from typing import Any

import pytest

from crossfade.domain.errors import CandidateCannotStart, CandidateNotHealthy, CandidateReplaced
from crossfade.domain.spec.service import Launch
from crossfade.domain.tasks.launch import Readiness, Rollout, SlotStatus, readiness_of
from tests.unit.examples import at


def _slot(**changes: Any) -> SlotStatus:
    values = {
        "task_definition": "web:2", "rollout": "ecs-svc/2",
        "desired": 2, "running": 2, "rollout_failed": False, "failure": "",
        "healthy": 2, "registered": 2,
    }  # fmt: skip
    return SlotStatus.model_validate(values | changes)


def _readiness(slot: SlotStatus | None, *, now: float, since: float | None = None) -> Readiness:
    return readiness_of(
        slot,
        Rollout(id="ecs-svc/2", task_definition="web:2", asked=at(0)),
        healthy_since=None if since is None else at(since),
        now=at(now),
        deadline=at(60),
        launch=Launch(deadline_seconds=60, hold_seconds=5),
    )


@pytest.mark.parametrize(
    ("changes", "since", "status", "healthy_since"),
    [
        pytest.param({}, None, "waiting", 10, id="healthy-for-the-first-time"),
        pytest.param({}, 6, "waiting", 6, id="held-too-short"),
        pytest.param({}, 5, "ready", 5, id="held-long-enough"),
        pytest.param({"running": 1}, 5, "waiting", None, id="a-task-is-missing"),
        pytest.param({"running": 3}, 5, "waiting", None, id="a-task-too-many"),
        pytest.param({"others": 1}, 5, "waiting", None, id="a-task-of-an-earlier-rollout-runs"),
        pytest.param({"running": 2, "others": 1, "registered": 3}, 5, "waiting", None, id="and-is-a-target"),
        pytest.param({"healthy": 1}, 5, "waiting", None, id="health-lost-starts-anew"),
        pytest.param({"registered": 3}, 5, "waiting", None, id="a-target-that-is-not-healthy"),
        pytest.param({"healthy": 0, "registered": 0}, 5, "waiting", None, id="silence-is-not-success"),
        pytest.param(
            {"desired": 0, "running": 0, "healthy": 0, "registered": 0}, 0, "waiting", None, id="scaled-to-0"
        ),
        pytest.param({"crashed": 1}, 5, "ready", 5, id="one-crash-is-bad-luck"),
        pytest.param({"rollout": "ecs-svc/1"}, 5, "waiting", None, id="counts-of-an-earlier-rollout"),
    ],
)
def test_readiness(
    changes: dict[str, Any], since: float | None, status: str, healthy_since: float | None
) -> None:
    """Every task runs, every target is healthy, and stays so for the hold time."""
    found = _readiness(_slot(**changes), now=10, since=since)
    expected = None if healthy_since is None else at(healthy_since)
    assert (found.status, found.healthy_since) == (status, expected)


@pytest.mark.parametrize(
    "changes", [{}, {"rollout_failed": True}], ids=["a-second-crash-is-no-bad-luck", "ecs-gave-up-as-well"]
)
def test_what_cannot_start_is_given_up_early(changes: dict[str, Any]) -> None:
    """Long before the deadline, with ECS's own reason and what to do about it."""
    with pytest.raises(CandidateCannotStart, match=r"\(2 failed\): CannotPullContainerError: no\. See that"):
        _readiness(_slot(failure="CannotPullContainerError: no", crashed=2, **changes), now=1)


def test_what_is_not_known_is_the_releases_own_fault() -> None:
    """An exit code says nothing more."""
    with pytest.raises(CandidateCannotStart, match=r"exit code 1\. Correct the image"):
        _readiness(_slot(failure="exit code 1", crashed=2), now=1)


@pytest.mark.parametrize("running", [0, 2], ids=["ecs-found-no-place", "it-would-replace-no-task-that-ends"])
def test_a_rollout_that_ecs_gave_up_is_launched_again(running: int) -> None:
    """Until the deadline; nothing of it speaks against the release."""
    gave_up = _slot(rollout_failed=True, running=running, failure="no room")
    found = _readiness(gave_up, now=10, since=5)
    assert (found.status, found.healthy_since) == ("given_up", None)
    assert found.reason.endswith("(no room)")
    with pytest.raises(CandidateNotHealthy, match="no room"):
        _readiness(gave_up, now=60)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"healthy": 0, "unhealthy": ("10.0.0.1: code 503",)}, "code 503", id="elb-knows"),
        pytest.param({"running": 0, "failure": "exit code 1"}, "exit code 1", id="ecs-knows"),
        pytest.param(
            {"healthy": 0, "unhealthy": ("10.0.0.1: code 503",), "failure": "exit code 1"},
            r"code 503; exit code 1",
            id="both-know",
        ),
        pytest.param({"healthy": 0, "registered": 0}, "gave a reason.*health check", id="nobody-knows"),
        pytest.param(
            {"running": 0, "failure": "Capacity is unavailable at this time"},
            "at this time.*Fargate has no room.*further zones",
            id="advice-that-fits",
        ),
    ],
)
def test_the_deadline_ends_the_wait(changes: dict[str, Any], why: str) -> None:
    """With the load balancer's reason, or ECS's."""
    with pytest.raises(CandidateNotHealthy, match=why):
        _readiness(_slot(**changes), now=60)


def test_health_at_the_deadline_may_still_be_held() -> None:
    """A candidate that is healthy at last gets its hold time."""
    assert _readiness(_slot(), now=62, since=59).status == "waiting"
    assert _readiness(_slot(), now=64, since=59).status == "ready"


FAILED_BEFORE = {
    "rollout": "ecs-svc/1",
    "task_definition": "web:1",
    "rollout_failed": True,
}


@pytest.mark.parametrize("slot", [None, _slot(**FAILED_BEFORE)], ids=["no-service", "an-earlier-rollout"])
def test_what_ecs_does_not_show_yet_is_waited_for(slot: SlotStatus | None) -> None:
    """For a minute ECS may answer with what was there before the launch: it says nothing of the candidate."""
    found = _readiness(slot, now=59, since=5)
    assert (found.status, found.healthy_since) == ("waiting", None)


@pytest.mark.parametrize(
    ("slot", "shown"),
    [
        pytest.param(None, "shows no service", id="deleted"),
        pytest.param(_slot(**FAILED_BEFORE), "shows web:1 as ecs-svc/1", id="another-rollout"),
    ],
)
def test_what_is_not_the_candidate_after_a_minute_is_somebody_elses(
    slot: SlotStatus | None, shown: str
) -> None:
    """The sentence says what was launched, and what was found."""
    with pytest.raises(CandidateReplaced, match=rf"web:2 and answered ecs-svc/2, but {shown}, 60 s later"):
        _readiness(slot, now=60)


def test_the_same_release_rolled_out_anew_is_the_candidate() -> None:
    """A launch that ran twice, or a person's new deployment: after a minute it is no stale answer."""
    again = _slot(rollout="ecs-svc/3")
    assert _readiness(again, now=59, since=5).status == "waiting"
    assert _readiness(again, now=70, since=60).status == "ready"
    with pytest.raises(CandidateCannotStart):
        _readiness(_slot(rollout="ecs-svc/3", crashed=2), now=70)
