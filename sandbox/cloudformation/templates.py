"""What MiniStack's CloudFormation does not understand in a template, and Crossfade's templates use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml  # type: ignore[import-untyped]
from ministack.services import ec2
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

from sandbox.patching import changes, replaces

Properties = dict[str, Any]
Template = dict[str, Any]
Parameters = dict[str, Any]
Created = tuple[str, dict[str, str]]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it: a tenth of the time."""


@changes(engine, "CfnLoader", version="1.5.33")
def read_templates_fast(emulator: Any) -> Any:
    """MiniStack: the loader is written in Python, and each call parses the template some times."""
    return type("CfnLoader", (_LOADER,), {"yaml_constructors": emulator.yaml_constructors})


@replaces(provisioners, "_sfn_definition", version="1.5.33")
def read_yaml_definitions(emulator: Callable[[Properties], str], properties: Properties) -> str:
    """MiniStack: a state machine's definition in S3 is taken for JSON; SAM uploads YAML as it is."""
    definition = emulator(properties)
    if definition.lstrip().startswith("{"):
        return definition
    return json.dumps(yaml.load(definition, Loader=_LOADER))  # noqa: S506 - a safe one


@replaces(changesets, "_evaluate_conditions", version="1.5.33")
@replaces(engine, "_evaluate_conditions", version="1.5.33")
@replaces(handlers, "_evaluate_conditions", version="1.5.33")
@replaces(stacks, "_evaluate_conditions", version="1.5.33")
def join_in_conditions(
    emulator: Callable[[Template, Parameters], dict[str, bool]], template: Template, parameters: Parameters
) -> dict[str, bool]:
    """MiniStack: `Fn::Join` in a condition is no text, so that it equals none."""
    conditions = _joined(template.get("Conditions", {}), parameters)
    return emulator({**template, "Conditions": conditions}, parameters)


def _joined(part: Any, parameters: Parameters) -> Any:
    """A part of a condition with the text in place of each join."""
    if isinstance(part, list):
        return [_joined(inner, parameters) for inner in part]
    if not isinstance(part, dict):
        return part
    if "Fn::Join" in part:
        return engine._resolve_refs(part, {}, parameters, {}, {}, "", "")
    return {key: _joined(inner, parameters) for key, inner in part.items()}


@changes(provisioners, "_RESOURCE_HANDLERS", version="1.5.33")
def know_addresses_and_nat_gateways(emulator: dict[str, Any]) -> dict[str, Any]:
    """MiniStack: "Unsupported resource type" for each of these."""
    emulator |= {
        "AWS::EC2::EIP": {"create": _create_address, "delete": _delete_address},
        "AWS::EC2::NatGateway": {"create": _create_nat_gateway, "delete": _delete_nat_gateway},
    }
    return emulator


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
