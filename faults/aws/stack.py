"""The stack of ``template.yaml`` as it would be deployed: names, functions, state machines, event rules."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from faults.aws.names import ACCOUNT, REGION
from faults.files import MACHINES, functions, resources, source, template
from faults.workflow.definition import Definition, read
from faults.workflow.query import Refused

STACK = "crossfade"
_PSEUDO = {
    "AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": STACK,
}  # fmt: skip


@dataclass(frozen=True)
class Function:
    """A Lambda function. ``name`` is its handler's module, e.g. ``shift``; ``timeout`` is in seconds.

    ``actions`` are those that its role allows, wherever.
    """

    name: str
    timeout: float
    handler: Callable[[dict[str, Any], Any], dict[str, Any]]
    actions: frozenset[str]


def resolve(value: Any) -> Any:
    """A value of the template with Ref, Fn::GetAtt, Fn::Sub, Fn::If and Fn::Join replaced.

    Raises
    ------
    Refused
        Another intrinsic function.
    """
    if isinstance(value, list):
        return [resolve(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return _physical(value["Ref"])
    if "Fn::GetAtt" in value:
        return _attribute(*value["Fn::GetAtt"])
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([^}]+)\}", lambda found: _substitute(found[1]), value["Fn::Sub"])
    if "Fn::If" in value:
        condition, then, otherwise = value["Fn::If"]
        return resolve(then if _holds(template()["Conditions"][condition]) else otherwise)
    if "Fn::Join" in value:
        between, parts = value["Fn::Join"]
        return between.join(resolve(parts))
    if odd := [key for key in value if key.startswith("Fn::")]:
        raise Refused(f"template: {odd}")
    return {key: resolve(item) for key, item in value.items()}


@cache
def machine_arn(machine: str) -> str:
    """The ARN of a state machine, e.g. of ``deploy``."""
    return str(_physical(MACHINES[machine]))


@cache
def definition(machine: str) -> Definition:
    """A definition with its substitutions made."""
    properties = resources("AWS::Serverless::StateMachine")[MACHINES[machine]]
    text = source(machine)
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        text = text.replace(f"${{{name}}}", str(resolve(value)))
    if left := re.findall(r"\$\{\w+\}", text):
        raise Refused(f"{machine}: nothing substitutes {left}")
    return read(yaml.safe_load(text))


@cache
def deployed_functions() -> dict[str, Function]:
    """Every function by the ARN of its version, as the definitions name it."""
    standard = template()["Globals"]["Function"]["Timeout"]
    found = {}
    for logical, properties in functions().items():
        module, _, attribute = properties["Handler"].rpartition(".")
        found[_version(logical)] = Function(
            name=module.rpartition(".")[2],
            timeout=properties.get("Timeout", standard),
            handler=getattr(importlib.import_module(module), attribute),
            actions=_allowed(properties["Policies"]),
        )
    return found


@cache
def environment() -> dict[str, str]:
    """The environment variables of all functions together; one name may not mean two things."""
    found: dict[str, str] = {}
    parts = [template()["Globals"]["Function"], *functions().values()]
    for variables in (part.get("Environment", {}).get("Variables", {}) for part in parts):
        for name, value in variables.items():
            known = found.setdefault(name, str(resolve(value)))
            if known != str(resolve(value)):
                raise Refused(f"{name} differs between functions")
    return found


@cache
def rules() -> list[tuple[str, str, dict[str, Any]]]:
    """The EventBridge rules as (name, machine that they start, properties)."""
    found = []
    for machine, logical in MACHINES.items():
        for name, event in resources("AWS::Serverless::StateMachine")[logical].get("Events", {}).items():
            if event["Type"] != "EventBridgeRule":
                raise Refused(f"{name}: event type {event['Type']}")
            found.append((name, machine, resolve(event["Properties"])))
    return found


def _allowed(policies: list[dict[str, Any]]) -> frozenset[str]:
    statements = [one for policy in policies for one in policy.get("PolicyDocument", policy)["Statement"]]
    # What is given only where a parameter names it is given here.
    given = [one["Fn::If"][1] if "Fn::If" in one else one for one in statements]
    actions = [one["Action"] for one in given if one.get("Effect", "Allow") == "Allow"]
    return frozenset(
        name for action in actions for name in (action if isinstance(action, list) else [action])
    )


def _physical(name: str) -> Any:
    if name in _PSEUDO:
        return _PSEUDO[name]
    logical, _, attribute = name.partition(".")
    if attribute == "Version":
        return _version(logical)
    if name in template()["Parameters"]:
        default = template()["Parameters"][name]["Default"]
        is_list = template()["Parameters"][name]["Type"] == "CommaDelimitedList"
        return default.split(",") if is_list else default
    known = template()["Resources"].get(name)
    if known is None:
        raise Refused(f"template: Ref {name}")
    given = known.get("Properties", {})
    if known["Type"] == "AWS::Serverless::StateMachine":
        return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{resolve(given['Name'])}"
    if known["Type"] == "AWS::ECS::TaskDefinition":
        return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{resolve(given['Family'])}:1"
    return f"{STACK}-{name}"


def _holds(condition: dict[str, Any]) -> bool:
    """Whether a condition holds where nothing is said of the parameters that it compares."""
    if "Fn::Not" in condition:
        return not _holds(condition["Fn::Not"][0])
    found, wanted = condition["Fn::Equals"]
    return bool(resolve(found) == wanted)


def _version(function: str) -> str:
    return f"{_attribute(function, 'Arn')}:1"


def _attribute(name: str, attribute: str) -> str:
    if attribute != "Arn":
        raise Refused(f"template: GetAtt {name}.{attribute}")
    if template()["Resources"][name]["Type"] == "AWS::Serverless::Function":
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{_physical(name)}"
    return f"arn:aws:{_physical(name)}"


def _substitute(name: str) -> str:
    return _attribute(*name.split(".")) if "." in name else str(_physical(name))
