"""StopLoser: scale the slot that lost to 0, if no client is sent to it."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.slots import Slots
from crossfade.aws.traffic import Traffic
from crossfade.domain.errors import SlotHasTraffic
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.domain.spec import Slot, other
from crossfade.domain.traffic import refuse_stop
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The slot to stop; None where there is none."""

    plan: Plan
    slot: Slot | None


class Stopped(Message):
    """The slot that was stopped."""

    slot: Slot | None


@step(Event)
def handler(event: Event) -> Stopped:
    """Stop the slot, or fail with SlotHasTraffic."""
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    state = journal.refuse_lost(event.plan)
    if event.slot:
        live = Traffic(client("elbv2"), event.plan.spec).weights()
        try:
            refuse_stop(event.slot, live, written=state.weights, overwritten=state.overwritten, now=utc_now())
        except SlotHasTraffic as busy:
            raise SlotHasTraffic(
                f"{busy} Give all the traffic to {other(event.slot)}, whose tasks run, then start the "
                "rollback state machine for this service."
            ) from busy
        journal.cold(event.plan)
        Slots(client("ecs"), event.plan.spec).stop(event.slot)
    return Stopped(slot=event.slot)
