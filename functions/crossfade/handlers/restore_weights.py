"""RestoreWeights: route all traffic to one slot, to the stable one if it can serve, before anything else."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import ForeignChange, ResourceGone
from crossfade.domain.journal import State
from crossfade.domain.model import Model, Timestamp, iso
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.proof.certificate import Outcome
from crossfade.domain.rollback.target import RestoreTarget, is_fit, restore_target
from crossfade.domain.slots import Slot
from crossfade.domain.traffic.rule import LiveRule, kept_most
from crossfade.domain.traffic.weights import PUT_RIGHT, Weights
from crossfade.step import step, utc_now
from crossfade.watching.capacity import lacking
from crossfade.watching.visible import visible


class Restored(Model):
    """Whether weights were moved, when they were read back, and how the deployment has ended by it.

    ``waiting``: no slot can serve all of it yet, or what was ``written`` does not show yet. ``barred``: the
    weights were set outside Crossfade, and both slots may have clients. Else ``loser`` has none any more, and
    they are to get ``version``; None where that is not known.
    """

    status: Literal["moved", "unmoved", "waiting", "barred"]
    outcome: Outcome
    at: Timestamp
    reason: str
    loser: Slot | None = None
    version: str | None = None
    written: Timestamp | None = None


@step
def handler(
    plan: HeldPlan,
    deadline: Timestamp,
    tasks_deadline: Timestamp,
    rounds: int,
    written: Timestamp | None = None,
) -> Restored:
    """Route all traffic to the stable slot, or to the candidate if only it has healthy targets.

    A rule that was changed outside Crossfade is left alone, and the others are put back all the same. Until
    ``deadline`` a slot may become healthy. Until ``tasks_deadline`` a stable slot may get missing tasks, if
    the candidate has them. ``rounds`` is the number of rounds before this one. ``written`` is when an earlier
    invocation of this round set the weights, if the load balancer did not show them yet.
    """
    journal = stack.journal()
    traffic = Traffic(client("elbv2"), plan.spec)
    state = journal.refuse_lost(plan.hold)
    put_back, set_at = "", written
    try:
        own, shown = (*state.own(utc_now()), plan.before), traffic.shown()
        mine = shown.among(own, slot=plan.candidate)
        if not mine.routes:
            shown.refuse_foreign(state.weights, own=own, now=utc_now())
            return _left("waiting", "the load balancer does not show the production rule yet", written)
        target = _target(
            plan, state, journal, traffic, mine.weights, deadline=deadline, tasks_deadline=tasks_deadline
        )
        if target.action == "wait":
            journal.live.saw(plan.hold, state, mine, utc_now())
            return _left("waiting", target.reason, written)
        wanted = Weights.share(target.winner, 100) if target.winner else plan.before
        verified = _verified(plan, state, journal, target.winner)
        done = state.weights == wanted and all(state.written_to(rule.arn) for rule in mine.rules)
        if set_at is None or not done:
            # Always written, even if the wanted weights are read: what is read may be old.
            # And no slower for that: clients may be meeting a bad release.
            known = [kept_most(rules) for rules in state.known(mine, utc_now())]
            set_at = _write(plan, target, journal, traffic, known, verified=verified)
        if len(mine.routes) < len(shown.routes):
            put_back = f"{', '.join(rule.arn for rule in mine.rules)} was set to {wanted}. "
        if not visible(plan, traffic, journal):
            reason = f"the load balancer does not show what was written ({wanted}) yet"
            return _left("waiting", reason, set_at)
    except ForeignChange as foreign:
        return _left("barred", f"{put_back}{foreign} {PUT_RIGHT}", written)
    except ResourceGone as gone:
        # Only believed at the deadline: after this both slots are left as they are.
        return _left("barred" if utc_now() >= deadline else "waiting", f"{put_back}{gone}", set_at)
    moved = written is not None or mine.weights != (wanted,) or _met(plan, state, wanted, rounds)
    at = utc_now()
    journal.history.milestone(plan.hold, "restored", iso(at))
    won_back = target.winner == plan.stable
    version = plan.stable_answers if won_back else plan.answers if verified else None
    return Restored(
        status="moved" if moved else "unmoved",
        outcome="rolled_back" if won_back and plan.stable else "failed",
        at=at,
        reason=target.reason,
        loser=plan.candidate if won_back else plan.stable,
        version=version or None,
    )


def _left(status: Literal["waiting", "barred"], reason: str, written: datetime | None) -> Restored:
    """The traffic was left as it is, or what was written does not show."""
    return Restored(status=status, outcome="failed", at=utc_now(), reason=reason, written=written)


def _target(
    plan: HeldPlan,
    state: State,
    journal: Journal,
    traffic: Traffic,
    lives: Sequence[Weights | None],
    *,
    deadline: datetime,
    tasks_deadline: datetime,
) -> RestoreTarget:
    now = utc_now()
    history = journal.history.of(plan.service, plan.deployment)
    healthy = {slot: traffic.health(slot).healthy for slot in (plan.stable, plan.candidate) if slot}
    patient = now < tasks_deadline and history.refused is None
    worth_a_wait = patient and plan.stable and 0 < healthy[plan.stable] < healthy[plan.candidate]
    return restore_target(
        lives,
        plan,
        written=state.weights,
        healthy=healthy,
        fit=is_fit(history),
        short=lacking(plan, journal, plan.stable) if plan.stable and worth_a_wait else None,
        # A waiting release may repair both slots, and is deployed as soon as the rollback ends.
        late=now >= deadline or state.waiting is not None,
    )


def _verified(plan: Plan, state: State, journal: Journal, winner: Slot | None) -> bool:
    """Whether the winner was seen to answer with its version."""
    if winner == state.stable:
        return state.verified
    if winner == plan.candidate:
        return bool(plan.answers) and journal.history.of(plan.service, plan.deployment).verified
    return bool(plan.stable_answers)


def _write(
    plan: HeldPlan,
    target: RestoreTarget,
    journal: Journal,
    traffic: Traffic,
    rules: Sequence[LiveRule],
    *,
    verified: bool,
) -> datetime:
    # The write goes to the rules that were read: a second read need not show the same ones.
    wanted = Weights.share(target.winner, 100) if target.winner else plan.before
    if target.winner == plan.candidate:
        # A retry must recognise these weights as Crossfade's own; those from before the plan it knows.
        journal.live.intend(plan.hold, wanted)
    answers = traffic.write(wanted, rules)
    now = utc_now()
    journal.live.reinstate(plan, target.winner, now, answers, verified=verified)
    return now


def _met(plan: Plan, state: State, wanted: Weights, rounds: int) -> bool:
    """Whether clients may have met the candidate: weights were set since it was planned, or may have been.

    In a later round it has been proved that they do not any more.
    """
    written = state.written_at is not None and state.written_at >= plan.began
    return rounds == 0 and (state.weights != wanted or state.intended is not None or written)
