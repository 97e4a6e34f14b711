"""Weights: what is live, what may be written, and how many healthy targets a weight needs."""

import math
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from crossfade.domain.errors import ForeignChange, NotYetVisible, SlotHasTraffic, TrafficSplit
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.slots import Slot, other

RULE_SECONDS = 300
"""How long DescribeRules may still answer as before a write; others who wait for it wait as long."""
PUT_RIGHT = (
    "It is left alone. Choose a slot whose tasks run and give it all the traffic, in the rule and in the "
    'journal: docs/operations.md says how, under "To put a changed rule right".'
)
"""What to do about a foreign change before a deployment, or after a rollback that left the rule alone.

A running deployment does not say it: its rollback may still stop a slot.
"""


class Weights(Model):
    """The two slots' weights in the production rule, in percent.

    ``beside`` is that of the service's third target group, which is no slot's now: only a rule from before
    the owner's service took a slot's place, or left it, has any there, or one that was changed outside
    Crossfade.
    """

    blue: int = Field(ge=0, le=999)
    green: int = Field(ge=0, le=999)
    beside: int = Field(default=0, ge=0, le=999)

    @model_serializer(mode="wrap")
    def _shortly(self, handler: SerializerFunctionWrapHandler) -> dict[str, int]:
        """Without ``beside`` where that is 0: what is stored is compared with what is stored already."""
        found: dict[str, int] = handler(self)
        return {name: weight for name, weight in found.items() if weight or name != "beside"}

    @classmethod
    def share(cls, slot: Slot, weight: int) -> Self:
        """``weight`` percent to ``slot``, the rest to the other."""
        return cls.model_validate({slot: weight, other(slot): 100 - weight})

    @classmethod
    def shares(cls, blue: int, green: int, beside: int = 0) -> Self:
        """The weights of a rule, of any sum, in percent; as they are if these are no whole numbers."""
        weights = {"blue": blue, "green": green, "beside": beside}
        total = sum(weights.values())
        if total and not any(100 * weight % total for weight in weights.values()):
            return cls(**{name: 100 * weight // total for name, weight in weights.items()})
        return cls(**weights)

    def bound(self, before: Slot | None, after: Slot | None) -> Self:
        """The same weights as they are read where the owner's service takes the place of another slot.

        It took that of ``before``, and takes that of ``after``; None for no slot's.
        """
        found = self
        for slot in (before, after):
            if slot:
                found = found.model_copy(update={slot: found.beside, "beside": found.of(slot)})
        return found

    def of(self, slot: Slot) -> int:
        """The weight of a slot."""
        return self.blue if slot == "blue" else self.green

    def __str__(self) -> str:
        beside = f", and {self.beside} to a target group that is no slot's now" if self.beside else ""
        return f"blue {self.blue}, green {self.green}{beside}"


class Overwritten(Model):
    """Weights that the production rule had until others were written; None where there was no rule."""

    weights: Weights | None
    until: Timestamp

    def may_be_read(self, now: datetime) -> bool:
        """Whether the load balancer may still answer with them."""
        return now < self.until + timedelta(seconds=RULE_SECONDS)


def stable_slot(weights: Weights) -> Slot:
    """The slot that has all the traffic.

    Raises
    ------
    TrafficSplit
        Both slots have weight, or none has.
    """
    if (weights.blue > 0) == (weights.green > 0):
        raise TrafficSplit(
            f"The production rule stands at {weights}, so neither slot is stable. Choose a slot whose tasks "
            "run, and give it all the traffic, in the rule and in the journal: docs/operations.md says how, "
            'under "To put a changed rule right". Then deploy again.'
        )
    return "blue" if weights.blue > 0 else "green"


def refuse_foreign(
    written: Weights | None,
    live: Weights | None,
    *,
    overwritten: Iterable[Overwritten],
    now: datetime,
    where: str = "",
) -> None:
    """Compare what the journal says was last written with what is read; ``where`` names one of several rules.

    Raises
    ------
    NotYetVisible
        What is read was overwritten by Crossfade itself, not long ago.
    ForeignChange
        They differ: a person, a stack or another tool has changed the rule.
    """
    if written == live:
        return
    if any(past.weights == live and past.may_be_read(now) for past in overwritten):
        raise NotYetVisible(
            f"Crossfade last wrote {written or 'no rule'}, and the load balancer still shows "
            f"{live or 'no rule'}{where}, as before. Crossfade looks again; after "
            f"{RULE_SECONDS // 60} minutes it counts as a change from outside."
        )
    found = f"Crossfade last wrote {written or 'no rule'}, but found {live or 'no rule'}{where}."
    raise ForeignChange(f"{found} It was changed outside Crossfade.")


def required_targets(desired: int, weight: int) -> int:
    """How many healthy targets a slot of ``desired`` tasks needs to carry ``weight`` percent of the traffic.

    Its share of the tasks, and at least one: a group with weight and no target answers 503.
    """
    return max(1, math.ceil(desired * weight / 100)) if weight > 0 else 0


def shortfall(slot: Slot, healthy: int, desired: int, weight: int) -> str | None:
    """Why a slot may not carry a weight, or None when it may."""
    needed = required_targets(desired, weight)
    if healthy >= needed:
        return None
    return f"{slot} has {healthy} healthy targets of {desired} tasks and needs {needed} for weight {weight}"


def refuse_stop(
    slot: Slot,
    live: Weights | None,
    *,
    written: Weights | None,
    overwritten: Iterable[Overwritten],
    now: datetime,
    where: str = "",
) -> None:
    """Refuse to stop a slot that clients are sent to, whatever the reason for stopping it.

    ``where`` names one of several rules.

    Raises
    ------
    NotYetVisible
        Its weight was taken away not long ago, and the load balancer still shows it.
    SlotHasTraffic
        It has weight.
    """
    if live and live.of(slot) > 0:
        if live != written:
            with suppress(ForeignChange):
                refuse_foreign(written, live, overwritten=overwritten, now=now, where=where)
        raise SlotHasTraffic(
            f"The {slot} slot still has weight {live.of(slot)}{where} (live: {live}), so its tasks keep "
            "running."
        )
