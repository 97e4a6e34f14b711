"""Every role of both stacks, as CloudFormation gets them from SAM, and what its owner does with it.

A role's owner is the resource that names it: a function, a state machine, an event rule, a task definition.
What a function does is listed in ``permissions.py``; what the others do is read from what they are: the
definition, the rule's target, the task's image, logs and code.
"""

import ast
import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import boto3
import botocore.session
from botocore import xform_name
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from faults.files import MACHINES, ROOT, definition, template
from tests.statemachine.permissions import ACTIONS

STACKS = ("template.yaml", "sample_app/template.yaml")
CODE = {"ProbeTaskDefinition": "probe", "TaskDefinition": "sample_app/app"}
"""Task definition → the folder of what its container runs."""
MANAGED = {
    "AWS::Lambda::Function": {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"},
    "AWS::StepFunctions::StateMachine": {"AWSXrayWriteOnlyAccess"},
}
"""AWS's own policies that SAM attaches: to write logs, and traces."""
LOG_DELIVERY = (
    "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)  # fmt: skip
"""What a state machine that logs needs, by the documentation of Step Functions."""
EXECUTION = (
    "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${AWS::StackName}-rollback:*"
)
WAITING_RULE = (
    "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/"
    "StepFunctionsGetEventsForStepFunctionsExecutionRule"
)
SECRETS = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}/preview/*"
ANYWHERE = object()
"""In place of resources: those of functions are compared elsewhere."""

Stack = dict[str, Any]
Grants = dict[str, Any]
"""Action → the resources that it is granted on, each as JSON; or ``ANYWHERE``."""


class Owner(NamedTuple):
    """The resource that a role is of, by its logical name, and in which of its properties it names it."""

    kind: str
    name: str
    names_it_in: str


@cache
def stacks() -> dict[str, Stack]:
    """Both templates with SAM's short forms written out, and so with the roles that SAM makes."""
    return {path: _written_out(path) for path in STACKS}


def roles(stack: Stack) -> dict[str, dict[str, Any]]:
    """The properties of each role, by its logical name."""
    return {name: found.get("Properties", {}) for name, found in _of(stack, "AWS::IAM::Role")}


def faults(stack: Stack) -> Iterator[str]:
    """What a role is granted and its owner does not do, or the other way round; one sentence for each."""
    for name, found in stack["Resources"].items():
        if found["Type"].startswith("AWS::IAM::") and found["Type"] != "AWS::IAM::Role":
            yield f"{name}: a role's policies stand with the role, and this is a {found['Type']}"
    for name, role in roles(stack).items():
        owners = list(_owners(stack, name))
        if not owners:
            yield f"{name}: nobody's"
        yield from _compared(name, granted(role), _needed(stack, owners))
        managed = {arn.rpartition("/")[2] for arn in role.get("ManagedPolicyArns", [])}
        wanted = {policy for owner in owners for policy in MANAGED.get(owner.kind, ())}
        if managed != wanted:
            yield f"{name}: has AWS's policies {sorted(managed)}, not {sorted(wanted)}"


def granted(role: dict[str, Any]) -> Grants:
    """What a role's own policies grant."""
    found: Grants = {}
    for policy in role.get("Policies", []):
        for statement in map(always, policy["PolicyDocument"]["Statement"]):
            for action in _listed(statement["Action"]):
                found.setdefault(action, set()).update(map(_text, _listed(statement["Resource"])))
    return found


def always(statement: dict[str, Any]) -> dict[str, Any]:
    """A statement of a policy, also one that stands there only where the stack is given something."""
    found: dict[str, Any] = statement.get("Fn::If", [None, statement])[1]
    return found


def _compared(role: str, found: Grants, needed: Grants) -> Iterator[str]:
    for action in sorted(found.keys() - needed.keys()):
        yield f"{role}: is granted {action}, and its owner does not call it"
    for action in sorted(needed.keys() - found.keys()):
        yield f"{role}: is not granted {action}, and its owner calls it"
    for action in sorted(found.keys() & needed.keys()):
        if needed[action] is not ANYWHERE and found[action] != needed[action]:
            yield f"{role}: is granted {action} on {sorted(found[action])}, not on {sorted(needed[action])}"


def _owners(stack: Stack, role: str) -> Iterator[Owner]:
    arn = {"Fn::GetAtt": [role, "Arn"]}
    for name, resource in stack["Resources"].items():
        properties = resource.get("Properties", {})
        for holder in (properties, *properties.get("Targets", [])):
            for key, value in holder.items() if isinstance(holder, dict) else ():
                if value == arn:
                    yield Owner(resource["Type"], name, key)


def _needed(stack: Stack, owners: list[Owner]) -> Grants:
    needed: Grants = {}
    for owner in owners:
        properties = stack["Resources"][owner.name]["Properties"]
        for action, resources in _NEEDS[owner.kind, owner.names_it_in](stack, owner, properties):
            if resources is ANYWHERE:
                needed[action] = ANYWHERE
            else:
                needed.setdefault(action, set()).update(map(_text, resources))
    return needed


Needs = Iterator[tuple[str, Any]]


def _by_a_function(stack: Stack, owner: Owner, function: dict[str, Any]) -> Needs:
    for action in ACTIONS[function["Handler"].split(".")[2]]:
        yield action, ANYWHERE
    if "DeadLetterConfig" in function:
        yield "sqs:SendMessage", [function["DeadLetterConfig"]["TargetArn"]]


def _by_a_machine(stack: Stack, owner: Owner, properties: dict[str, Any]) -> Needs:
    """What the Tasks of its definition call, and what it takes to log."""
    (machine,) = (name for name, logical in MACHINES.items() if logical == owner.name)
    for state in definition(machine)["States"].values():
        if state["Type"] != "Task":
            continue
        resource = state["Resource"].rpartition(":states:::")[2]
        if resource == "lambda:invoke":
            function = _substituted(properties, state["Arguments"]["FunctionName"])["Ref"]
            logical = stack["Resources"][function]["Properties"]["FunctionName"]["Ref"]
            yield "lambda:InvokeFunction", [{"Fn::Sub": f"${{{logical}.Arn}}:*"}]
        elif resource == "states:startExecution.sync:2":
            yield "states:StartExecution", [_substituted(properties, state["Arguments"]["StateMachineArn"])]
            for action in ("states:DescribeExecution", "states:StopExecution"):
                yield action, [{"Fn::Sub": EXECUTION}]
            for action in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
                yield action, [{"Fn::Sub": WAITING_RULE}]
        else:
            raise NotImplementedError(resource)
    if properties["LoggingConfiguration"]["Destinations"]:
        yield from ((action, ["*"]) for action in LOG_DELIVERY)


def _by_a_rule(stack: Stack, owner: Owner, rule: dict[str, Any]) -> Needs:
    for target in rule["Targets"]:
        yield "states:StartExecution", [target["Arn"]]


def _by_starting_a_task(stack: Stack, owner: Owner, properties: dict[str, Any]) -> Needs:
    """Its containers' images are pulled, and what they print is logged."""
    for container in properties["ContainerDefinitions"]:
        if odd := container.keys() & {"Secrets", "RepositoryCredentials", "EnvironmentFiles"}:
            raise NotImplementedError(odd)
        repository = re.match(r"\$\{(\w+)\.RepositoryUri\}", container["Image"]["Fn::Sub"])
        assert repository
        yield "ecr:GetAuthorizationToken", ["*"]
        for name in ("BatchGetImage", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability"):
            yield f"ecr:{name}", [_arn_of(repository[1])]
        group = container["LogConfiguration"]["Options"]["awslogs-group"]["Ref"]
        for name in ("CreateLogStream", "PutLogEvents"):
            yield f"logs:{name}", [_arn_of(group)]


def _by_a_tasks_code(stack: Stack, owner: Owner, properties: dict[str, Any]) -> Needs:
    """What its code calls through boto3; the probe, which alone calls anything: its ledger, its secret."""
    variables = stack["Resources"].get("StartProbeFunction", {}).get("Properties", {}).get("Environment", {})
    for service, operation in calls_in(CODE[owner.name]):
        if service == "ssm":
            yield f"{service}:{operation}", [{"Fn::Sub": SECRETS}]
        else:
            yield f"{service}:{operation}", [_arn_of(variables["Variables"]["LEDGER_GROUP"]["Ref"])]


_NEEDS: dict[tuple[str, str], Any] = {
    ("AWS::Lambda::Function", "Role"): _by_a_function,
    ("AWS::StepFunctions::StateMachine", "RoleArn"): _by_a_machine,
    ("AWS::Events::Rule", "RoleArn"): _by_a_rule,
    ("AWS::ECS::TaskDefinition", "ExecutionRoleArn"): _by_starting_a_task,
    ("AWS::ECS::TaskDefinition", "TaskRoleArn"): _by_a_tasks_code,
}


@cache
def calls_in(folder: str) -> frozenset[tuple[str, str]]:
    """The calls of AWS in the code of a folder: the service as boto3 names it, and the operation."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / folder).rglob("*.py")]
    called = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    methods = {node.func.attr for node in called if isinstance(node.func, ast.Attribute)}
    services = {
        node.args[0].value
        for node in called
        if ast.unparse(node.func) == "boto3.client" and isinstance(node.args[0], ast.Constant)
    }
    assert sum(ast.unparse(node.func).startswith("boto3.") for node in called) == len(services)
    return frozenset(
        (service, operation)
        for service in services
        for operation in botocore.session.get_session().get_service_model(service).operation_names
        if xform_name(operation) in methods
    )


def _written_out(path: str) -> Stack:
    source = copy.deepcopy(template(path))
    if "Transform" not in source:
        return source
    # Where `sam deploy` would have uploaded things to.
    source["Globals"]["Function"]["CodeUri"] = "s3://bucket/code"
    for resource in source["Resources"].values():
        for name, uploaded in {
            "DefinitionUri": "s3://bucket/machine",
            "Location": "https://bucket/s",
        }.items():
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = uploaded
    names = {name for policies in MANAGED.values() for name in policies}
    managed = {name: f"arn:aws:iam::aws:policy/{name}" for name in names}
    given = {name: parameter.get("Default", "") for name, parameter in source["Parameters"].items()}
    session = boto3.Session(region_name="us-east-1")
    found: Stack = Translator(managed, Parser(), boto_session=session).translate(source, given)
    return found


def _of(stack: Stack, kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, found) for name, found in stack["Resources"].items() if found["Type"] == kind]


def _substituted(machine: dict[str, Any], text: str) -> dict[str, Any]:
    found: dict[str, Any] = machine["DefinitionSubstitutions"][text.removeprefix("${").removesuffix("}")]
    return found


def _arn_of(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(resource: Any) -> str:
    return json.dumps(resource, sort_keys=True)
