"""CoolDown: the old slot was kept warm for long enough."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.slots import Slots
from crossfade.aws.traffic import Traffic
from crossfade.domain.errors import SlotHasTraffic
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.domain.spec import Slot
from crossfade.domain.traffic import refuse_stop
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The promoted deployment's plan."""

    plan: Plan


class Cooled(Message):
    """The slot that was stopped; None where somebody has made use of it meanwhile."""

    slot: Slot | None


@step(Event)
def handler(event: Event) -> Cooled:
    """Stop the old slot, unless another deployment or a rollback has made use of it."""
    plan = event.plan
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    if plan.stable is None or not journal.reclaim(plan):
        return Cooled(slot=None)
    state, live = journal.refuse_lost(plan), Traffic(client("elbv2"), plan.spec).weights()
    stopped = True
    try:
        refuse_stop(plan.stable, live, written=state.weights, overwritten=state.overwritten, now=utc_now())
        Slots(client("ecs"), plan.spec).stop(plan.stable)
    except SlotHasTraffic:  # somebody sends clients there: the next deployment's first look says so
        stopped = False
    journal.release(plan, utc_now())
    return Cooled(slot=plan.stable if stopped else None)
