"""AWS::SecretsManager::Secret, where MiniStack's differs from AWS's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

from sandbox.patching import replaces

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]

_HANDLERS, _SECRET = "_RESOURCE_HANDLERS", "AWS::SecretsManager::Secret"
_LENGTH = 32


@replaces(provisioners, _HANDLERS, _SECRET, "create", version="1.5.33")
def refer_by_arn(
    emulator: Callable[..., Created], logical_id: str, properties: Properties, stack: str
) -> Created:
    """MiniStack: Ref is the secret's name; on AWS its ARN, which a container's `valueFrom` needs."""
    return _by_arn(emulator(logical_id, properties, stack))


@replaces(provisioners, _HANDLERS, _SECRET, "update", version="1.5.33")
def update_by_arn(
    emulator: Callable[..., Created],
    physical_id: str,
    old: Properties,
    new: Properties,
    stack: str,
    logical_id: str | None = None,
) -> Created:
    """The same where it is updated."""
    return _by_arn(emulator(_name(physical_id), old, new, stack, logical_id))


@replaces(provisioners, _HANDLERS, _SECRET, "delete", version="1.5.33")
def delete_by_arn(emulator: Callable[..., None], physical_id: str, properties: Properties) -> None:
    """And where it is deleted."""
    emulator(_name(physical_id), properties)


@replaces(provisioners, "_sm_secret_string", version="1.5.33")
def generate_without_wishes(emulator: Callable[[Properties], str], properties: Properties) -> str:
    """MiniStack: an empty GenerateSecretString generates nothing; on AWS 32 characters."""
    if properties.get("GenerateSecretString") == {}:
        properties = {**properties, "GenerateSecretString": {"PasswordLength": _LENGTH}}
    return emulator(properties)


def _by_arn(created: Created) -> Created:
    _, attributes = created
    return attributes["Arn"], attributes


def _name(arn: str) -> str:
    """What MiniStack knows a secret by; one that was deleted by hand has none."""
    name, _ = secretsmanager._resolve(arn)
    return name or arn
