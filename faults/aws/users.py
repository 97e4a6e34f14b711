"""Users of the service: what they met, and what the application's tasks log of it, worked out when asked."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from faults.aws.delivery import LATE_SECONDS, readable
from faults.aws.route import Answer, answer
from faults.workflow.clock import EPOCH
from probe.record import utc

if TYPE_CHECKING:
    from faults.aws.tasks import Task
    from faults.world import World

RATE = 8
"""Requests per second."""
SPAN_SECONDS, SPANS_END = 5.0, 2.0
"""A line of the outcome feed is of so long; spans end so long after a multiple of that."""
BUCKET = 13
"""Where 3 ms are counted: more than 1.2 ** 6 and at most 1.2 ** 6.5."""


class LogLine(NamedTuple):
    """A line that a task wrote; ``number`` tells those of one moment apart."""

    group: str
    stream: str
    moment: float
    number: int
    message: str


class Users:
    """Requests at a steady rate."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def now(self) -> float:
        """The time."""
        return self._world.clock.now

    def met(self, begin: float, end: float) -> Iterator[tuple[float, Answer]]:
        """The answers of a span of time; who met no target is left out."""
        for n in range(ceil(begin * RATE), ceil(end * RATE)):
            found = answer(self._world, {}, n / RATE, n, user=True)
            if found:
                yield n / RATE, found

    def log(self, since: float) -> Iterator[LogLine]:
        """What tasks have logged since a moment, as far as it can be read by now.

        For each span a line of the outcome feed (see ``docs/outcome-feed.md``), and one of another kind.
        """
        tasks = {
            task.address: task for service in self._world.ecs.services.values() for task in service.tasks
        }
        end = max(ceil((since - SPANS_END) / SPAN_SECONDS), 1) * SPAN_SECONDS + SPANS_END
        now = self._world.clock.now
        while end + LATE_SECONDS[0] <= now:
            for address, statuses in self._span(end - SPAN_SECONDS, end).items():
                group, stream = self._log_of(tasks[address])
                if readable(stream, end) > now:
                    continue  # while a later line of another task may be there
                yield LogLine(group, stream, end, 1, f"answered {len(statuses)} requests")
                yield LogLine(group, stream, end, 2, _outcomes(end, statuses))
            end += SPAN_SECONDS

    def _span(self, begin: float, end: float) -> dict[str, list[int]]:
        """The statuses of each task's answers; one that nobody asked has none."""
        found: dict[str, list[int]] = defaultdict(list)
        for targets in self._world.balancer.healthy.values():
            found |= {target.address: [] for target in targets.at(end)}
        for _, met in self.met(begin, end):
            if not met.own:
                found[met.address].append(met.status)
        return found

    def _log_of(self, task: Task) -> tuple[str, str]:
        definition = self._world.ecs.describe_task_definition(taskDefinition=task.definition)
        container = definition["taskDefinition"]["containerDefinitions"][0]
        options = container["logConfiguration"]["options"]
        task_id = task.arn.rpartition("/")[2]
        return options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{container['name']}/{task_id}"


def _outcomes(end: float, statuses: list[int]) -> str:
    return json.dumps(
        {
            "crossfade": "outcomes/1",
            "began": utc(EPOCH + end - SPAN_SECONDS),
            "ended": utc(EPOCH + end),
            "process": 1,
            "requests": len(statuses),
            "failures": sum(status >= 500 for status in statuses),
            "latencies": [[BUCKET, len(statuses)]] if statuses else [],
        }
    )
