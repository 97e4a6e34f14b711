"""Drift: slots that are not as Crossfade left them, found before a deployment changes anything."""

from collections.abc import Mapping

from crossfade.domain.errors import SlotDrift
from crossfade.domain.message import Message
from crossfade.domain.spec import SLOTS, ServiceSpec, Slot, other


class SlotCount(Message):
    """A slot's ECS service and its target group: tasks wanted, there (running or starting), and targets."""

    desired: int
    tasks: int
    registered: int


def refuse_drift(
    spec: ServiceSpec, counts: Mapping[Slot, SlotCount | None], *, stable: Slot | None, warm: Slot | None
) -> None:
    """Refuse slots that somebody else has changed. ``counts`` has None for a slot without an ECS service.

    Raises
    ------
    SlotDrift
        The stable slot has no service or stands at 0, the idle one runs tasks that nobody accounts for, or a
        target group has targets that are no task of its slot.
    """
    if stable:
        live = counts[stable]
        if live is None or live.desired == 0:
            raise SlotDrift(
                f"All traffic goes to {stable}, but the ECS service {spec.slot_service(stable)} "
                f"{'does not exist' if live is None else 'stands at 0 tasks'}. Somebody changed it: "
                "put it back, or give the traffic to the slot that runs, then deploy again."
            )
    idle: tuple[Slot, ...] = (other(stable),) if stable else SLOTS
    for slot in idle:
        found = counts[slot]
        if found and found.desired > 0 and slot != warm:
            raise SlotDrift(
                f"The idle slot {slot} stands at {found.desired} tasks. Somebody changed "
                f"{spec.slot_service(slot)}, or a deployment was cut off: scale it to 0, then deploy again."
            )
    for slot in SLOTS:
        found = counts[slot]
        if found and found.registered > max(found.desired, found.tasks):
            raise SlotDrift(
                f"The target group of {slot} has {found.registered} targets, and its ECS service "
                f"{found.tasks} tasks: somebody registered the others. Deregister them, then deploy again."
            )
