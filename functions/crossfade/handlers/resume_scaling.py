"""ResumeScaling: the live slot is scaled as the one before it was; the idle slot stays as it is."""

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.scalable_targets import Scaling
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.tasks.scaling import Resumption
from crossfade.step import step, utc_now


@step
def handler(plan: HeldPlan) -> None:
    """Resume scaling on the slot that the journal calls stable."""
    journal = stack.journal()
    slot = journal.refuse_lost(plan.hold).stable
    before = journal.history.of(plan.service, plan.deployment).scaling
    if slot is None or before is None:  # nothing is live, or nothing was suspended
        return
    # The next deployment needs it, because reads may be stale.
    journal.live.resumed(plan.hold, Resumption(slot=slot, suspension=before, at=utc_now()))
    Scaling(client("application-autoscaling"), plan.spec).suspend(slot, before)
