"""DescribeExecution and ListExecutions as AWS answers them: eventually.

MiniStack 1.5.33 shows each execution as it is. On AWS one that has just begun may be unknown, and one that
has just ended may be said to run.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions

from sandbox.delays import Delay, Past, Stale, delays

Response = tuple[int, dict[str, str], bytes]
Execution = dict[str, Any]

seen = Past(Delay.EXECUTION_READ, delays)
_noted: set[tuple[str, str]] = set()
_lock = threading.Lock()
_ENDED = ("stopDate", "output", "outputDetails", "error", "cause")


def install() -> None:
    """Put the patches in place; both are looked up by name."""
    describe, list_executions = stepfunctions._describe_execution, stepfunctions._list_executions

    def describe_what_is_seen(data: dict[str, Any]) -> Response:
        arn = str(data.get("executionArn"))
        stale = _as_read(arn)
        if stale is None:
            return describe(data)
        if stale.value is None:
            return error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400)
        return json_response(_running(json.loads(describe(data)[2])))

    def list_what_is_seen(data: dict[str, Any]) -> Response:
        wanted = data.get("statusFilter")
        status, headers, body = list_executions({k: v for k, v in data.items() if k != "statusFilter"})
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

    stepfunctions._describe_execution = describe_what_is_seen
    stepfunctions._list_executions = list_what_is_seen


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
