"""What may be at no moment: a target group with weight and without a healthy target."""

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
            weight = world.weight(slot)
            if weight > 0 and not world.balancer.healthy[world.spec.target_groups.of(slot)].last:
                self.gaps.append((world.clock.now, slot, weight))
