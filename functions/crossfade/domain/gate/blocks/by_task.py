"""The candidate's requests of users by task: whether one task fails or all of them do.

For the words alone; no verdict depends on it. Only the outcome feed tells tasks apart.
"""

from collections.abc import Iterable
from typing import NamedTuple

MOST_TASKS = 24
"""The most that are counted; of further ones it is only known that they are there."""
ID_CHARACTERS = 12
SHOWN_CHARACTERS = 8
"""Enough to find the task by, in the console and in the log."""
MOSTLY = 0.9
"""With this share of the failures a task is named, though others have failed a little too."""


class OfTask(NamedTuple):
    """The requests and failures of one task."""

    task: str
    requests: int
    failures: int


def task_of(stream: str) -> str:
    """The task of a log stream: what stands behind its last ``/``, as ECS's log drivers write it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
    """
    return stream.rpartition("/")[2][:ID_CHARACTERS]


class Tasks(NamedTuple):
    """What the tasks have answered since the comparison's counts began; ``many``: there are further ones."""

    counts: tuple[OfTask, ...] = ()
    many: bool = False

    def after(self, more: Iterable[OfTask]) -> "Tasks":
        """With what came since then."""
        counts, many = {of_task.task: of_task for of_task in self.counts}, self.many
        for task, requests, failures in more:
            known = counts.get(task, OfTask(task, 0, 0))
            if task in counts or len(counts) < MOST_TASKS:
                counts[task] = OfTask(task, known.requests + requests, known.failures + failures)
            else:
                many = True
        return Tasks(tuple(counts.values()), many)

    @property
    def failing(self) -> str:
        """Whether one task fails or all of them do; empty where there is one task, or less than two failures.

        E.g. ``all 12 failures in task 3f2a66b0… of 2``.
        """
        total = sum(of_task.failures for of_task in self.counts)
        if len(self.counts) < 2 or total < 2:
            return ""
        among = f"more than {len(self.counts)}" if self.many else f"{len(self.counts)}"
        worst = max(self.counts, key=lambda of_task: of_task.failures)
        if worst.failures >= MOSTLY * total:
            share = f"all {total:,}" if worst.failures == total else f"{worst.failures:,} of {total:,}"
            return f"{share} failures in task {worst.task[:SHOWN_CHARACTERS]}… of {among}"
        failing = sum(of_task.failures > 0 for of_task in self.counts)
        if failing == len(self.counts) and not self.many:
            return f"{total:,} failures in all {among} tasks"
        return f"{total:,} failures in {failing} of {among} tasks"
