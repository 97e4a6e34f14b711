"""How a nested stack is updated and deleted, where MiniStack's CloudFormation differs from AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import _exports, _stacks, engine, provisioners

from sandbox.patching import replaces

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]


@replaces(provisioners, "_update_resource", version="1.5.33")
def keep_attributes(
    emulator: Callable[..., Created],
    resource_type: str,
    physical_id: str,
    old: Properties,
    new: Properties,
    stack: str,
    logical_id: str | None = None,
    attributes: dict[str, str] | None = None,
) -> Created:
    """MiniStack: a resource that an update of a nested stack leaves as it is loses its attributes, and the
    next Fn::GetAtt of one fails the update.
    """
    if attributes is None:
        resources = _stacks.get(stack, {}).get("_resources", {})
        attributes = resources.get(logical_id, {}).get("Attributes")
    return emulator(resource_type, physical_id, old, new, stack, logical_id, attributes)


@replaces(provisioners, "_RESOURCE_HANDLERS", "AWS::CloudFormation::Stack", "delete", version="1.5.33")
def delete_nested_stack(emulator: Callable[..., None], physical_id: str, properties: Properties) -> None:
    """MiniStack: a nested stack's deletion always succeeds, whatever its resources and the answer of a custom
    resource say, and a DeletionPolicy in it is ignored.
    """
    name = provisioners._nested_stack_lookup_name(physical_id)
    stack = _stacks.get(name)
    if stack is None:
        return
    stack["StackStatus"] = "DELETE_IN_PROGRESS"
    resources, reasons = stack.get("_resources", {}), []
    for logical_id in reversed(_in_order(stack)):
        resource = resources[logical_id]
        kind = resource.get("ResourceType", "")
        try:
            if not _is_kept(logical_id, stack):
                given = resource.get("Properties", {})
                provisioners._delete_resource(
                    kind, resource.get("PhysicalResourceId", ""), given, name, logical_id
                )
            del resources[logical_id]
        except Exception as error:  # the others are deleted all the same
            resource |= {"ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": str(error)}
            reasons.append(f"{logical_id}: {error}")
    if reasons:
        reason = f"The following resource(s) failed to delete: {'; '.join(sorted(reasons))}"
        stack |= {"StackStatus": "DELETE_FAILED", "StackStatusReason": reason}
        raise RuntimeError(reason)
    for output in stack.get("Outputs", []):
        _exports.pop(output.get("ExportName"), None)
    stack["StackStatus"] = "DELETE_COMPLETE"


def _in_order(stack: dict[str, Any]) -> list[str]:
    """The stack's resources, each after what it depends on."""
    resources = stack.get("_resources", {})
    definitions = (stack.get("_template") or {}).get("Resources", {})
    ordered = engine._topological_sort(definitions, stack.get("_conditions", {}))
    known = [logical_id for logical_id in ordered if logical_id in resources]
    return known + [logical_id for logical_id in resources if logical_id not in known]


def _is_kept(logical_id: str, stack: dict[str, Any]) -> bool:
    """Whether a DeletionPolicy keeps the resource when its stack goes."""
    definition = ((stack.get("_template") or {}).get("Resources") or {}).get(logical_id) or {}
    return definition.get("DeletionPolicy") in {"Retain", "RetainExceptOnCreate"}
