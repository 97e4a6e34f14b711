"""One execution of a state machine: state after state, as Step Functions runs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from random import Random
from typing import Any, Literal, NamedTuple

from crossfade.domain.model import iso
from faults.workflow.clock import START, Clock, Due
from faults.workflow.definition import Definition, State
from faults.workflow.failure import Failure, Retries
from faults.workflow.query import QueryEvaluationError, evaluate

TRANSITION_SECONDS = 0.02
MOST_CHARACTERS = 262_144
"""What a state may be given or give: 256 KiB."""

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
Cancel = Callable[[], None]


class Work(NamedTuple):
    """A task: ``begin`` starts it with what to call at its end, and gives what cancels it."""

    begin: Callable[[Callable[[Any], None]], Cancel]
    seconds: float


class Surroundings(NamedTuple):
    """What an execution needs of the service that runs it.

    ``task`` makes work of a resource, its arguments and its time limit; ``entered`` is told of each state,
    ``ended`` of the end.
    """

    clock: Clock
    random: Random
    task: Callable[[Execution, str, dict[str, Any], float], Work]
    entered: Callable[[Execution, str], None]
    ended: Callable[[Execution], None]


Steps = Generator[float | Work, Any, None]


class Execution:
    """An execution and its history. ``path`` holds the states that it entered, each with its moment."""

    def __init__(self, arn: str, definition: Definition, given: Any, around: Surroundings) -> None:
        self.arn, self.input = arn, given
        machine, self.name = arn.split(":")[-2:]
        self.machine = machine.rpartition("-")[2]
        self.status: Status = "RUNNING"
        self.output: Any = None
        self.error: str | None = None
        self.cause: str | None = None
        self.began, self.stopped = around.clock.now, 0.0
        self.path: list[tuple[float, str]] = []
        self.variables: dict[str, Any] = {}
        self.waiting: Callable[[Any], None] | None = None
        """What a parent that waits for it is told by."""
        self._definition = definition
        self._around: Surroundings | None = around
        self._pending: list[Cancel] = []
        self._limit: Due | None = None
        if "TimeoutSeconds" in definition:
            self._limit = around.clock.after(definition["TimeoutSeconds"], self.expire, background=True)
        self._steps: Steps | None = self._run()
        around.clock.after(0, self._go, None)

    def stop(self, error: str | None = None, cause: str | None = None) -> None:
        """StopExecution: no Catch sees it; harmless when the execution has ended."""
        self._end("ABORTED", error=error, cause=cause)

    def expire(self) -> None:
        """The time limit of the machine: no Catch sees it."""
        self._end("TIMED_OUT", error="States.Timeout")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status == "RUNNING"

    # ---- how it goes on -----------------------------------------------------------------------------------

    def _go(self, value: Any) -> None:
        if not self.running or self._steps is None or self._around is None:
            return
        self._pending.clear()
        try:
            wanted = self._steps.send(value)
        except StopIteration:
            return
        clock = self._around.clock
        if isinstance(wanted, Work):
            limit = clock.after(wanted.seconds, self._give_up, background=True)
            self._pending.append(limit.cancel)
            self._pending.append(wanted.begin(self._once(limit)))
        else:
            self._pending.append(clock.after(wanted, self._go, None).cancel)

    def _once(self, limit: Due) -> Callable[[Any], None]:
        """Go on with a task's answer, unless its time was up before."""

        def answer(value: Any) -> None:
            if limit.call is not None:
                limit.cancel()
                self._go(value)

        return answer

    def _give_up(self) -> None:
        for cancel in self._pending:
            cancel()
        self._go(Failure("States.Timeout"))

    def _end(self, status: Status, **how: Any) -> None:
        if not self.running or self._around is None:
            return
        self.status = status
        self.output, self.error, self.cause = how.get("output"), how.get("error"), how.get("cause")
        for cancel in self._pending:
            cancel()
        if self._limit:
            self._limit.cancel()
        around, self._around, self._steps, self._limit = self._around, None, None, None
        self._pending = []
        self.stopped = around.clock.now
        around.ended(self)

    # ---- the states ---------------------------------------------------------------------------------------

    def _run(self) -> Steps:
        name: str | None = self._definition["StartAt"]
        given = self.input
        while name and self._around:
            state = self._definition["States"][name]
            self.path.append((self._around.clock.now, name))
            self._around.entered(self, name)
            yield TRANSITION_SECONDS
            try:
                name, given = yield from self._state(state, given)
            except Failure as failure:
                self._end("FAILED", error=failure.error, cause=failure.cause)
                return

    def _state(self, state: State, given: Any) -> Generator[float | Work, Any, tuple[str | None, Any]]:
        """Pass through a state; the name of the next one and its input are returned."""
        kind, states = state["Type"], self._states(given)
        if kind == "Task":
            return (yield from self._task(state, given))
        if kind == "Choice":
            rule = next((rule for rule in state["Choices"] if self._holds(rule, states)), None)
            way = rule or state
            return self._leave(way, states, given, way["Next"] if rule else state["Default"])
        if kind == "Wait":
            yield float(self._value(state["Seconds"], states))
        elif kind == "Succeed":
            self._end(
                "SUCCEEDED", output=self._value(state["Output"], states) if "Output" in state else given
            )
            return None, None
        elif kind == "Fail":
            raise Failure(self._value(state["Error"], states), self._value(state["Cause"], states))
        return self._leave(state, states, given, state["Next"])

    def _task(self, state: State, given: Any) -> Generator[float | Work, Any, tuple[str | None, Any]]:
        assert self._around
        retries, states = Retries(state.get("Retry", []), self._around.random), self._states(given)
        while True:
            try:
                arguments = self._value(state["Arguments"], states)
                _limit(arguments)
                answer = yield self._around.task(self, state["Resource"], arguments, state["TimeoutSeconds"])
                if isinstance(answer, Failure):
                    raise answer
                _limit(answer)
                return self._leave(state, states | {"result": answer}, answer, state["Next"])
            except Failure as failure:
                delay = retries.delay(failure)
                if delay is None:
                    return self._catch(state, states, failure)
            yield delay

    def _catch(self, state: State, states: dict[str, Any], failure: Failure) -> tuple[str, Any]:
        for catcher in state.get("Catch", []):
            if failure.meets(catcher["ErrorEquals"]):
                caught = states | {"errorOutput": failure.output}
                return self._leave(catcher, caught, failure.output, catcher["Next"])
        raise failure

    def _leave(self, way: State, states: Mapping[str, Any], output: Any, target: str) -> tuple[str, Any]:
        """Assign and give on; both see the variables from before the state."""
        assigned = self._value(way.get("Assign", {}), states)
        output = self._value(way["Output"], states) if "Output" in way else output
        self.variables = self.variables | assigned
        return target, output

    def _holds(self, rule: dict[str, Any], states: Mapping[str, Any]) -> bool:
        found = self._value(rule["Condition"], states)
        if not isinstance(found, bool):
            raise Failure("States.QueryEvaluationError", f"{rule['Condition']} gives {found!r}")
        return found

    def _value(self, value: Any, states: Mapping[str, Any]) -> Any:
        assert self._around
        millis = int((START.timestamp() + self._around.clock.now) * 1000)
        try:
            return evaluate(value, self.variables, states, millis)
        except QueryEvaluationError as error:
            raise Failure("States.QueryEvaluationError", str(error)) from error

    def _states(self, given: Any) -> dict[str, Any]:
        began = iso(START + timedelta(seconds=self.began))
        execution = {"Id": self.arn, "Name": self.name, "Input": self.input, "StartTime": began}
        return {"input": given, "context": {"Execution": execution}}


def _limit(value: Any) -> None:
    if len(json.dumps(value)) > MOST_CHARACTERS:
        raise Failure("States.DataLimitExceeded")
