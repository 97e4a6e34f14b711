"""What the state says about a stage: go on, hold, or go back, and the reason in reasons."""

from datetime import datetime, timedelta

from crossfade.domain.gate import reasons
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.gate.news import missing, seen_on, serves_nothing, told
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.verdict import EMERGENCY, Verdict

OUTAGE_SECONDS = 60
OUTAGE_BLOCKS = 3
"""For so long after the stable lane failed, a candidate that fails too may share its outage."""


def verdict_of(state: GateState, *, settings: GateSettings, watch: Watch, now: datetime) -> Verdict:
    """What the state says about the stage.

    Where the stable slot serves nothing the candidate is judged by itself, as in a first release. Once it is
    verified it goes straight to the last stage: clients of the stable share get errors meanwhile.
    """
    met = serves_nothing(state, settings, watch, now)
    if met is None:
        return _judge(state, settings, watch, now)
    verdict = _judge(state, settings, watch._replace(emergency=True), now)
    return verdict.model_copy(
        update={
            "reason": f"{EMERGENCY} ({reasons.roles(watch.candidate)[1]} {met}); {verdict.reason}",
            "emergency": True,
        }
    )


def _judge(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> Verdict:
    worse = _worse(state, settings, watch)
    if worse:
        return Verdict(action="roll_back", reason=worse, error="CandidateWorse")
    nobody = _nobody_serves_well(state, settings, watch)
    if nobody:
        return Verdict(action="roll_back", reason=nobody, error="TargetsBelowFloor")
    late = now >= watch.deadline
    # It was verified at weight 0, and the clients who are not sent to it are served by nobody.
    urgent = watch.emergency and 0 < watch.stage.weight < 100
    doubt = (
        _doubt(state, settings, watch)
        or missing(state, watch, now)
        or (None if urgent else _unproven(state, settings, watch))
    )
    if doubt:
        verdict = _hold_until(late, watch, doubt)
        # Whatever the stable slot does: no client may be sent to what has failed like that before any was.
        refused = late and not watch.stage.weight and _sick(state, settings)
        return verdict.model_copy(update={"error": "CandidateWorse"}) if refused else verdict
    if now - watch.began < timedelta(seconds=watch.stage.min_seconds) and not urgent:
        return Verdict(action="hold", reason=f"all well, watched for {watch.stage.min_seconds:g} s at least")
    if not watch.shared:
        return Verdict(action="advance", reason=_proven(state, watch))
    few = ""
    if state.users.proof.evidence < 1 / settings.beta:
        few = _users_missing(state, settings, watch)
        waited = late or now - watch.began >= timedelta(seconds=settings.users_seconds)
        if not waited or state.users.heard < settings.users_seen_seconds:
            return _hold_until(late, watch, few)
    old = _users_old(state, settings, now)
    if old and (not few or settings.users_seen_seconds):
        return _hold_until(late, watch, old)
    return Verdict(action="advance", reason=f"{_proven(state, watch)}{f'; {few}' if few else ''}")


def _hold_until(late: bool, watch: Watch, reason: str) -> Verdict:
    if not late:
        return Verdict(action="hold", reason=reason)
    return Verdict(
        action="roll_back",
        reason=f"after {watch.stage.max_seconds:g} s at weight {watch.stage.weight}: {reason}",
        error="EvidenceMissing",
    )


def _sources(state: GateState) -> dict[str, Streams]:
    return {"": state.probe, " of the users' requests": state.users}


def _worse(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """Why to go back at once; None where nothing says so."""
    lanes = state.lanes
    candidate, stable = reasons.roles(watch.candidate)
    if lanes.gone:
        return f"{candidate} has no target left"
    if lanes.unanswered(settings, alone=watch.alone):
        seen = lanes.seen[0]
        return (
            f"{candidate} does not answer any more, {seen.knocks:,} of {seen.knocks:,} requests: {seen.met}"
        )
    if lanes.dead(settings, alone=watch.alone):
        run = lanes.run
        while_stable = "" if watch.alone else f", while {stable} answers"
        return (
            f"{candidate} failed the last {run.length} requests in a row, for {run.last - run.began:.1f} s"
            f"{while_stable}; {told(state, watch, watch.candidate)}"
        )
    if state.evidence >= 1 / settings.alpha:
        return _strongest(state, settings, watch)
    for name, source in _sources(state).items():
        if source.failure_limit.failing(settings) and _refuted(source, state, watch):
            return (
                f"{candidate} fails more than {settings.failing:.0%}{name}, and {stable} has none to compare "
                f"with (evidence {reasons.odds(source.failure_limit.exceeded.evidence)})"
                f"{_probes(name, state, watch)}"
            )
    return None


def _nobody_serves_well(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """Why not to leave the traffic split, though nothing says that the candidate is worse.

    The stable slot has no target for its share, and the candidate fails too much to continue. Which of
    them is to get all of it the way back decides by their targets.
    """
    candidate, stable = reasons.roles(watch.candidate)
    if not (state.lanes.stable_gone and _sick(state, settings) and 0 < watch.stage.weight < 100):
        return None
    return (
        f"{stable} has no target left for its {100 - watch.stage.weight} % of the traffic, and "
        f"{candidate} fails "
        f"more than {settings.failing:.0%}{_probes('', state, watch)}"
    )


def _sick(state: GateState, settings: GateSettings) -> bool:
    """Whether the candidate fails more than it may, whatever the stable slot does."""
    return any(source.failure_limit.failing(settings) for source in _sources(state).values())


def _strongest(state: GateState, settings: GateSettings, watch: Watch) -> str:
    """What says most against the candidate; where it is what the probe met, also what that was."""
    name, text = reasons.strongest(_sources(state), state.evidence, settings, watch.candidate)
    return text + _probes(name, state, watch)


def _probes(name: str, state: GateState, watch: Watch) -> str:
    """What the probe met on the candidate's lane, if that is the source of this name."""
    met = "" if name else told(state, watch, watch.candidate)
    return f"; {met}" if met else ""


def _refuted(source: Streams, state: GateState, watch: Watch) -> bool:
    """Whether to fail more than it may is reason enough to go back, with nothing to compare it with.

    With clients on it, it still serves more of them than a stable slot that serves nothing.
    """
    if watch.alone:
        return watch.first or not watch.stage.weight
    return _nothing_to_compare(source, state)


def _nothing_to_compare(source: Streams, state: GateState) -> bool:
    """Whether the stable side has no requests, and was not seen to be as sick by the probe either.

    At weight 100 it has no users. What is heard of the candidate's is late, and so is that they are well.
    """
    since = state.users.until - state.lanes.stable_failed_at
    return source.stable_absent and since >= max(OUTAGE_SECONDS, OUTAGE_BLOCKS * source.seconds)


def _doubt(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """Why not to go on, whatever the users say; None where nothing that was seen speaks against it."""
    candidate, stable = reasons.roles(watch.candidate)
    if state.evidence >= settings.suspicion:
        return _strongest(state, settings, watch)
    for name, source in _sources(state).items():
        if source.failure_limit.failing(settings):
            return (
                f"{candidate} fails more than {settings.failing:.0%}{name}, {stable} may be failing "
                f"too (a shared outage?)"
                f"{_probes(name, state, watch)}"
            )
    # Where the stable slot itself fails, a candidate that does not is what clients wait for.
    helped = state.stable.failing(settings) or (watch.emergency and watch.stage.weight < 100)
    if state.production.failing(settings) and not helped:
        return (
            f"more than {settings.failing:.0%} of the production lane's requests fail; "
            f"{told(state, watch, 'production')}"
        )
    return None


def _unproven(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """What is missing of the probe's proof; None where there is enough."""
    if state.probe.proof.evidence < 1 / settings.beta:
        return _probe_missing(state, settings, watch)
    # Nobody was served before, so what the slot's own lane says must be what clients get.
    if watch.alone and watch.stage.weight == 100 and state.production.recovered.evidence < 1 / settings.beta:
        return _production_missing(state, settings, watch)
    return None


def _probe_missing(state: GateState, settings: GateSettings, watch: Watch) -> str:
    counts = state.probe.proof.counts
    silent = [
        role
        for role, requests in zip(reasons.roles(watch.candidate), (counts.n_c, counts.n_s), strict=True)
        if not requests and not (watch.alone and role.startswith("stable"))
    ]
    if silent:
        return f"probe evidence missing: no answers of {' and '.join(silent)} compared in this stage"
    met = told(state, watch, watch.candidate)
    return (
        f"probe evidence insufficient: {reasons.failures(counts, watch.candidate)} "
        f"{_to_go_on(state.probe.proof.evidence, settings)}{f'; {met}' if met else ''}"
    )


def _production_missing(state: GateState, settings: GateSettings, watch: Watch) -> str:
    seen, met = seen_on(state, watch, "production"), told(state, watch, "production")
    return (
        f"probe evidence insufficient: production fails {seen.kinds.total:,} of {seen.requests:,} "
        f"{_to_go_on(state.production.recovered.evidence, settings)}{f'; {met}' if met else ''}"
    )


def _users_old(state: GateState, settings: GateSettings, now: datetime) -> str | None:
    """What was heard of users last, where that is no news; a failing that is not told yet is in no count."""
    age = now.timestamp() - state.users.told
    if age <= settings.users_news_seconds:
        return None
    return f"user evidence missing: the last word of the candidate's users is {age:,.0f} s old"


def _to_go_on(evidence: float, settings: GateSettings) -> str:
    return f"(evidence to go on {reasons.odds(evidence)} of {reasons.odds(1 / settings.beta)})"


def _users_missing(state: GateState, settings: GateSettings, watch: Watch) -> str:
    counts = state.users.proof.counts
    if not state.users.heard:
        source = "its outcome feed" if settings.users == "feed" else "its target group's metrics"
        return f"user evidence missing: no word of the candidate's users in {source}"
    return (
        f"user evidence insufficient: {reasons.failures(counts, watch.candidate)} in {state.users.heard} s "
        f"{_to_go_on(state.users.proof.evidence, settings)}"
    )


def _proven(state: GateState, watch: Watch) -> str:
    counts = state.probe.proof.counts
    if watch.alone:
        seen = seen_on(state, watch, watch.candidate)
        failed, requests = (counts.x_c, counts.n_c) if counts.n_c else (seen.kinds.total, seen.requests)
        return f"{reasons.roles(watch.candidate)[0]} fails {failed:,} of {requests:,}"
    text = reasons.failures(counts, watch.candidate)
    if watch.shared and state.users.proof.counts.n_c:
        text += f"; users: {reasons.failures(state.users.proof.counts, watch.candidate)}"
    return text
