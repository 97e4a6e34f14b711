"""What the proof that the candidate is no worse still lacks, and what it says when it is complete."""

from datetime import datetime

from crossfade.domain.gate import reasons
from crossfade.domain.gate.news import failures_met, seen_on
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.spec.gate import GateSettings


def unproven(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
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


def users_old(state: GateState, settings: GateSettings, now: datetime) -> str | None:
    """Why users' outcomes are too old, if they are: failures that are not reported yet are not counted."""
    age = now.timestamp() - state.users.reported_until
    if age <= settings.users_news_seconds:
        return None
    return f"user evidence missing: the last outcomes of the candidate's users are {age:,.0f} s old"


def _needed(evidence: float, settings: GateSettings) -> str:
    return f"(evidence to advance {reasons.odds(evidence)}, needs {reasons.odds(1 / settings.beta)})"


def users_missing(state: GateState, settings: GateSettings, watch: Watch) -> str:
    counts = state.users.proof.counts
    if not state.users.reported_seconds:
        source = "its outcome feed" if settings.users == "feed" else "its target group's metrics"
        return f"user evidence missing: no outcomes of the candidate's users in {source}"
    failures = reasons.failures(counts, watch.candidate)
    return (
        f"user evidence insufficient: {failures} in {state.users.reported_seconds} s "
        f"{_needed(state.users.proof.evidence, settings)}"
    )


def proven(state: GateState, watch: Watch) -> str:
    counts = state.probe.proof.counts
    if watch.alone:
        seen = seen_on(state, watch, watch.candidate)
        failed, requests = (counts.x_c, counts.n_c) if counts.n_c else (seen.kinds.total, seen.requests)
        return f"{reasons.roles(watch.candidate)[0]} fails {failed:,} of {requests:,}"
    text = reasons.failures(counts, watch.candidate)
    if watch.shared and state.users.proof.counts.n_c:
        text += f"; users: {reasons.failures(state.users.proof.counts, watch.candidate)}"
    return text
