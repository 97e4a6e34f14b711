"""StartProbe: run the probe task, which writes the deployment's ledger."""

import os
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


class Started(Model):
    """The probe task's ARN; None while ECS has no place for it, for a ``reason`` in ECS's words."""

    status: Literal["waiting", "started"]
    task: str | None
    reason: str


@step
def handler(plan: HeldPlan, attempt: int, ask: int = 1, deadline: Timestamp | None = None) -> Started:
    """Run the probe task, or find it running; a place for it is waited for.

    ``attempt`` is 1, or 2 when the first probe died. ``ask`` counts the requests for it that were answered.
    ``deadline`` ends the wait for a place, and so may a newer release; None while a stage is watched, which
    has a deadline of its own.
    """
    journal, now = stack.journal(), utc_now()
    if deadline:
        refuse_superseded(journal.refuse_lost(plan.hold))
    journal.history.asking_for_probe(plan.hold, now)
    task, refusal = ProbeTasks(client("ecs"), plan.spec).start(
        plan,
        attempt,
        ask,
        task_definition=os.environ["PROBE_TASK_DEFINITION"],
        container=os.environ["PROBE_CONTAINER"],
        log_group=os.environ["LEDGER_GROUP"],
    )
    if task is None:
        if deadline and now >= deadline:
            raise ProbeCannotStart(
                f"ECS did not run the probe task within {plan.spec.launch.deadline_seconds:g} s: {refusal}. "
                + advice(refusal, "Correct what ECS names, then deploy again.")
            )
        return Started(status="waiting", task=None, reason=refusal)
    journal.history.probing(plan.hold, task)
    return Started(status="started", task=task, reason="")
