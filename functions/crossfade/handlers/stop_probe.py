"""StopProbe: the probe writes its closing record and ends."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.domain.errors import NotYetVisible
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.domain.tasks.launch import ECS_LAG
from crossfade.step import step, utc_now


class Event(Model):
    """The executions that may have started a probe without writing it down, and the one that is on record."""

    plan: Plan
    executions: tuple[str, ...]
    task: str | None


class Stopped(Model):
    """Which tasks were stopped."""

    tasks: tuple[str, ...]


@step(Event)
def handler(event: Event) -> Stopped:
    """Stop every probe task of the deployment; wait for one that was just asked for and is not shown yet."""
    plan = event.plan
    probes = ProbeTasks(client("ecs"), plan.spec)
    stopped = probes.stop_all(event.executions)
    listed = bool(stopped)
    if event.task and event.task not in stopped and probes.stop(event.task):
        stopped.append(event.task)
    if not listed:
        journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
        history = journal.history(plan.service, plan.deployment)
        # One that died before the last was asked for can be stopped too, and says nothing of that one.
        asked = history.probe_asked if history.probe not in stopped else None
        if asked and utc_now() < asked + ECS_LAG:
            raise NotYetVisible(
                f"A probe was asked for at {asked:%H:%M:%S}, and ECS does not show it yet. It is looked for "
                "until a minute after that."
            )
    return Stopped(tasks=tuple(stopped))
