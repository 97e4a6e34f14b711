"""RestoreWeights: all traffic back to the stable slot, before anything else."""

import os
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.traffic import Traffic
from crossfade.domain.certificate import Outcome
from crossfade.domain.errors import ForeignChange
from crossfade.domain.message import Message, Moment, iso
from crossfade.domain.plan import Plan
from crossfade.domain.traffic import way_back
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
    state = journal.state(plan.service)
    try:
        live = traffic.weights()
    except ForeignChange as foreign:
        return _barred(str(foreign))
    healthy = traffic.health(plan.spec.target_groups.of(plan.stable)).healthy if plan.stable else 0
    barred = way_back(live, plan.before, (state.weights, state.intended), healthy)
    if barred:
        return _barred(barred)
    # An earlier try may have set the weights already: what counts is whether clients ever met the candidate.
    stages = journal.history(plan.service, plan.deployment).stages
    unsettled = live != plan.before or state.weights != plan.before or state.intended is not None
    moved = unsettled or any(stage.weight > 0 for stage in stages)
    if live != plan.before:
        _write(journal, traffic, plan)
    at = utc_now()
    if unsettled:
        journal.wrote(plan, plan.before, at)
    journal.milestone(plan, "restored", iso(at))
    return Restored(
        status="moved" if moved else "unmoved",
        outcome="rolled_back" if plan.stable else "failed",
        at=at,
        reason=str(plan.before or "no production rule"),
    )


def _barred(reason: str) -> Restored:
    return Restored(status="barred", outcome="failed", at=utc_now(), reason=reason)


def _write(journal: Journal, traffic: Traffic, plan: Plan) -> None:
    if plan.before:
        journal.intend(plan, plan.before)
        traffic.write(plan.before)
    else:
        traffic.remove()
