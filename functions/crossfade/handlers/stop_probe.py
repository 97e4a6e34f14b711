"""StopProbe: the probe writes its closing record and ends."""

from crossfade.aws.clients import client
from crossfade.aws.probe import ProbeTasks
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.handlers.step import step


class Event(Message):
    """The probe's task; None where none was started."""

    plan: Plan
    task: str | None


class Stopped(Message):
    """Which task was stopped, if there was one."""

    task: str | None


@step(Event)
def handler(event: Event) -> Stopped:
    """Stop the probe task."""
    if event.task:
        ProbeTasks(client("ecs"), event.plan.spec).stop(event.task)
    return Stopped(task=event.task)
