"""Nothing waits for ever: tasks, retries and loops of the definitions are bounded."""

import ast
import copy
import inspect
import re

import pytest

from crossfade.domain.journal import FIRST_WAIT, LONGEST_WAIT
from crossfade.domain.spec.history_events import MOST_STEP_BACKS
from crossfade.domain.traffic.weights import RULE_SECONDS
from faults.files import MACHINES, definition, functions, template
from tests.statemachine.definitions import every, function_of, handler_module, lambda_tasks, states, tasks
from tests.statemachine.flow import ANCHORS, unbounded_loops
from tests.statemachine.permissions import ACTIONS, CAPACITY, OF_SCALING, RULE, SCALING, SLOTS

LAMBDA_FAULTS = {
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    # What a function that ran out of time or memory is told as.
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
}
CATCH_ALLS = {"States.ALL", "States.TaskFailed"}


@pytest.mark.parametrize(("machine", "name"), every(tasks))
def test_every_task_has_a_time_limit(machine: str, name: str) -> None:
    """A Task without TimeoutSeconds may wait for ever."""
    assert states(machine)[name]["TimeoutSeconds"] > 0


@pytest.mark.parametrize(("machine", "name"), every(lambda_tasks))
def test_a_function_gives_up_before_its_state_does(machine: str, name: str) -> None:
    """Otherwise a second try would run beside the first."""
    standard = template()["Globals"]["Function"]["Timeout"]
    timeout = functions()[function_of(machine, name)].get("Timeout", standard)
    assert timeout < states(machine)[name]["TimeoutSeconds"]


@pytest.mark.parametrize("name", ["LetFunctionsEnd", "AssessAgain"])
def test_a_rollback_outwaits_the_functions_of_what_was_stopped(name: str) -> None:
    """A function runs on after its execution was stopped, until its time-out."""
    timeouts = [template()["Globals"]["Function"]["Timeout"]]
    timeouts += [
        functions()[function_of(machine, task)].get("Timeout", 0)
        for machine, task in every(lambda_tasks)
        if task != "WriteReport"
    ]
    assert states("rollback")[name]["Seconds"] > max(timeouts)


def test_a_rollback_that_waited_has_most_of_its_time_left() -> None:
    """It may wait for as long as there is, and twice, before it begins."""
    counted = next(
        choice["Condition"]
        for choice in states("rollback")["WhatIsThere"]["Choices"]
        if choice["Next"] == "WaitLonger"
    )
    (most,) = re.findall(r"\$waits < (\d+)", counted)
    waits = states("rollback")["WaitBeforeTrying"]["Seconds"] + int(most) * LONGEST_WAIT.total_seconds()
    assert waits < definition("rollback")["TimeoutSeconds"] / 2


def test_the_alarm_of_failed_rollbacks_stays_while_they_wait() -> None:
    """Else it would look as if the service were put right, every quarter of an hour."""
    alarm = template()["Resources"]["RollbackFailedAlarm"]["Properties"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] > LONGEST_WAIT.total_seconds()


def test_the_first_wait_is_the_one_before_any_assessment() -> None:
    """So that one rollback that failed makes nobody ask twice."""
    assert states("rollback")["WaitBeforeTrying"]["Seconds"] == FIRST_WAIT.total_seconds()


@pytest.mark.parametrize("machine", MACHINES)
def test_every_machine_has_a_time_limit(machine: str) -> None:
    """The last bound of all."""
    assert definition(machine)["TimeoutSeconds"] > 0


@pytest.mark.parametrize(("machine", "name"), every(lambda_tasks))
def test_lambda_faults_are_retried_before_any_catch_all(machine: str, name: str) -> None:
    """Lambda's own faults and AWS's are worth another try; a catch-all must not hide them."""
    retried: set[str] = set()
    for retrier in states(machine)[name]["Retry"]:
        if CATCH_ALLS & set(retrier["ErrorEquals"]):
            break
        retried |= set(retrier["ErrorEquals"])
    assert retried >= LAMBDA_FAULTS | {"AwsUnavailable"}


LONGEST_HOLD = 30 * 60
WAIT_BY_ANSWER = {"launch_candidate", "check_candidate"}
"""Handlers that answer that they wait where ECS does not show yet what was written."""


@pytest.mark.parametrize("machine", MACHINES)
def test_a_report_that_is_killed_each_time_holds_the_service_for_half_an_hour_at_most(machine: str) -> None:
    """A function that runs out of time or memory once will do so again."""
    function = functions()[function_of(machine, "WriteReport")]
    tries = {
        name: 1 + retrier["MaxAttempts"]
        for retrier in states(machine)["WriteReport"]["Retry"]
        for name in retrier["ErrorEquals"]
    }
    for killed in ("Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"):
        assert tries[killed] * function["Timeout"] <= LONGEST_HOLD


@pytest.mark.parametrize(("machine", "name"), every(tasks))
def test_retries_are_bounded_and_spread(machine: str, name: str) -> None:
    """At most ten tries, with a largest delay and with jitter."""
    for retrier in states(machine)[name].get("Retry", []):
        if retrier["ErrorEquals"] == ["NotYetVisible"]:
            continue
        assert 1 <= retrier["MaxAttempts"] <= 10
        assert retrier["MaxDelaySeconds"] > 0
        assert retrier["JitterStrategy"] == "FULL"


@pytest.mark.parametrize(("machine", "name"), every(lambda_tasks))
def test_what_is_not_yet_visible_is_looked_at_again_until_it_counts(machine: str, name: str) -> None:
    """Wherever a rule or a service is read, or a task is stopped that may just have been started.

    Whoever reads it says when what is seen has become true.
    """
    retriers = [one for one in states(machine)[name]["Retry"] if "NotYetVisible" in one["ErrorEquals"]]
    handler = functions()[function_of(machine, name)]["Handler"].split(".")[2]
    looks = ACTIONS[handler] - (OF_SCALING if ACTIONS[handler] >= SCALING else set())
    # A count that is read too low is asked for again at the next look: nothing is concluded from it.
    looks -= CAPACITY if ACTIONS[handler] >= CAPACITY else set()
    looks -= SLOTS if handler in WAIT_BY_ANSWER else set()
    assert bool(retriers) is bool(looks & (RULE | SLOTS | {"ecs:StopTask"}))
    for retrier in retriers:
        assert retrier["ErrorEquals"] == ["NotYetVisible"]
        assert retrier["BackoffRate"] == 1
        assert RULE_SECONDS < retrier["IntervalSeconds"] * retrier["MaxAttempts"] < 2 * RULE_SECONDS


@pytest.mark.parametrize("machine", MACHINES)
def test_every_loop_has_a_deadline(machine: str) -> None:
    """Each loop passes a Task whose deadline is set outside of it, or counts the stages up to the last."""
    assert unbounded_loops(definition(machine)) == []


@pytest.mark.parametrize(
    ("machine", "loop", "variable"),
    [
        pytest.param("deploy", "WaitForSlot", "launch_deadline", id="waiting-for-the-slot"),
        pytest.param("deploy", "WaitForCandidate", "launch_deadline", id="waiting-for-green"),
        pytest.param("deploy", "WaitForProbe", "launch_deadline", id="waiting-for-the-probe"),
        pytest.param("deploy", "WaitForTargets", "shift_deadline", id="waiting-for-targets"),
        pytest.param("deploy", "StageWatched", "deadline", id="watching-a-stage"),
        pytest.param("deploy", "StageWatched", "stage", id="counting-stages"),
        pytest.param("deploy", "WaitForStable", "began", id="waiting-for-blue"),
        pytest.param("rollback", "VerifyRestored", "shifted", id="proving-the-stable-slot"),
    ],
)
def test_a_deadline_that_moves_is_no_deadline(machine: str, loop: str, variable: str) -> None:
    """The rule above fails as soon as a loop assigns its own bound."""
    spoilt = copy.deepcopy(definition(machine))
    state = spoilt["States"][loop]
    for target in [state, *state.get("Choices", [])]:
        target["Assign"] = {**target.get("Assign", {}), variable: "{% $now() %}"}
    assert any(loop in found for found in unbounded_loops(spoilt))


@pytest.mark.parametrize(
    ("variable", "stands"),
    [
        pytest.param("stage", "{% $stage %}", id="the-stage-stands-still"),
        pytest.param("weight", "{% $states.input.next_weight %}", id="a-retry-may-follow-a-retry"),
    ],
)
def test_stages_that_are_not_counted_are_a_loop_without_end(variable: str, stands: str) -> None:
    """The rule above fails then."""
    spoilt = copy.deepcopy(definition("deploy"))
    spoilt["States"]["NextStage"]["Assign"][variable] = stands
    assert any("NextStage" in found for found in unbounded_loops(spoilt))


@pytest.mark.parametrize(
    ("machine", "asks", "counts"),
    [
        pytest.param("deploy", "MayPlanAgain", "PlanAgain", id="planning-again"),
        pytest.param("deploy", "StageWatched", "RestartProbe", id="restarting-the-probe"),
        pytest.param("deploy", "StageWatched", "StepBack", id="stepping-back"),
        pytest.param("deploy", "StableRetired", "StepBack", id="stepping-back-from-all"),
        pytest.param("rollback", "WhatIsThere", "AssessAgain", id="looking-again"),
        pytest.param("rollback", "WhatIsThere", "WaitLonger", id="waiting-longer"),
    ],
)
def test_a_count_that_nobody_asks_for_is_a_loop_without_end(machine: str, asks: str, counts: str) -> None:
    """The rule above fails when a Choice leads on whatever the count is, or the count stands still."""
    unasked, uncounted = copy.deepcopy(definition(machine)), copy.deepcopy(definition(machine))
    for choice in unasked["States"][asks]["Choices"]:
        if choice["Next"] == counts:
            choice["Condition"] = "{% true %}"
    uncounted["States"][counts]["Assign"] = {}
    assert any(counts in found for found in unbounded_loops(unasked))
    assert any(counts in found for found in unbounded_loops(uncounted))


@pytest.mark.parametrize("name", ["StageWatched", "StableRetired"])
def test_the_handlers_count_step_backs_as_the_definition_does(name: str) -> None:
    """One step back too many is a rollback by then, with the gate's reason."""
    (asked,) = [
        choice["Condition"] for choice in states("deploy")[name]["Choices"] if choice["Next"] == "StepBack"
    ]
    assert asked == f"{{% $states.input.action = 'step_back' and $step_backs < {MOST_STEP_BACKS} %}}"


@pytest.mark.parametrize(("machine", "name"), every(lambda_tasks))
def test_handlers_look_at_the_deadline_they_get(machine: str, name: str) -> None:
    """A deadline that a handler ignored would bound nothing."""
    handler = inspect.unwrap(handler_module(function_of(machine, name)).handler)
    read = {
        node.id
        for node in ast.walk(ast.parse(inspect.getsource(handler)))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    assert set(ANCHORS) & set(states(machine)[name]["Arguments"]["Payload"]) <= read
