"""VerifyCandidate and WatchStage: gather evidence until there is a verdict, for 20 s at most."""

import time
from collections.abc import Iterable
from functools import partial

from pydantic import Json

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecr import Registry
from crossfade.aws.journal import Journal
from crossfade.domain.gate.past import Caution
from crossfade.domain.journal import refuse_superseded
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.naming import called, other_answers, tag_of
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.verdict import Climb, Verdict
from crossfade.step import step, utc_now
from crossfade.watching.capacity import KeepingUp, keep_up
from crossfade.watching.gate import Gate, Watching, watch_at
from crossfade.watching.ledger_tail import Tail

TRIES = 3
TAG_SECONDS = 1
"""How often ECR is asked for a tag that it may not show yet, and the pause between two tries."""


class Watched(Model):
    """The verdict, and the state for the next invocation. ``probe_died``: start a new probe first.

    ``plan``: in the first stage, with the version that the candidate answers with. ``next_stage`` is the one
    to go to, by its place in the plan; ``next_weight`` is that of a retry, in place of the stage's own.
    """

    plan: HeldPlan
    verdict: Verdict
    next_stage: int
    next_weight: int | None
    watching: str
    probe_died: bool


@step
def handler(
    plan: HeldPlan,
    probe: str,
    stage: int,
    began: Timestamp,
    deadline: Timestamp,
    candidate_since: Timestamp,
    watching: Json[Watching],
    weight: int | None = None,
    shown: Timestamp | None = None,
) -> Watched:
    """Analyse the evidence until the verdict is not to hold, or until this invocation's time is over.

    ``stage`` is its place in the plan, ``weight`` that of a retry in place of the stage's own, ``shown`` when
    the load balancer showed it, ``probe`` the probe's task. ``watching`` is what the last
    invocation handed on; it is JSON in a string, so that the workflow changes no digit of it.
    """
    watch = partial(
        watch_at,
        place=stage,
        weight=weight,
        began=began,
        shown=shown,
        deadline=deadline,
        since=candidate_since,
    )
    analysis, verdict = Gate(plan, watch(plan), watching), Verdict(action="hold", reason="not analysed yet")
    journal, step_backs = stack.journal(), watching.gate.caution.step_backs
    # No client has reached the candidate yet, so there is time to ask ECR; a version that was judged stays
    # wrong.
    unsure = stage == 0 and not step_backs and not watching.gate.lanes.wrong
    keeping_up = KeepingUp(lambda: keep_up(plan, journal))

    tail = Tail(plan, probe, watching.cursor)
    for records in tail:
        refuse_superseded(journal.refuse_lost(plan.hold))
        versions = other_answers(records, plan, candidate_since) if unsure else ()
        if versions:
            unsure = False
            plan = _known_as(plan, versions, journal)
            analysis = Gate(plan, watch(plan), analysis.watching(tail.cursor))
        verdict = analysis.analyse(records, utc_now())
        # In an emergency any target of the candidate is better than none: the others start while it serves.
        following = None if verdict.emergency or utc_now() >= deadline else _next(stage, plan, verdict)
        if verdict.action == "advance" and following and following.stage < len(plan.stages):
            share = plan.stage(following.stage, following.weight).weight
            verdict = _held_back(verdict, keeping_up.current().short_for(share, late=False))
        if verdict.action != "hold":
            break
    now, entered = utc_now(), plan.stage(stage, weight)
    if verdict.action in {"advance", "hold"}:  # before going back, no call that may fail
        keeping_up.current()
    if verdict.action in {"advance", "step_back"}:
        analysis.decide(verdict, now)
    if verdict.action == "roll_back":
        met = _met(plan, watching.gate.caution) if step_backs and not stage else entered.weight
        journal.history.judged(plan.hold, verdict, met, now)
    record = StageRecord(
        weight=entered.weight,
        retry=weight is not None,
        step_backs=step_backs,
        began=began,
        shown=shown,
        ended=None if verdict.action == "hold" else now,
        verdict=verdict.action,
        reason=verdict.reason,
    )
    journal.history.watched(plan.hold, record, tail.cursor, analysis.course)
    onward = _next(stage, plan, verdict)
    return Watched(
        plan=plan,
        verdict=verdict,
        next_stage=onward.stage,
        next_weight=onward.weight,
        watching=analysis.watching(tail.cursor).model_dump_json(),
        probe_died=tail.probe_died,
    )


def _met(plan: Plan, caution: Caution) -> int:
    """The weight that a candidate was stepped back from: its clients have met it."""
    return plan.stages[caution.place].weight if caution.place < len(plan.stages) else 100


def _next(stage: int, plan: Plan, verdict: Verdict) -> Climb:
    """Where the verdict leads: to weight 0, to where the candidate climbs on, or to the next stage.

    If the stable slot serves nothing it is the last one at once.
    """
    if verdict.action == "step_back":
        return Climb(stage=0)
    if verdict.emergency:
        return Climb(stage=max(stage + 1, len(plan.stages) - 1))
    return verdict.climb or Climb(stage=stage + 1)


def _known_as(plan: HeldPlan, versions: Iterable[str], journal: Journal) -> HeldPlan:
    """The plan with the tag of the release's image that one of them is, if one is: tags come one by one."""
    registry = Registry(client("ecr"))
    for attempt in range(TRIES):
        if attempt:
            time.sleep(TAG_SECONDS)
        tags = registry.tags(plan.spec.release.repository, plan.release.digest)
        for version in versions:
            if tag := tag_of(version, tags, plan):
                known = called(plan, tag)
                journal.holding.rename(known)
                return known
    return plan


def _held_back(verdict: Verdict, short: str | None) -> Verdict:
    """Hold where the candidate has too few targets for the next weight: they come while it is watched on."""
    return Verdict(action="hold", reason=f"{verdict.reason}; held back: {short}") if short else verdict
