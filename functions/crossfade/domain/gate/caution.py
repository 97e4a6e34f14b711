"""Caution: once the candidate's weight went back to 0, it climbs again with care."""

from datetime import datetime

from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.verdict import Verdict


def decided(state: GateState, verdict: Verdict, watch: Watch, now: datetime) -> GateState:
    """The state after a verdict that ends the stage: to advance, or to step back.

    It is called once, just before the state is handed on. The same verdict again makes the same state.
    """
    caution = state.caution
    if verdict.action == "step_back":
        caution = caution.model_copy(
            update={
                "step_backs": caution.step_backs + 1,
                "cause": verdict.cause,
                "at": now,
                "place": watch.place,
                "alarmed": caution.alarmed or verdict.cause == "alarm",
            }
        )
    elif verdict.action == "advance" and verdict.climb is not None:
        caution = caution.model_copy(update={"evidence": state.evidence})
    elif verdict.action == "advance":
        caution = caution.model_copy(update={"passed": max(caution.passed, watch.place + 1)})
    return state.model_copy(update={"caution": caution})
