"""RestoreWeights: all traffic back to the stable slot, before anything else."""

import os
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.traffic import Traffic
from crossfade.domain.certificate import Outcome
from crossfade.domain.message import Message, Moment, iso
from crossfade.domain.plan import Plan
from crossfade.domain.traffic import Weights, way_back
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The plan that is taken back."""

    plan: Plan


class Restored(Message):
    """Whether weights were moved, when they were read back, and how the deployment has ended by it.

    ``barred``: they were left as they are, and the candidate may have clients.
    """

    status: Literal["moved", "unmoved", "barred"]
    outcome: Outcome
    at: Moment
    reason: str


@step(Event)
def handler(event: Event) -> Restored:
    """Set the weights of before the deployment, unless that would do harm."""
    plan = event.plan
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    traffic = Traffic(client("elbv2"), plan.spec)
    state, live = journal.state(plan.service), traffic.weights()
    before = Weights.share(plan.stable, 100) if plan.stable else None
    healthy = traffic.health(plan.spec.target_groups.of(plan.stable)).healthy if plan.stable else 0
    barred = way_back(live, before, (state.weights, state.intended), healthy)
    if barred:
        return Restored(status="barred", outcome="failed", at=utc_now(), reason=barred)
    moved = live != before
    if moved:
        _write(journal, traffic, plan, before)
    at = utc_now()
    journal.milestone(plan, "restored", iso(at))
    outcome: Outcome = "rolled_back" if plan.stable else "failed"
    return Restored(
        status="moved" if moved else "unmoved",
        outcome=outcome,
        at=at,
        reason=str(before or "no production rule"),
    )


def _write(journal: Journal, traffic: Traffic, plan: Plan, before: Weights | None) -> None:
    if before:
        journal.intend(plan, before)
        traffic.write(before)
    else:
        traffic.remove()
    journal.wrote(plan, before, utc_now())
