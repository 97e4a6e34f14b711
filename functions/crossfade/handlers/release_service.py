"""ReleaseService: free the service."""

from crossfade import stack
from crossfade.domain.planning.plan import HeldPlan
from crossfade.step import step, utc_now


@step
def handler(plan: HeldPlan) -> None:
    """Give the plan's service free, if this deployment holds it."""
    stack.journal().holding.release(plan.hold, utc_now())
