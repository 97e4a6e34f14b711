"""The ledger as it grows: watching handlers read on from the last cursor, for 20 s at most."""

import time
from collections.abc import Iterator

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


class Tail:
    """The ledger as it grows: each round of a loop over it has the records that are new.

    The loop ends when the invocation's time is over, or when the probe's task is silent and has stopped.
    After it ``cursor`` says where the next invocation goes on, and ``probe_died`` whether the probe did.
    """

    def __init__(self, plan: Plan, task: str | None, cursor: str | None) -> None:
        self.cursor, self.probe_died = cursor, False
        self._plan, self._task = plan, task

    def __iter__(self) -> Iterator[list[Record]]:
        ledger, reading = stack.ledger(), Reading.at(self.cursor)
        written = began = whole = time.monotonic()
        while True:
            lines, token = ledger.news(self._plan.ledger, reading.token)
            now = time.monotonic()
            written = now if lines else written
            patient = now < whole + GAP_SECONDS
            reading, records = reading.after(read_records(lines), token, patient=patient)
            whole = now if reading.token == token else whole
            self.cursor = reading.cursor
            yield records
            if now >= began + FOLLOW_SECONDS:
                return
            if now >= written + SILENCE_SECONDS:
                self.probe_died = self._task is None or bool(_stopped(self._plan, self._task))
                if self.probe_died:
                    return
                written = now
            time.sleep(PAUSE_SECONDS)


def _stopped(plan: Plan, task: str) -> str | None:
    journal = stack.journal()
    asked = journal.history.of(plan.service, plan.deployment).probe_asked
    return ProbeTasks(client("ecs"), plan.spec).stopped(task, asked=asked, now=utc_now())
