"""StopProbe: stop the probe, which then writes its closing record."""

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.domain.errors import NotYetVisible
from crossfade.domain.planning.plan import Plan
from crossfade.domain.tasks.launch import ECS_LAG
from crossfade.step import step, utc_now


@step
def handler(plan: Plan, executions: tuple[str, ...], task: str | None) -> None:
    """Stop every probe task of the deployment; wait for one that was just asked for and is not shown yet.

    ``executions`` may have started a probe without writing it down; ``task`` is the one that is on record.
    """
    probes = ProbeTasks(client("ecs"), plan.spec)
    stopped = probes.stop_all(executions)
    listed = bool(stopped)
    if task and task not in stopped and probes.stop(task):
        stopped.append(task)
    if not listed:
        history = stack.journal().history.of(plan.service, plan.deployment)
        # An earlier probe that died can be stopped too, and says nothing about the last one.
        asked = history.probe_asked if history.probe not in stopped else None
        if asked and utc_now() < asked + ECS_LAG:
            raise NotYetVisible(
                f"A probe was started at {asked:%H:%M:%S} UTC, and ECS does not show it yet. Crossfade looks "
                "for it for a minute."
            )
