"""ShiftTraffic: compare and set the weights of a stage, once both slots have the targets for it."""

import os
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.slots import Slots
from crossfade.aws.traffic import Traffic
from crossfade.domain.certificate import StageRecord
from crossfade.domain.errors import TargetsBelowFloor
from crossfade.domain.message import Message, Moment
from crossfade.domain.plan import Plan
from crossfade.domain.spec import SLOTS
from crossfade.domain.traffic import Weights, refuse_foreign, shortfall
from crossfade.domain.verdict import Window
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The stage by its place in the plan, when both slots must be ready for it, and the ledger's cursor."""

    plan: Plan
    stage: int
    deadline: Moment
    cursor: str | None


class Shifted(Message):
    """Whether the weights were set; then when the stage began, and when it must have ended."""

    status: Literal["waiting", "shifted"]
    reason: str
    began: Moment | None = None
    deadline: Moment | None = None


@step(Event)
def handler(event: Event) -> Shifted:
    """Set the weights, or say why that has to wait."""
    plan, stage = event.plan, event.plan.stages[event.stage]
    weights = Weights.share(plan.candidate, stage.weight)
    traffic = Traffic(client("elbv2"), plan.spec)
    short = _shortfall(plan, traffic, weights)
    if short:
        if utc_now() >= event.deadline:
            raise TargetsBelowFloor(f"Not shifted to {weights}: {short}. Look at that slot's tasks.")
        return Shifted(status="waiting", reason=short)
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    state, live = journal.refuse_lost(plan), traffic.weights()
    if state.intended is None or live != state.intended:
        refuse_foreign(state.weights, live, overwritten=state.overwritten, now=utc_now())
    journal.intend(plan, weights)
    # The stage begins before the write: no answer that the new weights gave may go unjudged.
    window = Window.of(stage, utc_now())
    traffic.write(weights)
    journal.wrote(plan, weights, utc_now())
    journal.watched(plan, StageRecord(weight=stage.weight, began=window.began), event.cursor)
    return Shifted(status="shifted", reason=str(weights), began=window.began, deadline=window.deadline)


def _shortfall(plan: Plan, traffic: Traffic, weights: Weights) -> str | None:
    slots = Slots(client("ecs"), plan.spec)
    for slot in SLOTS:
        if weights.of(slot) > 0:
            service = slots.describe(slot)
            healthy = traffic.health(plan.spec.target_groups.of(slot)).healthy
            short = shortfall(slot, healthy, service.desired if service else 0, weights.of(slot))
            if short:
                return short
    return None
