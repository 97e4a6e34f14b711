"""Waits until the load balancer shows the weights that were written: 15 s here, then state by state."""

import time

from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import NotYetVisible
from crossfade.domain.journal import State
from crossfade.domain.traffic.weights import refuse_foreign
from crossfade.step import utc_now

HOLD_SECONDS = 15
PAUSE_SECONDS = 1


def visible(traffic: Traffic, state: State) -> bool:
    """Whether the load balancer shows the weights that the journal says were written last.

    Raises
    ------
    ForeignChange
        It shows what Crossfade did not write, or, long after the write, still what was there before.
    """
    until = time.monotonic() + HOLD_SECONDS
    while True:
        try:
            refuse_foreign(state.weights, traffic.weights(), overwritten=state.overwritten, now=utc_now())
        except NotYetVisible:
            if time.monotonic() >= until:
                return False
        else:
            return True
        time.sleep(PAUSE_SECONDS)
