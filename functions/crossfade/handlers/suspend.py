"""SuspendScaling: nothing but Crossfade changes a slot's task count while traffic moves."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.scaling import Scaling
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.domain.scaling import ACTIVE, SUSPENDED
from crossfade.domain.spec import SLOTS
from crossfade.handlers.step import step


class Event(Message):
    """The plan whose slots are to be left alone."""

    plan: Plan


class Suspended(Message):
    """Whether the live slot is scaled automatically at all."""

    scaled: bool


@step(Event)
def handler(event: Event) -> Suspended:
    """Write down how the live slot's scaling stands, then suspend it on both slots."""
    plan = event.plan
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    scaling = Scaling(client("application-autoscaling"), plan.spec)
    live = scaling.suspension(plan.stable) if plan.stable else None
    journal.milestone(plan, "scaling", (live or ACTIVE).model_dump())
    for slot in SLOTS:
        scaling.suspend(slot, SUSPENDED)
    return Suspended(scaled=live is not None)
