"""Climbing: what a candidate that was taken to weight 0 must show, and where it goes on."""

from datetime import datetime, timedelta

from crossfade.domain.gate import against
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.verdict import Climb, Verdict

SPELLS_HELD = 80 / 3
"""How long a candidate with more spells is held, in lengths of a spell."""
OF_USERS = ("strike", "suspicion")
"""Why a candidate was stepped back, where it may be what its users met."""
SPREAD_SECONDS = 10
"""Until all clients meet new weights of the load balancer."""


def held(state: GateState, watch: Watch) -> bool:
    """Whether the candidate was taken to weight 0, and waits there."""
    return state.caution.step_backs > 0 and not watch.stage.weight and not watch.alone


def retries(state: GateState, watch: Watch) -> bool:
    """Whether the candidate tries a small weight before it climbs to where it was."""
    return state.caution.retrying and watch.shared


def since(state: GateState, watch: Watch) -> str:
    """Since when the candidate is held, and why."""
    shown = (watch.shown or watch.began).strftime("%H:%M:%S")
    return f"candidate held at 0 % since {shown}: {state.caution.why}"


def until(settings: GateSettings) -> str:
    """What would let a held candidate climb, and what would end it."""
    clump = settings.clump_seconds
    return (
        f"climbs again after {clump:g} s without failures, with the probe's proof; rolled back at "
        f"evidence {round(1 / settings.alpha):,}, or after {2 * clump:g} s in which everything fails"
    )


def not_yet(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> str | None:
    """Why a held candidate does not climb yet, beside the probe's proof; None if it may."""
    clump, at = settings.clump_seconds, now.timestamp()
    if state.of_probe >= settings.suspicion:
        return against.strongest(state, settings, watch)
    bad_at = max(state.probe.spells.bad_at, state.users.spells.bad_at)
    if at < max(bad_at, watch.weights_at) + clump:
        return until(settings)
    awaited = state.caution.cause in OF_USERS and not users_known(state, watch)
    if awaited and at < watch.weights_at + _patience(state, settings):
        return "climbs again when all outcomes of the users that it had are known"
    above = state.caution.above
    if above is not None and now < above + timedelta(seconds=SPELLS_HELD * clump):
        return f"climbs again {SPELLS_HELD * clump:.0f} s after that"
    return None


def users_known(state: GateState, watch: Watch) -> bool:
    """Whether all outcomes are known of the users that the candidate had before the present weight.

    What they met speaks for or against it, and costs nothing more.
    """
    return state.users.until >= watch.weights_at + SPREAD_SECONDS


def _patience(state: GateState, settings: GateSettings) -> float:
    """How long outcomes are waited for at most: a block of them, until it is settled, and one more."""
    return settings.settle + 2 * max(state.users.seconds, 1)


def climb(state: GateState, watch: Watch) -> Verdict:
    """Where a held candidate goes on: at the stage it had, or with a retry before it."""
    caution = state.caution
    weight = watch.weights[caution.place] if caution.place < len(watch.weights) else 100
    if caution.retry is None or caution.retry >= weight:
        return Verdict(
            action="advance",
            reason=f"well again: back to {weight} %",
            climb=Climb(stage=caution.place),
        )
    first = next(place for place, weight in enumerate(watch.weights) if weight)
    return Verdict(
        action="advance",
        reason=f"well again as the probe sees it: tried at {caution.retry} %, then back to {weight} %",
        climb=Climb(stage=first, weight=caution.retry),
    )


def retried(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> Verdict:
    """Hold until enough users were seen at the small weight; then back to the stage it had."""
    enough = watch.weights_at + settings.retry_seconds
    weight = watch.stage.weight
    if state.users.reported_until < enough and now.timestamp() < enough + _patience(state, settings):
        return Verdict(action="hold", reason=f"tried at {weight} % for {settings.retry_seconds:g} s")
    return Verdict(
        action="advance",
        reason=f"no failures in a spell at {weight} %",
        climb=Climb(stage=state.caution.place),
    )
