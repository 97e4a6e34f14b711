"""StartProbe: the probe task begins to write the deployment's ledger."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.probe import ProbeTasks
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The plan whose probe is to be started, for the first time or, when that one died, for the second."""

    plan: Plan
    attempt: int


class Started(Message):
    """The probe task's ARN."""

    task: str


@step(Event)
def handler(event: Event) -> Started:
    """Run the probe task, or find it running."""
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    journal.asking_for_probe(event.plan, utc_now())
    task = ProbeTasks(client("ecs"), event.plan.spec).start(
        event.plan,
        event.attempt,
        task_definition=os.environ["PROBE_TASK_DEFINITION"],
        container=os.environ["PROBE_CONTAINER"],
        log_group=os.environ["LEDGER_GROUP"],
    )
    journal.probing(event.plan, task)
    return Started(task=task)
