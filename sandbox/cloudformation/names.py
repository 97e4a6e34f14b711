"""The names that CloudFormation makes up: of services, target groups, load balancers, roles and the like."""

from __future__ import annotations

from collections.abc import Callable

from ministack.services.cloudformation import _stacks, provisioners

from sandbox.patching import replaces


@replaces(provisioners, "_physical_name", version="1.5.33")
def end_each_stack_in_letters_of_its_own(
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
