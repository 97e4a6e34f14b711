"""StopProbe: the probe writes its closing record and ends."""

from crossfade.aws.clients import client
from crossfade.aws.probe import ProbeTasks
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.handlers.step import step


class Event(Message):
    """The executions that may have started a probe: what they wrote down about it may be missing."""

    plan: Plan
    executions: tuple[str, ...]


class Stopped(Message):
    """Which tasks were stopped."""

    tasks: tuple[str, ...]


@step(Event)
def handler(event: Event) -> Stopped:
    """Stop every probe task of the deployment."""
    return Stopped(tasks=tuple(ProbeTasks(client("ecs"), event.plan.spec).stop_all(event.executions)))
