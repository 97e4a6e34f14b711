"""In words: what a deployment does at a moment, and what happens next. Nothing is asked here."""

from datetime import datetime, timedelta
from typing import NamedTuple

from cli.following import BEGINS, WAITS, Sight
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.spec.service import Stage

PLANNING, PROBING, LAUNCHING, VERIFYING = "planning", "starting the probe", "launching", "verifying"
SHIFTING, WATCHING, RETIRING = "shifting", "watching", "retiring the old version"
RESTORING, PROVING, WAITING, GOING_BACK = "restoring", "proving", "waiting", "going back"
ENDING = "reporting"
PHASES = {
    PLANNING: "Begin PlanRelease AnythingToDeploy PlanAgain MayPlanAgain ClaimService RegisterTaskDefinition",
    PROBING: "StartProbe ProbeStarted WaitForProbesRoom SuspendScaling",
    LAUNCHING: "LaunchCandidate CandidateLaunched WaitForSlot SuspendCandidate CheckCandidate CandidateReady "
    "WaitForCandidate WaitForRoom CheckProbe ProbeWriting WaitForProbe",
    VERIFYING: "VerifyCandidate CandidateVerified",
    SHIFTING: "NextStage StepBack ShiftTraffic TrafficShifted WaitForTargets LetStableGrow",
    WATCHING: "WatchStage StageWatched RestartProbe ProbeRestarted",
    RETIRING: "SuspendStable RetireStable StableRetired WaitForStable",
    GOING_BACK: "RollBack GoBack WentBack",
}
"""What a deployment does, by the state of deploy.asl.yaml; in all others it ends."""
PHASES_BACK = {
    RESTORING: "Begin TriedBefore Assess WhatIsThere RestoreWeights WeightsRestored WaitForTargets",
    PROVING: "SuspendScaling ProbeAtWork StartProbe VerifyRestored RestoredVerified",
    WAITING: "WaitBeforeTrying WaitLonger AssessAgain LetFunctionsEnd",
}
"""The same of rollback.asl.yaml."""


def phase(sight: Sight) -> str:
    """What is done at the moment, in a word or two."""
    if sight.state in (WAITS, BEGINS):
        return "waiting" if sight.state == WAITS else "beginning"
    phases = PHASES_BACK if sight.taken_back else PHASES
    found = next((name for name, states in phases.items() if sight.state in states.split()), ENDING)
    return f"rollback: {found}" if sight.taken_back else found


def clock(moment: datetime) -> str:
    """A time of the day, in UTC."""
    return f"{moment:%H:%M:%S}"


class Standing(NamedTuple):
    """The stage that was begun last: how it stands, its place in the plan, from 0 on, and what was planned.

    ``place`` is None for a retry, which has a weight of its own.
    """

    record: StageRecord
    place: int | None
    planned: Stage | None


def standing(sight: Sight) -> Standing | None:
    """Where a deployment stands; None before its first stage."""
    if sight.recorded is None or sight.recorded.plan is None or not sight.recorded.stages:
        return None
    record = sight.recorded.stages[-1]
    found = (pair for pair in enumerate(sight.recorded.plan.stages) if pair[1].weight == record.weight)
    place, planned = (None, None) if record.retry else next(found, (None, None))
    return Standing(record, place, planned)


def stage(sight: Sight) -> str:
    """Which stage, e.g. ``stage 2 of 4, weight 10``; empty before the first one."""
    found = standing(sight)
    if found is None or sight.recorded is None or sight.recorded.plan is None:
        return ""
    back = found.record.step_backs
    after = f", after {back} step back{'' if back == 1 else 's'}" if back else ""
    if found.place is None:
        return f"retry, weight {found.record.weight}{after}"
    return (
        f"stage {found.place + 1} of {len(sight.recorded.plan.stages)}, weight {found.record.weight}{after}"
    )


def evidence(sight: Sight) -> str:
    """What the gate has said last, with its odds; empty before it has said anything."""
    found = standing(sight)
    return (found.record.reason or "") if found else ""


def happens_next(sight: Sight) -> str:
    """What comes next, and when, as far as that is known."""
    if sight.state == WAITS:
        return _when_free(sight)
    plan = sight.recorded.plan if sight.recorded else None
    if sight.state == BEGINS or plan is None:
        return "the release is planned: all that can be checked is checked before anything is changed"
    return _of_rollback(sight, plan) if sight.taken_back else _of_deployment(sight, plan)


def _when_free(sight: Sight) -> str:
    busy = sight.service.candidate.version if sight.service.candidate else "what is under way"
    who = f"{sight.service.deployment} ({busy})" if sight.service.deployment else busy
    tried = sight.service.tried
    failed = f"; {tried.times - 1} rollbacks of it have failed" if tried and tried.times > 1 else ""
    return f"when {who} has ended it is deployed, unless a newer one comes{failed}"


def _of_deployment(sight: Sight, plan: Plan) -> str:
    now = phase(sight)
    if now == LAUNCHING:
        launched = sight.recorded.launched if sight.recorded else None
        longest = timedelta(seconds=plan.spec.launch.deadline_seconds)
        until = f"; rolled back at {clock(launched + longest)} if they are not" if launched else ""
        return f"when all its tasks are healthy it is verified at weight {plan.stages[0].weight}{until}"
    if now in (VERIFYING, WATCHING):
        return _of_stage(sight, plan)
    if now == RETIRING:
        retire = plan.spec.retire
        return (
            f"promoted when production has given {plan.release.version} alone for "
            f"{retire.quiet_seconds:g} s, {retire.drain_seconds:g} s after the last shift at the earliest"
        )
    return {
        PLANNING: "the probe is started, then the new version, beside the live one",
        PROBING: "the new version is launched, beside the live one",
        SHIFTING: "the weights are written once it has the tasks for them, and read back; then it is watched",
        GOING_BACK: "all traffic goes back to the version that was live",
    }.get(now, "the report is written, and the service is free")


def _of_stage(sight: Sight, plan: Plan) -> str:
    found = standing(sight)
    if found is None:
        return f"it is verified at weight {plan.stages[0].weight}, where no client is sent to it"
    record, place, planned = found
    if record.ended:
        return "the next stage is watched"
    if planned is None or place is None:
        return "the stage that it had, when the evidence suffices; back to weight 0 where it does not"
    latest = record.began + timedelta(seconds=planned.max_seconds)
    if record.step_backs and place == 0:
        return f"it climbs again when the evidence allows it; rolled back at {clock(latest)} without"
    earliest = record.began + timedelta(seconds=planned.min_seconds)
    last = place + 1 == len(plan.stages)
    then = "the old version is retired" if last else f"weight {plan.stages[place + 1].weight}"
    return (
        f"{then} when the evidence suffices, not before {clock(earliest)}; without it rolled back at "
        f"{clock(latest)}"
    )


def _of_rollback(sight: Sight, plan: Plan) -> str:
    return {
        f"rollback: {RESTORING}": "all traffic goes back to the version that was live",
        f"rollback: {PROVING}": "when production has given one version alone for "
        f"{plan.spec.retire.quiet_seconds:g} s the other one is stopped",
        f"rollback: {WAITING}": "the rollback looks again at what is left to put right",
    }.get(phase(sight), "the report is written, and the service is free")
