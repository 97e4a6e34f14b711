"""RetireBlue: stop the old slot when clients have ceased to meet it, and see it gone."""

import os
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.slots import Slots
from crossfade.aws.traffic import Traffic
from crossfade.domain.drain import Quiet
from crossfade.domain.errors import OldVersionStillSeen
from crossfade.domain.message import Message
from crossfade.domain.spec import Slot
from crossfade.domain.traffic import refuse_stop
from crossfade.handlers.following import Draining, follow_draining
from crossfade.handlers.step import step, utc_now


class Event(Draining):
    """``shifted`` is when the last stage began."""


class Retired(Message):
    """``waiting``: look again. ``retired``: promoted, and the old slot was stopped or is kept warm."""

    status: Literal["waiting", "retired"]
    reason: str
    quiet: Quiet
    cursor: str | None
    probe_died: bool


@step(Event)
def handler(event: Event) -> Retired:
    """Look until the old version is gone from production; then promote, and stop the old slot."""
    plan = event.plan
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    journal.refuse_lost(plan)
    if plan.stable is None:
        journal.promote(plan, utc_now())
        reason = "a first release has no old version"
        return Retired(
            status="retired", reason=reason, quiet=event.quiet, cursor=event.cursor, probe_died=False
        )
    seen = follow_draining(event, plan.release.version)
    if seen.verdict.action == "late":
        raise OldVersionStillSeen(
            f"{seen.verdict.reason} within {plan.spec.retire.deadline_seconds:g} s of the last shift. "
            "The load balancer does not follow its rule, or no probe sees it; look at both."
        )
    left = _retire(event, journal, plan.stable) if seen.verdict.action == "drained" else None
    return Retired(
        status="retired" if left == 0 else "waiting",
        reason=f"{seen.verdict.reason}; {left} old tasks left" if left else seen.verdict.reason,
        quiet=seen.quiet,
        cursor=seen.cursor,
        probe_died=seen.probe_died,
    )


def _retire(event: Event, journal: Journal, slot: Slot) -> int:
    """Promote the candidate; stop the old slot unless it is kept warm, and say how many tasks to wait for."""
    plan = event.plan
    refuse_stop(slot, Traffic(client("elbv2"), plan.spec).weights())
    # From here on there is no way back by weights: the journal must know before the slot does.
    journal.promote(plan, utc_now())
    if plan.spec.retire.warm_seconds > 0:
        return 0
    slots = Slots(client("ecs"), plan.spec)
    slots.stop(slot)
    found = slots.describe(slot)
    # ECS finishes what it has begun: a task that drains for very long needs nobody to wait for it.
    waited = (utc_now() - event.shifted).total_seconds()
    return found.running if found and waited < 2 * plan.spec.retire.deadline_seconds else 0
