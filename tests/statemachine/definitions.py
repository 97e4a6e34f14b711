"""The state machines, as the tests of this folder read them."""

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from faults.files import MACHINES, State, definition, functions, machine_properties


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
