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
from crossfade.domain.plan import Plan
from crossfade.domain.spec import Slot
from crossfade.domain.traffic import refuse_stop
from crossfade.handlers.following import Draining, follow_draining
from crossfade.handlers.step import step, utc_now


class Event(Draining):
    """``shifted`` is when the last stage began."""


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
    verdict, quiet, cursor = follow_draining(event, plan.release.version)
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
