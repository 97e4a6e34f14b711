"""The alarms of Crossfade's own stack, by their real definitions, and the schedule that two of them watch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from faults.aws.functions import Invocation
from faults.aws.stack import deployed_functions, machine_arn, resolve
from faults.files import functions, resources
from faults.workflow.failure import Failure
from faults.workflow.query import Refused

if TYPE_CHECKING:
    from faults.world import World

MINUTE = 60.0
REPEATED = (60.0, 120.0)
"""Lambda repeats an asynchronous invocation that failed after one minute, and after two more:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
ENDS = {"FAILED": "ExecutionsFailed", "TIMED_OUT": "ExecutionsTimedOut", "ABORTED": "ExecutionsAborted"}
UNITS = {"minute": 60.0, "hour": 3600.0}


class Point(NamedTuple):
    """A point of a metric: when, and how much."""

    at: float
    value: float


class Schedule:
    """A rule of EventBridge with a rate, and its function; ``runs`` has when it ran, and how it failed."""

    def __init__(self, world: World, rule: str) -> None:
        given = resources("AWS::Events::Rule")[rule]
        found = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", given["ScheduleExpression"])
        if found is None:
            raise Refused(f"{rule}: {given['ScheduleExpression']}")
        (target,) = given["Targets"]
        self.logical: str = target["Arn"]["Fn::GetAtt"][0]
        self.seconds = int(found[1]) * UNITS[found[2]]
        self.runs: list[tuple[float, Failure | None]] = []
        self._world = world
        module = functions()[self.logical]["Handler"].split(".")[2]
        self._function = next(one for one in deployed_functions().values() if one.name == module)
        # The simulation knows invocations by the execution that has asked for them, and nobody has here.
        self._nobody: Any = SimpleNamespace(machine="schedule", name=rule, path=[(0.0, rule)])

    def start(self) -> None:
        """Invoke the function at the rule's rate, from now on."""
        self._invoke(0)
        self._world.clock.after(self.seconds, self.start, background=True)

    def _invoke(self, repetition: int) -> None:
        def answered(answer: Any) -> None:
            failure = answer if isinstance(answer, Failure) else None
            self.runs.append((self._world.clock.now, failure))
            if failure and repetition < len(REPEATED):
                self._world.clock.after(REPEATED[repetition], self._invoke, repetition + 1, background=True)

        world = self._world
        Invocation(
            world.clock, self._function, {}, execution=self._nobody, faults=world.faults, answered=answered
        )


def alarmed(name: str, world: World, schedule: Schedule) -> list[float]:
    """At which minutes the stack's alarm of a logical name is in ALARM, up to now.

    An alarm looks every minute at a window that ends there. Points are seen at once. What CloudWatch does
    with points before the window, where some within it are missing, is not simulated.
    """
    alarm = resolve({key: given for key, given in resources("AWS::CloudWatch::Alarm")[name].items()})
    if (alarm["Statistic"], alarm["EvaluationPeriods"]) != ("Sum", 1):
        raise Refused(f"alarm {name}: {alarm}")
    points = list(_points(alarm, world, schedule))
    moments = [n * MINUTE for n in range(1, int(world.clock.now // MINUTE) + 1)]
    return [moment for moment in moments if _is_breached(alarm, points, moment)]


def _is_breached(alarm: dict[str, Any], points: list[Point], moment: float) -> bool:
    found = [point.value for point in points if moment - alarm["Period"] < point.at <= moment]
    if not found:
        return bool(alarm["TreatMissingData"] == "breaching")
    total, threshold = sum(found), alarm["Threshold"]
    return {
        "GreaterThanThreshold": total > threshold,
        "GreaterThanOrEqualToThreshold": total >= threshold,
        "LessThanThreshold": total < threshold,
    }[alarm["ComparisonOperator"]]


def _points(alarm: dict[str, Any], world: World, schedule: Schedule) -> Iterator[Point]:
    """What AWS counts for an alarm's metric: executions at their end, invocations, and those that failed."""
    (dimension,) = alarm["Dimensions"]
    namespace, metric, of = alarm["Namespace"], alarm["MetricName"], dimension["Value"]
    if namespace == "AWS/States" and of == machine_arn("rollback"):
        for execution in world.executions("rollback"):
            if not execution.running and ENDS.get(execution.status) == metric:
                yield Point(execution.stopped, 1)
    elif namespace == "AWS/Lambda" and of == resolve({"Ref": schedule.logical}):
        for at, failure in schedule.runs:
            yield Point(at, {"Invocations": 1.0, "Errors": float(failure is not None)}[metric])
    else:
        raise Refused(f"{namespace} {metric} of {of}")
