"""Step Functions: the two state machines, their executions, and how they wait for each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from faults.aws.functions import Invocation
from faults.aws.stack import definition, deployed_functions, machine_arn
from faults.workflow.clock import NeverSettles
from faults.workflow.definition import INVOKE
from faults.workflow.execution import Cancel, Execution, Surroundings, Work
from faults.workflow.failure import Failure

if TYPE_CHECKING:
    from faults.world import World

MOST_EXECUTIONS = 40
NOTICE_SECONDS = 0.1
"""How long a parent takes to see that its child has ended."""


class Machines:
    """The state machines of the stack."""

    def __init__(self, world: World) -> None:
        self.executions: list[Execution] = []
        self._world = world

    def start(self, machine: str, given: Any, name: str | None = None) -> Execution:
        """Start an execution of a machine, e.g. of ``deploy``."""
        if len(self.executions) >= MOST_EXECUTIONS:
            raise NeverSettles(f"{MOST_EXECUTIONS} executions")
        arn = machine_arn(machine).replace(":stateMachine:", ":execution:")
        world = self._world
        execution = Execution(
            f"{arn}:{name or f'{machine}-{len(self.executions) + 1}'}",
            definition(machine),
            json.loads(json.dumps(given)),
            Surroundings(world.clock, world.random, self._task, world.faults.entered, self._ended),
        )
        self.executions.append(execution)
        return execution

    def find(self, arn: str) -> Execution | None:
        """An execution by its ARN."""
        return next((execution for execution in self.executions if execution.arn == arn), None)

    def _task(self, execution: Execution, resource: str, arguments: dict[str, Any], seconds: float) -> Work:
        if resource == INVOKE:
            return Work(lambda answered: self._invoke(execution, arguments, answered), seconds)
        return Work(lambda answered: self._start_and_wait(arguments, answered), seconds)

    def _invoke(
        self, execution: Execution, arguments: dict[str, Any], answered: Callable[[Any], None]
    ) -> Cancel:
        world = self._world
        function = deployed_functions()[arguments["FunctionName"]]
        payload = arguments["Payload"]
        Invocation(
            world.clock, function, payload, execution=execution, faults=world.faults, answered=answered
        )
        return _nothing  # Lambda does not stop when nobody waits any more

    def _start_and_wait(self, arguments: dict[str, Any], answered: Callable[[Any], None]) -> Cancel:
        machine = machine_of(arguments["StateMachineArn"])
        child = self.start(machine, arguments["Input"], arguments.get("Name"))
        child.waiting = answered
        return child.stop

    def _ended(self, execution: Execution) -> None:
        world, answered = self._world, execution.waiting
        world.bus.put("aws.states", "Step Functions Execution Status Change", described(execution))
        execution.waiting = None
        if answered:
            world.clock.after(NOTICE_SECONDS, answered, _outcome(execution))


def machine_of(arn: str) -> str:
    """The machine of an ARN, e.g. ``deploy``."""
    return arn.rpartition("-")[2]


def described(execution: Execution, before: float = float("inf")) -> dict[str, Any]:
    """An execution as a status event and DescribeExecution tell of it; moments in milliseconds.

    ``before``: as it was told of just before that moment.
    """
    arn, _, name = execution.arn.rpartition(":")
    found = {
        "executionArn": execution.arn,
        "stateMachineArn": arn.replace(":execution:", ":stateMachine:"),
        "name": name,
        "status": execution.status if execution.stopped < before else "RUNNING",
        "input": json.dumps(execution.input),
        "startDate": round(execution.began * 1000),
    }
    if found["status"] == "RUNNING":
        return found
    if not execution.running:
        found["stopDate"] = round(execution.stopped * 1000)
    if execution.status == "SUCCEEDED":
        found["output"] = json.dumps(execution.output)
    if execution.error is not None:
        found["error"] = execution.error
    if execution.cause is not None:
        found["cause"] = execution.cause
    return found


def _outcome(execution: Execution) -> dict[str, Any] | Failure:
    """What a parent that waits gets: what DescribeExecution tells, keys in capitals, the output parsed."""
    told = {key[0].upper() + key[1:]: value for key, value in described(execution).items()}
    if execution.status == "SUCCEEDED":
        return told | {"Output": execution.output}
    return Failure("States.TaskFailed", json.dumps(told))


def _nothing() -> None:
    pass
