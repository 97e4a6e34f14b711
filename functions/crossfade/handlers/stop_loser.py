"""StopLoser: scale a slot to 0, if it gets no clients and the other slot has enough tasks without it."""

from datetime import datetime
from typing import Literal

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecs_services import Slots
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import ResourceGone, SlotHasTraffic
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.rollback.target import still_needed
from crossfade.domain.slots import SLOTS, Slot, other
from crossfade.step import step, utc_now
from crossfade.watching.capacity import win_back


class Stopped(Model):
    """Whether the slot was stopped.

    ``short``: not yet, as the other one lacks tasks. ``dead``: the other one has no healthy target, so this
    one wins. ``kept``: the same, but it cannot win any more, so it keeps running.
    """

    status: Literal["stopped", "short", "dead", "kept"]
    reason: str


@step
def handler(plan: HeldPlan, slot: Slot | None, deadline: Timestamp, undecided: bool) -> Stopped:
    """Stop the slot, or say why it keeps running, or fail with SlotHasTraffic.

    ``slot`` is None if there is no loser. Until ``deadline`` it keeps running while the other one lacks
    tasks. ``undecided``: if the other one has no healthy target, this one may still win.
    """
    journal = stack.journal()
    traffic = Traffic(client("elbv2"), plan.spec)
    state = journal.refuse_lost(plan.hold)
    if slot is None:
        return Stopped(status="stopped", reason="there is no slot to stop")
    shown = traffic.shown()
    try:
        shown.refuse_stop(slot, state.weights, overwritten=state.overwritten, now=utc_now())
    except SlotHasTraffic as busy:
        raise SlotHasTraffic(
            f"{busy} Give all the traffic to {other(slot)}, whose tasks run, then start the rollback state "
            "machine for this service."
        ) from busy
    slots = Slots(client("ecs"), plan.spec)
    slots.stop_leftover()  # the deployment may not have come so far, and nobody else would
    if plan.stable:
        needed = _still_needed(plan, slot, journal, traffic, deadline=deadline, undecided=undecided)
        if needed:
            return needed
    journal.live.forget_warm(plan.hold)
    journal.history.milestone(plan.hold, "stopped", slot)
    slots.stop(slot)
    return Stopped(status="stopped", reason=f"{slot} was scaled to 0 tasks")


def _still_needed(
    plan: HeldPlan, loser: Slot, journal: Journal, traffic: Traffic, *, deadline: datetime, undecided: bool
) -> Stopped | None:
    try:
        healthy = {slot: traffic.health(slot).healthy for slot in SLOTS}
    except ResourceGone:
        return None
    capacity = win_back(plan, journal, other(loser))
    short = capacity.short_for(100, late=False) if capacity else None
    late = utc_now() >= deadline
    needed = still_needed(
        plan,
        journal.history.of(plan.service, plan.deployment),
        loser,
        healthy=healthy,
        short=short,
        late=late,
    )
    if needed == "as_winner":
        status: Literal["short", "dead", "kept"] = "dead" if undecided else "kept" if late else "short"
        return Stopped(status=status, reason=f"{loser} keeps running: {other(loser)} has no healthy target")
    if needed == "as_it_is":
        return Stopped(status="short", reason=f"{loser} keeps running: {short}")
    return None
