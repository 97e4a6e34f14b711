"""RecordOutcome: the report cannot be written, so the journal records the outcome and the reason."""

import os

from crossfade import stack
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.page.address import Address
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.proof.certificate import Outcome
from crossfade.domain.rollback.assessment import Failure
from crossfade.metrics import measure_not_reported
from crossfade.step import logger, step


class Recorded(Model):
    """Why there is no report; or its certificate and page, where only the answer of WriteReport was lost."""

    reason: str | None
    certificate: str | None = None
    report: Address | None = None


@step
def handler(
    plan: HeldPlan,
    outcome: Outcome,
    reason: str,
    executions: tuple[str, ...],
    ended: Timestamp,
    failure: Failure,
) -> Recorded:
    """Close the journal's item without a certificate, with what is needed to draw it up by hand.

    All but ``failure`` is what WriteReport was asked for; that is how it failed for the last time.
    """
    journal = stack.journal()
    history = journal.history.of(plan.service, plan.deployment)
    if history.outcome == outcome and history.certificate:
        bucket = os.environ["EVIDENCE_BUCKET"]
        page = Address.of(bucket, history.report, plan.execution) if history.report else None
        return Recorded(reason=None, certificate=history.certificate, report=page)
    why = (
        f"The report of {plan.deployment} could not be written; the outcome is in the journal. "
        "docs/operations.md has the command that draws the report up by hand. "
        f"It failed with {failure.sentence}"
    )
    journal.history.end(plan.hold, outcome, reason, ended, not_reported=why, executions=executions)
    logger.error("ReportNotWritten: %s", why)
    measure_not_reported(plan.service, outcome, round((ended - plan.began).total_seconds(), 3))
    return Recorded(reason=why)
