"""ShiftTraffic: compare and set a stage's weights, once who gets more traffic has enough healthy targets."""

from datetime import datetime
from typing import Literal

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import NotYetVisible, TargetsBelowFloor
from crossfade.domain.journal import refuse_superseded
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.tasks.reasons import advice
from crossfade.domain.traffic.rule import kept_most, refuse_stickiness
from crossfade.domain.traffic.weights import RULE_SECONDS, Weights
from crossfade.domain.verdict import Window
from crossfade.step import step, utc_now
from crossfade.watching.capacity import keep_up, lacking
from crossfade.watching.visible import visible


class Shifted(Model):
    """Whether the weights were set and read back; if so, when the stage began and must have ended.

    ``shown`` is when the load balancer showed them. ``waiting`` with ``written``: it does not show them yet.
    """

    status: Literal["waiting", "shifted"]
    reason: str
    written: Timestamp | None = None
    began: Timestamp | None = None
    shown: Timestamp | None = None
    deadline: Timestamp | None = None


@step
def handler(
    plan: HeldPlan,
    stage: int,
    deadline: Timestamp,
    emergency: bool = False,
    written: Timestamp | None = None,
    weight: int | None = None,
    step_backs: int = 0,
) -> Shifted:
    """Set the weights of a stage, which is given by its place in the plan, or say why that has to wait.

    At place 0 the candidate is stepped back: the stable slot gets all traffic again. Until ``deadline``
    targets are waited for. ``emergency``: the stable slot
    serves nothing. ``written`` is when an earlier invocation began to write
    the weights, if the load balancer did not show them yet. ``weight`` is that of a retry, in place of the
    stage's own. ``step_backs``: how often the candidate was stepped back by now.
    """
    entered = plan.stage(stage, weight)
    weights = Weights.share(plan.candidate, entered.weight)
    traffic = Traffic(client("elbv2"), plan.spec)
    journal = stack.journal()
    if written is None:
        late = utc_now() >= deadline
        if plan.stable and entered.weight == 0:
            short = _missing_behind(plan, plan.stable, journal, traffic, late=late)
        else:
            short = _missing_ahead(plan, journal, weights, late=late, emergency=emergency)
        if short:
            return Shifted(status="waiting", reason=short)
    began = written
    if began is None:
        # The stage begins before the write, so that every answer under the new weights is judged.
        # A step back waits for nothing that is the owner's: it takes clients away from a suspect.
        began = _write(plan, journal, traffic, weights, urgent=emergency or not entered.weight)
        retry = weight is not None
        record = StageRecord(weight=entered.weight, retry=retry, step_backs=step_backs, began=began)
        journal.history.watched(plan.hold, record)
    if not visible(plan, traffic, journal):
        reason = f"the load balancer does not show the new weights ({weights}) yet"
        return Shifted(status="waiting", reason=reason, written=began)
    # The stage's time counts from here, so that no release is rolled back because AWS was slow.
    shown = utc_now()
    ends = Window.of(entered, shown).deadline
    return Shifted(status="shifted", reason=str(weights), began=began, shown=shown, deadline=ends)


def _missing_ahead(
    plan: HeldPlan, journal: Journal, weights: Weights, *, late: bool, emergency: bool
) -> str | None:
    """What the candidate lacks for its weight, if that is to be waited for."""
    # Only the candidate gets more traffic, so only its targets count. If the stable slot has no target
    # at all, each percent that leaves it is served again.
    capacity = keep_up(plan, journal)
    short = capacity.short_for(weights.of(plan.candidate), late=late)
    # If the stable slot serves nothing, any target of the candidate is better than none.
    if short is None or (emergency and capacity.healthy):
        return None
    state = journal.refuse_lost(plan.hold)
    has_clients = state.weights is not None and state.weights.of(plan.candidate) > 0
    if late or (has_clients and not capacity.healthy):
        raise _below_floor(weights, short)
    refuse_superseded(state)
    return short


def _missing_behind(
    plan: HeldPlan, stable: Slot, journal: Journal, traffic: Traffic, *, late: bool
) -> str | None:
    """What the stable slot lacks to get all traffic back, if that is to be waited for.

    Clients of a suspect candidate wait only while it has more healthy targets, and not for long: then what
    there is of the stable slot is the better side. A rollback decides where that has none.
    """
    healthy = {slot: traffic.health(slot).healthy for slot in SLOTS}
    if not healthy[stable]:
        raise _below_floor(plan.before, f"{stable} has no healthy target")
    if healthy[stable] >= healthy[plan.candidate]:
        return None
    short = lacking(plan, journal, stable)
    return None if late else short


def _below_floor(weights: Weights, short: str) -> TargetsBelowFloor:
    what = advice(short, "Look at that slot's tasks.")
    return TargetsBelowFloor(f"Not shifted to {weights}: {short}. {what}")


def _write(plan: HeldPlan, journal: Journal, traffic: Traffic, weights: Weights, *, urgent: bool) -> datetime:
    """Set the weights of all rules, unless one was changed outside Crossfade; returns when that began.

    While it is not known what of a rule's owner is newest nothing is written, unless it is ``urgent``.
    """
    state, shown = journal.refuse_lost(plan.hold), traffic.shown()
    own = state.own(utc_now())
    shown.refuse_foreign(state.weights, own=own, now=utc_now())
    unseen = [one.route.rule for one in shown.routes if one.rule is None]
    if unseen:
        raise NotYetVisible(f"The load balancer does not show the production rule {', '.join(unseen)} yet.")
    refuse_stickiness(shown.rules)  # its owner may have turned it on since the plan; a write keeps it
    began = utc_now()
    known = state.known(shown.among(own, slot=plan.candidate), began)
    unclear = [rules[0].arn for rules in known if len(rules) > 1]
    if unclear and not urgent:
        journal.live.saw(plan.hold, state, shown, began)
        raise NotYetVisible(
            f"What the load balancer shows of the production rule {', '.join(unclear)}, weights aside, is "
            "not what it showed a moment ago, and may be older. A write would keep one and lose the other, "
            f"so Crossfade waits until it has shown one and the same for {RULE_SECONDS // 60} minutes."
        )
    journal.live.intend(plan.hold, weights)
    answers = traffic.write(weights, [kept_most(rules) for rules in known])
    journal.live.wrote(plan, weights, utc_now(), answers)
    return began
