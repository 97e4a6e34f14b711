"""The verdict on a stage: advance, hold, step back or roll back, with a reason."""

from datetime import datetime, timedelta

from crossfade.domain.gate import against, climbing, proof, reasons
from crossfade.domain.gate.news import failures_met, missing, serves_nothing
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.gate.stepping import why_step_back
from crossfade.domain.gate.worse import OF_PROBE, fails_too_much, no_slot_serves, worse
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.verdict import EMERGENCY, Verdict

FEW_USERS, FEW_SECONDS = 1000, 300
"""With fewer users' requests than this number in this time (s) only the most even stage waits for their
proof. The time is not ``users_seconds``: a longer wait there is not meant for each stage."""


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
    against_it = _going_back(state, settings, watch) or _while_suspected(state, settings, watch, now)
    if against_it:
        return against_it
    held, late = climbing.held(state, watch), now >= watch.deadline
    # The candidate was verified at weight 0, and the stable slot's clients get errors.
    urgent = watch.emergency and 0 < watch.stage.weight < 100
    unproven = None if urgent or climbing.retries(state, watch) else proof.unproven(state, settings, watch)
    if doubt := _doubt(state, settings, watch) or missing(state, watch, now) or unproven:
        verdict = _hold_until(late, watch, f"{climbing.since(state, watch)}; {doubt}" if held else doubt)
        # Whatever the stable slot does: no client may be sent to a candidate that fails like that.
        refused = late and not watch.stage.weight and fails_too_much(state, settings)
        return verdict.model_copy(update={"error": "CandidateWorse"}) if refused else verdict
    if not_warm := _not_warm(state, settings, watch, now):
        return not_warm
    if held:
        return climbing.climb(state, watch)
    if climbing.retries(state, watch):
        return climbing.retried(state, settings, watch, now)
    if _lasted(state, watch, now) < watch.stage.min_seconds and not urgent:
        return Verdict(
            action="hold", reason=f"no problem; the stage lasts {watch.stage.min_seconds:g} s at least"
        )
    if not watch.shared:
        return Verdict(action="advance", reason=proof.proven(state, watch))
    return _with_users(state, settings, watch, now)


def _going_back(state: GateState, settings: GateSettings, watch: Watch) -> Verdict | None:
    """Roll back, or step back; None without a reason for either."""
    if refuted := worse(state, settings, watch):
        return Verdict(action="roll_back", reason=refuted, error="CandidateWorse")
    if no_slot := no_slot_serves(state, settings, watch):
        return Verdict(action="roll_back", reason=no_slot, error="TargetsBelowFloor")
    if back := why_step_back(state, settings, watch):
        return Verdict(action="step_back", reason=back.reason, cause=back.cause)
    return None


def _with_users(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> Verdict:
    """The verdict on a stage in which both slots have users, once nothing else holds it."""
    few, late = "", now >= watch.deadline
    if state.users.proof.evidence < 1 / settings.beta:
        few = proof.users_missing(state, settings, watch)
        seen = state.users.reported_seconds >= settings.users_seen_seconds
        if not (_waited(state, settings, watch, now) or (late and seen)):
            return _hold_until(late, watch, few)
    old = proof.users_old(state, settings, now)
    if old and (not few or settings.users_seen_seconds):
        return _hold_until(late, watch, old)
    return Verdict(action="advance", reason=f"{proof.proven(state, watch)}{f'; {few}' if few else ''}")


def _waited(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> bool:
    """Whether the users' proof was waited for long enough, and their outcomes were seen.

    A quiet service waits only where both sides are compared best; elsewhere next to nothing would be seen.
    """
    lasted, seen = _lasted(state, watch, now), state.users.reported_seconds >= settings.users_seen_seconds
    if state.users.rate * FEW_SECONDS >= FEW_USERS or _most_even(watch):
        return seen and lasted >= settings.users_seconds
    return settings.users == "feed" or (seen and lasted >= settings.users_seen_seconds)


def _most_even(watch: Watch) -> bool:
    """Whether both sides have users' requests as nearly alike as in any stage: there they compare best."""
    return not watch.weights or watch.stage.weight == min(watch.weights, key=lambda weight: abs(weight - 50))


def _lasted(state: GateState, watch: Watch, now: datetime) -> float:
    """Seconds that the candidate has had this stage, those before it stepped back included."""
    caution = state.caution
    before = caution.spent if caution.step_backs and caution.place == watch.place else 0.0
    return before + (now - watch.began).total_seconds()


def _suspicion(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> str | None:
    """Why to wait, for as long as it takes to be sure; None without suspicion."""
    if watch.alone:
        return None
    if climbing.held(state, watch):
        return climbing.not_yet(state, settings, watch, now)
    if climbing.retries(state, watch):
        return None
    if state.evidence >= settings.suspicion:
        return against.strongest(state, settings, watch)
    return None


def _not_warm(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> Verdict | None:
    """Hold the first stage until the candidate is warm: what is slow before says nothing."""
    warmth = state.probe.warmth
    if watch.stage.weight or watch.alone:
        return None
    if warmth.ready(watch.candidate_since.timestamp(), settings.clump_seconds, now.timestamp()):
        return None
    candidate = reasons.roles(watch.candidate)[0]
    return Verdict(action="hold", reason=f"{candidate} is not seen to be warm yet: {reasons.slower(warmth)}")


def _while_failing(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> str | None:
    """Whether a spell of the candidate's failures may still go on: no stage ends in one."""
    bad_at = max(state.probe.spells.bad_at, state.users.spells.bad_at)
    over = now.timestamp() >= bad_at + settings.clump_seconds
    if watch.alone or over or climbing.held(state, watch) or climbing.retries(state, watch):
        return None
    return f"waits for {settings.clump_seconds:g} s without a spell of failures"


def _while_suspected(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> Verdict | None:
    """Hold while suspicion lasts: no stage's deadline ends that, but the one that counts from the launch."""
    suspicion = _suspicion(state, settings, watch, now)
    if not suspicion:
        failing = _while_failing(state, settings, watch, now)
        return Verdict(action="hold", reason=failing) if failing else None
    if climbing.held(state, watch):
        suspicion = f"{climbing.since(state, watch)}; {suspicion}"
    if now < watch.candidate_since + timedelta(seconds=settings.give_up_seconds):
        return Verdict(action="hold", reason=suspicion)
    return Verdict(
        action="roll_back",
        reason=f"{settings.give_up_seconds:g} s after the launch: {suspicion}",
        error="EvidenceMissing",
    )


def _hold_until(late: bool, watch: Watch, reason: str) -> Verdict:
    if not late:
        return Verdict(action="hold", reason=reason)
    return Verdict(
        action="roll_back",
        reason=f"after {watch.stage.max_seconds:g} s at weight {watch.stage.weight}: {reason}",
        error="EvidenceMissing",
    )


def _doubt(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """Why not to advance, whatever the users' outcomes are; None without such evidence."""
    candidate, stable = reasons.roles(watch.candidate)
    if watch.alone and state.evidence >= settings.suspicion:
        return against.strongest(state, settings, watch)
    of_users = bool(watch.stage.weight) and not climbing.retries(state, watch)
    for name, source in against.sources(state).items():
        # Users who met it earlier cannot show, without a client on the candidate, that it is well again.
        if (not name or of_users or watch.alone) and source.failure_limit.failing(settings):
            return (
                f"{candidate} fails more than {settings.failing:.0%}{name or OF_PROBE}; {stable} may be "
                f"failing too (a shared outage?){against.met_by(name, state, watch)}"
            )
    # If the stable slot itself fails, a candidate that does not fail helps clients.
    helped = state.stable.failing(settings) or (watch.emergency and watch.stage.weight < 100)
    if state.production.failing(settings) and not helped:
        return (
            f"more than {settings.failing:.0%} of the production lane's requests fail; "
            f"{failures_met(state, watch, 'production')}"
        )
    return None
