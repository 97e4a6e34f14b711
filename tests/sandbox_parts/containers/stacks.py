"""Stacks of a few resources in the running sandbox."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox_parts.containers.conftest import Sandbox, until

Resources = dict[str, dict[str, Any]]


@dataclass
class Stack:
    """A stack by its name; `reasons` are those of the last change's failures."""

    sandbox: Sandbox
    name: str
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cloudformation = self.sandbox.client("cloudformation")

    def create(self, resources: Resources) -> str:
        """Create it; returns its status at the end."""
        return self._change(self._cloudformation.create_stack, resources)

    def update(self, resources: Resources) -> str:
        """Update it; returns its status at the end."""
        return self._change(self._cloudformation.update_stack, resources)

    def delete(self) -> str:
        """Delete it; returns its status at the end."""
        self._cloudformation.delete_stack(StackName=self.name)
        return self._end()

    def ids(self) -> dict[str, str]:
        """What Ref says of its resources."""
        found = self._cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}

    def _change(self, call: Any, resources: Resources) -> str:
        template = {"Resources": resources}
        answer = call(
            StackName=self.name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        self._arn = answer["StackId"]
        return self._end()

    def _end(self) -> str:
        def look() -> str | None:
            found = self._cloudformation.describe_stacks(StackName=self._arn)["Stacks"][0]["StackStatus"]
            return None if found.endswith("_IN_PROGRESS") else str(found)

        ended: str = until(look)
        events = self._cloudformation.describe_stack_events(StackName=self._arn)["StackEvents"]
        self.reasons = [
            event["ResourceStatusReason"] for event in events if event.get("ResourceStatusReason")
        ]
        return ended
