"""Capacity: whether a slot has enough tasks for its weight, and how many to ask for."""

from collections.abc import Mapping
from typing import Self

from crossfade.domain.errors import ScalingTooNarrow
from crossfade.domain.model import Model
from crossfade.domain.slots import Slot
from crossfade.domain.spec.placed import Placed
from crossfade.domain.tasks.scaling import ScalableTarget
from crossfade.domain.traffic.weights import shortfall


class Capacity(Model):
    """A slot's tasks, compared with the other slot's: the candidate's, or in a rollback the winner's.

    ``wanted`` is the highest desired count of the other slot, None if there is no other one; ``asked`` is the
    slot's own desired count, ``healthy`` its healthy targets. ``most`` is its scalable target's MaxCapacity,
    read only if more tasks are wanted than asked for. ``trouble`` is ECS's trouble with its tasks since the
    deployment began.
    """

    slot: Slot
    wanted: int | None
    asked: int
    healthy: int
    most: int | None = None
    trouble: str = ""

    @property
    def to_ask(self) -> int | None:
        """How many tasks to ask for; None where there is nothing to ask. A count is never lowered."""
        wanted = self.wanted or 0
        count = wanted if self.most is None else min(wanted, self.most)
        return count if count > self.asked else None

    def short_for(self, weight: int, *, late: bool) -> str | None:
        """Why the slot may not carry this weight, in percent; None when it may.

        It needs its share of what the live slot was wanted to have, or of what it was itself asked to have
        where that is more: ``late`` ends the wait for those.
        """
        wanted = self.asked if self.wanted is None else self.wanted
        count = wanted if late else max(wanted, self.asked)
        short = shortfall(self.slot, self.healthy, count, weight)
        if short and self.most is not None and self.most < count:
            return f"{short}; its scalable target allows {self.most}: raise its MaxCapacity"
        return f"{short} ({self.trouble})" if short and self.trouble else short

    def within_bounds(self) -> Self:
        """The same, with no more wanted than its scalable target allows."""
        if self.wanted is None or self.most is None:
            return self
        return self.model_copy(update={"wanted": min(self.wanted, self.most)})


def refuse_narrow(
    spec: Placed, wanted: int, targets: Mapping[Slot, ScalableTarget | None], *, stable: Slot
) -> None:
    """Refuse a deployment in which a scalable target would take tasks away: ``wanted`` of the live slot.

    AWS brings a count within the bounds of its target whenever the target is written, if only to suspend it.
    ``targets`` has those slots alone whose bounds are not set anew.

    Raises
    ------
    ScalingTooNarrow
        The live slot has more tasks than its own target, or the candidate's, allows.
    """
    for slot, target in targets.items():
        if target and target.most < wanted:
            raise ScalingTooNarrow(
                f"{stable} is live and wanted to have {wanted} tasks, and the scalable target of "
                f"{spec.slot_service(slot)} allows {target.most}. Raise its MaxCapacity to {wanted} at "
                "least, or scale the live slot down, then deploy again."
            )
