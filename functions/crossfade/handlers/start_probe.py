"""StartProbe: the probe task begins to write the deployment's ledger."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.probe import ProbeTasks
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.handlers.step import step


class Event(Message):
    """The plan whose probe is to be started."""

    plan: Plan


class Started(Message):
    """The probe task's ARN."""

    task: str


@step(Event)
def handler(event: Event) -> Started:
    """Run the probe task, or find it running."""
    task = ProbeTasks(client("ecs"), event.plan.spec).start(
        event.plan,
        task_definition=os.environ["PROBE_TASK_DEFINITION"],
        container=os.environ["PROBE_CONTAINER"],
        log_group=os.environ["LEDGER_GROUP"],
    )
    Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"]).milestone(event.plan, "probe", task)
    return Started(task=task)
