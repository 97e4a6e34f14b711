"""How the watching handlers read the ledger: on from where the last look ended, for some seconds at most."""

import os
import time
from collections.abc import Callable

from crossfade.aws.clients import client
from crossfade.aws.ledger import Ledger
from crossfade.domain import drain
from crossfade.domain.message import Message, Moment
from crossfade.domain.plan import Plan
from crossfade.domain.records import Record, read_records
from crossfade.handlers.step import utc_now

LOOK_SECONDS = 20
PAUSE_SECONDS = 1


def follow(stream: str, cursor: str | None, decided: Callable[[list[Record]], bool]) -> str | None:
    """Hand new records to ``decided`` every second, until it says yes or the invocation's time is over.

    Returns the cursor from which the next look goes on.
    """
    ledger = Ledger(client("logs"), os.environ["LEDGER_GROUP"])
    until = time.monotonic() + LOOK_SECONDS
    while True:
        lines, cursor = ledger.after(stream, cursor)
        if decided(read_records(lines)) or time.monotonic() >= until:
            return cursor
        time.sleep(PAUSE_SECONDS)


class Draining(Message):
    """A wait for clients to get one version only: since when, and what earlier looks have seen."""

    plan: Plan
    shifted: Moment
    quiet: drain.Quiet
    cursor: str | None


def follow_draining(event: Draining, version: str) -> tuple[drain.DrainVerdict, drain.Quiet, str | None]:
    """Follow the ledger until clients get ``version`` only; see ``domain/drain.py``."""
    quiet, verdict = event.quiet, drain.DrainVerdict(action="wait", reason="not looked yet")

    def decided(records: list[Record]) -> bool:
        nonlocal quiet, verdict
        quiet, verdict = drain.look(
            quiet,
            records,
            retire=event.plan.spec.retire,
            shifted=event.shifted,
            now=utc_now(),
            version=version,
        )
        return verdict.action != "wait"

    cursor = follow(event.plan.ledger, event.cursor, decided)
    return verdict, quiet, cursor
