"""Least privilege: each function may do what its handler does, where it does it, and nothing else."""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources as files
from typing import Any

import pytest

from faults.files import MACHINES, functions, machine_properties, resources, template
from tests.statemachine.definitions import strings
from tests.statemachine.permissions import ACTIONS, IMPLIED
from tests.statemachine.roles import always, roles, stacks

ADOPTED = {"Ref": "Adopted"}
TAGGED = {
    f"elasticloadbalancing:{operation}": f"aws:{whose}Tag"
    for whose, operations in {
        "Request": ("CreateTargetGroup", "CreateRule"),
        "Resource": (
            "ModifyTargetGroup", "ModifyTargetGroupAttributes", "DeleteTargetGroup",
            "ModifyRule", "DeleteRule",
        ),
    }.items()
    for operation in operations
} | {
    "application-autoscaling:TagResource": "aws:RequestTag",
    "application-autoscaling:DeregisterScalableTarget": "aws:ResourceTag",
}  # fmt: skip
"""Calls that are allowed on what carries Crossfade's tag, or is to carry it."""
OF_THIS_STACK = {"Fn::Sub": "/${AWS::StackName}/services/*"}
UNLESS_ANOTHERS = {"StringLikeIfExists": {"aws:ResourceTag/crossfade:spec": OF_THIS_STACK}}
WIDE = {
    "ecs:ListTasks": "authorised on container instances, and Fargate has none",
    "cloudwatch:DescribeAlarms": "composite alarms are returned only where it is granted on all",
    "cloudwatch:GetMetricData": "its only resource is the account's one data set of all metrics",
}


def _statements(policies: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for policy in policies:
        yield from map(always, policy.get("PolicyDocument", policy)["Statement"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _granted(function: str) -> list[tuple[str, str]]:
    """Actions, and whether on what is ``adopted``, on the ``sample``, or on what is known by its name."""
    return [
        (action, _on(statement))
        for statement in _statements(functions()[function]["Policies"])
        for action in _listed(statement["Action"])
    ]


def _on(statement: dict[str, Any]) -> str:
    if statement["Resource"] == ADOPTED:
        return "adopted"
    one = statement["Resource"]
    return "sample" if isinstance(one, dict) and "SampleServiceName" in one.get("Fn::Sub", "") else "named"


def _handler(function: str) -> str:
    return functions()[function]["Handler"].split(".")[2]


@cache
def _known_actions() -> dict[str, Any]:
    """The actions of IAM, by service, in small letters."""
    specs = files.files("cfnlint.data.AdditionalSpecs")
    return dict(json.loads(specs.joinpath("Policies.json").read_text()))


def _every_statement() -> Iterator[tuple[str, dict[str, Any]]]:
    """The statements of all policies of both templates, with the name of what has them."""
    for name, function in functions().items():
        yield from ((name, statement) for statement in _statements(function["Policies"]))
    for machine in MACHINES:
        yield from ((machine, one) for one in _statements(machine_properties(machine)["Policies"]))
    for path in ("template.yaml", "sample_app/template.yaml"):
        for name, role in resources("AWS::IAM::Role", path).items():
            yield from ((name, statement) for statement in _statements(role.get("Policies", [])))


@pytest.mark.parametrize("function", functions())
def test_a_function_may_do_what_its_handler_does(function: str) -> None:
    """Nothing is missing, and nothing is granted that is not used."""
    assert sorted(ACTIONS[_handler(function)]) == sorted({action for action, _ in _granted(function)})


@pytest.mark.parametrize("function", functions())
def test_no_action_is_granted_twice(function: str) -> None:
    """A second grant would keep standing when the first is narrowed."""
    granted = _granted(function)
    assert sorted(set(granted)) == sorted(granted)


@pytest.mark.parametrize("function", functions())
def test_each_function_has_a_role_of_its_own(function: str) -> None:
    """SAM makes one for each function that names none and has policies of its own."""
    assert "Role" not in functions()[function]
    assert all(isinstance(policy, dict) for policy in functions()[function]["Policies"])


@pytest.mark.parametrize(("owner", "statement"), list(_every_statement()))
def test_resources_are_as_narrow_as_the_action_allows(owner: str, statement: dict[str, Any]) -> None:
    """`*` is for actions that take no resource, and for the exceptions named above."""
    assert statement["Effect"] == "Allow"
    for action in _listed(statement["Action"]):
        service, name = action.lower().split(":")
        assert name in _known_actions()[service]["Actions"], f"{action} is no action of IAM"
        takes_resource = bool(_known_actions()[service]["Actions"][name].get("Resources"))
        wide = statement["Resource"] == "*"
        assert wide is (not takes_resource or action in WIDE), (owner, action)


@pytest.mark.parametrize(("owner", "statement"), list(_every_statement()))
def test_no_action_has_a_wildcard(owner: str, statement: dict[str, Any]) -> None:
    """`ecs:*` would grant what nobody listed."""
    assert not any("*" in action for action in _listed(statement["Action"])), owner


@pytest.mark.parametrize(("owner", "statement"), list(_every_statement()))
def test_roles_are_passed_to_ecs_only(owner: str, statement: dict[str, Any]) -> None:
    """And only those under Crossfade's path, or those that the stack is given."""
    if "iam:PassRole" in _listed(statement["Action"]):
        to = "ecs" if owner == "LaunchCandidateFunction" else "ecs-tasks"  # a volume's role is for ECS itself
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": f"{to}.amazonaws.com"}}
        given = statement["Resource"]
        if "Fn::If" in given:
            condition, listed, given = given["Fn::If"]
            assert (condition, listed) == ("HasTaskRoles", {"Ref": "TaskRoles"})
        assert all(
            text.endswith((":role/crossfade/tasks/*", "Arn")) or text.startswith("Probe")
            for text in strings(given)
        )


def test_roles_that_are_checked_are_those_that_may_be_passed() -> None:
    """PlanRelease compares with a parameter what those are granted that register and launch."""
    passed, also = (
        statement["Resource"]["Fn::If"]
        for name in ("RegisterTaskDefinitionFunction", "LaunchCandidateFunction")
        for statement in _statements(functions()[name]["Policies"])
        if statement["Action"] == "iam:PassRole"
    )
    assert passed == also
    parameter = template()["Resources"]["PassableRoles"]["Properties"]
    assert parameter["Name"] == template()["Globals"]["Function"]["Environment"]["Variables"]["TASK_ROLES"]
    assert parameter["Value"]["Fn::If"] == [passed[0], {"Fn::Join": [",", passed[1]]}, passed[2]]


def test_no_variable_of_a_function_changes_with_a_parameter_of_the_stack() -> None:
    """It would not reach the functions that the definitions name.

    The translator of SAM names a version by the function's properties as they are written, references and
    all; only another name publishes one (samtranslator, ``SamFunction._construct_version``).
    """
    variables = json.dumps(template()["Globals"]["Function"]["Environment"])
    for name in [*template()["Parameters"], *template()["Conditions"]]:
        assert f'"{name}"' not in variables, name
        assert f"${{{name}}}" not in variables, name


# ---- what the owners have given --------------------------------------------------------------------------


@pytest.mark.parametrize(("owner", "statement"), list(_every_statement()))
def test_of_others_that_only_which_was_given(owner: str, statement: dict[str, Any]) -> None:
    """A rule or a group is Crossfade's by its tag, which it has from the moment that it is made."""
    for action in _listed(statement["Action"]):
        if action not in TAGGED or statement["Resource"] == ADOPTED:
            continue
        tagged = {"Null": {f"{TAGGED[action]}/crossfade:service": "false"}}
        if action.startswith("elasticloadbalancing:"):
            tagged = {"StringLike": {f"{TAGGED[action]}/crossfade:spec": OF_THIS_STACK}}
        elif action == "application-autoscaling:DeregisterScalableTarget":
            tagged |= UNLESS_ANOTHERS
        assert statement["Condition"] == tagged, owner
    if "elasticloadbalancing:AddTags" in _listed(statement["Action"]):
        created = {"elasticloadbalancing:CreateAction": ["CreateTargetGroup", "CreateRule"]}
        assert statement["Condition"] == {"StringEquals": created}


@pytest.mark.parametrize(("owner", "statement"), list(_every_statement()))
def test_no_slot_of_another_crossfade_is_written(owner: str, statement: dict[str, Any]) -> None:
    """By their names they are alike. One that an earlier version has made does not say whose it is."""
    writes = {f"ecs:{what}Service" for what in ("Create", "Update", "Delete")} & set(
        _listed(statement["Action"])
    )
    if writes and statement["Resource"] != ADOPTED:
        assert statement["Condition"] == UNLESS_ANOTHERS, owner


@pytest.mark.parametrize("function", functions())
def test_nothing_is_granted_on_an_empty_list(function: str) -> None:
    """IAM refuses a policy with an empty resource, and the stack with it."""
    for policy in functions()[function]["Policies"]:
        for statement in policy["Statement"]:
            if "Fn::If" in statement:
                condition, then, otherwise = statement["Fn::If"]
                assert (condition, otherwise) == ("HasAdopted", {"Ref": "AWS::NoValue"})
                assert then["Resource"] == ADOPTED
            else:
                assert statement["Resource"] != ADOPTED
    for name, parameter in (("HasAdopted", "Adopted"), ("HasTaskRoles", "TaskRoles")):
        joined = {"Fn::Join": [",", {"Ref": parameter}]}
        assert template()["Conditions"][name] == {"Fn::Not": [{"Fn::Equals": [joined, ""]}]}


def _resolved(value: Any, adopted: list[str]) -> Any:
    """A policy as CloudFormation writes it: with every list given, and names as long as they usually are."""
    if isinstance(value, list):
        return [_resolved(one, adopted) for one in value]
    if not isinstance(value, dict):
        return value
    if value == ADOPTED:
        return adopted
    if "Fn::If" in value:
        return _resolved(value["Fn::If"][1], adopted)
    if "Fn::Sub" in value:
        known = {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012"}
        return re.sub(
            r"\$\{([^}]+)\}", lambda name: known.get(name[1], "a-name-of-a-stack"), value["Fn::Sub"]
        )
    if value.keys() & {"Ref", "Fn::GetAtt"}:
        return f"arn:aws:dynamodb:eu-central-1:123456789012:table/{'n' * 40}"
    return {key: _resolved(one, adopted) for key, one in value.items()}


def test_a_full_list_fits_into_each_role() -> None:
    """A parameter has 4,096 bytes, the policies of a role 10,240 characters without spaces (IAM's quotas)."""
    arn = f"arn:aws:ecs:eu-central-1:123456789012:service/{'c' * 20}/{'s' * 20}"
    full = [arn] * (4_096 // (len(arn) + 1))
    lengths = {
        name: len(json.dumps(_resolved(role.get("Policies", []), full), separators=(",", ":")))
        for name, role in roles(stacks()["template.yaml"]).items()
    }
    assert {name: length for name, length in lengths.items() if length > 10_240} == {}


def test_implied_actions_are_granted_with_their_calls() -> None:
    """A call whose implied action is missing is refused on AWS, and on AWS only."""
    for handler, actions in ACTIONS.items():
        for action in actions & set(IMPLIED):
            assert actions >= IMPLIED[action], handler
