"""ProveStable: after the weights are back, see that clients get the stable version only."""

import os
import time
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.ledger import Ledger
from crossfade.domain.drain import Quiet, look
from crossfade.domain.message import Message, Moment
from crossfade.domain.plan import Plan
from crossfade.domain.records import read_records
from crossfade.handlers.step import step, utc_now
from crossfade.handlers.watch import LOOK_SECONDS, PAUSE_SECONDS


class Event(Message):
    """When the weights were read back, and what earlier looks have seen."""

    plan: Plan
    shifted: Moment
    quiet: Quiet
    cursor: str | None


class Proved(Message):
    """``late`` is no proof: the rollback goes on, and says so."""

    status: Literal["wait", "drained", "late"]
    reason: str
    quiet: Quiet
    cursor: str | None


@step(Event)
def handler(event: Event) -> Proved:
    """Look until production gives the stable version alone, or until the deadline."""
    plan = event.plan
    if plan.previous is None:
        return Proved(
            status="late", reason="there is no stable version", quiet=event.quiet, cursor=event.cursor
        )
    ledger = Ledger(client("logs"), os.environ["LEDGER_GROUP"])
    quiet, cursor = event.quiet, event.cursor
    until = time.monotonic() + LOOK_SECONDS
    while True:
        lines, cursor = ledger.after(plan.ledger, cursor)
        quiet, verdict = look(
            quiet,
            read_records(lines),
            retire=plan.spec.retire,
            shifted=event.shifted,
            now=utc_now(),
            version=plan.previous.version,
        )
        if verdict.action != "wait" or time.monotonic() >= until:
            return Proved(status=verdict.action, reason=verdict.reason, quiet=quiet, cursor=cursor)
        time.sleep(PAUSE_SECONDS)
