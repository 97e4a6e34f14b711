"""Keeps one slot as large as the other, which may grow at any time: the candidate, or a rollback's winner."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.aws.clients import client
from crossfade.aws.ecs_services import GONE, Slots, SlotService
from crossfade.aws.errors import error_code, translate
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.scalable_targets import Scaling
from crossfade.domain.errors import ResourceGone
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.slots import Slot, other
from crossfade.domain.tasks.capacity import Capacity
from crossfade.step import logger

REFRESH_SECONDS = 5
"""How old a value may be within one invocation before it is read again."""

Value = TypeVar("Value")


def keep_up(plan: HeldPlan, journal: Journal) -> Capacity:
    """Ask for as many tasks of the candidate as the live slot was wanted to have; returns the count before.

    A count that is read may be stale. One that is too low is asked for again at the next reading.
    """
    candidate, wanted = _service(plan, plan.candidate), None
    if plan.stable:
        known, now = journal.history.of(plan.service, plan.deployment).wanted, _desired(plan, plan.stable)
        wanted = max((count for count in (known, now) if count is not None), default=None)
        if wanted is not None and wanted != known:
            journal.history.wanted(plan.hold, wanted)
    return _measured(plan, journal, plan.candidate, candidate, wanted)


def win_back(plan: HeldPlan, journal: Journal, winner: Slot) -> Capacity | None:
    """The same for the slot that is to have all traffic, as many as the other one is asked to have included.

    Bounds of its scalable target are no shortage. None where nothing is asked of it: it stands at 0, by its
    owner's wish or because a rollback has stopped it, or what it stands in is gone.
    """
    try:
        return _win_back(plan, journal, winner)
    except ResourceGone:
        return None
    except ClientError as error:
        if error_code(error) not in GONE:
            raise
        return None


def lacking(plan: HeldPlan, journal: Journal, winner: Slot) -> str | None:
    """What a slot lacks to carry all traffic; it is asked for.

    Weights do not depend on ECS: where that does not answer, they are set without it.
    """
    try:
        capacity = win_back(plan, journal, winner)
    except (ClientError, BotoCoreError) as error:
        logger.warning("the tasks of %s are not known: %s", winner, translate(error))
        return None
    return capacity.short_for(100, late=False) if capacity else None


def _win_back(plan: HeldPlan, journal: Journal, winner: Slot) -> Capacity | None:
    history, loser = journal.history.of(plan.service, plan.deployment), other(winner)
    service = _service(plan, winner)
    if service is None or service.desired == 0 or history.stopped == winner:
        return None
    wanted = 0
    if history.promoted is None:  # since then its owner or its scaling may have made it smaller
        # Before its launch the candidate's slot still has the count of the last deployment.
        of_loser = _desired(plan, loser) if loser == plan.stable or history.launched else None
        wanted = max(of_loser or 0, history.wanted or 0)
    return _measured(plan, journal, winner, service, wanted).within_bounds()


def _measured(
    plan: HeldPlan, journal: Journal, slot: Slot, service: SlotService | None, wanted: int | None
) -> Capacity:
    asked, target = service.desired if service else 0, None
    if asked < (wanted or 0):
        target = Scaling(client("application-autoscaling"), plan.spec).target(slot)
    capacity = Capacity(
        slot=slot,
        wanted=wanted,
        asked=asked,
        healthy=Traffic(client("elbv2"), plan.spec).health(slot).healthy,
        most=target.most if target else None,
        trouble=service.trouble(plan.began) if service else "",
    )
    if capacity.to_ask is not None:
        journal.refuse_lost(plan.hold)  # another rollback may have stopped the slot
        Slots(client("ecs"), plan.spec).grow(slot, capacity.to_ask)
    return capacity


def _desired(plan: Plan, slot: Slot) -> int | None:
    service = _service(plan, slot)
    return service.desired if service else None


def _service(plan: Plan, slot: Slot) -> SlotService | None:
    return Slots(client("ecs"), plan.spec).describe(slot)


class KeepingUp(Generic[Value]):
    """A value that is read at once, and again when it is older than ``REFRESH_SECONDS``."""

    def __init__(self, read: Callable[[], Value]) -> None:
        self._read = read
        self._last: tuple[float, Value] | None = None

    def current(self) -> Value:
        """The value, read again if it is too old."""
        now = time.monotonic()
        if self._last is None or now >= self._last[0] + REFRESH_SECONDS:
            self._last = now, self._read()
        return self._last[1]
