"""When a version may go: never because a rule says so, only because clients no longer meet it.

The same question is asked twice: of the old version before it is retired, and of the candidate after a
rollback before it is stopped.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from crossfade.domain.message import Message, Moment
from crossfade.domain.records import Opened, Record, Request
from crossfade.domain.spec import Retire


class Quiet(Message):
    """What production has shown since the last shift: the last answer, and the last that was not right.

    A failed request is not right either: a version that only fails is not one that clients have come to.
    Nor is the time in which no probe was there: a new one's beginning counts like a wrong answer.
    """

    last_answer: Moment | None = None
    last_other: Moment | None = None


class DrainVerdict(Message):
    """``drained``: the other slot may be stopped. ``late``: the deadline came before that."""

    action: Literal["wait", "drained", "late"]
    reason: str


def look(
    quiet: Quiet,
    records: Iterable[Record],
    *,
    retire: Retire,
    shifted: datetime,
    now: datetime,
    version: str,
) -> tuple[Quiet, DrainVerdict]:
    """Take in new records and say whether clients get ``version`` only.

    ``shifted`` is when the weights were set from which on that is expected. Silence is not proof: the quiet
    time must be covered by production answers.
    """
    for record in records:
        if isinstance(record, Opened) and record.at >= shifted:
            quiet = quiet.model_copy(update={"last_other": max(record.at, quiet.last_other or record.at)})
        if isinstance(record, Request) and record.lane == "production" and record.at >= shifted:
            other = not record.ok or record.version != version
            quiet = Quiet(
                last_answer=max(record.at, quiet.last_answer or record.at),
                last_other=max(record.at, quiet.last_other or record.at) if other else quiet.last_other,
            )
    since = max(shifted, quiet.last_other or shifted)
    covered = quiet.last_answer is not None and quiet.last_answer - since >= timedelta(
        seconds=retire.quiet_seconds
    )
    elapsed = (now - shifted).total_seconds()
    if covered and elapsed >= retire.drain_seconds:
        return quiet, DrainVerdict(action="drained", reason=f"only {version} for {retire.quiet_seconds:g} s")
    reason = (
        f"the drain time of {retire.drain_seconds:g} s is not over"
        if covered
        else f"production has not given {version} alone for {retire.quiet_seconds:g} s"
    )
    late = elapsed >= retire.deadline_seconds
    return quiet, DrainVerdict(action="late" if late else "wait", reason=reason)
