"""The way back: which slot gets all the traffic when a deployment is taken back."""

from collections.abc import Mapping
from typing import Literal

from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import History
from crossfade.domain.slots import Slot, other
from crossfade.domain.traffic.weights import PUT_RIGHT, Weights


class RestoreTarget(Model):
    """``go``: all traffic to ``winner``; None removes the rule, as before a first release.

    ``wait``: neither slot can serve yet, or the stable one not all of it. ``bar``: somebody else has changed
    the rule, and it is left alone.
    """

    action: Literal["go", "wait", "bar"]
    reason: str
    winner: Slot | None = None


def is_fit(history: History) -> bool:
    """Whether clients may be sent to a candidate that none was sent to before.

    All its tasks were healthy once, and the gate has not found it worse.
    """
    return history.healthy is not None and history.refused != 0


def still_needed(
    plan: Plan, history: History, loser: Slot, *, healthy: Mapping[Slot, int], short: str | None, late: bool
) -> Literal["as_it_is", "as_winner"] | None:
    """Whether a loser has to run on, in a rollback; None when it may be stopped.

    ``as_winner``: nobody answers in the other slot. ``as_it_is``: the other one is ``short`` of tasks, of
    which this one has more; ``late`` ends that wait.
    """
    winner = other(loser)
    if healthy[loser] <= healthy[winner] or (loser == plan.candidate and not is_fit(history)):
        return None
    if healthy[winner] == 0:
        return "as_winner"
    return "as_it_is" if short and not late and history.refused is None else None


def restore_target(
    live: Weights | None,
    plan: Plan,
    *,
    written: Weights | None,
    own: tuple[Weights | None, ...],
    hidden: bool,
    healthy: Mapping[Slot, int],
    fit: bool,
    short: str | None,
    late: bool,
) -> RestoreTarget:
    """Choose the winner.

    The stable slot, unless it has no healthy target while the candidate has: clients are better off with a
    version that is suspect than with none. Where none was sent to it, it must be ``fit``. ``written`` are the
    weights that Crossfade wrote last, ``own`` all that may be read by its doing; ``hidden``: a rule may be
    there that is not seen yet. ``short`` is what the stable slot lacks to carry all traffic, where that is
    worth a wait. ``late`` ends the wait for a healthy slot.
    """
    if live is None and hidden:
        return RestoreTarget(
            action="wait", reason="the load balancer does not show yet the rule that was made just now"
        )
    is_back = live == plan.before and (live == written or live is None)
    if not is_back and (live is None or live not in (*own, plan.before)):
        return RestoreTarget(
            action="bar",
            reason=f"the live rule ({live or 'gone'}) was changed by somebody else. {PUT_RIGHT}",
        )
    if plan.stable is None:
        return RestoreTarget(action="go", reason="no production rule")
    if healthy[plan.stable] > 0:
        if short and not is_back:
            return RestoreTarget(action="wait", reason=f"{short}; until it has them, traffic stays at {live}")
        return RestoreTarget(action="go", winner=plan.stable, reason=str(plan.before))
    if healthy[plan.candidate] > 0 and (fit or not is_back):
        return RestoreTarget(
            action="go",
            winner=plan.candidate,
            reason=f"the stable slot {plan.stable} has no healthy target, so all traffic was given to "
            f"{plan.candidate} with {plan.release.version}",
        )
    if late or is_back:
        return RestoreTarget(action="go", winner=plan.stable, reason=_served_by_nobody(plan, healthy))
    return RestoreTarget(action="wait", reason=f"neither slot has a healthy target; traffic stays at {live}")


def _served_by_nobody(plan: Plan, healthy: Mapping[Slot, int]) -> str:
    if healthy[plan.candidate] > 0:
        return (
            f"{plan.before}, though {plan.stable} has no healthy target: look at it. {plan.candidate} has "
            f"some, but {plan.release.version} was not found fit for clients"
        )
    return f"{plan.before}, though neither slot has a healthy target: look at both"
