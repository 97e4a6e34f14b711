"""Waits until the load balancer shows the weights that were written: 15 s here, then state by state."""

import time

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import NotYetVisible
from crossfade.domain.planning.plan import HeldPlan
from crossfade.step import utc_now

HOLD_SECONDS = 15
PAUSE_SECONDS = 1


def visible(plan: HeldPlan, traffic: Traffic, journal: Journal) -> bool:
    """Whether the load balancer shows, in all rules, the weights that the journal says were written last.

    What their owner has put into the rules since that is shown with them is written down.

    Raises
    ------
    ForeignChange
        It shows what Crossfade did not write, or, long after the write, still what was there before.
    """
    state, until = journal.refuse_lost(plan.hold), time.monotonic() + HOLD_SECONDS
    while True:
        shown = traffic.shown()
        try:
            shown.refuse_foreign(state.weights, overwritten=state.overwritten, now=utc_now())
        except NotYetVisible:
            if time.monotonic() >= until:
                return False
        else:
            journal.live.saw(plan.hold, state, shown, utc_now())
            return True
        time.sleep(PAUSE_SECONDS)
