"""The API of Step Functions, as handlers call it."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from faults.aws.answer import AwsError
from faults.aws.machines import described, machine_of
from faults.aws.stack import definition
from faults.workflow.clock import START
from faults.workflow.execution import Execution

if TYPE_CHECKING:
    from faults.world import World


class States:
    """Operations of ``stepfunctions`` over the simulated state machines."""

    def __init__(self, world: World, before: float = float("inf")) -> None:
        self._world, self._before = world, before

    def changes(self, arn: str) -> list[float]:
        """When an execution began, and when it ended."""
        execution = self._world.machines.find(arn)
        if execution is None:
            return []
        return [execution.began] if execution.running else [execution.began, execution.stopped]

    def before(self, moment: float) -> States:
        """What was told of executions just before a moment."""
        return States(self._world, moment)

    def start_execution(self, *, stateMachineArn: str, input: str, name: str | None = None) -> dict[str, Any]:
        """A name is taken for good; with the same input, while that execution runs, it is the same one."""
        arn = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"
        execution = self._world.machines.find(arn)
        if execution is None:
            execution = self._world.machines.start(machine_of(stateMachineArn), json.loads(input), name)
        elif not execution.running or execution.input != json.loads(input):
            raise AwsError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        return {"executionArn": execution.arn, "startDate": _moment(execution.began)}

    def stop_execution(
        self, *, executionArn: str, error: str | None = None, cause: str | None = None
    ) -> dict[str, Any]:
        """Stopping what has ended is no error."""
        execution = self._find(executionArn)
        execution.stop(error, cause)
        return {"stopDate": _moment(execution.stopped)}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        """Status, and what is there of output, error and cause."""
        found = described(self._seen(executionArn), before=self._told(executionArn))
        dates = {key: _moment(found[key] / 1000) for key in ("startDate", "stopDate") if key in found}
        return found | dates

    def get_execution_history(
        self,
        *,
        executionArn: str,
        includeExecutionData: bool,
        reverseOrder: bool = False,
        maxResults: int = 100,
    ) -> dict[str, Any]:
        """The states that were entered, and the end; nothing else. It is not said that this lags.

        ``maxResults`` is heeded where the order is reversed: who asks in the order of time reads all pages.
        """
        execution = self._find(executionArn)
        kinds = definition(execution.machine)["States"]
        events = [
            {
                "id": n,
                "timestamp": _moment(at),
                "type": f"{kinds[name]['Type']}StateEntered",
                "stateEnteredEventDetails": {"name": name},
            }
            for n, (at, name) in enumerate(execution.path, start=1)
        ]
        if not execution.running:
            end = {"timestamp": _moment(execution.stopped), "type": _ENDS[execution.status]}
            events.append({"id": len(events) + 1, **end})
        return {"events": events[: -maxResults - 1 : -1] if reverseOrder else events}

    def _told(self, arn: str) -> float:
        """What is told of an execution is of just before this moment; it lags always."""
        lag = Random(arn).uniform(*self._world.listing_seconds)
        return min(self._before, self._world.clock.now - lag)

    def _find(self, arn: str) -> Execution:
        execution = self._world.machines.find(arn)
        if execution is None:
            raise AwsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution

    def _seen(self, arn: str) -> Execution:
        execution = self._find(arn)
        if execution.began >= self._told(arn):
            raise AwsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution


_ENDS = {
    "SUCCEEDED": "ExecutionSucceeded",
    "FAILED": "ExecutionFailed",
    "ABORTED": "ExecutionAborted",
    "TIMED_OUT": "ExecutionTimedOut",
}


def _moment(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)
