"""When the candidate is ready to be looked at, and when there is no point in waiting longer."""

from datetime import datetime, timedelta
from typing import Literal

from crossfade.domain.errors import CandidateCannotStart, CandidateNotHealthy
from crossfade.domain.message import Message, Moment
from crossfade.domain.spec import Launch

FAILED_TASKS_LIMIT = 2
"""A second task that failed to start is not bad luck. ECS's own circuit breaker waits for at least three."""


class SlotStatus(Message):
    """A slot's ECS service and its target group, as they are now.

    ``failure`` is why ECS gave up or a task stopped, in ECS's words; ``unhealthy`` is what the load balancer
    says of targets that are not healthy. ``others`` are running tasks of an earlier rollout.
    """

    desired: int
    running: int
    others: int = 0
    failed_tasks: int
    rollout_failed: bool
    failure: str
    healthy: int
    registered: int
    unhealthy: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        """Every task runs, no earlier one is left, and every target is healthy."""
        return (
            self.desired > 0
            and self.others == 0
            and self.running == self.desired
            and self.healthy == self.registered == self.desired
        )


class Readiness(Message):
    """``ready`` when the candidate was healthy for the hold time; else since when it has been healthy."""

    status: Literal["waiting", "ready"]
    healthy_since: Moment | None
    reason: str


def judge(
    slot: SlotStatus, *, healthy_since: datetime | None, now: datetime, deadline: datetime, launch: Launch
) -> Readiness:
    """Say whether the candidate is ready.

    Raises
    ------
    CandidateCannotStart
        ECS gave the rollout up, or tasks fail again and again: waiting would not help.
    CandidateNotHealthy
        The deadline has passed.
    """
    if slot.rollout_failed or slot.failed_tasks >= FAILED_TASKS_LIMIT:
        raise CandidateCannotStart(
            f"The candidate's tasks cannot start ({slot.failed_tasks} failed): {slot.failure}. "
            "Correct the image or the blueprint, push again."
        )
    if slot.up:
        since = healthy_since or now
        held = now - since
        if held >= timedelta(seconds=launch.hold_seconds):
            return Readiness(status="ready", healthy_since=since, reason=f"{slot.healthy} targets healthy")
        return Readiness(status="waiting", healthy_since=since, reason="healthy, held for a moment")
    found = f"{slot.running} of {slot.desired} tasks run, {slot.healthy} targets healthy"
    if now >= deadline:
        why = "; ".join(slot.unhealthy) or slot.failure or "the load balancer gave no reason"
        raise CandidateNotHealthy(
            f"The candidate did not become healthy in {launch.deadline_seconds:g} s: {found} ({why}). "
            "Look at its health check and its log."
        )
    return Readiness(status="waiting", healthy_since=None, reason=found)
