"""The verdict on a stage: advance, hold or roll back, with a reason."""

from datetime import datetime, timedelta

from crossfade.domain.gate import reasons
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.gate.news import failures_met, missing, seen_on, serves_nothing
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.verdict import EMERGENCY, Verdict

OF_PROBE = " of its requests"
OUTAGE_SECONDS = 60
OUTAGE_BLOCKS = 3
"""How long after the stable lane failed a failing candidate may share its outage: the longer of the two."""


def verdict_of(state: GateState, *, settings: GateSettings, watch: Watch, now: datetime) -> Verdict:
    """The verdict that the state allows.

    While the stable slot serves nothing, the candidate is judged by itself, as in a first release. Once
    verified it goes straight to the last stage, because clients of the stable share get errors.
    """
    met = serves_nothing(state, settings, watch, now)
    if met is None:
        return _stage_verdict(state, settings, watch, now)
    verdict = _stage_verdict(state, settings, watch._replace(emergency=True), now)
    return verdict.model_copy(
        update={
            "reason": f"{EMERGENCY} ({reasons.roles(watch.candidate)[1]} {met}); {verdict.reason}",
            "emergency": True,
        }
    )


def _stage_verdict(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> Verdict:
    worse = _worse(state, settings, watch)
    if worse:
        return Verdict(action="roll_back", reason=worse, error="CandidateWorse")
    no_slot = _no_slot_serves(state, settings, watch)
    if no_slot:
        return Verdict(action="roll_back", reason=no_slot, error="TargetsBelowFloor")
    late = now >= watch.deadline
    # The candidate was verified at weight 0, and the stable slot's clients get errors.
    urgent = watch.emergency and 0 < watch.stage.weight < 100
    doubt = (
        _doubt(state, settings, watch)
        or missing(state, watch, now)
        or (None if urgent else _unproven(state, settings, watch))
    )
    if doubt:
        verdict = _hold_until(late, watch, doubt)
        # Whatever the stable slot does: no client may be sent to a candidate that fails like that.
        refused = late and not watch.stage.weight and _fails_too_much(state, settings)
        return verdict.model_copy(update={"error": "CandidateWorse"}) if refused else verdict
    if now - watch.began < timedelta(seconds=watch.stage.min_seconds) and not urgent:
        return Verdict(
            action="hold", reason=f"no problem; the stage lasts {watch.stage.min_seconds:g} s at least"
        )
    if not watch.shared:
        return Verdict(action="advance", reason=_proven(state, watch))
    few = ""
    if state.users.proof.evidence < 1 / settings.beta:
        few = _users_missing(state, settings, watch)
        waited = late or now - watch.began >= timedelta(seconds=settings.users_seconds)
        if not waited or state.users.reported_seconds < settings.users_seen_seconds:
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
    """Why to roll back at once; None without such evidence."""
    lanes = state.lanes
    candidate, stable = reasons.roles(watch.candidate)
    if lanes.candidate.gone:
        return f"{candidate} has no target left"
    if lanes.unanswered(settings, alone=watch.alone):
        seen = lanes.candidate
        return f"{candidate} does not answer any more, {seen.polls:,} of {seen.polls:,} requests: {seen.met}"
    if lanes.dead(settings, alone=watch.alone):
        run = lanes.candidate.run
        while_stable = "" if watch.alone else f", while {stable} answers"
        return (
            f"{candidate} failed the last {run.length} requests in a row, for {run.last - run.began:.1f} s"
            f"{while_stable}; {failures_met(state, watch, watch.candidate)}"
        )
    if state.evidence >= 1 / settings.alpha:
        return _strongest(state, settings, watch)
    for name, source in _sources(state).items():
        if source.failure_limit.failing(settings) and _refuted(source, state, watch):
            return (
                f"{candidate} fails more than {settings.failing:.0%}{name or OF_PROBE}, and {stable} has "
                f"none to compare with (evidence {reasons.odds(source.failure_limit.exceeded.evidence)})"
                f"{_probes(name, state, watch)}"
            )
    return None


def _no_slot_serves(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """Why the traffic must not stay split, though there is no evidence that the candidate is worse.

    The stable slot has no target for its share, and the candidate fails too much to continue. The rollback
    chooses the slot that gets all traffic by its targets.
    """
    candidate, stable = reasons.roles(watch.candidate)
    if not (state.lanes.stable.gone and _fails_too_much(state, settings) and 0 < watch.stage.weight < 100):
        return None
    return (
        f"{stable} has no target left for its {100 - watch.stage.weight} % of the traffic, and {candidate} "
        f"fails more than {settings.failing:.0%}{OF_PROBE}{_probes('', state, watch)}"
    )


def _fails_too_much(state: GateState, settings: GateSettings) -> bool:
    """Whether the candidate fails more than it may, whatever the stable slot does."""
    return any(source.failure_limit.failing(settings) for source in _sources(state).values())


def _strongest(state: GateState, settings: GateSettings, watch: Watch) -> str:
    """The strongest stream against the candidate; of the probe's streams, with what the probe met."""
    name, text = reasons.strongest(
        _sources(state), state.evidence, settings, watch.candidate, state.lanes.paths
    )
    return text + _probes(name, state, watch)


def _probes(name: str, state: GateState, watch: Watch) -> str:
    """What the probe met on the candidate's lane, if the source of this name is the probe."""
    met = "" if name else failures_met(state, watch, watch.candidate)
    return f"; {met}" if met else ""


def _refuted(source: Streams, state: GateState, watch: Watch) -> bool:
    """Whether too many failures alone are a reason to roll back, with nothing to compare them with.

    A candidate that has clients still serves more of them than a stable slot that serves nothing.
    """
    if watch.alone:
        return watch.first or not watch.stage.weight
    return _nothing_to_compare(source, state)


def _nothing_to_compare(source: Streams, state: GateState) -> bool:
    """Whether the stable side has no requests, and the probe did not see it fail recently either.

    At weight 100 the stable side has no users, and reports of the candidate's users come late.
    """
    since = state.users.until - state.lanes.stable.failing_at
    return source.stable_absent and since >= max(OUTAGE_SECONDS, OUTAGE_BLOCKS * source.seconds)


def _doubt(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """Why not to advance, whatever the users' outcomes are; None without such evidence."""
    candidate, stable = reasons.roles(watch.candidate)
    if state.evidence >= settings.suspicion:
        return _strongest(state, settings, watch)
    for name, source in _sources(state).items():
        if source.failure_limit.failing(settings):
            return (
                f"{candidate} fails more than {settings.failing:.0%}{name or OF_PROBE}; {stable} may be "
                f"failing too (a shared outage?){_probes(name, state, watch)}"
            )
    # If the stable slot itself fails, a candidate that does not fail helps clients.
    helped = state.stable.failing(settings) or (watch.emergency and watch.stage.weight < 100)
    if state.production.failing(settings) and not helped:
        return (
            f"more than {settings.failing:.0%} of the production lane's requests fail; "
            f"{failures_met(state, watch, 'production')}"
        )
    return None


def _unproven(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """What the probe's proof still lacks; None if it is complete."""
    if state.probe.proof.evidence < 1 / settings.beta:
        return _probe_missing(state, settings, watch)
    # Production served nothing before, so clients must be seen to get what the slot's own lane shows.
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
        return f"probe evidence missing: no answers from {' and '.join(silent)} count in this stage yet"
    met = failures_met(state, watch, watch.candidate)
    return (
        f"probe evidence insufficient: {reasons.failures(counts, watch.candidate)} "
        f"{_needed(state.probe.proof.evidence, settings)}{f'; {met}' if met else ''}"
    )


def _production_missing(state: GateState, settings: GateSettings, watch: Watch) -> str:
    seen, met = seen_on(state, watch, "production"), failures_met(state, watch, "production")
    return (
        f"probe evidence insufficient: production fails {seen.kinds.total:,} of {seen.requests:,} "
        f"{_needed(state.production.recovered.evidence, settings)}{f'; {met}' if met else ''}"
    )


def _users_old(state: GateState, settings: GateSettings, now: datetime) -> str | None:
    """Why users' outcomes are too old, if they are: failures that are not reported yet are not counted."""
    age = now.timestamp() - state.users.reported_until
    if age <= settings.users_news_seconds:
        return None
    return f"user evidence missing: the last outcomes of the candidate's users are {age:,.0f} s old"


def _needed(evidence: float, settings: GateSettings) -> str:
    return f"(evidence to advance {reasons.odds(evidence)}, needs {reasons.odds(1 / settings.beta)})"


def _users_missing(state: GateState, settings: GateSettings, watch: Watch) -> str:
    counts = state.users.proof.counts
    if not state.users.reported_seconds:
        source = "its outcome feed" if settings.users == "feed" else "its target group's metrics"
        return f"user evidence missing: no outcomes of the candidate's users in {source}"
    failures = reasons.failures(counts, watch.candidate)
    return (
        f"user evidence insufficient: {failures} in {state.users.reported_seconds} s "
        f"{_needed(state.users.proof.evidence, settings)}"
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
