"""LaunchGreen: as many tasks of the candidate as the stable slot runs."""

import os
from datetime import datetime, timedelta

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.slots import Slots
from crossfade.domain.message import Message, Moment, iso
from crossfade.domain.plan import Plan
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The plan, and the candidate's task definition."""

    plan: Plan
    task_definition: str


class Launched(Message):
    """How many tasks were asked for, and when they must be healthy."""

    count: int
    deadline: Moment


@step(Event)
def handler(event: Event) -> Launched:
    """Create or update the candidate's slot."""
    plan = event.plan
    slots = Slots(client("ecs"), plan.spec)
    stable = slots.describe(plan.stable) if plan.stable else None
    count = max(stable.running, 1) if stable else plan.spec.desired_count
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    launched = datetime.fromisoformat(journal.milestone(plan, "launched", iso(utc_now())))
    slots.launch(plan.candidate, event.task_definition, count)
    return Launched(count=count, deadline=launched + timedelta(seconds=plan.spec.launch.deadline_seconds))
