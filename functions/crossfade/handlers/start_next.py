"""StartNext: what waits for a service that is free now is deployed."""

import os

from crossfade.aws.clients import client
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.release_queue import ReleaseQueue
from crossfade.domain.journal import Waiting
from crossfade.domain.model import Model, iso
from crossfade.step import step


class Event(Model):
    """The service that became free; None to look at all of them."""

    service: str | None


class Started(Model):
    """The releases that were started, as ``service version``."""

    started: tuple[str, ...]


@step(Event)
def handler(event: Event) -> Started:
    """Start a deployment of each release that waits for nobody any more."""
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    line = ReleaseQueue(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    executions = Executions(client("stepfunctions"))
    started = []
    for service in [event.service] if event.service else journal.services():
        state = journal.state(service)
        if state.holder is None and state.waiting:
            executions.start(
                os.environ["DEPLOY_STATE_MACHINE"], state.waiting.deployment, _asked(service, state.waiting)
            )
            line.dequeue(service, state.waiting)
            started.append(f"{service} {state.waiting.version}")
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
