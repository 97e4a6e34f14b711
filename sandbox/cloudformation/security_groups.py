"""AWS::EC2::SecurityGroupIngress and AWS::EC2::SecurityGroupEgress: rules that stand beside their group."""

from __future__ import annotations

from functools import partial
from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from sandbox.patching import changes

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]

_INGRESS, _EGRESS = "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"


@changes(provisioners, "_RESOURCE_HANDLERS", version="1.5.33")
def know_rules_beside_their_group(emulator: dict[str, Any]) -> dict[str, Any]:
    """MiniStack: "Unsupported resource type" for both."""
    for kind, egress in ((_INGRESS, False), (_EGRESS, True)):
        emulator[kind] = {
            "create": partial(_create, egress=egress),
            "update": partial(_update, egress=egress),
            "delete": partial(_delete, egress=egress),
        }
    return emulator


@changes(provisioners, "_REPLACING_PROPERTIES", version="1.5.33")
def replace_all_but_the_description(emulator: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """What the template reference of both says of an update."""
    both = ("IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "GroupId")
    sources = ("SecurityGroupId", "SecurityGroupName", "SecurityGroupOwnerId", "PrefixListId")
    emulator[_INGRESS] = (*both, "GroupName", *(f"Source{source}" for source in sources))
    emulator[_EGRESS] = (*both, "DestinationSecurityGroupId", "DestinationPrefixListId")
    return emulator


def _create(logical_id: str, properties: Properties, stack: str, egress: bool) -> Created:
    """Ref and Id are the rule's id."""
    group = properties["GroupId"]
    rule, found = _rule(properties, egress)
    rules = _rules(group, egress)
    if any(ec2._sg_rule_id(group, egress, other) == found for other in rules):
        raise ValueError("the specified rule already exists (InvalidPermission.Duplicate)")
    rules.append(rule)
    return found, {"Id": found}


def _update(physical_id: str, old: Properties, new: Properties, stack: str, egress: bool) -> Created:
    group = new["GroupId"]
    rule, found = _rule(new, egress)
    rules = _rules(group, egress)
    rules[:] = [rule if ec2._sg_rule_id(group, egress, other) == found else other for other in rules]
    return physical_id, {"Id": physical_id}


def _delete(physical_id: str, properties: Properties, egress: bool) -> None:
    group = properties["GroupId"]
    if group in ec2._security_groups:
        rules = _rules(group, egress)
        rules[:] = [other for other in rules if ec2._sg_rule_id(group, egress, other) != physical_id]


def _rule(properties: Properties, egress: bool) -> tuple[dict[str, Any], str]:
    """A rule as MiniStack keeps it, and its id, in which the description has no part."""
    (rule,) = provisioners._ec2_sg_permissions([properties])
    return rule, ec2._sg_rule_id(properties["GroupId"], egress, rule)


def _rules(group: str, egress: bool) -> list[dict[str, Any]]:
    known = ec2._security_groups.get(group)
    if known is None:
        raise ValueError(f"The security group '{group}' does not exist (InvalidGroup.NotFound)")
    found: list[dict[str, Any]] = known.setdefault("IpPermissionsEgress" if egress else "IpPermissions", [])
    return found
