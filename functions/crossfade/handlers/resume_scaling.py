"""ResumeScaling: the winner is scaled as the live slot was before; the idle slot stays as it is."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.scalable_targets import Scaling
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.domain.slots import Slot
from crossfade.domain.tasks.scaling import Resumption
from crossfade.step import step, utc_now


class Event(Model):
    """The plan whose slots were left alone."""

    plan: Plan


class Resumed(Model):
    """The slot whose scaling was resumed; None where there was nothing to resume."""

    slot: Slot | None


@step(Event)
def handler(event: Event) -> Resumed:
    """Resume scaling on the slot that the journal calls stable."""
    plan = event.plan
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    slot = journal.refuse_lost(plan).stable
    before = journal.history(plan.service, plan.deployment).scaling
    if slot is None or before is None:  # nothing is live, or nothing was suspended
        return Resumed(slot=None)
    # The next deployment must know it, whatever it reads.
    journal.resumed(plan, Resumption(slot=slot, suspension=before, at=utc_now()))
    Scaling(client("application-autoscaling"), plan.spec).suspend(slot, before)
    return Resumed(slot=slot)
