"""SuspendScaling: nothing but Crossfade changes a slot's task count while traffic moves."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.scaling import Scaling
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.domain.scaling import ACTIVE, SUSPENDED
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The plan whose slots are to be left alone."""

    plan: Plan


class Suspended(Message):
    """Whether the live slot is scaled automatically at all."""

    scaled: bool


@step(Event)
def handler(event: Event) -> Suspended:
    """Write down how the live slot's scaling stands, then suspend it on the slots that run.

    A slot that stands at 0 is left alone: AWS would start it. It was suspended while it ran.
    """
    plan, now = event.plan, utc_now()
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    scaling = Scaling(client("application-autoscaling"), plan.spec)
    live = scaling.suspension(plan.stable) if plan.stable else None
    last = journal.refuse_lost(plan).resumed
    # Just after the deployment before, what it resumed may still be read as suspended.
    known = last.suspension if last and plan.stable and last.still_counts(plan.stable, now) else live
    journal.milestone(plan, "scaling", (known or ACTIVE).model_dump())
    if plan.stable:
        scaling.suspend(plan.stable, SUSPENDED)
    if journal.history(plan.service, plan.deployment).launched:
        scaling.suspend(plan.candidate, SUSPENDED)
    return Suspended(scaled=live is not None)
