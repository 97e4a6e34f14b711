"""What MiniStack 1.5.33's CloudFormation lacks and Crossfade's templates use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml  # type: ignore[import-untyped]
from ministack.services import ec2
from ministack.services.cloudformation import _stacks, provisioners

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]


def install() -> None:
    """Put the patches in place; they are looked up when a stack is created."""
    provisioners._sfn_definition = read_yaml_definitions(provisioners._sfn_definition)
    provisioners._update_resource = keep_attributes(provisioners._update_resource)
    # MiniStack 1.5.33: "Unsupported resource type" for each of these.
    provisioners._RESOURCE_HANDLERS |= {
        "AWS::EC2::EIP": {"create": _create_address, "delete": _delete_address},
        "AWS::EC2::NatGateway": {"create": _create_nat_gateway, "delete": _delete_nat_gateway},
    }


def read_yaml_definitions(read: Callable[[Properties], str]) -> Callable[[Properties], str]:
    """MiniStack 1.5.33: a state machine's definition in S3 is taken for JSON; SAM uploads YAML as it is."""

    def read_and_convert(properties: Properties) -> str:
        definition = read(properties)
        return definition if definition.lstrip().startswith("{") else json.dumps(yaml.safe_load(definition))

    return read_and_convert


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
