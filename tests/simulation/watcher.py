"""What may be at no moment: a target group with weight and without a healthy target.

Both for the weights of the rule and for those that clients meet some seconds later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossfade.domain.spec import SLOTS, Slot

if TYPE_CHECKING:
    from tests.simulation.world import World


class Watcher:
    """Looks at every change of weights and of health. ``gaps`` are the moments with nobody to answer."""

    def __init__(self, world: World) -> None:
        self.gaps: list[tuple[float, Slot, int]] = []
        self._world = world

    def look(self) -> None:
        """Something has changed."""
        world = self._world
        for slot in SLOTS:
            group = world.spec.target_groups.of(slot)
            weight = max(world.weight(slot), world.balancer.served.at(world.clock.now).get(group, 0))
            if weight > 0 and not world.balancer.healthy[group].last:
                self.gaps.append((world.clock.now, slot, weight))
