"""Caution: what a verdict that ends a stage leaves in the gate's memory."""

from datetime import datetime
from math import ceil

from crossfade.domain.gate import climbing
from crossfade.domain.gate.blocks.block import MINUTE
from crossfade.domain.gate.past import Caution
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.verdict import Verdict

FEW, FEW_IN_MINUTE = 2, 6
"""How many failures of users a block of a retry has, by the minute or shorter, if the candidate fails as
before: no more than make it bad. A retry by metrics lasts longer, until a minute of it is known."""
HIGHER = 4
"""By how much the evidence of more spells must have grown to step back for them again: this factor."""


def decided(state: GateState, verdict: Verdict, watch: Watch, now: datetime) -> GateState:
    """The state after a verdict that ends the stage: to advance, or to step back.

    It is called once, just before the state is handed on. The same verdict again makes the same state.
    """
    if verdict.action == "step_back":
        return state.model_copy(update={"caution": _stepped_back(state, verdict, watch, now)})
    if verdict.action == "advance" and verdict.climb is not None:
        return state.model_copy(update={"caution": _climbing(state, verdict, watch)})
    return state.model_copy(update={"caution": state.caution.model_copy(update={"retrying": False})})


def _stepped_back(state: GateState, verdict: Verdict, watch: Watch, now: datetime) -> Caution:
    caution = state.caution
    changes: dict[str, object] = {
        "step_backs": caution.step_backs + 1,
        "cause": verdict.cause,
        "why": verdict.reason,
        "at": now,
        "alarmed": caution.alarmed or verdict.cause == "alarm",
        "retrying": False,
        "retry": _retry(state, watch) if verdict.cause == "strike" else None,
        "above": caution.above or (now if verdict.cause == "spells" else None),
    }
    if not caution.retrying:
        spent = caution.spent if caution.step_backs and watch.place == caution.place else 0
        changes |= {"place": watch.place, "spent": spent + (now - watch.began).total_seconds()}
    return caution.model_copy(update=changes)


def _climbing(state: GateState, verdict: Verdict, watch: Watch) -> Caution:
    caution, more = state.caution, state.more_spells
    retrying = verdict.climb is not None and verdict.climb.weight is not None
    changes: dict[str, object] = {"retrying": retrying, "evidence": max(state.evidence, caution.evidence)}
    if not watch.stage.weight:
        changes["known"] = state.users.until if climbing.users_known(state, watch) else 0
    if caution.above is not None:
        changes |= {"above": None, "bar": max(caution.bar, HIGHER * more)}
    return caution.model_copy(update=changes)


def _retry(state: GateState, watch: Watch) -> int:
    """The weight at which few users would fail, if the candidate fails as it did."""
    last = state.users.spells.last
    first = next((weight for weight in watch.weights if weight), watch.stage.weight)
    if not last.n_c or not last.x_c:
        return first
    seconds = state.users.seconds
    few = (FEW if seconds < MINUTE else FEW_IN_MINUTE) / seconds
    weight = ceil(100 * few / (last.x_c / last.n_c * state.users.rate))
    return max(1, min(weight, first))
