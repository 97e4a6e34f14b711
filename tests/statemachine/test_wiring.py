"""The definitions and the template agree: substitutions, functions, handlers, and what a machine may call."""

import json
import re
from pathlib import Path

import pytest

from crossfade.domain.planning.request import ARRIVALS
from faults.files import MACHINES, ROOT, definition, functions, machine_properties, source, template
from tests.statemachine.definitions import (
    every,
    function_of,
    handler_module,
    lambda_tasks,
    states,
    strings,
    tasks,
)

RULE = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
NOT_OF_THE_WORKFLOW = {
    "CleanupFunction", "CatchUpFunction", "CheckHeldFunction", "PublishEventsFunction", "SendMessageFunction",
}  # fmt: skip
"""CloudFormation, schedules, rules and the journal's stream call them."""
NO_HANDLER = {"__init__"}


def _statements(machine: str) -> list[dict]:
    return [
        statement for policy in machine_properties(machine)["Policies"] for statement in policy["Statement"]
    ]


def _allowed(machine: str, action: str) -> list[dict | str]:
    """The resources on which a machine's role allows an action."""
    found = []
    for statement in _statements(machine):
        actions, resource = statement["Action"], statement["Resource"]
        if action in ([actions] if isinstance(actions, str) else actions):
            found += resource if isinstance(resource, list) else [resource]
    return found


@pytest.mark.parametrize("machine", MACHINES)
def test_substitutions_are_the_same_on_both_sides(machine: str) -> None:
    """Every `${X}` of the definition is substituted, and nothing else is."""
    used = set(re.findall(r"\$\{([^}]*)\}", source(machine)))
    assert used == set(machine_properties(machine)["DefinitionSubstitutions"])


@pytest.mark.parametrize("machine", MACHINES)
def test_substitutions_are_named_after_what_they_stand_for(machine: str) -> None:
    """`PlanReleaseFunctionArn` is `PlanReleaseFunction.Arn`: a swapped pair would deploy and misbehave."""
    for name, value in machine_properties(machine)["DefinitionSubstitutions"].items():
        if name == "Partition":
            assert value == {"Ref": "AWS::Partition"}
            continue
        target, _, version = value["Ref"].partition(".")
        assert name == f"{target}Arn"
        # An execution that runs while Crossfade is updated goes on with the functions that it began with.
        assert version == ("Version" if target.endswith("Function") else "")


@pytest.mark.parametrize(("machine", "name"), every(lambda_tasks))
def test_handlers_are_importable(machine: str, name: str) -> None:
    """The handler's path in the template leads to a function."""
    assert callable(handler_module(function_of(machine, name)).handler)


def test_every_handler_is_deployed_once() -> None:
    """A file for each function, and a function for each file."""
    files = {path.stem for path in (ROOT / "functions/crossfade/handlers").glob("*.py")} - NO_HANDLER
    deployed = [properties["Handler"] for properties in functions().values()]
    assert sorted(deployed) == sorted(f"crossfade.handlers.{file}.handler" for file in files)


def test_functions_are_named_after_their_files() -> None:
    """`CheckCandidateFunction` runs `check_candidate.py`."""
    for name, properties in functions().items():
        file = properties["Handler"].split(".")[2]
        assert name == "".join(part.title() for part in file.split("_")) + "Function"


def test_every_function_is_used() -> None:
    """By a state machine, or by CloudFormation."""
    used = {function_of(machine, name) for machine, name in every(lambda_tasks)}
    assert set(functions()) - used == NOT_OF_THE_WORKFLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_may_invoke_its_functions_and_no_others(machine: str) -> None:
    """The emulator does not enforce a machine's own role, so this is the only check of it."""
    invoked = {function_of(machine, name) for name in lambda_tasks(machine)}
    allowed = [resource["Fn::Sub"] for resource in _allowed(machine, "lambda:InvokeFunction")]
    # Of all versions: those of a running execution are older than the role.
    assert sorted(allowed) == sorted(f"${{{function}.Arn}}:*" for function in invoked)


def test_a_change_of_anything_is_a_new_version() -> None:
    """Not of the code alone: the environment, the layer and the memory belong to a version as well."""
    shared = template()["Globals"]["Function"]
    assert shared["AutoPublishAlias"]
    assert shared["AutoPublishAliasAllProperties"] is True


def test_no_version_holds_the_name_of_what_an_update_replaces() -> None:
    """SAM publishes a version where the template's text changes, and a task definition's ARN is not in it.

    A new probe alone would leave the functions with a revision that CloudFormation has deregistered.
    """
    resources, environment = template()["Resources"], template()["Globals"]["Function"]["Environment"]
    named = {resources[value["Ref"]]["Type"] for value in environment["Variables"].values() if "Ref" in value}
    assert "AWS::ECS::TaskDefinition" not in named
    family = resources["ProbeTaskDefinition"]["Properties"]["Family"]
    assert environment["Variables"]["PROBE_TASK_DEFINITION"] == family
    # ECS compares with the family alone where no revision is named.
    (policy,) = functions()["StartProbeFunction"]["Policies"]
    (runs,) = (statement for statement in policy["Statement"] if statement["Action"] == "ecs:RunTask")
    definitions = {resource["Fn::Sub"].partition(":task-definition/")[2] for resource in runs["Resource"]}
    assert definitions == {family["Fn::Sub"], f"{family['Fn::Sub']}:*"}


def test_an_update_changes_no_service_token() -> None:
    """A version's ARN would be another one after each: "Modifying service token is not allowed"."""
    given = template()["Resources"]["Sample"]["Properties"]["Parameters"]["CleanupFunctionArn"]
    assert given == {"Fn::GetAtt": ["CleanupFunction", "Arn"]}


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_may_start_and_await_what_it_starts(machine: str) -> None:
    """`startExecution.sync:2` starts, describes and stops the execution, through a rule that AWS manages."""
    starts = [state for state in tasks(machine).values() if "startExecution" in state["Resource"]]
    started = sorted({state["Arguments"]["StateMachineArn"] for state in starts})
    assert [{"Ref": arn.removeprefix("${").removesuffix("Arn}")} for arn in started] == _allowed(
        machine, "states:StartExecution"
    )
    for action in ("states:DescribeExecution", "states:StopExecution"):
        assert all(":execution:" in text for text in strings(_allowed(machine, action)))
        assert len(_allowed(machine, action)) == len(started)
    for action in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
        assert [text.endswith(RULE) for text in strings(_allowed(machine, action))] == [True] * len(started)


def test_the_two_machines_call_only_what_is_checked_here() -> None:
    """A new kind of service call needs its own check of the role."""
    kinds = {state["Resource"] for machine in MACHINES for state in tasks(machine).values()}
    assert kinds == {
        "arn:${Partition}:states:::lambda:invoke",
        "arn:${Partition}:states:::states:startExecution.sync:2",
    }


def test_adr_03_only_assess_is_told_what_started_the_rollback() -> None:
    """Whatever has died, and whatever has asked: all else is done by what Assess has found in the journal."""
    told = {
        name
        for name, state in tasks("rollback").items()
        if any("Execution.Input" in text for text in strings(state["Arguments"]))
    }
    assert told == {"Assess"}


@pytest.mark.parametrize(("machine", "rule"), [("deploy", "DeploymentEnded"), ("rollback", "RollbackEnded")])
def test_adr_12_a_rollback_follows_every_end_but_a_success(machine: str, rule: str) -> None:
    """StopExecution and States.Runtime skip every Catch; the status event is the only word of it.

    A rollback that comes after another one says so, and waits before it tries.
    """
    event = machine_properties("rollback")["Events"][rule]["Properties"]
    detail = event["Pattern"]["detail"]
    assert {"ABORTED", "TIMED_OUT", "FAILED"} == set(detail["status"])
    name = machine_properties(machine)["Name"]["Fn::Sub"]
    assert detail["stateMachineArn"][0]["Fn::Sub"].endswith(f":stateMachine:{name}")
    assert ('"again": true' in event["InputTransformer"]["InputTemplate"]) is (machine == "rollback")


def test_only_tagged_images_of_this_account_and_region_start_a_deployment() -> None:
    """The parts of a multi-architecture image have no tag; a bus may have events of other accounts."""
    pattern = machine_properties("deploy")["Events"]["ImagePushed"]["Properties"]["Pattern"]
    assert pattern == {
        "source": ["aws.ecr"],
        "detail-type": list(ARRIVALS),
        "account": [{"Ref": "AWS::AccountId"}],
        "region": [{"Ref": "AWS::Region"}],
        "detail": {
            "action-type": {"Fn::If": ["Replicated", list(ARRIVALS.values()), ["PUSH"]]},
            "result": ["SUCCESS"],
            "image-tag": [{"anything-but": ""}],
        },
    }


def test_a_replicated_image_is_deployed_by_choice() -> None:
    """Whoever updates Crossfade and says nothing gets no deployments that did not come before."""
    assert template()["Conditions"]["Replicated"] == {"Fn::Equals": [{"Ref": "DeployReplicated"}, "true"]}
    assert template()["Parameters"]["DeployReplicated"]["Default"] == "false"


@pytest.mark.parametrize("machine", MACHINES)
def test_definitions_lint(machine: str, tmp_path: Path) -> None:
    """cfn-lint looks into a definition when it stands in an AWS::StepFunctions::StateMachine."""
    from cfnlint import api  # here, as in each process that only collects the tests it takes half a second

    text = json.dumps(definition(machine)).replace("${Partition}", "aws")
    rendered = re.sub(r"\$\{\w+\}", "arn:aws:lambda:us-east-1:123456789012:function:x", text)
    stack = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": "arn:aws:iam::123456789012:role/x",
                    "Definition": json.loads(rendered),
                },
            }
        },
    }
    assert api.lint_all(json.dumps(stack)) == []


def test_the_linter_looks_into_definitions() -> None:
    """The check above can fail."""
    from cfnlint import api

    stack = {
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": "arn:aws:iam::123456789012:role/x",
                    "Definition": {"StartAt": "A", "States": {"A": {"Type": "Nonsense"}}},
                },
            }
        }
    }
    assert api.lint_all(json.dumps(stack)) != []


@pytest.mark.parametrize(("machine", "name"), every(states))
def test_every_state_has_a_way_on_or_ends(machine: str, name: str) -> None:
    """A Choice has a Default, so that an unexpected word is no States.NoChoiceMatched."""
    state = states(machine)[name]
    ends = state["Type"] in {"Succeed", "Fail"}
    assert ends or "Next" in state or "Default" in state
