"""Tells the account's event bus what has happened to each deployment.

Not a state of the workflow, which knows nothing of it. Lambda reads the stream of the journal's table, and
calls it with what was written; EventBridge calls it when a deployment's execution ended without success.
"""

import json
import os
from functools import wraps
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.event_bus import EventBus, EventNotSent, EventRefused
from crossfade.aws.journal_stream import StreamRecord
from crossfade.domain.errors import AwsUnavailable
from crossfade.domain.events.event import MOST_CHARACTERS, Happening
from crossfade.domain.events.of_execution import EndedExecution, refused
from crossfade.domain.events.of_journal import happenings
from crossfade.domain.model import Model
from crossfade.domain.spec.service import repository_of
from crossfade.step import logger, step

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What an item raises that is not as this version of Crossfade writes it."""


class NotPublished(Model):
    """A record that Lambda is to hand over again, by its sequence number."""

    itemIdentifier: str


class Published(Model):
    """The first record that could not be published; Lambda hands it over again, with all that follow.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """

    batchItemFailures: tuple[NotPublished, ...] = ()


@step
def of_journal(Records: tuple[StreamRecord, ...]) -> Published:
    """Publish what the records tell, in their order: nothing is sent before what came earlier."""
    bus = EventBus(client("events"))
    for record in Records:
        try:
            for happening in _happenings_of(record):
                bus.put(happening)
        except EventNotSent as error:
            logger.warning("not published, and to be tried again: %s", error)
            return Published(batchItemFailures=(NotPublished(itemIdentifier=record.sequence),))
        # What cannot be read or sent is laid aside at once: another try would keep all that follows waiting.
        except (EventRefused, *UNREADABLE) as error:
            _lay_aside(record, error)
    return Published()


@step
def of_execution(detail: EndedExecution) -> Published:
    """Publish that a release was refused, if the journal has no item of the execution that has ended.

    Raises
    ------
    AwsUnavailable
        The bus did not take the event: Lambda calls again, twice.
    """
    if not stack.journal().deployed_as(detail.name):
        repositories = {name: repository_of(document) for name, document in stack.specs().all().items()}
        try:
            EventBus(client("events")).put(refused(detail, detail.service(repositories)))
        except EventNotSent as error:
            raise AwsUnavailable(f"The event bus did not take an event: {error}") from error
    return Published()


@wraps(of_journal)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda asks with records of the stream, EventBridge with an event of Step Functions."""
    return of_journal(event, context) if "Records" in event else of_execution(event, context)


def _happenings_of(record: StreamRecord) -> list[Happening]:
    change = record.change
    return happenings(change, os.environ["EVIDENCE_BUCKET"]) if change else []


def _lay_aside(record: StreamRecord, error: Exception) -> None:
    """Write down in the dead letters which item's change no event tells of; an alarm tells of these."""
    service, item = record.key
    why = f"{type(error).__name__}: {error}"
    logger.error("not published, and laid aside: %s %s: %s", service, item, why)
    letter = {"service": service, "item": item, "sequence": record.sequence, "why": why[:MOST_CHARACTERS]}
    client("sqs").send_message(QueueUrl=os.environ["DEAD_LETTERS"], MessageBody=json.dumps(letter))
