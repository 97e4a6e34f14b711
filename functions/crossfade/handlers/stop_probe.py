"""StopProbe: the probe writes its closing record and ends."""

from crossfade.aws.clients import client
from crossfade.aws.probe import ProbeTasks
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.handlers.step import step


class Event(Message):
    """The executions that may have started a probe without writing it down, and the one that is on record."""

    plan: Plan
    executions: tuple[str, ...]
    task: str | None


class Stopped(Message):
    """Which tasks were stopped."""

    tasks: tuple[str, ...]


@step(Event)
def handler(event: Event) -> Stopped:
    """Stop every probe task of the deployment."""
    probes = ProbeTasks(client("ecs"), event.plan.spec)
    stopped = probes.stop_all(event.executions)
    if event.task and event.task not in stopped:
        probes.stop(event.task)
        stopped.append(event.task)
    return Stopped(tasks=tuple(stopped))
