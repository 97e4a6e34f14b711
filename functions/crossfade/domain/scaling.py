"""Automatic scaling of a slot, in the words of Application Auto Scaling."""

from datetime import datetime, timedelta

from crossfade.domain.message import Message, Moment
from crossfade.domain.spec import Slot

SCALING_LAG = timedelta(seconds=60)
"""How long Application Auto Scaling may still answer as before a write."""


class Suspension(Message):
    """Which kinds of scaling are suspended for a slot."""

    scale_in: bool
    scale_out: bool
    scheduled: bool


SUSPENDED = Suspension(scale_in=True, scale_out=True, scheduled=True)
ACTIVE = Suspension(scale_in=False, scale_out=False, scheduled=False)


class Resumption(Message):
    """How a slot's scaling was left when a deployment ended, and when."""

    slot: Slot
    suspension: Suspension
    at: Moment

    def still_counts(self, slot: Slot, now: datetime) -> bool:
        """Whether it says more of a slot than what is read, which may be of before."""
        return self.slot == slot and now < self.at + SCALING_LAG
