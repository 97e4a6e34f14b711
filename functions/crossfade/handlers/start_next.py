"""StartNext: start the deployment of the release that waited for a service."""

import os

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.executions import Executions
from crossfade.domain.journal import Waiting
from crossfade.domain.model import Model, iso
from crossfade.step import step


class Started(Model):
    """The releases that were started, as ``service version``."""

    started: tuple[str, ...]


@step
def handler(service: str | None) -> Started:
    """Start a deployment of each release that waits for a service which is free.

    ``service`` is the one that became free; None to look at all of them.
    """
    journal = stack.journal()
    line = stack.release_queue()
    executions = Executions(client("stepfunctions"))
    started = []
    for free in [service] if service else journal.services():
        state = journal.state(free)
        if state.holder is None and state.waiting:
            executions.start(
                os.environ["DEPLOY_STATE_MACHINE"], state.waiting.deployment, _asked(free, state.waiting)
            )
            line.dequeue(free, state.waiting)
            started.append(f"{free} {state.waiting.version}")
    return Started(started=tuple(started))


def _asked(service: str, waiting: Waiting) -> dict[str, str]:
    return {
        "service": service,
        "image_tag": waiting.version,
        "image_digest": waiting.digest,
        "asked": iso(waiting.at),
        "asked_by": waiting.execution,
        **({"tagged": iso(waiting.tagged)} if waiting.tagged else {}),
    }
