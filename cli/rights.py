"""The two lists of Crossfade's stack that name what is its owners': what a service needs in them."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from cli.account import Stack
from crossfade.domain.planning.fargate import roles_of
from crossfade.domain.planning.plan import LogStreams
from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ExistingRule, ServiceSpec

MOST_BYTES = 4_096
"""Of a parameter's value (documentation of AWS CloudFormation, quotas)."""


class Rights(NamedTuple):
    """What a service's owner gives Crossfade: ARNs for the parameters ``Adopted`` and ``TaskRoles``."""

    adopted: tuple[str, ...]
    task_roles: tuple[str, ...]


def needed(
    spec: ServiceSpec,
    pattern: Pattern,
    definition: Mapping[str, Any],
    feed: LogStreams | None,
) -> Rights:
    """All that a service needs, by exact ARNs."""
    adopted = [spec.like, *owners_rules(spec)]
    if feed:
        partition, _, region, account = spec.like.split(":")[1:5]
        adopted.append(f"arn:{partition}:logs:{region}:{account}:log-group:{feed.group}:*")
    return Rights(tuple(adopted), tuple(dict.fromkeys(roles_of(definition, pattern).values())))


def owners_rules(spec: ServiceSpec) -> tuple[str, ...]:
    """The ARNs of the rules that are the owner's; those that Crossfade makes are known by their tags."""
    return tuple(entry.rule for entry in spec.traffic if isinstance(entry, ExistingRule))


def missing(rights: Rights, stack: Stack) -> Rights:
    """What of it the stack's parameters do not name yet."""
    return Rights(
        tuple(_not_given(rights.adopted, (*stack.adopted, *stack.of_the_sample))),
        tuple(_not_given(rights.task_roles, stack.task_roles)),
    )


def _not_given(wanted: Iterable[str], given: Iterable[str]) -> Iterator[str]:
    patterns = tuple(given)
    return (arn for arn in wanted if not any(fnmatchcase(arn, pattern) for pattern in patterns))


NONE = Rights((), ())


def parameters(stack: Stack, more: Rights, less: Rights = NONE) -> dict[str, str]:
    """The values that the stack's parameters are to have, ``more`` given and ``less`` taken; what changes."""
    values = {}
    for key, given, added, taken in (
        ("Adopted", stack.adopted, more.adopted, less.adopted),
        ("TaskRoles", stack.task_roles, more.task_roles, less.task_roles),
    ):
        wanted = [arn for arn in (*given, *added) if arn not in taken]
        if wanted != list(given):
            values[key] = ",".join(wanted)
    return values


def bytes_left(stack: Stack, values: Mapping[str, str]) -> int:
    """How many bytes more the list ``Adopted`` can hold then; less than 0 where it is too long."""
    return MOST_BYTES - len(values.get("Adopted", ",".join(stack.adopted)).encode())


def deploy_line(stack: Stack, values: Mapping[str, str]) -> str:
    """The command that gives Crossfade's stack these values; other parameters keep theirs."""
    overrides = [f'{key}="{value}"' for key, value in values.items()]
    return shlex.join(["sam", "deploy", "--stack-name", stack.name, "--parameter-overrides", *overrides])
