"""DescribeExecution and ListExecutions as AWS answers them: eventually.

MiniStack shows each execution as it is. On AWS one that has just begun may be unknown, and one that
has just ended may be said to run.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions

from sandbox.delays import Delay, Past, Stale, delays
from sandbox.patching import replaces

Response = tuple[int, dict[str, str], bytes]
Execution = dict[str, Any]
Action = Callable[[dict[str, Any]], Response]

seen = Past(Delay.EXECUTION_READ, delays)
_noted: set[tuple[str, str]] = set()
_lock = threading.Lock()
_ENDED = ("stopDate", "output", "outputDetails", "error", "cause")


@replaces(stepfunctions, "_describe_execution", version="1.5.33")
def describe_what_is_seen(emulator: Action, data: dict[str, Any]) -> Response:
    """DescribeExecution, to a role: what has just begun is unknown, what has just ended runs."""
    arn = str(data.get("executionArn"))
    stale = _as_read(arn)
    if stale is None:
        return emulator(data)
    if stale.value is None:
        return error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400)
    return json_response(_running(json.loads(emulator(data)[2])))


@replaces(stepfunctions, "_list_executions", version="1.5.33")
def list_what_is_seen(emulator: Action, data: dict[str, Any]) -> Response:
    """ListExecutions, to a role: the same."""
    wanted = data.get("statusFilter")
    status, headers, body = emulator({k: v for k, v in data.items() if k != "statusFilter"})
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    shown = []
    for execution in answer["executions"]:
        stale = _as_read(execution["executionArn"])
        if stale is None:
            shown.append(execution)
        elif stale.value is not None:
            shown.append(_running(execution))
    answer["executions"] = [each for each in shown if wanted in (None, each["status"])]
    return json_response(answer)


def _as_read(arn: str) -> Stale | None:
    """How an execution is shown instead of as it is: not at all, or as RUNNING."""
    execution = stepfunctions._executions.get(arn)
    if execution:
        _note(arn, "begun", execution["startDate"], None, execution)
        if execution["status"] != "RUNNING" and execution.get("stopDate"):
            _note(arn, "ended", execution["stopDate"], "RUNNING", execution)
    return seen.read(arn)


def _note(arn: str, what: str, moment: str, before: object, execution: Execution) -> None:
    with _lock:
        if (arn, what) in _noted:
            return
        _noted.add((arn, what))
    ago = time.time() - stepfunctions._iso_to_epoch_ms(moment) / 1000
    machine = str(execution["stateMachineArn"]).rsplit(":", 1)[-1]
    seen.wrote(arn, before, f"{machine} {what}", max(ago, 0.0))


def _running(described: Execution) -> Execution:
    return {name: value for name, value in described.items() if name not in _ENDED} | {"status": "RUNNING"}
