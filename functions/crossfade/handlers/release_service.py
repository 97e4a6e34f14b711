"""ReleaseService: free the service."""

from crossfade import stack
from crossfade.domain.planning.plan import Plan
from crossfade.step import step, utc_now


@step
def handler(plan: Plan) -> None:
    """Give the plan's service free, if this deployment holds it."""
    stack.journal().release(plan, utc_now())
