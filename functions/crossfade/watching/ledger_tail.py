"""Follows the ledger: the watching handlers read on from the last cursor, for 20 s at most."""

import time
from collections.abc import Callable
from typing import NamedTuple

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.domain.ledger import Record, read_records
from crossfade.domain.ledger_order import Reading
from crossfade.domain.planning.plan import Plan
from crossfade.step import utc_now

FOLLOW_SECONDS = 20
PAUSE_SECONDS = 0.3
SILENCE_SECONDS = 6
"""The probe writes four times a second: after this long without a record, ask ECS whether it runs."""
GAP_SECONDS = 5
"""How long to wait for a request that is missing in the ledger: CloudWatch Logs may show it late."""

Decided = Callable[[list[Record]], bool]


class Followed(NamedTuple):
    """Where the next invocation reads on, and whether the probe was found dead."""

    cursor: str | None
    probe_died: bool


def follow(plan: Plan, task: str | None, cursor: str | None, decided: Decided) -> Followed:
    """Hand new records to ``decided`` until it returns True, or until ``FOLLOW_SECONDS`` are over.

    It also ends if the probe is silent and its task has stopped.
    """
    ledger = stack.ledger()
    reading = Reading.at(cursor)
    written = began = whole = time.monotonic()
    while True:
        lines, token = ledger.news(plan.ledger, reading.token)
        now = time.monotonic()
        written = now if lines else written
        patient = now < whole + GAP_SECONDS
        reading, records = reading.after(read_records(lines), token, patient=patient)
        whole = now if reading.token == token else whole
        if decided(records) or now >= began + FOLLOW_SECONDS:
            return Followed(reading.cursor, probe_died=False)
        if now >= written + SILENCE_SECONDS:
            if task is None or _stopped(plan, task):
                return Followed(reading.cursor, probe_died=True)
            written = now
        time.sleep(PAUSE_SECONDS)


def _stopped(plan: Plan, task: str) -> str | None:
    journal = stack.journal()
    asked = journal.history(plan.service, plan.deployment).probe_asked
    return ProbeTasks(client("ecs"), plan.spec).stopped(task, asked=asked, now=utc_now())
