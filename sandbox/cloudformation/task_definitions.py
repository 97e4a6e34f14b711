"""AWS::ECS::TaskDefinition: registered as ECS registers one, with all that the template says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.services import ecs
from ministack.services.cloudformation import provisioners

from sandbox.cloudformation.api_names import request
from sandbox.patching import replaces

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]


@replaces(provisioners, "_ecs_task_def_create", version="1.5.33")
@replaces(provisioners, "_RESOURCE_HANDLERS", "AWS::ECS::TaskDefinition", "create", version="1.5.33")
def register(
    emulator: Callable[..., Created], logical_id: str, properties: Properties, stack: str
) -> Created:
    """MiniStack: platform and storage are dropped, and what is nested in volumes and containers keeps
    CloudFormation's names, which ECS does not know.
    """
    family = properties.get("Family") or provisioners._physical_name(stack, logical_id, max_len=255)
    asked = request("ecs", "RegisterTaskDefinition", {**properties, "Family": family})
    status, _, body = ecs._ACTION_MAP["RegisterTaskDefinition"](asked)
    answer = json.loads(body)
    if status >= 400:
        raise ValueError(f"{answer['message']} ({answer['__type']})")
    arn = answer["taskDefinition"]["taskDefinitionArn"]
    return arn, {"TaskDefinitionArn": arn}
