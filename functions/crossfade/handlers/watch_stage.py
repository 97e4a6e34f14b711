"""VerifyCandidate and WatchStage: gather evidence until there is a verdict, for 20 s at most."""

import time
from collections.abc import Iterable
from functools import partial

from pydantic import Json

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecr import Registry
from crossfade.aws.journal import Journal
from crossfade.domain.journal import refuse_superseded
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.naming import called, other_answers, tag_of
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.verdict import Verdict
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
    to advance to, by its place in the plan.
    """

    plan: HeldPlan
    verdict: Verdict
    next_stage: int
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
) -> Watched:
    """Analyse the evidence until the verdict is not to hold, or until this invocation's time is over.

    ``stage`` is its place in the plan, ``probe`` the probe's task. ``watching`` is what the last
    invocation handed on; it is JSON in a string, so that the workflow changes no digit of it.
    """
    watch = partial(watch_at, place=stage, began=began, deadline=deadline, since=candidate_since)
    analysis, verdict = Gate(plan, watch(plan), watching), Verdict(action="hold", reason="not analysed yet")
    journal = stack.journal()
    # No client reaches the candidate yet, so there is time to ask ECR; a version that was judged stays wrong.
    unsure = stage == 0 and not watching.gate.lanes.wrong
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
        following = None if verdict.emergency or utc_now() >= deadline else watch(plan).next_weight
        if verdict.action == "advance" and following is not None:
            verdict = _held_back(verdict, keeping_up.current().short_for(following, late=False))
        if verdict.action != "hold":
            break
    if verdict.action != "roll_back":  # before a rollback, no call that may fail
        keeping_up.current()
    now, weight = utc_now(), plan.stages[stage].weight
    if verdict.action == "roll_back":
        journal.history.judged(plan.hold, verdict, weight, now)
    record = StageRecord(
        weight=weight,
        began=began,
        ended=None if verdict.action == "hold" else now,
        verdict=verdict.action,
        reason=verdict.reason,
    )
    journal.history.watched(plan.hold, record, tail.cursor)
    return Watched(
        plan=plan,
        verdict=verdict,
        next_stage=_following(stage, plan, verdict),
        watching=analysis.watching(tail.cursor).model_dump_json(),
        probe_died=tail.probe_died,
    )


def _following(stage: int, plan: Plan, verdict: Verdict) -> int:
    """The next stage, or the last one at once if the stable slot serves nothing."""
    return max(stage + 1, len(plan.stages) - 1 if verdict.emergency else 0)


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
