"""The two slots of a service: their names, and their target groups. Roles, candidate and stable, change."""

from typing import Literal

from crossfade.domain.model import Model

Slot = Literal["blue", "green"]
SLOTS: tuple[Slot, Slot] = ("blue", "green")


def other(slot: Slot) -> Slot:
    """The slot that ``slot`` is not."""
    return "green" if slot == "blue" else "blue"


class TargetGroups(Model):
    """The ARN of each slot's target group.

    ``pattern`` is that of the owner's ECS service, which may take the place of a slot's. If it does not, it
    gets no traffic, and may still stand in the rule with weight 0. ``replaced`` is Crossfade's own group of
    the slot whose place it takes, of which the same is true.
    """

    blue: str
    green: str
    pattern: str = ""
    replaced: str = ""

    def of(self, slot: Slot) -> str:
        """The target group of a slot."""
        return self.blue if slot == "blue" else self.green
