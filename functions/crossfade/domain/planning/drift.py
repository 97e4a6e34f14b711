"""Drift: slots that are not as Crossfade left them, found before a deployment changes anything."""

from collections.abc import Mapping
from datetime import datetime

from crossfade.domain.errors import NotYetVisible, SlotDrift
from crossfade.domain.journal import State
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import RunningRelease
from crossfade.domain.slots import SLOTS, Slot, other
from crossfade.domain.spec.names import SPEC_TAG
from crossfade.domain.spec.placed import Placed
from crossfade.domain.tasks.launch import ECS_LAG


class SlotCount(Model):
    """A slot's ECS service and its target group: tasks wanted, there (running or starting), and targets.

    ``healthy`` are those of the targets that the load balancer calls so. ``given``, ``of_spec``: see
    ``SlotService``.
    """

    desired: int
    tasks: int
    registered: int
    healthy: int = 0
    given: bool = True
    of_spec: str = ""


def refuse_drift(
    spec: Placed,
    counts: Mapping[Slot, SlotCount | None],
    *,
    stable: Slot | None,
    state: State,
    now: datetime,
) -> None:
    """Refuse slots that were changed outside Crossfade. ``counts``: None for a slot without an ECS service.

    Raises
    ------
    NotYetVisible
        The same within a minute after a deployment freed the service: ECS may show older counts.
    SlotDrift
        The stable slot has no service or stands at 0, the idle one runs tasks of no deployment, a target
        group has targets that are no task of its slot, or a slot's service was made outside Crossfade.
    """
    found = _drift(spec, counts, stable, state.warm.slot if state.warm else None)
    if found and _may_be_old(state, now):
        raise NotYetVisible(f"{found[0]} A deployment has just ended, and ECS may still show older counts.")
    if found:
        raise SlotDrift(f"{found[0]} {found[1]}")


def refuse_old_release(running: RunningRelease | None, state: State, now: datetime) -> None:
    """Refuse to take what ran before the last deployment for what runs in the stable slot.

    Raises
    ------
    NotYetVisible
        ECS shows another release than the journal, within a minute after a deployment freed the service.
    """
    if state.digest and (running is None or running.digest != state.digest) and _may_be_old(state, now):
        raise NotYetVisible(
            f"{state.version} ({state.digest}) has just been made live, and ECS still shows "
            f"{f'{running.version} ({running.digest})' if running else 'no release'} in its slot."
        )


def foreign_slot(name: str, parameter: str, of_spec: str) -> tuple[str, str]:
    """That an ECS service with a slot's name is not this Crossfade's, and what to do.

    ``parameter`` is the SSM parameter of the spec, ``of_spec`` the one that the service was made for.
    """
    if of_spec not in {"", parameter}:
        return (
            f"{name} is another Crossfade's: its tag {SPEC_TAG} names {of_spec}, and this one's spec is "
            f"{parameter}.",
            "It is left alone. Two services of one name need two clusters: give service in one of the two "
            "specs another name. Then deploy again.",
        )
    return (
        f"{name} is not Crossfade's: it has no tag {SPEC_TAG}: {parameter}.",
        "It is left alone. Give service in the spec another name, or delete that ECS service; if Crossfade "
        "made it and the tag was taken off, put it back. Then deploy again.",
    )


def _may_be_old(state: State, now: datetime) -> bool:
    return state.freed is not None and now < state.freed + ECS_LAG


def _drift(
    spec: Placed, counts: Mapping[Slot, SlotCount | None], stable: Slot | None, warm: Slot | None
) -> tuple[str, str] | None:
    """What is not as Crossfade left it, and what to do if that is no stale answer; None without drift."""
    for slot in SLOTS:
        found = counts[slot]
        if found and not found.given:
            return foreign_slot(spec.slot_service(slot), spec.parameter, found.of_spec)
    if stable:
        live = counts[stable]
        if live is None or live.desired == 0:
            scale_or_give = "Scale it up, or give" if live else "Give"
            return (
                f"stable ({stable}) has all traffic, but its ECS service {spec.slot_service(stable)} "
                f"{'does not exist' if live is None else 'stands at 0 tasks'}.",
                f"It was changed outside Crossfade. {scale_or_give} all traffic to the other slot if its "
                "tasks run, as "
                'docs/operations.md says under "To put a changed rule right", then deploy again.',
            )
    idle: tuple[Slot, ...] = (other(stable),) if stable else SLOTS
    for slot in idle:
        found = counts[slot]
        # Its owner's stack may start the origin's tasks at any time: without traffic they are harmless.
        if found and found.desired > 0 and slot not in {warm, spec.origin}:
            return (
                f"The idle slot {slot} stands at {found.desired} tasks.",
                f"{spec.slot_service(slot)} was changed outside Crossfade, or a deployment was cut off. "
                "Scale it to 0, then deploy again.",
            )
    for slot in SLOTS:
        found = counts[slot]
        if found and found.registered > max(found.desired, found.tasks):
            return (
                f"The target group of {slot} has {found.registered} targets, and its ECS service "
                f"{found.tasks} tasks.",
                "The others were registered outside Crossfade. Deregister them, then deploy again.",
            )
    return None
