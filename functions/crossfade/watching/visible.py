"""Waits until the load balancer shows the weights that were written: 15 s here, then state by state."""

import time

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import NotYetVisible
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.traffic.weights import refuse_foreign
from crossfade.step import utc_now

HOLD_SECONDS = 15
PAUSE_SECONDS = 1


def visible(plan: HeldPlan, traffic: Traffic, journal: Journal) -> bool:
    """Whether the load balancer shows the weights that the journal says were written last.

    What its owner has put into the rule since that is shown with them is written down.

    Raises
    ------
    ForeignChange
        It shows what Crossfade did not write, or, long after the write, still what was there before.
    """
    state, until = journal.refuse_lost(plan.hold), time.monotonic() + HOLD_SECONDS
    while True:
        rule = traffic.rule()
        live = rule.weights(plan.spec.target_groups) if rule else None
        try:
            refuse_foreign(state.weights, live, overwritten=state.overwritten, now=utc_now())
        except NotYetVisible:
            if time.monotonic() >= until:
                return False
        else:
            if rule:
                journal.live.saw(plan.hold, state, rule, live, utc_now())
            return True
        time.sleep(PAUSE_SECONDS)
