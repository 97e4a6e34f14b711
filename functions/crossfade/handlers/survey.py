"""Survey: from live state and the journal, what there is to put right."""

import os

from pydantic import JsonValue

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.specs import Specs
from crossfade.domain.errors import NothingToRollBack
from crossfade.domain.message import Message
from crossfade.domain.rollback import Ended, Order, Survey, read_input, survey
from crossfade.handlers.step import step


class Event(Message):
    """The rollback's own input, and which execution it is."""

    input: JsonValue
    execution: str


@step(Event)
def handler(event: Event) -> Survey:
    """Find the deployment that holds the service, and take the service over from it."""
    order = read_input(event.input)
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    service = order.service if isinstance(order, Order) else _service_of(order, journal)
    held = journal.state(service).deployment if service else None
    if service is None or held is None or (order.deployment and order.deployment != held):
        if order.deployment:
            return Survey(action="nothing", reason=f"{order.deployment} holds no service any more")
        raise NothingToRollBack(
            f"No deployment holds {service}, so there is nothing to put back; nothing was changed."
        )
    before = journal.history(service, held).plan
    mine = journal.take_over(before, event.execution)
    # Only now can the deployment change nothing more, its promotion included.
    return survey(journal.history(service, held), mine, order.reason)


def _service_of(ended: Ended, journal: Journal) -> str | None:
    """The service that the ended deployment still holds."""
    names = Specs(client("ssm")).all()
    return next((name for name in names if journal.state(name).deployment == ended.deployment), None)
