"""What may be at no moment, whatever comes of it: clients without a target, an old slot stopped too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossfade.domain.spec import SLOTS, Slot, other
from tests.simulation.functions import Invocation

if TYPE_CHECKING:
    from tests.simulation.world import World

RETIRES = {"RetireBlue", "StopOld"}
"""The states in which the old slot of a promotion is stopped."""


class Watcher:
    """Looks at every change of weights, of health and of desired counts.

    ``gaps`` are the moments with nobody to answer: a target group with weight and without a healthy target,
    both for the weights of the rule and for those that clients meet some seconds later. ``short`` are the
    promotions whose winner had fewer healthy targets than the old slot was ever asked to have while it was
    live: the moment, the winner, how many it had, and how many the old slot was asked for.
    """

    def __init__(self, world: World) -> None:
        self.gaps: list[tuple[float, Slot, int]] = []
        self.short: list[tuple[float, Slot, int, int]] = []
        self._world = world
        self._most: dict[str, int] = {}

    def look(self) -> None:
        """Something has changed."""
        world = self._world
        for slot in SLOTS:
            group = world.spec.target_groups.of(slot)
            weight = max(world.weight(slot), world.balancer.served.at(world.clock.now).get(group, 0))
            if weight > 0 and not world.balancer.healthy[group].last:
                self.gaps.append((world.clock.now, slot, weight))

    def resized(self, service: str, before: int, count: int) -> None:
        """A service is told to run so many tasks."""
        world = self._world
        most = max(self._most.get(service, 0), before, count)
        self._most[service] = most if count else 0
        caller = world.clock.strand
        if count or not before or not isinstance(caller, Invocation) or caller.place[1] not in RETIRES:
            return
        winner = other(next(slot for slot in SLOTS if world.spec.slot_service(slot) == service))
        healthy = len(world.balancer.healthy[world.spec.target_groups.of(winner)].last)
        if healthy < most:
            self.short.append((world.clock.now, winner, healthy, most))
