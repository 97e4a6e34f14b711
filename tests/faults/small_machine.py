"""A state machine of a few states, run alone: its tasks give the answers that a test has written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from faults.workflow.clock import Clock
from faults.workflow.definition import INVOKE, Definition, State, read
from faults.workflow.execution import Cancel, Execution, Surroundings, Work

ARN = "arn:aws:states:us-east-1:123456789012:execution:crossfade-deploy:one"


def task(target: str = "End", **fields: Any) -> State:
    """A Task that invokes a function."""
    arguments = {"FunctionName": "f", "Payload": {}}
    return {
        "Type": "Task", "Resource": INVOKE, "Arguments": arguments, "TimeoutSeconds": 60, "Next": target,
        **fields,
    }  # fmt: skip


def machine(states: dict[str, State], **fields: Any) -> Definition:
    """A definition that begins with the first of the states and may end in ``End``."""
    return {
        "QueryLanguage": "JSONata",
        "StartAt": next(iter(states)),
        "States": {**states, "End": {"Type": "Succeed"}},
        **fields,
    }


@dataclass
class Run:
    """An execution, what was sent to its tasks and when, and the moments at which it entered its states."""

    clock: Clock = field(default_factory=Clock)
    sent: list[tuple[float, Any]] = field(default_factory=list)
    cancelled: int = 0

    def start(self, definition: Definition, answers: Iterable[tuple[float, Any]], given: Any) -> Execution:
        """Start it; ``answers`` are the tasks', each with the seconds that it takes."""
        script = iter(answers)

        def work(_: Execution, resource: str, arguments: dict[str, Any], seconds: float) -> Work:
            self.sent.append((self.clock.now, arguments))

            def begin(answered: Callable[[Any], None]) -> Cancel:
                after, answer = next(script)
                due = self.clock.after(after, answered, answer)

                def cancel() -> None:
                    self.cancelled += due.call is not None
                    due.cancel()

                return cancel

            return Work(begin, seconds)

        around = Surroundings(self.clock, Random(1), work, lambda *_: None, lambda _: None)
        return Execution(ARN, read(definition), given, around)


def execute(
    states: dict[str, State], answers: Iterable[tuple[float, Any]] = (), given: Any = None, **fields: Any
) -> tuple[Execution, Run]:
    """Run a machine of these states to its end."""
    run = Run()
    execution = run.start(machine(states, **fields), answers, given)
    run.clock.run()
    return execution, run
