"""CheckProbe: no traffic moves before the probe has begun to write."""

import os
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.ledger import Ledger
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.domain.errors import ProbeCannotStart
from crossfade.domain.journal import refuse_superseded
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import Plan
from crossfade.domain.tasks.reasons import advice
from crossfade.step import step, utc_now


class Event(Model):
    """The probe's task, and when it must have begun."""

    plan: Plan
    task: str
    deadline: Timestamp


class ProbeStatus(Model):
    """Whether the ledger has its first record. The first stage reads from it on."""

    status: Literal["waiting", "writing"]


@step(Event)
def handler(event: Event) -> ProbeStatus:
    """Look for the ledger's first record; give up when the task stopped or the deadline has passed."""
    ledger = Ledger(client("logs"), os.environ["LEDGER_GROUP"])
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    refuse_superseded(journal.refuse_lost(event.plan))
    if ledger.begun(event.plan.ledger):
        return ProbeStatus(status="writing")
    asked = journal.history(event.plan.service, event.plan.deployment).probe_asked
    probes = ProbeTasks(client("ecs"), event.plan.spec)
    stopped = probes.stopped(event.task, asked=asked, now=utc_now())
    if stopped:
        what = advice(stopped, "Look at its own log, /crossfade/<stack>/probe.")
        raise ProbeCannotStart(f"The probe task stopped: {stopped}. {what}")
    if utc_now() >= event.deadline:
        raise ProbeCannotStart("The probe task runs, but wrote nothing in time. Look at its own log.")
    return ProbeStatus(status="waiting")
