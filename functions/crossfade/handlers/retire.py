"""RetireBlue: stop the old slot when clients have ceased to meet it, and see it gone."""

import os
import time
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.ledger import Ledger
from crossfade.aws.slots import Slots
from crossfade.aws.traffic import Traffic
from crossfade.domain.drain import Quiet, look
from crossfade.domain.errors import OldVersionStillSeen
from crossfade.domain.message import Message, Moment
from crossfade.domain.plan import Plan
from crossfade.domain.records import read_records
from crossfade.domain.spec import Slot
from crossfade.domain.traffic import refuse_stop
from crossfade.handlers.step import step, utc_now
from crossfade.handlers.watch import LOOK_SECONDS, PAUSE_SECONDS


class Event(Message):
    """When the last weight was read back, and what earlier looks have seen."""

    plan: Plan
    shifted: Moment
    quiet: Quiet
    cursor: str | None


class Retired(Message):
    """``waiting``: look again. ``retired``: the slot runs no task any more."""

    status: Literal["waiting", "retired"]
    reason: str
    quiet: Quiet
    cursor: str | None


@step(Event)
def handler(event: Event) -> Retired:
    """Look until the old version is gone from production; then stop its slot."""
    plan = event.plan
    if plan.stable is None:
        _promote(plan)
        reason = "a first release has no old version"
        return Retired(status="retired", reason=reason, quiet=event.quiet, cursor=event.cursor)
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
            version=plan.release.version,
        )
        if verdict.action != "wait" or time.monotonic() >= until:
            break
        time.sleep(PAUSE_SECONDS)
    if verdict.action == "late":
        raise OldVersionStillSeen(
            f"{verdict.reason} within {plan.spec.retire.deadline_seconds:g} s of the last shift. "
            "The load balancer does not follow its rule; look at it before deploying again."
        )
    if verdict.action == "wait":
        return Retired(status="waiting", reason=verdict.reason, quiet=quiet, cursor=cursor)
    left = _stop(plan, plan.stable)
    # ECS finishes what it has begun: a task that drains for very long needs nobody to wait for it.
    waited = (utc_now() - event.shifted).total_seconds()
    done = left == 0 or waited >= 2 * plan.spec.retire.deadline_seconds
    reason = f"{verdict.reason}; {left} old tasks left"
    return Retired(status="retired" if done else "waiting", reason=reason, quiet=quiet, cursor=cursor)


def _stop(plan: Plan, slot: Slot) -> int:
    """Stop the slot, and say how many tasks it still runs."""
    refuse_stop(slot, Traffic(client("elbv2"), plan.spec).weights())
    # From here on there is no way back by weights: the journal must know before the slot does.
    _promote(plan)
    slots = Slots(client("ecs"), plan.spec)
    slots.stop(slot)
    left = slots.describe(slot)
    return left.running if left else 0


def _promote(plan: Plan) -> None:
    Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"]).promote(plan, utc_now())
