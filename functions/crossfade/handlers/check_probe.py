"""CheckProbe: wait for the first record of the ledger; no traffic moves before it."""

from typing import Literal

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.domain.errors import ProbeCannotStart
from crossfade.domain.journal import refuse_superseded
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.tasks.reasons import advice
from crossfade.step import step, utc_now


class ProbeStatus(Model):
    """Whether the ledger has its first record. The first stage reads from it on."""

    status: Literal["waiting", "writing"]


@step
def handler(plan: HeldPlan, task: str, deadline: Timestamp) -> ProbeStatus:
    """Look for the ledger's first record; give up when the task stopped or the deadline has passed."""
    journal = stack.journal()
    refuse_superseded(journal.refuse_lost(plan.hold))
    if stack.ledger().begun(plan.ledger):
        return ProbeStatus(status="writing")
    asked = journal.history.of(plan.service, plan.deployment).probe_asked
    stopped = ProbeTasks(client("ecs"), plan.spec).stopped(task, asked=asked, now=utc_now())
    if stopped:
        what = advice(stopped, "Read its log, /crossfade/<stack>/probe.")
        raise ProbeCannotStart(f"The probe task stopped: {stopped}. {what}")
    if utc_now() >= deadline:
        raise ProbeCannotStart(
            "The probe task runs, but wrote no record in time. Read its log, /crossfade/<stack>/probe."
        )
    return ProbeStatus(status="waiting")
