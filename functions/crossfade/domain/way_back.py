"""The way back: which slot gets all the traffic when a deployment is taken back."""

from collections.abc import Mapping
from typing import Literal

from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.domain.spec import Slot
from crossfade.domain.traffic import PUT_RIGHT, Weights


class Way(Message):
    """``go``: all traffic to ``winner``; None removes the rule, as before a first release.

    ``wait``: neither slot can serve yet. ``bar``: somebody else has changed the rule, and it is left alone.
    """

    action: Literal["go", "wait", "bar"]
    reason: str
    winner: Slot | None = None


def way_back(
    live: Weights | None,
    plan: Plan,
    *,
    written: Weights | None,
    own: tuple[Weights | None, ...],
    hidden: bool,
    healthy: Mapping[Slot, int],
    late: bool,
) -> Way:
    """Choose the winner.

    The stable slot, unless it has no healthy target while the candidate has: clients are better off with a
    version that is suspect than with none. ``written`` are the weights that Crossfade wrote last, ``own``
    all that may be read by its doing; ``hidden``: a rule may be there that is not seen yet. ``late`` ends the
    wait for a healthy slot.
    """
    if live is None and hidden:
        return Way(
            action="wait", reason="the load balancer does not show yet the rule that was made just now"
        )
    if live == plan.before and (live == written or live is None):
        return Way(action="go", winner=plan.stable, reason=str(live or "no production rule"))
    if live is None or live not in (*own, plan.before):
        return Way(
            action="bar",
            reason=f"the live rule ({live or 'gone'}) was changed by somebody else. {PUT_RIGHT}",
        )
    if plan.stable is None or healthy[plan.stable] > 0:
        return Way(action="go", winner=plan.stable, reason=str(plan.before or "no production rule"))
    if healthy[plan.candidate] > 0:
        return Way(
            action="go",
            winner=plan.candidate,
            reason=f"the stable slot {plan.stable} has no healthy target, so all traffic was given to "
            f"{plan.candidate} with {plan.release.version}",
        )
    if late:
        return Way(
            action="go",
            winner=plan.stable,
            reason=f"{plan.before}, though neither slot has a healthy target: look at both",
        )
    return Way(action="wait", reason=f"neither slot has a healthy target; traffic stays at {live}")
