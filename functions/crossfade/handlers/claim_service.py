"""ClaimService: take the service, if nobody else holds it."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.step import step


class Event(Model):
    """The plan whose service is to be claimed."""

    plan: Plan


class Claimed(Model):
    """Which execution holds the service now."""

    holder: str


@step(Event)
def handler(event: Event) -> Claimed:
    """Become the holder, or fail with ServiceChanged."""
    Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"]).claim(event.plan)
    return Claimed(holder=event.plan.execution)
