"""What MiniStack 1.5.33's Step Functions lack and Crossfade's definitions use."""

from __future__ import annotations

import contextvars
import json
import threading
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import stepfunctions

Execution = dict[str, Any]


def install() -> None:
    """Put the patches in place; each is looked up by name when an execution runs."""
    _let_succeed_have_an_output()
    _end_executions_once()
    _time_out_executions()


def _let_succeed_have_an_output() -> None:
    """MiniStack 1.5.33: the Output of a JSONata Succeed state is ignored."""
    emulator = stepfunctions._apply_output_path

    def apply_output_path(state: dict[str, Any], data: object, ctx: dict[str, Any] | None = None) -> object:
        if state.get("Type") == "Succeed" and "Output" in state:
            return stepfunctions._apply_jsonata_output(state, data, ctx, default=data)
        return emulator(state, data, ctx)

    stepfunctions._apply_output_path = apply_output_path


def _end_executions_once() -> None:
    """MiniStack 1.5.33: an aborted execution becomes FAILED when the task that it was in fails later."""
    emulator = stepfunctions._fail_execution

    def fail_execution(execution: Execution, error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            emulator(execution, error, cause)

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
