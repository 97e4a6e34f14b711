"""The real files, parsed: the state machines' definitions and the stacks' templates."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
MACHINES = {"deploy": "DeployStateMachine", "rollback": "RollbackStateMachine"}

State = dict[str, Any]
Definition = dict[str, Any]


class _Tags(yaml.SafeLoader):
    """Reads CloudFormation's short tags into their long form."""


def _tag(loader: _Tags, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Tags.add_multi_constructor("!", _tag)


@cache
def source(machine: str) -> str:
    """The text of a definition."""
    return (ROOT / "statemachine" / f"{machine}.asl.yaml").read_text()


@cache
def definition(machine: str) -> Definition:
    """A definition, parsed."""
    return yaml.safe_load(source(machine))


@cache
def template(path: str = "template.yaml") -> dict[str, Any]:
    """A stack's template, parsed."""
    return yaml.load((ROOT / path).read_text(), Loader=_Tags)


def resources(kind: str, path: str = "template.yaml") -> dict[str, dict[str, Any]]:
    """The properties of every resource of a type, by logical name."""
    found = template(path)["Resources"]
    return {
        name: resource.get("Properties", {}) for name, resource in found.items() if resource["Type"] == kind
    }


def functions() -> dict[str, dict[str, Any]]:
    """Every function of the template."""
    return resources("AWS::Serverless::Function")


def machine_properties(machine: str) -> dict[str, Any]:
    """A state machine's properties in the template."""
    return resources("AWS::Serverless::StateMachine")[MACHINES[machine]]
