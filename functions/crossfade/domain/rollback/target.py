"""The restore target: the slot that gets all traffic when a deployment is rolled back."""

from collections.abc import Collection, Mapping
from typing import Literal

from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import History
from crossfade.domain.slots import Slot, other
from crossfade.domain.traffic.weights import Weights


class RestoreTarget(Model):
    """``go``: all traffic to ``winner``; None leads the rules back to the origin, as before a first release.

    ``wait``: neither slot can serve yet, or the stable one not all of it.
    """

    action: Literal["go", "wait"]
    reason: str
    winner: Slot | None = None


def is_fit(history: History) -> bool:
    """Whether a candidate without clients may get some: all its tasks were healthy once, and the gate has not
    found it worse.
    """
    return history.healthy is not None and history.refused != 0


def still_needed(
    plan: Plan, history: History, loser: Slot, *, healthy: Mapping[Slot, int], short: str | None, late: bool
) -> Literal["as_it_is", "as_winner"] | None:
    """Whether a rollback must keep the loser running; None when it may be stopped.

    ``as_winner``: the other slot has no healthy target. ``as_it_is``: the other slot is ``short`` of tasks,
    and this one has more; ``late`` ends that wait.
    """
    winner = other(loser)
    if healthy[loser] <= healthy[winner] or (loser == plan.candidate and not is_fit(history)):
        return None
    if healthy[winner] == 0:
        return "as_winner"
    return "as_it_is" if short and not late and history.refused is None else None


def restore_target(
    lives: Collection[Weights | None],
    plan: Plan,
    *,
    written: Weights | None,
    healthy: Mapping[Slot, int],
    fit: bool,
    short: str | None,
    late: bool,
) -> RestoreTarget:
    """Choose the winner.

    It is the stable slot, unless that has no healthy target while the candidate has: clients are better off
    with a suspect version than with none. A candidate that had no clients must be ``fit``. ``lives`` are
    the weights of the rules that are to be put back, ``written`` those that Crossfade wrote last. ``short``
    is what the stable slot lacks to carry all traffic, if that is worth a wait. ``late`` ends the wait for a
    healthy slot.
    """
    is_back = {written, *lives} == {plan.before}
    live = " and ".join(str(weights) for weights in dict.fromkeys(lives))
    if plan.stable is None:
        return RestoreTarget(action="go", reason=f"no release is live: {plan.before}")
    if healthy[plan.stable] > 0:
        if short and not is_back:
            return RestoreTarget(action="wait", reason=f"{short}; until it has them, traffic stays at {live}")
        return RestoreTarget(action="go", winner=plan.stable, reason=str(plan.before))
    if healthy[plan.candidate] > 0 and (fit or not is_back):
        return RestoreTarget(
            action="go",
            winner=plan.candidate,
            reason=f"stable ({plan.stable}) has no healthy target, so all traffic goes to candidate "
            f"({plan.candidate}), {plan.release.version}",
        )
    if late or is_back:
        return RestoreTarget(action="go", winner=plan.stable, reason=_served_by_nobody(plan, healthy))
    return RestoreTarget(action="wait", reason=f"neither slot has a healthy target; traffic stays at {live}")


def _served_by_nobody(plan: Plan, healthy: Mapping[Slot, int]) -> str:
    if healthy[plan.candidate] > 0:
        return (
            f"{plan.before}, but stable ({plan.stable}) has no healthy target: look at its tasks. candidate "
            f"({plan.candidate}) has some, but {plan.release.version} was not verified"
        )
    return f"{plan.before}, but neither slot has a healthy target: look at the tasks of both"
