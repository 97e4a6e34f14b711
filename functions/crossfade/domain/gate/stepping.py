"""Stepping back: why the candidate's weight goes to 0 at once, though it is not sure that it is worse."""

from typing import NamedTuple

from crossfade.domain.gate import against, reasons
from crossfade.domain.gate.blocks.block import SECONDS
from crossfade.domain.gate.climbing import retries
from crossfade.domain.gate.news import failures_met, seen_on
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.verdict import Cause

SUSPICIONS = 5
"""The evidence to step back, in units of the evidence that holds a stage."""
GROWN = 1.5
"""Evidence that was known when the candidate climbed must have grown by this factor."""
IN_ROW = 2
"""How many bad blocks of the probe in a row are no short spell."""
UNLIKELY, FEW = 0.01, 5
"""What is less likely is no chance; fewer answers say nothing."""


class Doubt(NamedTuple):
    """Why to step back: the cause, and in words."""

    cause: Cause
    reason: str


def why_step_back(state: GateState, settings: GateSettings, watch: Watch) -> Doubt | None:
    """Why to step back; None without a reason, and where there is nowhere to step back to."""
    if watch.alone or not watch.stage.weight:
        return None
    found = _dead(state, settings, watch)
    if found or not watch.shared:
        return found
    struck = _strike(state, watch)
    if struck or retries(state, watch):
        return struck
    return _suspicion(state, settings, watch) or _spells(state, watch)


def _dead(state: GateState, settings: GateSettings, watch: Watch) -> Doubt | None:
    """The candidate's lane only fails, or has failed a lot for two blocks."""
    if state.lanes.dead(settings, alone=False) and not _clients_served(state, watch):
        return Doubt("dead", against.failing_run(state, watch))
    spells = state.probe.spells
    if spells.in_row < IN_ROW or spells.bad_at < state.probe.until - SECONDS:
        return None
    counts, met = reasons.failures(spells.last, watch.candidate), failures_met(state, watch, watch.candidate)
    return Doubt("dead", f"{counts} within {SECONDS} s, after as bad a block; {met}")


def _clients_served(state: GateState, watch: Watch) -> bool:
    """Whether production answers too well for a candidate that only fails: the way to it does.

    Of what production answered since the candidate's lane fails, the candidate's share would have failed.
    """
    run, good = state.lanes.candidate.run, seen_on(state, watch, "production").run
    if good.began >= run.began and watch.stage.weight == 100:
        return False
    answered = min(good.length, watch.rates.production * (good.last - max(run.began, good.began)))
    return answered >= FEW and bool((1 - watch.stage.weight / 100) ** answered < UNLIKELY)


def _strike(state: GateState, watch: Watch) -> Doubt | None:
    """Users' requests failed in a spell since the candidate has its weight.

    A spell that the probe saw too, and that is over, hurts nobody any more. After a step back failures still
    come for a while, until clients meet the new weights; they are reported before the candidate climbs.
    """
    spells, probe = state.users.spells, state.probe.spells
    since = (state.caution.known or watch.weights_at) if state.caution.step_backs else 1
    if spells.bad_at < since:
        return None
    if probe.touched_at >= spells.bad_at - SECONDS and state.probe.until > probe.touched_at + SECONDS:
        return None
    counts = reasons.failures(spells.last, watch.candidate)
    tasks = state.users.tasks.failing
    within = f"{counts} of the users' requests within {state.users.seconds} s"
    return Doubt("strike", f"{within}; {tasks}" if tasks else within)


def _suspicion(state: GateState, settings: GateSettings, watch: Watch) -> Doubt | None:
    if state.evidence < max(SUSPICIONS * settings.suspicion, GROWN * state.caution.evidence):
        return None
    return Doubt("suspicion", against.strongest(state, settings, watch))


def _spells(state: GateState, watch: Watch) -> Doubt | None:
    if state.more_spells < state.caution.bar:
        return None
    candidate, stable = reasons.roles(watch.candidate)
    odds = reasons.odds(state.more_spells)
    return Doubt("spells", f"{candidate} has more spells of failures than {stable} (evidence {odds})")
