"""The interpreter refuses what it does not implement when it reads a definition."""

import copy
from typing import Any

import pytest

from faults.aws.stack import definition
from faults.files import MACHINES
from faults.workflow.definition import START_AND_WAIT, read
from faults.workflow.query import Refused, check
from tests.faults.small_machine import machine, task

WAIT = {"Type": "Wait", "Seconds": 1, "Next": "End"}
CHOICE: dict[str, Any] = {
    "Type": "Choice",
    "Choices": [{"Condition": "{% true %}", "Next": "End"}],
    "Default": "End",
}
RETRY = {"ErrorEquals": ["States.ALL"]}


@pytest.mark.parametrize("name", MACHINES)
def test_the_definitions_are_read(name: str) -> None:
    """The real ones hold nothing that is refused."""
    assert definition(name)["States"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"QueryLanguage": "JSONPath"}, id="another-query-language"),
        pytest.param({"Version": "1.0"}, id="unknown-field"),
        pytest.param({"TimeoutSeconds": "{% 5 %}"}, id="a-time-limit-that-is-computed"),
        pytest.param({"StartAt": "Nowhere"}, id="a-start-that-is-not-there"),
    ],
)
def test_a_machine_is_refused(fields: dict[str, Any]) -> None:
    """Fields of the machine itself."""
    with pytest.raises(Refused):
        read(machine({"One": WAIT}) | fields)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"Type": "Map", "Next": "End"}, id="map"),
        pytest.param({"Type": "Parallel", "Branches": [], "Next": "End"}, id="parallel"),
        pytest.param(WAIT | {"Timestamp": "{% $now() %}"}, id="wait-until"),
        pytest.param({"Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z", "Next": "End"}, id="no-seconds"),
        pytest.param(WAIT | {"Seconds": 1.5}, id="half-a-second"),
        pytest.param(WAIT | {"Next": "Nowhere"}, id="next-that-is-not-there"),
        pytest.param(WAIT | {"QueryLanguage": "JSONata"}, id="query-language-of-a-state"),
        pytest.param(WAIT | {"InputPath": "$"}, id="jsonpath"),
        pytest.param({"Type": "Pass", "Result": 1, "Next": "End"}, id="result"),
        pytest.param({"Type": "Pass", "End": True}, id="end-instead-of-succeed"),
        pytest.param({"Type": "Succeed", "Assign": {"a": 1}}, id="assign-at-the-end"),
        pytest.param({"Type": "Fail", "Error": "E"}, id="fail-without-cause"),
        pytest.param(CHOICE | {"Default": "Nowhere"}, id="default-that-is-not-there"),
        pytest.param({"Type": "Choice", "Choices": CHOICE["Choices"]}, id="choice-without-default"),
        pytest.param(CHOICE | {"Choices": [{"Condition": True, "Next": "End"}]}, id="constant-condition"),
        pytest.param(CHOICE | {"Choices": [{"Variable": "$.a", "Next": "End"}]}, id="choice-by-variable"),
        pytest.param(task(Resource="arn:aws:states:::dynamodb:getItem"), id="another-resource"),
        pytest.param(task(Resource="arn:aws:states:::lambda:invoke.waitForTaskToken"), id="task-token"),
        pytest.param(task(Resource=START_AND_WAIT), id="arguments-of-another-resource"),
        pytest.param(task(HeartbeatSeconds=5), id="heartbeat"),
        pytest.param(task(Credentials={}), id="credentials"),
        pytest.param(task(Arguments={"FunctionName": "f"}), id="no-payload"),
        pytest.param(
            task(Arguments={"FunctionName": "f", "Payload": {}, "Qualifier": "1"}), id="another-argument"
        ),
        pytest.param(task(Retry=[RETRY | {"ErrorEquals": ["States.ALL", "X"]}]), id="all-is-not-alone"),
        pytest.param(task(Retry=[RETRY | {"ErrorEquals": ["States.Permissions"]}]), id="unknown-error-name"),
        pytest.param(task(Retry=[RETRY | {"JitterStrategy": "SOME"}]), id="unknown-jitter"),
        pytest.param(task(Retry=[RETRY | {"Wait": 1}]), id="unknown-field-of-retry"),
        pytest.param(task(Catch=[RETRY | {"ResultPath": "$", "Next": "End"}]), id="unknown-field-of-catch"),
    ],
)
def test_a_state_is_refused(state: dict[str, Any]) -> None:
    """Fields, types, resources, error names."""
    with pytest.raises(Refused):
        read(machine({"One": copy.deepcopy(state)}))


def test_a_task_without_a_time_limit_is_refused() -> None:
    """Its default is 60 seconds in one place of the documentation and none in another."""
    state = task()
    del state["TimeoutSeconds"]
    with pytest.raises(Refused):
        read(machine({"One": state}))


@pytest.mark.parametrize(
    "text",
    [
        "{% $uuid() %}",
        "{% $map($a, $string) %}",
        "{% $nothing($a) %}",
        "{% $now('[Y]') %}",
        "{% function($x) { $x } %}",
        "{% $a ~> $string %}",
        "{% ($b := 1; $b) %}",
        "{% $a.* %}",
        "{% $a.**.b %}",
        "{% $a[] %}",
        "{% $a^(b) %}",
        "{% $a{b: c} %}",
        "{% $a@$b.c %}",
        "{% /x/ %}",
        "{% $match($a, $b) %}",
        "{% $match($a, /x/, 1) %}",
        "{% $states %}",
        "{% $states.context.State.Name %}",
        "{% $states.context.Task.Token %}",
        "{% $states.results %}",
        "{% $a. %}",
        "{% $a %} and {% $b %}",
        "{% $a",
    ],
)
def test_an_expression_is_refused(text: str) -> None:
    """Functions, operators and forms of JSONata, and parts of the context object."""
    with pytest.raises(Refused):
        check({"Payload": [text]})
