"""Rules of security groups that stand beside their group in a template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox
from tests.sandbox_parts.containers.stacks import Resources, Stack

pytestmark = pytest.mark.enable_socket


def template(description: str = "web", port: int = 8080) -> Resources:
    """Two groups, one of which may call the other."""
    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "tasks"}}
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Description": description}
    return {
        "Balancer": group,
        "Tasks": group,
        "In": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                **rule,
                "GroupId": {"Fn::GetAtt": ["Tasks", "GroupId"]},
                "SourceSecurityGroupId": {"Fn::GetAtt": ["Balancer", "GroupId"]},
            },
        },
        "Out": {
            "Type": "AWS::EC2::SecurityGroupEgress",
            "Properties": {
                **rule,
                "GroupId": {"Fn::GetAtt": ["Balancer", "GroupId"]},
                "DestinationSecurityGroupId": {"Fn::GetAtt": ["Tasks", "GroupId"]},
            },
        },
    }


@pytest.fixture
def stack(sandbox: Sandbox) -> Iterator[Stack]:
    """A stack of them."""
    made = Stack(sandbox, "rules")
    assert made.create(template()) == "CREATE_COMPLETE", made.reasons
    yield made
    made.delete()


def rules(sandbox: Sandbox, group: str) -> dict[str, dict[str, Any]]:
    """A group's rules by their id."""
    asked = [{"Name": "group-id", "Values": [group]}]
    found = sandbox.client("ec2").describe_security_group_rules(Filters=asked)["SecurityGroupRules"]
    return {rule["SecurityGroupRuleId"]: rule for rule in found}


def test_they_are_rules_of_their_groups(sandbox: Sandbox, stack: Stack):
    """Ref is their id."""
    ids = stack.ids()
    inbound, outbound = rules(sandbox, ids["Tasks"])[ids["In"]], rules(sandbox, ids["Balancer"])[ids["Out"]]

    assert (inbound["IsEgress"], inbound["ReferencedGroupInfo"]["GroupId"]) == (False, ids["Balancer"])
    assert (outbound["IsEgress"], outbound["ReferencedGroupInfo"]["GroupId"]) == (True, ids["Tasks"])
    assert (inbound["FromPort"], inbound["Description"]) == (8080, "web")


def test_a_description_changes_in_place(sandbox: Sandbox, stack: Stack):
    """Nothing else does."""
    before = stack.ids()
    assert stack.update(template(description="changed")) == "UPDATE_COMPLETE"
    described = rules(sandbox, before["Tasks"])[before["In"]]["Description"]
    kept = stack.ids()
    assert stack.update(template(port=9090)) == "UPDATE_COMPLETE"
    ports = {rule["FromPort"] for rule in rules(sandbox, before["Tasks"]).values() if not rule["IsEgress"]}

    assert (described, kept) == ("changed", before)
    assert ports == {9090}
    assert stack.ids()["In"] != before["In"]


def test_a_rule_twice_is_refused(stack: Stack):
    """In EC2's words."""
    twice = template()
    assert stack.update(twice | {"Again": twice["In"]}) == "UPDATE_ROLLBACK_COMPLETE"
    assert any("already exists" in reason for reason in stack.reasons), stack.reasons


def test_their_deletion_leaves_the_group(sandbox: Sandbox, stack: Stack):
    """A template that does not name them any more."""
    groups = {name: one for name, one in template().items() if name in {"Balancer", "Tasks"}}
    ids = stack.ids()
    stack.update(groups)

    assert ids["In"] not in rules(sandbox, ids["Tasks"])
    assert ids["Out"] not in rules(sandbox, ids["Balancer"])
