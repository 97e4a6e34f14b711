"""A template's properties under the names that they have in an AWS API.

CloudFormation writes `FilesystemId` where the API of ECS has `fileSystemId`: the same letters, other
capitals. So each name is looked up in botocore's model of the call, which also says which maps have keys of
the owner's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session

_CALLED_OTHERWISE = {
    "placementstrategies": "placementstrategy",
    "proxyconfigurationproperties": "properties",
}
"""What CloudFormation names with other letters than ECS does."""


def request(service: str, operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a call that say what a template says. ValueError: the call has no such parameter,
    which CloudFormation refuses in these words.
    """
    given: dict[str, Any] = _named(properties, _input(service, operation))
    return given


@cache
def _input(service: str, operation: str) -> Any:
    model = botocore.session.get_session().get_service_model(service)
    return model.operation_model(operation).input_shape


def _named(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure":
        names = {name.lower(): name for name in shape.members}
        found = {}
        for key, inner in value.items():
            name = names.get(_CALLED_OTHERWISE.get(key.lower(), key.lower()))
            if name is None:
                raise ValueError(f"Properties validation failed: extraneous key [{key}] is not permitted")
            found[name] = _named(inner, shape.members[name])
        return found
    if shape.type_name == "list":
        return [_named(inner, shape.member) for inner in value]
    if shape.type_name == "map":
        return {key: _named(inner, shape.value) for key, inner in value.items()}
    return _typed(value, shape.type_name)


def _typed(value: Any, kind: str) -> Any:
    """A parameter of a template is a string, whatever it is used for."""
    if kind == "boolean":
        return str(value).lower() == "true"
    if kind in {"integer", "long"}:
        return int(value)
    if kind in {"float", "double"}:
        return float(value)
    return str(value) if kind == "string" else value
