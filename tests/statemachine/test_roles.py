"""Least privilege of every role, whoever's: each may do what its owner does, and nothing else."""

import copy
from functools import cache
from typing import Any

import pytest

from tests.statemachine.roles import STACKS, Stack, calls_in, faults, roles, stacks

ROLES = [(path, name) for path in STACKS for name in roles(stacks()[path])]
MODIFY_RULE = {
    "PolicyName": "more",
    "PolicyDocument": {
        "Statement": [{"Effect": "Allow", "Action": "elasticloadbalancing:ModifyRule", "Resource": "*"}]
    },
}


def with_more(path: str, role: str, **more: list[Any]) -> list[str]:
    """The faults that a stack gets where one of its roles has more in its lists, e.g. of ``Policies``."""
    stack = copy.deepcopy(stacks()[path])
    properties = roles(stack)[role]
    for name, added in more.items():
        properties[name] = [*properties.get(name, []), *added]
    return new_in(stack, path)


def new_in(stack: Stack, path: str) -> list[str]:
    """The faults of a stack that its template does not have."""
    return [fault for fault in faults(stack) if fault not in _known(path)]


@cache
def _known(path: str) -> frozenset[str]:
    return frozenset(faults(stacks()[path]))


@pytest.mark.parametrize("path", STACKS)
def test_each_role_may_do_what_its_owner_does(path: str) -> None:
    """Functions, state machines, event rules and tasks; nothing is missing and nothing is granted unused."""
    assert list(faults(stacks()[path])) == []


def test_the_roles_of_every_kind_are_there() -> None:
    """Those that the templates write down, and those that SAM makes of them."""
    names = {name for _, name in ROLES}
    assert names >= {
        "ShiftTrafficFunctionRole", "CleanupFunctionRole", "DeployStateMachineRole",
        "RollbackStateMachineRole", "DeployStateMachineImagePushedRole",
        "RollbackStateMachineRollbackEndedRole", "ProbeTaskRole",
        "ProbeExecutionRole", "TaskRole", "ExecutionRole",
    }  # fmt: skip


@pytest.mark.parametrize(("path", "role"), ROLES)
def test_a_right_that_no_owner_uses_is_found(path: str, role: str) -> None:
    """ModifyRule, added to one role after the other; three have it already."""
    found = with_more(path, role, Policies=[MODIFY_RULE])
    if role in {"ShiftTrafficFunctionRole", "RestoreWeightsFunctionRole", "CleanupFunctionRole"}:
        assert found == []
    else:
        assert found == [
            f"{role}: is granted elasticloadbalancing:ModifyRule, and its owner does not call it"
        ]


@pytest.mark.parametrize(("path", "role"), ROLES)
def test_a_policy_of_aws_is_found(path: str, role: str) -> None:
    """It grants more than its name says, and may grant other things tomorrow."""
    found = with_more(path, role, ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"])
    assert [fault.partition(":")[0] for fault in found] == [role]


def test_a_policy_beside_the_roles_is_found() -> None:
    """A resource of its own can attach rights to any role."""
    stack = copy.deepcopy(stacks()["template.yaml"])
    stack["Resources"]["More"] = {"Type": "AWS::IAM::Policy", "Properties": {"Roles": ["ProbeTaskRole"]}}
    assert [fault.partition(":")[0] for fault in new_in(stack, "template.yaml")] == ["More"]


def test_a_role_that_nobody_has_is_found() -> None:
    """It waits for somebody to use it."""
    stack = copy.deepcopy(stacks()["sample_app/template.yaml"])
    stack["Resources"]["Spare"] = {"Type": "AWS::IAM::Role", "Properties": {}}
    assert new_in(stack, "sample_app/template.yaml") == ["Spare: nobody's"]


def test_another_resource_is_found() -> None:
    """A machine that may start any execution, a task that may write any log."""
    stack = copy.deepcopy(stacks()["template.yaml"])
    for statement in roles(stack)["ProbeTaskRole"]["Policies"][0]["PolicyDocument"]["Statement"]:
        statement["Resource"] = {"Fn::GetAtt": ["FunctionLogs", "Arn"]}
    found = new_in(stack, "template.yaml")
    assert len(found) == 2
    assert all(fault.startswith("ProbeTaskRole: is granted logs:") for fault in found)


def test_calls_are_found_in_the_code() -> None:
    """The probe reads its secret and writes its ledger; the sample application calls nothing."""
    ledger = {("logs", "CreateLogStream"), ("logs", "PutLogEvents")}
    assert calls_in("probe") == ledger | {("ssm", "GetParameter")}
    assert calls_in("sample_app/app") == frozenset()
