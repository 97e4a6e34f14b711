"""CheckCandidate: do all tasks of the candidate run, and are all targets healthy?"""

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecs_services import Slots
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.journal import refuse_superseded
from crossfade.domain.model import Timestamp, iso
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.tasks.launch import Readiness, Rollout, SlotStatus, readiness_of
from crossfade.step import step, utc_now


@step
def handler(
    plan: HeldPlan, rollout: Rollout, deadline: Timestamp, healthy_since: Timestamp | None
) -> Readiness:
    """Check the candidate, which must be healthy by the deadline; see ``domain/tasks/launch.py``.

    ``healthy_since``: since when it is healthy; None if it was not at the last check.
    """
    journal, now = stack.journal(), utc_now()
    refuse_superseded(journal.refuse_lost(plan.hold))
    readiness = readiness_of(
        _status(plan),
        rollout,
        healthy_since=healthy_since,
        now=now,
        deadline=deadline,
        launch=plan.spec.launch,
    )
    if readiness.status == "ready":
        journal.history.milestone(plan.hold, "healthy", iso(readiness.healthy_since or now))
    return readiness


def _status(plan: Plan) -> SlotStatus | None:
    slots = Slots(client("ecs"), plan.spec)
    service = slots.describe(plan.candidate)
    if service is None:
        return None
    stops = slots.stops(plan.candidate, service.rollout)
    stopped = f"the last task that stopped: {stops[-1].reason}" if stops else ""
    health = Traffic(client("elbv2"), plan.spec).health(plan.candidate)
    return SlotStatus(
        task_definition=service.task_definition,
        rollout=service.rollout,
        desired=service.desired,
        running=service.running,
        others=service.others,
        crashed=sum(stop.crashed for stop in stops),
        rollout_failed=service.rollout_failed,
        failure="; ".join(filter(None, (service.trouble(plan.began), stopped))),
        healthy=health.healthy,
        registered=health.registered,
        unhealthy=health.unhealthy,
    )
