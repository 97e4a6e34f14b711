"""RecordOutcome: a deployment whose report cannot be written ends all the same, and the journal says why."""

import os

from aws_lambda_powertools.metrics import MetricUnit

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import Outcome
from crossfade.domain.rollback.assessment import Failure
from crossfade.metrics import measure_outcome, metrics
from crossfade.step import logger, step


class Event(Model):
    """What WriteReport was asked for, and how it failed for the last time."""

    plan: Plan
    outcome: Outcome
    reason: str
    executions: tuple[str, ...]
    ended: Timestamp
    failure: Failure


class Recorded(Model):
    """Why there is no report; or its certificate, where only the answer of WriteReport was lost."""

    reason: str | None
    certificate: str | None = None


@step(Event)
def handler(event: Event) -> Recorded:
    """Close the journal's item without a certificate, with what is needed to draw it up by hand."""
    plan = event.plan
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    history = journal.history(plan.service, plan.deployment)
    if history.outcome == event.outcome and history.certificate:
        return Recorded(reason=None, certificate=history.certificate)
    reason = (
        f"The report of {plan.deployment} could not be written; the outcome is in the journal. "
        "docs/operations.md has the command that draws the report up by hand. "
        f"It failed with {event.failure.sentence}"
    )
    journal.end(
        plan,
        event.outcome,
        event.reason,
        event.ended,
        not_reported=reason,
        executions=event.executions,
    )
    logger.error("ReportNotWritten: %s", reason)
    measure_outcome(plan.service, event.outcome, round((event.ended - plan.began).total_seconds(), 3))
    metrics.add_metric(name="ReportsNotWritten", unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
    return Recorded(reason=reason)
