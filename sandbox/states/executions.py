"""How executions begin, end and wait for each other, where MiniStack 1.5.33 differs from AWS."""

from __future__ import annotations

import contextvars
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, now_iso
from ministack.services import stepfunctions

Execution = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

_LOOK_SECONDS = 0.05
_NAME = re.compile(r"""[^\x00-\x20\x7f-\x9f<>{}\[\]?*"#%\\^|~`$&,;:/]{1,80}""")

# The execution that runs in this thread; threads that it starts take it along.
_current: contextvars.ContextVar[Execution | None] = contextvars.ContextVar("execution", default=None)


class Ended(BaseException):
    """The execution has ended meanwhile. Not an Exception, so that no Retry and no Catch takes it."""


def install() -> None:
    """Put the patches in place; each is looked up by name when an execution starts or runs."""
    _answer_a_repeated_start()
    _end_executions_once()
    _time_out_executions()
    _enter_no_state_after_the_end()
    _wake_from_waits_at_the_end()
    _wait_for_real_children()


def _answer_a_repeated_start() -> None:
    """MiniStack 1.5.33: starting a *running* execution again is ExecutionAlreadyExists; on AWS the same name
    with the same input gets the first answer again. Any name is taken; on AWS it has up to 80 characters.
    """
    emulator = stepfunctions._start_execution

    def start_execution(data: dict[str, Any]) -> Response:
        name = data.get("name")
        if name and not _NAME.fullmatch(name):
            return error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
        machine = str(data.get("stateMachineArn", "")).rsplit(":", 1)[-1]
        arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{machine}:{name}"
        known = stepfunctions._executions.get(arn)
        if known and known["status"] == "RUNNING" and known["input"] == data.get("input", "{}"):
            return json_response({"executionArn": arn, "startDate": known["startDate"]})
        return emulator(data)

    stepfunctions._start_execution = start_execution


def _end_executions_once() -> None:
    """MiniStack 1.5.33: an aborted execution becomes FAILED when the task that it was in fails later. A
    failed one is seen before its error is, and has an output; on AWS only a successful one has.
    """

    def fail_execution(execution: Execution, error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            # At once: whoever reads that it has failed reads why.
            execution |= {"status": "FAILED", "error": error, "cause": cause, "stopDate": now_iso()}
            details = {"executionFailedEventDetails": {"error": error, "cause": cause}}
            stepfunctions._add_event(execution, "ExecutionFailed", details)
            stepfunctions._emit_execution_status_event(execution)

    stepfunctions._fail_execution = fail_execution


def _time_out_executions() -> None:
    """MiniStack 1.5.33: TimeoutSeconds of a whole state machine is ignored."""
    emulator = stepfunctions._run_execution

    def run_execution(arn: str) -> None:
        execution = stepfunctions._executions.get(arn)
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) if execution else None
        seconds = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
        if not seconds:
            emulator(arn)
            return
        # A thread has no request scope of its own: it takes the account and region along.
        timer = threading.Timer(seconds, contextvars.copy_context().run, (_time_out, execution))
        timer.daemon = True
        timer.start()
        try:
            emulator(arn)
        finally:
            timer.cancel()

    stepfunctions._run_execution = run_execution


def _time_out(execution: Execution) -> None:
    if execution["status"] != "RUNNING":
        return
    execution |= {"status": "TIMED_OUT", "error": "States.Timeout", "cause": None, "stopDate": now_iso()}
    details = {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
    stepfunctions._add_event(execution, "ExecutionTimedOut", details)
    stepfunctions._emit_execution_status_event(execution)


def _enter_no_state_after_the_end() -> None:
    """MiniStack 1.5.33: an execution that was stopped goes on with the retries of its task and with its
    branches, and its history grows after ExecutionAborted. One whose state machine was deleted runs on to its
    end; on AWS it is terminated at the next state transition.
    """
    add_event = stepfunctions._add_event
    run_execution = stepfunctions._run_execution
    run_sub_machine = stepfunctions._run_sub_machine

    def add_event_unless_ended(execution: Execution, kind: str, details: Any = None) -> Any:
        if not kind.startswith("Execution"):
            if kind.endswith("StateEntered"):
                _terminate_without_machine(execution)
            if execution.get("status", "RUNNING") != "RUNNING":
                raise Ended
        return add_event(execution, kind, details)

    def run_until_ended(arn: str) -> None:
        _current.set(stepfunctions._executions.get(arn))
        _until_ended(lambda: run_execution(arn))

    def run_branch_until_ended(*arguments: Any) -> Any:
        return _until_ended(lambda: run_sub_machine(*arguments))

    stepfunctions._add_event = add_event_unless_ended
    stepfunctions._run_execution = run_until_ended
    stepfunctions._run_sub_machine = run_branch_until_ended


def _until_ended(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except Ended:
        return None


def _terminate_without_machine(execution: Execution) -> None:
    machine = execution.get("stateMachineArn")
    if machine and machine not in stepfunctions._state_machines and execution["status"] == "RUNNING":
        execution |= {"status": "ABORTED", "stopDate": now_iso()}


def _wake_from_waits_at_the_end() -> None:
    """MiniStack 1.5.33: a stopped execution sleeps to the end of its Wait, or of the delay before a retry."""

    def sleep(seconds: float) -> None:
        until = time.monotonic() + seconds * stepfunctions._SFN_WAIT_SCALE
        while (left := until - time.monotonic()) > 0:
            _raise_if_ended(_current.get())
            time.sleep(min(left, _LOOK_SECONDS))
        _raise_if_ended(_current.get())

    stepfunctions._scaled_sleep = sleep


def _raise_if_ended(execution: Execution | None) -> None:
    if execution is not None and execution["status"] != "RUNNING":
        raise Ended


def _wait_for_real_children() -> None:
    """MiniStack 1.5.33: the child of startExecution.sync runs like an Express workflow: no status event, its
    name may be used twice, and it goes on when its parent is stopped. When it fails, its own error comes
    through; on AWS it is States.TaskFailed, and the cause is the child's description in JSON.
    """
    stepfunctions._invoke_nested_start_execution_sync = _run_child


def _run_child(resource: str, given: dict[str, Any]) -> dict[str, Any]:
    parent = _current.get()
    status, _, body = stepfunctions._start_execution(stepfunctions._nested_start_execution_request(given))
    answer = json.loads(body)
    if status >= 400:
        error = f"StepFunctions.{answer.get('__type', 'Unknown')}Exception"
        raise stepfunctions._ExecutionError(error, answer.get("message", ""))
    child = stepfunctions._executions[answer["executionArn"]]
    if parent is not None:
        output = json.dumps({"ExecutionArn": child["executionArn"], "StartDate": _moment(child["startDate"])})
        details = {"resourceType": "states", "resource": resource.rsplit(":states:", 1)[-1], "output": output}
        stepfunctions._add_event(parent, "TaskSubmitted", {"taskSubmittedEventDetails": details})
    while not child["stopDate"]:  # the last that the emulator writes when an execution ends
        if parent is not None and parent["status"] in {"ABORTED", "TIMED_OUT", "FAILED"}:
            stepfunctions._stop_execution({"executionArn": child["executionArn"]})
            raise Ended
        time.sleep(_LOOK_SECONDS)
    if child["status"] != "SUCCEEDED":
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(_described(child)))
    result = _described(child)
    if resource.endswith(":2"):
        result["Output"] = json.loads(result["Output"])
    return result


def _described(child: Execution) -> dict[str, Any]:
    """DescribeExecution as a service integration gives it: in Pascal case, times in milliseconds."""
    shown = {
        "ExecutionArn": child["executionArn"],
        "Input": child["input"],
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "StartDate": _moment(child["startDate"]),
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": _moment(child["stopDate"]),
    }
    if child["status"] == "SUCCEEDED":
        return shown | {"Output": child["output"], "OutputDetails": {"Included": True}}
    return shown | {name.title(): child[name] for name in ("error", "cause") if child.get(name)}


def _moment(moment: str) -> int:
    return int(stepfunctions._iso_to_epoch_ms(moment))
