"""When the candidate is ready to be verified, and when waiting longer is pointless."""

from datetime import datetime, timedelta
from typing import Literal

from crossfade.domain.errors import CandidateCannotStart, CandidateNotHealthy, CandidateReplaced
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.spec.service import Launch
from crossfade.domain.tasks.reasons import advice

CRASHES_LIMIT = 2
"""One task may fail by bad luck; the second one that ends by itself is an error of the release."""

ECS_LAG = timedelta(seconds=60)
"""How long after a write ECS may show a service as it was before, or no service at all."""


class Rollout(Model):
    """What was launched, from ECS's own answer: the id of the service's PRIMARY deployment.

    ``asked`` is when that answer came.
    """

    id: str
    task_definition: str
    asked: Timestamp


class SlotStatus(Model):
    """A slot's ECS service and its target group, as they are shown now.

    ``rollout`` is the newest one, ``running`` are its tasks, ``others`` running tasks of earlier ones.
    ``crashed`` are tasks of the rollout that ended by themselves; ``rollout_failed``: ECS starts no more.
    ``failure`` is what ECS says of it, and why the last task stopped; ``unhealthy`` is what the load balancer
    says of targets that are not healthy.
    """

    task_definition: str
    rollout: str
    desired: int
    running: int
    others: int = 0
    crashed: int = 0
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


class Readiness(Model):
    """``ready`` when the candidate was healthy for the hold time; else since when it has been healthy.

    ``given_up``: ECS starts no more tasks of this rollout, and the candidate needs another one.
    """

    status: Literal["waiting", "given_up", "ready"]
    healthy_since: Timestamp | None
    reason: str


def readiness_of(
    slot: SlotStatus | None,
    rollout: Rollout,
    *,
    healthy_since: datetime | None,
    now: datetime,
    deadline: datetime,
    launch: Launch,
) -> Readiness:
    """Say whether the candidate, which is ``rollout``, is ready. ``slot`` is None where ECS shows no service.

    Raises
    ------
    CandidateReplaced
        A minute after the launch ECS shows no service, or one that runs something else.
    CandidateCannotStart
        Tasks end by themselves repeatedly, so waiting would not help. Tasks that ECS found no place for do
        not count: room may come, although ECS soon gives such a rollout up.
    CandidateNotHealthy
        The deadline has passed.
    """
    unseen = _unseen(slot, rollout, now)
    if slot is None or unseen:
        return Readiness(status="waiting", healthy_since=None, reason=unseen)
    if slot.crashed >= CRASHES_LIMIT:
        raise CandidateCannotStart(
            f"The candidate's tasks cannot start, or stop soon after ({slot.crashed} failed): "
            f"{slot.failure}. "
            + advice(slot.failure, "Correct the image or the pattern's task definition, push again.")
        )
    if slot.up and not slot.rollout_failed:
        since = healthy_since or now
        held = now - since
        if held >= timedelta(seconds=launch.hold_seconds):
            return Readiness(status="ready", healthy_since=since, reason=f"{slot.healthy} targets healthy")
        return Readiness(
            status="waiting",
            healthy_since=since,
            reason=f"healthy for {held.total_seconds():.0f} s of {launch.hold_seconds:g} s",
        )
    found = f"{slot.running} of {slot.desired} tasks run, {slot.healthy} targets healthy"
    why = "; ".join(filter(None, (*slot.unhealthy, slot.failure)))
    if now >= deadline:
        raise CandidateNotHealthy(
            f"The candidate did not become healthy within {launch.deadline_seconds:g} s: {found} "
            f"({why or 'neither ECS nor the load balancer gave a reason'}). "
            + advice(slot.failure, "Look at its health check and its log.")
        )
    return Readiness(
        status="given_up" if slot.rollout_failed else "waiting",
        healthy_since=None,
        reason=f"{found} ({why})" if why else found,
    )


def _unseen(slot: SlotStatus | None, rollout: Rollout, now: datetime) -> str:
    """Why what ECS shows is not what was launched; empty when it is."""
    if slot and slot.rollout == rollout.id:
        return ""
    found = "no service" if slot is None else f"{slot.task_definition} as {slot.rollout}"
    unseen = f"ECS was asked for {rollout.task_definition} and answered {rollout.id}, but shows {found}"
    if now < rollout.asked + ECS_LAG:
        return f"{unseen} yet" if slot is None else f"{unseen} still"
    if slot and slot.task_definition == rollout.task_definition:
        return ""  # launched twice, or rolled out anew by hand: it is the same candidate
    raise CandidateReplaced(
        f"{unseen}, {(now - rollout.asked).total_seconds():.0f} s later. The candidate's ECS service was "
        "deleted or changed outside Crossfade. Find out by whom, then deploy again."
    )
