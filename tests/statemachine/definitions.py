"""The state machines and the stacks, as the tests of this folder read them: the real files, parsed."""

import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
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


def tasks(machine: str) -> dict[str, State]:
    """Every Task of a definition."""
    return {name: state for name, state in definition(machine)["States"].items() if state["Type"] == "Task"}


def lambda_tasks(machine: str) -> dict[str, State]:
    """Every Task that invokes a function."""
    return {name: state for name, state in tasks(machine).items() if "lambda:invoke" in state["Resource"]}


def every(of: Any) -> list[tuple[str, str]]:
    """Pairs (machine, state name) to parametrize a test with, e.g. ``every(tasks)``."""
    return [(machine, name) for machine in MACHINES for name in of(machine)]


def states(machine: str) -> dict[str, State]:
    """Every state of a definition."""
    return definition(machine)["States"]


def function_of(machine: str, name: str) -> str:
    """The logical name of the function that a Lambda task invokes."""
    substitution = states(machine)[name]["Arguments"]["FunctionName"].removeprefix("${").removesuffix("}")
    return str(machine_properties(machine)["DefinitionSubstitutions"][substitution]["Ref"]).split(".")[0]


def handler_module(function: str) -> ModuleType:
    """The module that holds a function's handler."""
    return importlib.import_module(functions()[function]["Handler"].rpartition(".")[0])


def event_keys(module: ModuleType) -> set[str]:
    """The keys of a handler's event: the parameters of the function that it was made of."""
    return set(inspect.signature(module.handler).parameters)


def answer_model(module: ModuleType) -> Any:
    """The model of a handler's answer; None where it answers nothing."""
    return inspect.signature(module.handler).return_annotation


def strings(value: Any) -> Iterator[str]:
    """Every string within a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
