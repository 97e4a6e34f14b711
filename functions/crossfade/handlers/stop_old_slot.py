"""StopOldSlot: stop the old slot when its warm time is over, unless clients need it."""

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecs_services import Slots
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import LiveServesNothing, SlotHasTraffic
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.slots import SLOTS, Slot
from crossfade.step import step, utc_now


class Stopped(Model):
    """The slot that was stopped; None if another execution used it meanwhile."""

    slot: Slot | None


@step
def handler(plan: HeldPlan) -> Stopped:
    """Stop the old slot, unless another deployment or a rollback has made use of it.

    Raises
    ------
    LiveServesNothing
        The live slot has no healthy target, and the old one has.
    """
    journal = stack.journal()
    if plan.stable is None:
        return Stopped(slot=None)
    free = journal.state(plan.service)
    if free.holder is None and free.warm and free.warm.deployment == plan.deployment:
        _refuse_dead(plan, plan.stable)
    if not journal.holding.reclaim(plan.hold):
        return Stopped(slot=None)
    state, shown = journal.refuse_lost(plan.hold), Traffic(client("elbv2"), plan.spec).shown()
    stopped = True
    try:
        shown.refuse_stop(plan.stable, state.weights, overwritten=state.overwritten, now=utc_now())
        Slots(client("ecs"), plan.spec).stop(plan.stable)
    except SlotHasTraffic:  # changed outside Crossfade: the next plan refuses it with the reason
        stopped = False
    journal.holding.release(plan.hold, utc_now())
    return Stopped(slot=plan.stable if stopped else None)


def _refuse_dead(plan: Plan, warm: Slot) -> None:
    """Refuse to stop the only slot that serves, unless its owner has scaled the live one to 0."""
    traffic, live = Traffic(client("elbv2"), plan.spec), plan.candidate
    healthy = {slot: traffic.health(slot).healthy for slot in SLOTS}
    if healthy[live] or not healthy[warm]:
        return
    service = Slots(client("ecs"), plan.spec).describe(live)
    if service and service.desired:
        before = plan.previous.version if plan.previous else "the version before"
        raise LiveServesNothing(
            f"{plan.release.version} was promoted, and none of its {service.desired} tasks in {live} is "
            f"healthy any more. {before} still runs in {warm}, which was kept warm, and gets the traffic "
            f"back. Read the log of {plan.release.version}."
        )
