"""ClaimService: the execution becomes the holder of the service, if there is no other one."""

from crossfade import stack
from crossfade.domain.planning.plan import HeldPlan
from crossfade.step import step


@step
def handler(plan: HeldPlan) -> None:
    """Become the holder of the plan's service, or fail with ServiceChanged."""
    stack.journal().holding.claim(plan)
