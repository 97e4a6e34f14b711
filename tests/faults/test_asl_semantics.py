"""The interpreter does what Step Functions does."""

from itertools import pairwise
from typing import Any

import pytest

from faults.workflow.execution import TRANSITION_SECONDS
from faults.workflow.failure import Failure
from faults.workflow.query import QueryEvaluationError, evaluate
from tests.faults.small_machine import Run, execute, machine, task

CAUGHT = [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "End"}]
BROKEN = "{% $states.input.nothing %}"


def lambda_result(payload: Any) -> dict[str, Any]:
    """What lambda:invoke gives."""
    return {"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("{% $states.input.list %}", [1], id="an-array-of-one-stays"),
        pytest.param("{% [$states.input.list] %}", [1], id="an-array-in-brackets-is-flattened"),
        pytest.param("{% [$states.input.number] %}", [7], id="a-value-in-brackets"),
        pytest.param("{% $states.input.rows.n %}", 7, id="a-path-over-one-row-collapses"),
        pytest.param("{% [$states.input.rows.n] %}", [7], id="brackets-keep-it"),
        pytest.param("{% $states.input.rows[0].n %}", 7, id="index"),
        pytest.param("{% {'a': $states.input.nothing, 'b': 1} %}", {"b": 1}, id="undefined-drops-its-key"),
        pytest.param("{% $states.input.none %}", None, id="null-is-a-value"),
        pytest.param("{% $states.input.none = null %}", True, id="null-is-null"),
        pytest.param("{% $exists($states.input.none) %}", True, id="null-exists"),
        pytest.param("{% $exists($states.input.nothing) %}", False, id="undefined-does-not"),
        pytest.param("{% $count($states.input.nothing) %}", 0, id="count-of-undefined"),
        pytest.param("{% $states.input.nothing != null %}", False, id="undefined-compares-false"),
        pytest.param("{% $parse('{\"a\": [1]}').a %}", [1], id="parse"),
        pytest.param("{% $string($states.input.number) & '!' %}", "7!", id="string"),
        pytest.param("{% $match('ab12', /[a-z]([0-9])/).groups %}", ["1"], id="match"),
        pytest.param("{% [$match('ab', /[0-9]/).groups, 2][0] %}", 2, id="no-match"),
        pytest.param("{% $contains('abc', 'b') ? 1 : 2 %}", 1, id="condition"),
        pytest.param("{% $states.input.number + 1 %}", 8, id="sum"),
        pytest.param("{% $now() %}", "2026-11-23T04:00:00.020Z", id="now"),
        pytest.param("{% $fromMillis($millis() + 1000) %}", "2026-11-23T04:00:01.020Z", id="millis"),
        pytest.param("{% $states.context.Execution.Name %}", "one", id="context"),
        pytest.param(["a", {"b": "{% 1 %}"}], ["a", {"b": 1}], id="expressions-at-any-depth"),
    ],
)
def test_values(text: Any, value: Any) -> None:
    """Values of expressions; the first state is entered a transition after the start."""
    given = {"list": [1], "number": 7, "rows": [{"n": 7}], "none": None}
    execution, _ = execute({"One": {"Type": "Pass", "Output": text, "Next": "End"}}, given=given)
    assert (execution.status, execution.output) == ("SUCCEEDED", value)


def test_a_state_sees_the_variables_from_before_it() -> None:
    """Assign and Output of one state do not see each other."""
    first = {"Type": "Pass", "Assign": {"a": 1}, "Next": "Two"}
    second = {
        "Type": "Pass",
        "Assign": {"a": "{% $a + 1 %}", "b": "{% $a %}"},
        "Output": "{% $a %}",
        "Next": "End",
    }
    execution, _ = execute({"One": first, "Two": second})
    assert (execution.variables, execution.output) == ({"a": 2, "b": 1}, 1)


@pytest.mark.parametrize("field", ["Arguments", "Output", "Assign"])
def test_an_undefined_result_fails_a_task(field: str) -> None:
    """It is an error like any other, so a Catch meets it."""
    value = {"FunctionName": "f", "Payload": BROKEN} if field == "Arguments" else {"a": BROKEN}
    state = task(Catch=CAUGHT, **{field: value})
    execution, _ = execute({"One": state}, [(0, lambda_result(1))], given={})
    assert execution.output["Error"] == "States.QueryEvaluationError"


def test_an_undefined_result_outside_of_a_task_fails_the_execution() -> None:
    """A Choice has no Catch."""
    rule = {"Condition": "{% $states.input.nothing + 1 = 2 %}", "Next": "End"}
    execution, _ = execute({"One": {"Type": "Choice", "Choices": [rule], "Default": "End"}}, given={})
    assert (execution.status, execution.output) == ("SUCCEEDED", {})
    rule = {"Condition": BROKEN, "Next": "End"}
    execution, _ = execute({"One": {"Type": "Choice", "Choices": [rule], "Default": "End"}}, given={})
    assert (execution.status, execution.error) == ("FAILED", "States.QueryEvaluationError")


def test_a_choice_takes_the_first_rule_that_holds() -> None:
    """And assigns that rule's variables; its own are for the default."""
    rules = [
        {"Condition": "{% $states.input = 2 %}", "Assign": {"a": "two"}, "Next": "End"},
        {"Condition": "{% $states.input > 1 %}", "Assign": {"a": "more"}, "Next": "End"},
    ]
    state = {"Type": "Choice", "Choices": rules, "Assign": {"a": "less"}, "Default": "End"}
    assert [execute({"One": state}, given=n)[0].variables["a"] for n in (1, 2, 3)] == ["less", "two", "more"]


def test_the_answer_of_a_function() -> None:
    """It is in Payload; without Output it is the next state's input."""
    execution, run = execute({"One": task()}, [(1, lambda_result({"a": 1}))])
    assert execution.output == lambda_result({"a": 1})
    assert run.clock.now == pytest.approx(1 + 2 * TRANSITION_SECONDS)


def test_waits() -> None:
    """For a number of seconds, or for what an expression gives."""
    waits = {
        "One": {"Type": "Wait", "Seconds": 3, "Next": "Two"},
        "Two": {"Type": "Wait", "Seconds": "{% $states.input %}", "Next": "End"},
    }
    assert execute(waits, given=4)[1].clock.now == pytest.approx(7 + 3 * TRANSITION_SECONDS)


def test_retries_wait_longer_each_time_and_end() -> None:
    """1, 2, 4, 5, 5 seconds, then the Catch."""
    retry = {
        "ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 5,
        "MaxAttempts": 5,
    }  # fmt: skip
    execution, run = execute({"One": task(Retry=[retry], Catch=CAUGHT)}, [(0, Failure("Busy", "c"))] * 6)
    moments = [at for at, _ in run.sent]
    assert [round(b - a) for a, b in pairwise(moments)] == [1, 2, 4, 5, 5]
    assert execution.output == {"Error": "Busy", "Cause": "c"}


def test_jitter_takes_less_than_the_interval() -> None:
    """FULL draws the delay between nothing and the interval."""
    retry = {"ErrorEquals": ["Busy"], "IntervalSeconds": 8, "MaxAttempts": 1, "JitterStrategy": "FULL"}
    _, run = execute({"One": task(Retry=[retry])}, [(0, Failure("Busy")), (0, 1)])
    assert 0 < run.sent[1][0] - run.sent[0][0] < 8


def test_the_first_retrier_that_matches_counts() -> None:
    """When its attempts are used up the next one is not asked."""
    retriers = [{"ErrorEquals": ["Busy"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]
    execution, run = execute({"One": task(Retry=retriers)}, [(0, Failure("Busy"))])
    assert (execution.status, execution.error, len(run.sent)) == ("FAILED", "Busy", 1)


@pytest.mark.parametrize("error", ["States.Runtime", "States.DataLimitExceeded"])
def test_all_does_not_catch_everything(error: str) -> None:
    """These two end the execution."""
    execution, _ = execute({"One": task(Catch=CAUGHT)}, [(0, Failure(error))])
    assert (execution.status, execution.error) == ("FAILED", error)


@pytest.mark.parametrize(
    ("names", "error", "meets"),
    [
        (["States.TaskFailed"], "Anything", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.Timeout"], "States.Timeout", True),
        (["States.ALL"], "States.Timeout", True),
        (["Lambda.Unknown"], "Lambda.Unknown", True),
        (["Lambda.Unknown"], "Lambda.ServiceException", False),
    ],
)
def test_error_names(names: list[str], error: str, meets: bool) -> None:
    """Which errors an ErrorEquals meets."""
    assert Failure(error).meets(names) is meets


def test_a_task_that_takes_too_long() -> None:
    """It fails with States.Timeout, and what comes later is not heard."""
    execution, run = execute({"One": task(Catch=CAUGHT, TimeoutSeconds=5)}, [(9, lambda_result(1))])
    assert execution.output == {"Error": "States.Timeout"}
    assert run.cancelled == 1


def test_too_much_data() -> None:
    """A state takes and gives 256 KiB at most."""
    execution, _ = execute({"One": task(Catch=CAUGHT)}, [(0, lambda_result("x" * 300_000))])
    assert (execution.status, execution.error) == ("FAILED", "States.DataLimitExceeded")


def test_a_machine_that_takes_too_long() -> None:
    """Its time-out skips every Catch, and cancels the task."""
    execution, run = execute({"One": task(Catch=CAUGHT)}, [(50, 1)], TimeoutSeconds=5)
    assert (execution.status, execution.error, run.cancelled) == ("TIMED_OUT", "States.Timeout", 1)


def test_stopping() -> None:
    """It skips every Catch, and cancels the task."""
    run = Run()
    execution = run.start(machine({"One": task(Catch=CAUGHT)}), [(50, 1)], None)
    run.clock.run_for(10)
    execution.stop("Stopped", "by hand")
    run.clock.run()
    assert (execution.status, execution.error, execution.cause) == ("ABORTED", "Stopped", "by hand")
    assert (run.cancelled, len(execution.path)) == (1, 1)


def test_failing() -> None:
    """Error and Cause may be expressions."""
    fail = {"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% 'because ' & $states.input.e %}"}
    execution, _ = execute({"One": fail}, given={"e": "Busy"})
    assert (execution.status, execution.error, execution.cause) == ("FAILED", "Busy", "because Busy")


@pytest.mark.parametrize(
    "value", ["text", "", 0, 1.5, True, False, None, {"c": None}, {}, [], [1], [1, 2], [{"c": 1}, {"c": 2}]]
)
@pytest.mark.parametrize("path", ["$a", "$a.b", "$a.b.c", "$a.d", "$states.input.b", "$e"])
def test_a_plain_path_gives_what_jsonata_gives(path: str, value: Any) -> None:
    """It is followed without the library; in brackets it is not plain."""

    def given(expression: str) -> Any:
        try:
            return evaluate(expression, {"a": {"b": value}}, {"input": {"b": value}}, 0)
        except QueryEvaluationError:
            return QueryEvaluationError

    plain, by_jsonata = given(f"{{% {path} %}}"), given(f"{{% ({path}) %}}")
    assert (plain, type(plain)) == (by_jsonata, type(by_jsonata))
