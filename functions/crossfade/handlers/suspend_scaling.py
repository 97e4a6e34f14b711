"""SuspendScaling: no slot is shrunk while traffic moves; the one that is about to be stopped stands still."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.scalable_targets import Scaling
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.domain.slots import Slot, other
from crossfade.domain.tasks.scaling import ACTIVE, SUSPENDED, SuspendedState
from crossfade.step import step, utc_now
from crossfade.watching.capacity import win_back


class Event(Model):
    """The plan whose slots are not to shrink, and the slot that is about to be stopped, if there is one."""

    plan: Plan
    loser: Slot | None = None


class Suspended(Model):
    """Whether the live slot is scaled automatically at all."""

    scaled: bool


@step(Event)
def handler(event: Event) -> Suspended:
    """Write down how the live slot's scaling stands, then suspend scale-in on the slots that run.

    The loser's is suspended as a whole, while it still runs: a slot that stands at 0 is left alone, since AWS
    would start it. The winner is asked for as many tasks.
    """
    plan, now = event.plan, utc_now()
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    scaling = Scaling(client("application-autoscaling"), plan.spec)
    live = scaling.target(plan.stable) if plan.stable else None
    last = journal.refuse_lost(plan).resumed
    # Just after the deployment before, what it resumed may still be read as suspended.
    after = last.suspension if last and plan.stable and last.still_counts(plan.stable, now) else None
    known = after or (live.suspension if live else ACTIVE)
    before = SuspendedState.model_validate(journal.milestone(plan, "scaling", known.model_dump()))
    history = journal.history(plan.service, plan.deployment)
    if event.loser and plan.stable:  # while the loser's count still tells what is needed
        win_back(plan, journal, other(event.loser))
    for slot in (plan.stable, plan.candidate if history.launched else None):
        if slot and slot != history.stopped:
            scaling.suspend(slot, SUSPENDED if slot == event.loser else before.growing)
    return Suspended(scaled=live is not None)
