"""Automatic scaling of a slot, in the words of Application Auto Scaling."""

from crossfade.domain.message import Message


class Suspension(Message):
    """Which kinds of scaling are suspended for a slot."""

    scale_in: bool
    scale_out: bool
    scheduled: bool


SUSPENDED = Suspension(scale_in=True, scale_out=True, scheduled=True)
ACTIVE = Suspension(scale_in=False, scale_out=False, scheduled=False)
