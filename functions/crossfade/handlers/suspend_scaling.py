"""SuspendScaling: while traffic moves no slot is shrunk, and a slot that is to be stopped is not scaled."""

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.scalable_targets import Scaling
from crossfade.aws.scaling_copies import SlotScaling
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.slots import Slot, other
from crossfade.domain.tasks.scaling import ACTIVE, SUSPENDED, ScalableTarget, SuspendedState
from crossfade.domain.tasks.scaling_copy import bounds, still_to_come
from crossfade.step import step, utc_now
from crossfade.watching.capacity import win_back


@step
def handler(plan: HeldPlan, loser: Slot | None = None) -> None:
    """Write down how the live slot's scaling stands, then suspend scale-in on the slots that run.

    ``loser`` is the slot that is about to be stopped, if there is one. Its scaling is suspended as a whole,
    while it still runs: a slot that stands at 0 is left alone, since AWS would start it. The winner is asked
    for as many tasks. A candidate that was just launched is scaled like the pattern.
    """
    journal, now = stack.journal(), utc_now()
    scaling = Scaling(client("application-autoscaling"), plan.spec)
    live = scaling.target(plan.stable) if plan.stable else None
    last = journal.refuse_lost(plan.hold).resumed
    # Just after a deployment, Application Auto Scaling may still show the suspension that it has ended.
    after = last.suspension if last and plan.stable and last.still_counts(plan.stable, now) else None
    known = after or (live.suspension if live else ACTIVE)
    before = SuspendedState.model_validate(
        journal.history.milestone(plan.hold, "scaling", known.model_dump())
    )
    history = journal.history.of(plan.service, plan.deployment)
    if loser and plan.stable:  # while the loser's count still tells what is needed
        win_back(plan, journal, other(loser))
    if history.launched and loser is None and plan.holder == plan.execution:
        _like_the_pattern(plan, live, history.wanted or 0)
    for slot in (plan.stable, plan.candidate if history.launched else None):
        if slot and slot != history.stopped:
            scaling.suspend(slot, SUSPENDED if slot == loser else before.growing)


def _like_the_pattern(plan: HeldPlan, live: ScalableTarget | None, wanted: int) -> None:
    """Let the candidate be scaled like the pattern, with room for as many tasks as the live slot's.

    Of the owner's own service nothing is written.
    """
    spec, slot = plan.spec, plan.candidate
    copies = SlotScaling(client("application-autoscaling"), client("cloudwatch"), spec)
    if spec.pattern.scaling and spec.copies_scaling(slot):
        within = bounds(spec.pattern.scaling, live, wanted, first=plan.stable is None)
        copies.copy(slot, still_to_come(spec.pattern.scaling, utc_now()), within)
    elif slot != spec.origin:
        copies.remove(slot)
