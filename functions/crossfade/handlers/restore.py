"""RestoreWeights: all traffic to one slot, the stable one where it can serve, before anything else."""

import os
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.traffic import Traffic
from crossfade.domain.certificate import Outcome
from crossfade.domain.errors import ForeignChange
from crossfade.domain.message import Message, Moment, iso
from crossfade.domain.plan import Plan
from crossfade.domain.spec import Slot
from crossfade.domain.traffic import Weights
from crossfade.domain.way_back import Way, way_back
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The plan that is taken back, until when a slot may become healthy, and the rounds before this one."""

    plan: Plan
    deadline: Moment
    rounds: int


class Restored(Message):
    """Whether weights were moved, when they were read back, and how the deployment has ended by it.

    ``waiting``: neither slot can serve yet. ``barred``: the weights are somebody else's, and both slots may
    have clients. Else ``loser`` has none any more, and clients are to get ``version``.
    """

    status: Literal["moved", "unmoved", "waiting", "barred"]
    outcome: Outcome
    at: Moment
    reason: str
    loser: Slot | None = None
    version: str | None = None


@step(Event)
def handler(event: Event) -> Restored:
    """Give all traffic to the better side, unless somebody else has changed the rule."""
    plan = event.plan
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    traffic = Traffic(client("elbv2"), plan.spec)
    state = journal.refuse_lost(plan)
    try:
        live = traffic.weights()
    except ForeignChange as foreign:
        return Restored(status="barred", outcome="failed", at=utc_now(), reason=str(foreign))
    way = way_back(
        live,
        plan,
        written=(state.weights, state.intended),
        healthy={
            slot: traffic.health(plan.spec.target_groups.of(slot)).healthy
            for slot in (plan.stable, plan.candidate)
            if slot
        },
        late=utc_now() >= event.deadline,
    )
    if way.action in {"wait", "bar"}:
        return Restored(
            status="waiting" if way.action == "wait" else "barred",
            outcome="failed",
            at=utc_now(),
            reason=way.reason,
        )
    return _restore(event, way, journal, traffic, live)


def _restore(event: Event, way: Way, journal: Journal, traffic: Traffic, live: Weights | None) -> Restored:
    plan = event.plan
    state = journal.state(plan.service)
    wanted = Weights.share(way.winner, 100) if way.winner else None
    history = journal.history(plan.service, plan.deployment)
    # An earlier try may have set the weights already: what counts is whether clients ever met the candidate.
    # In a later round it has been proved that they do not any more.
    met = event.rounds == 0 and (
        state.weights != wanted
        or state.intended is not None
        or history.restored is not None
        or any(stage.weight > 0 for stage in history.stages)
    )
    moved = live != wanted or met
    if live != wanted:
        if wanted:
            if way.winner == plan.candidate:
                # A next try must know these for its own; those of before the deployment it always does.
                journal.intend(plan, wanted)
            traffic.write(wanted)
        else:
            traffic.remove()
    at = utc_now()
    journal.reinstate(plan, way.winner, at)
    journal.milestone(plan, "restored", iso(at))
    previous = plan.previous.version if plan.previous else None
    won_back = way.winner == plan.stable
    return Restored(
        status="moved" if moved else "unmoved",
        outcome="rolled_back" if won_back and plan.stable else "failed",
        at=at,
        reason=way.reason,
        loser=plan.candidate if won_back else plan.stable,
        version=previous if won_back else plan.release.version,
    )
