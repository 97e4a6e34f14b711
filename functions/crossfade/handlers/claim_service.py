"""ClaimService: take the service, if nobody else holds it."""

from crossfade import stack
from crossfade.domain.planning.plan import Plan
from crossfade.step import step


@step
def handler(plan: Plan) -> None:
    """Become the holder of the plan's service, or fail with ServiceChanged."""
    stack.journal().claim(plan)
