"""How often a candidate may be stepped back: a deployment ends, also where the gate never becomes sure."""

from crossfade.domain.spec.history_events import MOST_STEP_BACKS
from crossfade.domain.verdict import Verdict


def refuse_endless(verdict: Verdict, step_backs: int) -> Verdict:
    """The verdict, or a rollback in place of one step back too many; ``step_backs`` there were before."""
    if verdict.action != "step_back" or step_backs < MOST_STEP_BACKS:
        return verdict
    return Verdict(
        action="roll_back",
        reason=f"stepped back {step_backs} times, and not well yet: {verdict.reason}",
        error="EvidenceMissing",
    )
