"""RetireStable: promote the candidate once production answers with its version only, then stop the old slot.

A first release has no old slot. It is promoted as soon as the gate has fresh evidence for it.
"""

from datetime import datetime, timedelta

from pydantic import Json

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecs_services import Slots
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import NotYetVisible
from crossfade.domain.gate.state import Watch
from crossfade.domain.journal import refuse_going_back
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.rollout import drain
from crossfade.domain.tasks.capacity import Capacity
from crossfade.domain.tasks.reasons import advice
from crossfade.domain.verdict import Verdict
from crossfade.step import step, utc_now
from crossfade.watching.capacity import keep_up
from crossfade.watching.gate import Gate, Watching, watch_at
from crossfade.watching.ledger_tail import Tail

ADVICE = "Look at that slot's tasks."


class Retired(Model):
    """The verdict, and the state for the next invocation.

    ``advance``: it is promoted, and the old slot was stopped or is kept warm. ``hold``: try again.
    ``step_back``: the old slot, which still runs, is to get all traffic again.
    """

    verdict: Verdict
    watching: str
    probe_died: bool


@step
def handler(
    plan: HeldPlan,
    probe: str | None,
    shifted: Timestamp,
    candidate_since: Timestamp,
    watching: Json[Watching],
    shown: Timestamp | None = None,
) -> Retired:
    """Watch until production answers without the old version and nothing speaks against the new one.

    ``shifted`` is when the last stage began. ``shown`` is when the load balancer showed its weights, which
    may be minutes later; None from an earlier version of Crossfade. ``candidate_since`` and ``watching`` are
    those of WatchStage, which has taken in what production has answered since ``shifted``.
    """
    journal = stack.journal()
    state = journal.refuse_lost(plan.hold)
    promoted = state.stable == plan.candidate
    counted_from = shown or shifted  # from then on the old version has its time to go
    deadline = counted_from + timedelta(seconds=plan.spec.retire.deadline_seconds)
    watch = _watch(plan, began=shifted, shown=shown, deadline=deadline, since=candidate_since)
    gate, tail = Gate(plan, watch, watching), Tail(plan, probe, watching.cursor)
    verdict = Verdict(action="advance", reason="promoted")
    # After the promotion no weights are restored any more, so there is nothing left to judge.
    if not promoted:
        refuse_going_back(state)
        for records in tail:
            now = utc_now()
            judged = gate.analyse(records, now)
            verdict = _once_drained(plan, judged, gate.quiet, shifted=shifted, shown=counted_from, now=now)
            if verdict.action != "hold":
                break
    if plan.stable and not promoted and verdict.action in {"advance", "hold"}:
        verdict = _with_all_tasks(plan, verdict, keep_up(plan, journal), deadline)
    _note_going_back(plan, journal, gate, watch, verdict, tail.cursor)
    if verdict.action == "advance":
        try:
            left = _retire(plan, journal, counted_from)
        except NotYetVisible as unseen:
            # Not raised: a retry would begin again with what the state was given, and lose what was read.
            verdict = Verdict(action="hold", reason=str(unseen))
        else:
            if left:
                verdict = Verdict(action="hold", reason=f"{verdict.reason}; {left} tasks of the old slot run")
    return Retired(
        verdict=verdict,
        watching=gate.watching(tail.cursor).model_dump_json(),
        probe_died=tail.probe_died,
    )


def _note_going_back(
    plan: HeldPlan, journal: Journal, gate: Gate, watch: Watch, verdict: Verdict, cursor: str | None
) -> None:
    """Write down a verdict to go back; the last stage, which had ended well, is stepped back from instead."""
    now = utc_now()
    if verdict.action == "roll_back":
        journal.history.judged(plan.hold, verdict, watch.stage.weight, now, gate.course)
    if verdict.action != "step_back":
        return
    record = StageRecord(
        weight=watch.stage.weight,
        step_backs=gate.state.caution.step_backs,
        began=watch.began,
        shown=watch.shown,
        ended=now,
        verdict=verdict.action,
        reason=verdict.reason,
    )
    journal.history.watched(plan.hold, record, cursor, gate.course)
    gate.decide(verdict, now)


def _once_drained(
    plan: Plan,
    judged: Verdict,
    quiet: drain.DrainProgress,
    *,
    shifted: datetime,
    shown: datetime,
    now: datetime,
) -> Verdict:
    """The gate's verdict, which may be to advance only once clients have left the old slot."""
    if judged.action in {"roll_back", "step_back"} or plan.stable is None:
        return judged
    retire = plan.spec.retire
    drained = drain.check(
        quiet,
        drain.of_candidate(plan),
        retire=retire,
        failing=plan.spec.gate.failing,
        shifted=shifted,
        shown=shown,
        now=now,
        good_status=plan.spec.version.good,
    )
    if drained.action == "late":
        return Verdict(
            action="roll_back",
            reason=f"{retire.deadline_seconds:g} s after the last shift: {drained.reason}. The certificate's "
            "counts for production show the cause: the load balancer's rule, the release, or the probe.",
            error="OldVersionStillSeen",
        )
    if drained.action == "wait":
        return Verdict(action="hold", reason=drained.reason)
    return judged.model_copy(update={"reason": drained.reason} if judged.action == "advance" else {})


def _watch(
    plan: Plan, *, began: datetime, shown: datetime | None, deadline: datetime, since: datetime
) -> Watch:
    """The last stage, which lasts until the old version has to be gone."""
    last = len(plan.stages) - 1
    watch = watch_at(plan, last, began=began, shown=shown, deadline=deadline, since=since)
    longest = {"max_seconds": plan.spec.retire.deadline_seconds}
    return watch._replace(stage=watch.stage.model_copy(update=longest))


def _with_all_tasks(plan: Plan, verdict: Verdict, capacity: Capacity, deadline: datetime) -> Verdict:
    """The same verdict, unless the old slot has to stay because the candidate is short of healthy targets."""
    late = utc_now() >= deadline
    short = capacity.short_for(100, late=late) if verdict.action == "advance" else None
    if short is None:
        return verdict
    if not late:
        return Verdict(action="hold", reason=f"{verdict.reason}; held back: {short}")
    seconds = plan.spec.retire.deadline_seconds
    return Verdict(
        action="roll_back",
        reason=f"{seconds:g} s after the last shift: {short}. {advice(short, ADVICE)}",
        error="TargetsBelowFloor",
    )


def _retire(plan: HeldPlan, journal: Journal, counted_from: datetime) -> int:
    """Promote the candidate; stop the old slot unless it is kept warm, and say how many tasks to wait for."""
    slot = plan.stable
    if slot is None:
        journal.live.promote(plan, utc_now())
        return 0
    state, shown = journal.refuse_lost(plan.hold), Traffic(client("elbv2"), plan.spec).shown()
    if state.stable != plan.candidate:
        refuse_going_back(state)
    shown.refuse_stop(slot, state.weights, overwritten=state.overwritten, now=utc_now())
    # After this a rollback may not route traffic to the old slot: the journal must say so before it stops.
    journal.live.promote(plan, utc_now())
    if plan.spec.retire.warm_seconds > 0:
        return 0
    left = Slots(client("ecs"), plan.spec).stop(slot)
    # ECS stops the tasks by itself; a task that drains for very long is not waited for.
    waited = (utc_now() - counted_from).total_seconds()
    return left if waited < 2 * plan.spec.retire.deadline_seconds else 0
