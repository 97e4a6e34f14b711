"""LaunchCandidate: roll out the candidate, with as many tasks as the stable slot is to run."""

from datetime import datetime
from typing import Literal

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecs_services import Slots
from crossfade.aws.journal import Journal
from crossfade.domain.errors import CandidateCannotStart, SlotDrift
from crossfade.domain.model import Model, Timestamp, iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.tasks.launch import ECS_LAG, Rollout
from crossfade.step import step, utc_now


class Launched(Model):
    """What was rolled out, and with how many tasks; or why that has to wait."""

    status: Literal["waiting", "launched"]
    reason: str
    rollout: Rollout | None = None


@step
def handler(plan: HeldPlan, task_definition: str, deadline: Timestamp) -> Launched:
    """Create or update the candidate's slot, whose tasks must be healthy by the deadline."""
    journal, now = stack.journal(), utc_now()
    first = datetime.fromisoformat(journal.history.milestone(plan.hold, "launched", iso(now)))
    slots, service = Slots(client("ecs"), plan.spec), plan.spec.slot_service(plan.candidate)
    again = iso(first) != iso(now) and now < first + ECS_LAG
    count = _count(plan, slots, journal)
    if count == 0:
        short = f"stable ({plan.stable}) has all traffic, but its ECS service has a desired count of 0"
        if now >= first + ECS_LAG:
            raise SlotDrift(f"{short}. It was changed outside Crossfade. Scale it up, then deploy again.")
        return Launched(status="waiting", reason=short)
    journal.history.milestone(plan.hold, "task_definition", task_definition)
    slots.stop_leftover()
    try:
        rollout = slots.launch(plan.candidate, task_definition, count, again=again)
    except SlotDrift:
        # What stands in the slot's place is another's: the rollback is not to suspend its scaling.
        journal.history.milestone(plan.hold, "stopped", plan.candidate)
        raise
    if rollout is None:
        if now >= deadline:
            raise CandidateCannotStart(
                f"{service} could not be created within {plan.spec.launch.deadline_seconds:g} s: ECS still "
                "has a deleted service of that name. Wait until that one is INACTIVE, then deploy again."
            )
        return Launched(status="waiting", reason=f"ECS still has a deleted service {service}")
    return Launched(
        status="launched",
        reason=f"{count} tasks",
        rollout=Rollout(id=rollout, task_definition=task_definition, asked=utc_now()),
    )


def _count(plan: HeldPlan, slots: Slots, journal: Journal) -> int:
    """As many tasks as the stable slot is to run: of those that run, some may just be replaced.

    A further launch of the same deployment has no fewer than one before it: of the most that was ever wanted
    nothing is taken back.
    """
    if plan.stable is None:
        return plan.spec.tasks
    stable = slots.describe(plan.stable)
    desired, known = stable.desired if stable else 0, journal.history.of(plan.service, plan.deployment).wanted
    if desired == 0:
        return 0
    wanted = max(desired, known or 0)
    if wanted != known:
        journal.history.wanted(plan.hold, wanted)
    return wanted
