"""How the candidate keeps up with the live slot, which may grow while traffic moves."""

import time

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.scaling import Scaling
from crossfade.aws.slots import Slots
from crossfade.aws.traffic import Traffic
from crossfade.domain.capacity import Capacity
from crossfade.domain.plan import Plan

LOOK_SECONDS = 5
"""How often it is looked at within one invocation."""


def keep_up(plan: Plan, journal: Journal) -> Capacity:
    """Ask for as many of the candidate's tasks as the live slot is wanted to have; tell how it stood before.

    A count that is read may be of before a write. One that is too low is asked for again at the next look.
    """
    slots = Slots(client("ecs"), plan.spec)
    candidate = slots.describe(plan.candidate)
    stable = slots.describe(plan.stable) if plan.stable else None
    asked, wanted = candidate.desired if candidate else 0, stable.desired if stable else None
    target = None
    if asked < (wanted or 0):
        target = Scaling(client("application-autoscaling"), plan.spec).target(plan.candidate)
    capacity = Capacity(
        slot=plan.candidate,
        wanted=wanted,
        asked=asked,
        healthy=Traffic(client("elbv2"), plan.spec)
        .health(plan.spec.target_groups.of(plan.candidate))
        .healthy,
        most=target.most if target else None,
    )
    if capacity.to_ask is not None:
        journal.refuse_lost(plan)  # a rollback may have stopped the slot
        slots.grow(plan.candidate, capacity.to_ask)
    return capacity


class KeepingUp:
    """The looks of one invocation: the first one at once, then one each few seconds."""

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self._plan, self._journal = plan, journal
        self._last: tuple[float, Capacity] | None = None

    def look(self) -> Capacity:
        """How the candidate stands, by the last look or by a new one."""
        now = time.monotonic()
        if self._last is None or now >= self._last[0] + LOOK_SECONDS:
            self._last = now, keep_up(self._plan, self._journal)
        return self._last[1]
