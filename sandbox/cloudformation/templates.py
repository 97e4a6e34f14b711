"""What MiniStack 1.5.33's CloudFormation lacks and Crossfade's templates use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml  # type: ignore[import-untyped]
from ministack.services import ec2
from ministack.services.cloudformation import _exports, _stacks, engine, provisioners

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]


def install() -> None:
    """Put the patches in place; they are looked up when a stack is created."""
    provisioners._sfn_definition = read_yaml_definitions(provisioners._sfn_definition)
    provisioners._update_resource = keep_attributes(provisioners._update_resource)
    provisioners._normalize_container_defs = container_definitions
    # MiniStack 1.5.33: "Unsupported resource type" for each of these.
    provisioners._RESOURCE_HANDLERS |= {
        "AWS::EC2::EIP": {"create": _create_address, "delete": _delete_address},
        "AWS::EC2::NatGateway": {"create": _create_nat_gateway, "delete": _delete_nat_gateway},
    }
    provisioners._RESOURCE_HANDLERS["AWS::CloudFormation::Stack"]["delete"] = delete_nested_stack


def read_yaml_definitions(read: Callable[[Properties], str]) -> Callable[[Properties], str]:
    """MiniStack 1.5.33: a state machine's definition in S3 is taken for JSON; SAM uploads YAML as it is."""

    def read_and_convert(properties: Properties) -> str:
        definition = read(properties)
        return definition if definition.lstrip().startswith("{") else json.dumps(yaml.safe_load(definition))

    return read_and_convert


_AS_THEY_ARE = {"options", "dockerLabels"}
"""Maps of a container definition whose keys are the owner's."""


def container_definitions(of_template: list[Properties]) -> list[Properties]:
    """MiniStack 1.5.33: what is nested in a container, such as Secrets or DependsOn, keeps CloudFormation's
    names, which ECS does not know. ECS fills in what a definition leaves out.
    """
    return [{"cpu": 0, "essential": True} | _of_ecs(container) for container in of_template]


def _of_ecs(value: Any) -> Any:
    """The same with ECS's names, which begin in lower case."""
    if isinstance(value, list):
        return [_of_ecs(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    named = {f"{key[:1].lower()}{key[1:]}": inner for key, inner in value.items()}
    return {key: inner if key in _AS_THEY_ARE else _of_ecs(inner) for key, inner in named.items()}


def keep_attributes(update: Callable[..., Created]) -> Callable[..., Created]:
    """MiniStack 1.5.33: a resource that an update of a nested stack leaves as it is loses its attributes,
    and the next Fn::GetAtt of one fails the update.
    """

    def update_and_keep(
        resource_type: str,
        physical_id: str,
        old: Properties,
        new: Properties,
        stack: str,
        logical_id: str | None = None,
        attributes: dict[str, str] | None = None,
    ) -> Created:
        if attributes is None:
            resources = _stacks.get(stack, {}).get("_resources", {})
            attributes = resources.get(logical_id, {}).get("Attributes")
        return update(resource_type, physical_id, old, new, stack, logical_id, attributes)

    return update_and_keep


def delete_nested_stack(physical_id: str, properties: Properties) -> None:
    """MiniStack 1.5.33: a nested stack's deletion always succeeds, whatever its resources and the answer of a
    custom resource say, and a DeletionPolicy in it is ignored.
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


def _create_address(logical_id: str, properties: Properties, stack: str) -> Created:
    known = set(ec2._addresses)
    ec2._allocate_address({"Domain": ["vpc"]})
    allocation = next(iter(set(ec2._addresses) - known))
    address = ec2._addresses[allocation]["PublicIp"]
    return address, {"AllocationId": allocation, "PublicIp": address}


def _delete_address(physical_id: str, properties: Properties) -> None:
    for allocation, address in list(ec2._addresses.items()):
        if address["PublicIp"] == physical_id:
            ec2._release_address({"AllocationId": [allocation]})


def _create_nat_gateway(logical_id: str, properties: Properties, stack: str) -> Created:
    known = set(ec2._nat_gateways)
    names = ("SubnetId", "AllocationId", "ConnectivityType")
    ec2._create_nat_gateway({name: [properties[name]] for name in names if name in properties})
    gateway = next(iter(set(ec2._nat_gateways) - known))
    return gateway, {"NatGatewayId": gateway}


def _delete_nat_gateway(physical_id: str, properties: Properties) -> None:
    ec2._delete_nat_gateway({"NatGatewayId": [physical_id]})
