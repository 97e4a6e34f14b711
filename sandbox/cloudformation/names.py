"""The names that CloudFormation makes up for what has none in its template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import _stacks, provisioners

from sandbox.patching import changes, replaces

Properties = dict[str, Any]
Handlers = dict[str, Any]

_WITHOUT_LETTERS = {
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::Logs::LogGroup": "LogGroupName",
}
"""What MiniStack names by the stack and the resource alone, and the property that would name it."""


@replaces(provisioners, "_physical_name", version="1.5.33")
def draw_letters_for_each_stack(
    emulator: Callable[..., str], stack: str, logical_id: str, **options: object
) -> str:
    """MiniStack: a generated name ends in the same letters whenever a stack of that name is made; on AWS in
    random ones, which last as long as the resource does.
    """
    seed = provisioners._NAME_SEED.get()
    token = provisioners._NAME_SEED.set(seed + str(_stacks.get(stack, {}).get("StackId", "")))
    try:
        return emulator(stack, logical_id, **options)
    finally:
        provisioners._NAME_SEED.reset(token)


@changes(provisioners, "_RESOURCE_HANDLERS", version="1.5.33")
def draw_letters_for_all(emulator: dict[str, Handlers]) -> dict[str, Handlers]:
    """MiniStack: some names end in none, so that what a stack leaves behind is in the next one's way."""
    for kind, name in _WITHOUT_LETTERS.items():
        emulator[kind] |= _naming(emulator[kind]["create"], emulator[kind]["update"], name)
    return emulator


def _naming(create: Callable[..., Any], update: Callable[..., Any], name: str) -> Handlers:
    """The two with a name where a template has none; an update finds the same one."""

    def create_named(logical_id: str, properties: Properties, stack: str) -> Any:
        drawn = {name: provisioners._physical_name(stack, logical_id)}
        return create(logical_id, drawn | properties, stack)

    def update_named(
        physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
    ) -> Any:
        drawn = {name: provisioners._physical_name(stack, logical_id or physical_id)}
        return update(physical_id, drawn | old, drawn | new, stack, logical_id)

    return {"create": create_named, "update": update_named}
