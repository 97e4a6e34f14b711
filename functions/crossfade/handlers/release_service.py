"""ReleaseService: the service is free again."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.step import step, utc_now


class Event(Model):
    """The plan whose service is to be given free."""

    plan: Plan


class Released(Model):
    """The service that is free now."""

    service: str


@step(Event)
def handler(event: Event) -> Released:
    """Give the service free, if this deployment holds it."""
    Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"]).release(event.plan, utc_now())
    return Released(service=event.plan.service)
