"""QueueRelease: a release that comes while another deployment holds the service waits for it."""

import os
from typing import Literal

from crossfade.aws.clients import client
from crossfade.aws.release_queue import ReleaseQueue
from crossfade.domain.journal import Waiting
from crossfade.domain.model import Model
from crossfade.step import step, utc_now


class Event(Model):
    """The release, the service that it waits for, and why it has to wait."""

    service: str
    waiting: Waiting
    held: str = ""


class Queued(Model):
    """That the release waits, and whom it has dropped by that."""

    action: Literal["queued"]
    reason: str


@step(Event)
def handler(event: Event) -> Queued:
    """Let the release wait; only the newest does."""
    dropped = ReleaseQueue(client("dynamodb"), os.environ["JOURNAL_TABLE"]).queue(
        event.service, event.waiting, utc_now()
    )
    waiting = event.waiting
    reason = (
        f"{waiting.version} waits until {event.service} is free; then {waiting.deployment} deploys it, "
        "unless a newer one comes."
    )
    if event.held:
        reason += f" {event.held}."
    if dropped:
        reason += f" {dropped.version}, which waited, is dropped."
    return Queued(action="queued", reason=reason)
