"""A release's version: of the tags of its image, the one that the application answers with.

An image often has several tags, ``2``, ``2.0`` and ``2.0.1``, which come one after the other. Which one the
application answers with is known as soon as the candidate answers, see ADR 26.
"""

from collections.abc import Iterable
from datetime import datetime

from crossfade.domain.journal import State
from crossfade.domain.ledger import Record, Request
from crossfade.domain.planning.plan import HeldPlan, Plan, RunningRelease


def other_answers(records: Iterable[Record], plan: Plan, since: datetime) -> tuple[str, ...]:
    """The other versions that the candidate's lane has answered with, in the order of their first answer.

    ``since``: since when all targets of the candidate are healthy.
    """
    answers = (
        record.version
        for record in records
        if isinstance(record, Request) and record.lane == plan.candidate and record.ok and record.at >= since
    )
    return tuple(dict.fromkeys(version for version in answers if version not in {None, plan.release.version}))


def called(plan: HeldPlan, version: str) -> HeldPlan:
    """The same deployment, of a release that answers with this version."""
    return plan.model_copy(update={"release": plan.release.model_copy(update={"version": version})})


def as_it_answers(running: RunningRelease | None, state: State) -> RunningRelease | None:
    """The running release with the version that it answers with, if the journal knows this image.

    The tags of its task definition were written before the application had answered.
    """
    if running and state.version and state.digest == running.digest:
        return running.model_copy(update={"version": state.version, "verified": state.verified})
    return running
