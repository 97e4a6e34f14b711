"""Least privilege: each function may do what its handler does, where it does it, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from faults.files import MACHINES, functions, machine_properties, resources
from tests.statemachine.definitions import strings
from tests.statemachine.permissions import ACTIONS, IMPLIED

KNOWN_ACTIONS = json.loads((Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text())
WIDE = {
    "ecs:ListTasks": "authorised on container instances, and Fargate has none",
    "cloudwatch:DescribeAlarms": "composite alarms are returned only where it is granted on all",
    "cloudwatch:GetMetricData": "its only resource is the account's one data set of all metrics",
}


def _statements(policies: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for policy in policies:
        yield from policy.get("PolicyDocument", policy)["Statement"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _granted(function: str) -> list[str]:
    statements = _statements(functions()[function]["Policies"])
    return [action for statement in statements for action in _listed(statement["Action"])]


def _handler(function: str) -> str:
    return functions()[function]["Handler"].split(".")[2]


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
    assert sorted(ACTIONS[_handler(function)]) == sorted(set(_granted(function)))


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
        assert name in KNOWN_ACTIONS[service]["Actions"], f"{action} is no action of IAM"
        takes_resource = bool(KNOWN_ACTIONS[service]["Actions"][name].get("Resources"))
        wide = statement["Resource"] == "*"
        assert wide is (not takes_resource or action in WIDE), (owner, action)


@pytest.mark.parametrize(("owner", "statement"), list(_every_statement()))
def test_no_action_has_a_wildcard(owner: str, statement: dict[str, Any]) -> None:
    """`ecs:*` would grant what nobody listed."""
    assert not any("*" in action for action in _listed(statement["Action"])), owner


@pytest.mark.parametrize(("owner", "statement"), list(_every_statement()))
def test_roles_are_passed_to_ecs_only(owner: str, statement: dict[str, Any]) -> None:
    """And only those under Crossfade's paths."""
    if "iam:PassRole" in _listed(statement["Action"]):
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        assert all(
            text.endswith((":role/crossfade/tasks/*", "Arn")) or text.startswith("Probe")
            for text in strings(statement["Resource"])
        )


def test_implied_actions_are_granted_with_their_calls() -> None:
    """A call whose implied action is missing is refused on AWS, and on AWS only."""
    for handler, actions in ACTIONS.items():
        for action in actions & set(IMPLIED):
            assert actions >= IMPLIED[action], handler
