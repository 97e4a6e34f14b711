"""Automatic scaling of a slot, in the words of Application Auto Scaling."""

from datetime import datetime, timedelta
from typing import Self

from crossfade.domain.model import Model, Timestamp
from crossfade.domain.slots import Slot

SCALING_LAG = timedelta(seconds=60)
"""How long Application Auto Scaling may still answer as before a write."""


class SuspendedState(Model):
    """Which kinds of scaling are suspended for a slot."""

    scale_in: bool
    scale_out: bool
    scheduled: bool

    @property
    def growing(self) -> Self:
        """The same while weights move: a slot may grow, and is not shrunk because its traffic leaves it."""
        return self.model_copy(update={"scale_in": True})


SUSPENDED = SuspendedState(scale_in=True, scale_out=True, scheduled=True)
ACTIVE = SuspendedState(scale_in=False, scale_out=False, scheduled=False)


class ScalableTarget(Model):
    """How a slot is scaled: what is suspended, and between how many tasks (MinCapacity, MaxCapacity)."""

    suspension: SuspendedState
    least: int
    most: int


class Resumption(Model):
    """How a slot's scaling was left when a deployment ended, and when."""

    slot: Slot
    suspension: SuspendedState
    at: Timestamp

    def still_counts(self, slot: Slot, now: datetime) -> bool:
        """Whether it says more of a slot than what is read, which may be of before."""
        return self.slot == slot and now < self.at + SCALING_LAG
