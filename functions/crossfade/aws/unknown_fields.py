"""What ECS says of a pattern and its task definition and this version of boto3 does not know.

boto3 drops it without a word, and a release would be made without it. Lambda's boto3 is older than ECS.
"""

import json
from collections.abc import Iterator
from typing import Any

UNKNOWN = "crossfadeUnknownFields"
"""The key that is added to the answers: a list of names."""
DESCRIBED = {
    "DescribeTaskDefinition": "taskDefinition",
    "DescribeServices": "services",
    "DescribeServiceRevisions": "serviceRevisions",
}
"""The operations whose answers are looked at, and the key of what they describe."""


def tell_unknown_fields(ecs: Any) -> None:
    """Let the answers of a boto3 ``ecs`` client name what boto3 drops from them."""
    for operation in DESCRIBED:
        event = f"before-parse.ecs.{operation}"
        ecs.meta.events.register(event, _tell, unique_id=f"crossfade-unknown-fields-{operation}")


def _tell(
    operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    if response_dict["status_code"] != 200:
        return
    key = DESCRIBED[operation_model.name]
    answered = json.loads(response_dict["body"]).get(key)
    shape = operation_model.output_shape.members[key]
    customized_response_dict[UNKNOWN] = list(_unknown(answered, shape, ()))


def _unknown(value: Any, shape: Any, at: tuple[str, ...]) -> Iterator[str]:
    """The dotted names of what has a value and no place in a shape; of a list's elements by their name."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for key, inner in value.items():
            if key in shape.members:
                yield from _unknown(inner, shape.members[key], (*at, key))
            elif inner:
                yield ".".join((*at, key))
    elif shape.type_name == "list" and isinstance(value, list):
        for n, inner in enumerate(value):
            name = inner.get("name") if isinstance(inner, dict) else None
            yield from _unknown(inner, shape.member, (*at, name or str(n)))
