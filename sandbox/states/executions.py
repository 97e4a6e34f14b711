"""How executions begin, end and wait for each other, where MiniStack differs from AWS."""

from __future__ import annotations

import contextlib
import contextvars
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, now_iso
from ministack.services import stepfunctions

from sandbox.patching import replaces

Execution = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

_LOOK_SECONDS = 0.05
_NAME = re.compile(r"""[^\x00-\x20\x7f-\x9f<>{}\[\]?*"#%\\^|~`$&,;:/]{1,80}""")

# The execution that runs in this thread; threads that it starts take it along.
_current: contextvars.ContextVar[Execution | None] = contextvars.ContextVar("execution", default=None)


class Ended(BaseException):
    """The execution has ended meanwhile. Not an Exception, so that no Retry and no Catch takes it."""


@replaces(stepfunctions, "_start_execution", version="1.5.33")
def answer_a_repeated_start(emulator: Callable[..., Response], data: dict[str, Any]) -> Response:
    """MiniStack: starting a *running* execution again is ExecutionAlreadyExists; on AWS the same name with
    the same input gets the first answer again. Any name is taken; on AWS it has up to 80 characters.
    """
    name = data.get("name")
    if name and not _NAME.fullmatch(name):
        return error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
    machine = str(data.get("stateMachineArn", "")).rsplit(":", 1)[-1]
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{machine}:{name}"
    known = stepfunctions._executions.get(arn)
    if known and known["status"] == "RUNNING" and known["input"] == data.get("input", "{}"):
        return json_response({"executionArn": arn, "startDate": known["startDate"]})
    return emulator(data)


@replaces(stepfunctions, "_fail_execution", version="1.5.33")
def fail_a_running_execution(
    emulator: Callable[..., None], execution: Execution, error: str, cause: str
) -> None:
    """MiniStack: an aborted execution becomes FAILED when the task that it was in fails later. A failed one
    is seen before its error is, and has an output; on AWS only a successful one has.
    """
    if execution["status"] == "RUNNING":
        # In one step: an execution that reads FAILED has its error.
        execution |= {"status": "FAILED", "error": error, "cause": cause, "stopDate": now_iso()}
        details = {"executionFailedEventDetails": {"error": error, "cause": cause}}
        stepfunctions._add_event(execution, "ExecutionFailed", details)
        stepfunctions._emit_execution_status_event(execution)


@replaces(stepfunctions, "_run_execution", version="1.5.33")
def time_out_executions(emulator: Callable[[str], None], arn: str) -> None:
    """MiniStack: TimeoutSeconds of a whole state machine is ignored."""
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


def _time_out(execution: Execution) -> None:
    if execution["status"] != "RUNNING":
        return
    execution |= {"status": "TIMED_OUT", "error": "States.Timeout", "cause": None, "stopDate": now_iso()}
    details = {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
    stepfunctions._add_event(execution, "ExecutionTimedOut", details)
    stepfunctions._emit_execution_status_event(execution)


# --- no state is entered after the end ----------------------------------------------------------------------


@replaces(stepfunctions, "_add_event", version="1.5.33")
def add_event_unless_ended(
    emulator: Callable[..., Any], execution: Execution, kind: str, details: Any = None
) -> Any:
    """MiniStack: an execution that was stopped goes on with the retries of its task and with its branches,
    and its history grows after ExecutionAborted. One whose state machine was deleted runs on to its end; on
    AWS it is terminated at the next state transition.
    """
    if not kind.startswith("Execution"):
        if kind.endswith("StateEntered"):
            _terminate_without_machine(execution)
        if execution.get("status", "RUNNING") != "RUNNING":
            raise Ended
    return emulator(execution, kind, details)


def _terminate_without_machine(execution: Execution) -> None:
    machine = execution.get("stateMachineArn")
    if machine and machine not in stepfunctions._state_machines and execution["status"] == "RUNNING":
        execution |= {"status": "ABORTED", "stopDate": now_iso()}


@replaces(stepfunctions, "_run_execution", version="1.5.33")
def run_until_ended(emulator: Callable[[str], None], arn: str) -> None:
    """An execution's thread comes to its end where `Ended` is raised."""
    _current.set(stepfunctions._executions.get(arn))
    with contextlib.suppress(Ended):
        emulator(arn)


@replaces(stepfunctions, "_run_sub_machine", version="1.5.33")
def run_branch_until_ended(emulator: Callable[..., Any], *arguments: Any) -> Any:
    """So does a branch's."""
    try:
        return emulator(*arguments)
    except Ended:
        return None


@replaces(stepfunctions, "_scaled_sleep", version="1.5.33")
def sleep_until_ended(emulator: Callable[[float], None], seconds: float) -> None:
    """MiniStack: a stopped execution sleeps to the end of its Wait, or of the delay before a retry."""
    until = time.monotonic() + seconds * stepfunctions._SFN_WAIT_SCALE
    while (left := until - time.monotonic()) > 0:
        _raise_if_ended(_current.get())
        time.sleep(min(left, _LOOK_SECONDS))
    _raise_if_ended(_current.get())


def _raise_if_ended(execution: Execution | None) -> None:
    if execution is not None and execution["status"] != "RUNNING":
        raise Ended


# --- children -----------------------------------------------------------------------------------------------


@replaces(stepfunctions, "_invoke_nested_start_execution_sync", version="1.5.33")
def run_child(
    emulator: Callable[..., dict[str, Any]], resource: str, given: dict[str, Any]
) -> dict[str, Any]:
    """MiniStack: the child of startExecution.sync runs like an Express workflow: no status event, its name
    may be used twice, and it goes on when its parent is stopped. When it fails, its own error comes
    through; on AWS it is States.TaskFailed, and the cause is the child's description in JSON.
    """
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
