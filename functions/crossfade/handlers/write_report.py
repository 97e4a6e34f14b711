"""WriteReport: compute the certificate from the ledger, page by page, so that memory stays bounded."""

import os
import time
from collections.abc import Iterator
from datetime import datetime
from functools import wraps
from typing import Any, NamedTuple

from aws_lambda_powertools.utilities.typing import LambdaContext

from crossfade import stack
from crossfade.aws.certificates import Certificates, Upload
from crossfade.aws.clients import client
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.domain.errors import InvalidInput
from crossfade.domain.journal import Hold, State
from crossfade.domain.ledger import Request, read_record
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.page.address import Address
from crossfade.domain.page.observed import Observed
from crossfade.domain.page.of_deployment import deployment_page
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.proof.certificate import Certificate, History, Outcome, Reading, certify
from crossfade.domain.proof.tally import Tally
from crossfade.metrics import measure
from crossfade.step import logger, step

CLOSING_SECONDS = 15
"""Wait this long for the probe's closing record; without it the ledger is reported incomplete."""
PAUSE_SECONDS = 0.5
SETTLE_SECONDS = 3
"""The pause before a ledger with gaps is read again: CloudWatch Logs may show a line late."""


class Reported(Model):
    """Where the report is: the certificate's key in the evidence bucket, and the page's address, if any."""

    certificate: str
    report: Address | None


class Stored(NamedTuple):
    """A report in the evidence bucket: the keys of its certificate and of its page.

    The page is None where it could not be drawn or stored: it proves nothing that the certificate does not.
    """

    certificate: str
    page: str | None


class Page:
    """What the page needs, record by record; whatever fails of it fails no report."""

    def __init__(self) -> None:
        self._observed = Observed()
        self._broken = False

    def take(self, request: Request, *, good: bool) -> None:
        """Take a request in."""
        if not self._broken:
            try:
                self._observed.take(request, good=good)
            except Exception:
                self._given_up()

    def store(
        self, evidence: Certificates, certificate: Certificate, history: History, ended: datetime
    ) -> str | None:
        """Draw it and store it; its key, or None where there is no page."""
        if self._broken:
            return None
        try:
            drawn = deployment_page(certificate, history, self._observed, ended)
            return evidence.page(history.plan.ledger, drawn)
        except Exception:
            self._given_up()
            return None

    def _given_up(self) -> None:
        self._broken = True
        logger.exception("the report's page cannot be written; its certificate is")


@step
def by_workflow(
    plan: HeldPlan,
    outcome: Outcome,
    reason: str,
    executions: tuple[str, ...],
    probed: bool,
    ended: Timestamp,
) -> Reported:
    """Draw up the certificate, store it with its ledger, and close the journal's item.

    The arguments say how and when the deployment ended, whose transitions count, and if there was a probe.
    """
    journal = stack.journal()
    certificate, stored = _report(
        plan,
        journal,
        outcome=outcome,
        reason=reason,
        executions=executions,
        probed=probed,
        ended=ended,
        hold=plan.hold,
    )
    journal.history.close(plan.hold, certificate, *stored, ended)
    measure(certificate)
    return _reported(plan, stored)


@step
def by_hand(service: str, deployment: str) -> Reported:
    """Draw up the certificate of a deployment that ended without one.

    Raises
    ------
    InvalidInput
        The deployment runs, or has its certificate.
    """
    journal = stack.journal()
    history = journal.history.of(service, deployment)
    if history.not_reported is None or history.outcome is None or history.ended is None:
        found = f"its certificate is {history.certificate}" if history.outcome else "it has not ended"
        raise InvalidInput(
            f"No report of {deployment} of {service} is missing: {found}. Name a deployment "
            "whose item in the journal has not_reported."
        )
    certificate, stored = _report(
        history.plan,
        journal,
        outcome=history.outcome,
        reason=history.reason or "",
        executions=history.executions,
        probed=False,
        ended=history.ended,
        hold=None,
    )
    journal.history.supplement(history.plan, certificate, *stored)
    return _reported(history.plan, stored)


@wraps(by_workflow)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """The workflow asks for the report of its plan, a person for one that is missing."""
    return by_workflow(event, context) if "plan" in event else by_hand(event, context)


def _report(
    plan: Plan,
    journal: Journal,
    *,
    outcome: Outcome,
    reason: str,
    executions: tuple[str, ...],
    probed: bool,
    ended: datetime,
    hold: Hold | None,
) -> tuple[Certificate, Stored]:
    """Store ledger, certificate and page; ``hold``: only while the service is still held so."""
    evidence = Certificates(client("s3"), os.environ["EVIDENCE_BUCKET"])
    history = journal.history.of(plan.service, plan.deployment)
    winner = _winner(plan, outcome, journal.refuse_lost(hold) if hold else State())
    until: float | None = None
    while True:
        first = until is None
        with evidence.ledger(plan.ledger) as upload:
            reading, page = Reading(history, winner), Page()
            _read(plan, reading, page, upload, wait=probed and first)
            until = until or time.monotonic() + CLOSING_SECONDS
            gaps, cut = reading.tally.missing > 0, probed and not reading.tally.closed
            late = time.monotonic() + SETTLE_SECONDS > until
            # A ledger with gaps is read again while there is time. A cut one is read once more as well:
            # waiting at a stream's end does not show lines that appear late before it.
            if (late or not gaps) and not (cut and first):
                if hold:
                    journal.refuse_lost(hold)
                upload.complete()
                break
        if gaps:
            time.sleep(SETTLE_SECONDS)
    certificate = certify(
        reading,
        outcome=outcome,
        reason=reason,
        ended=ended,
        transitions=Executions(client("stepfunctions")).transitions(executions),
    )
    document = certificate.model_dump_json(by_alias=True, indent=2).encode()
    # The certificate first: no fault of the page's takes it away, nor a function's end while it is drawn.
    key = evidence.certificate(plan.ledger, document)
    return certificate, Stored(key, page.store(evidence, certificate, history, ended))


def _reported(plan: Plan, stored: Stored) -> Reported:
    bucket = os.environ["EVIDENCE_BUCKET"]
    address = Address.of(bucket, stored.page, plan.execution) if stored.page else None
    return Reported(certificate=stored.certificate, report=address)


def _read(plan: Plan, reading: Reading, page: Page, upload: Upload, *, wait: bool) -> None:
    """Take the ledger in, and send it on."""
    for lines in _pages(plan, reading.tally, wait=wait):
        upload.write(reading.seal.take(lines))
        for line in lines:
            record = read_record(line)
            if reading.take(record) and isinstance(record, Request):
                page.take(record, good=reading.tally.good(record))


def _pages(plan: Plan, tally: Tally, *, wait: bool) -> Iterator[list[str]]:
    """The ledger's lines, page by page; ``wait``: until it is closed, or for some seconds."""
    ledger, cursor = stack.ledger(), None
    until: float | None = None
    while True:
        for messages, reached in ledger.pages(plan.ledger, cursor):
            cursor = reached
            # A foreign message may have several lines.
            yield [line for message in messages for line in message.split("\n")]
        until = until or time.monotonic() + CLOSING_SECONDS
        if not wait or tally.closed or time.monotonic() >= until:
            return
        time.sleep(PAUSE_SECONDS)


def _winner(plan: Plan, outcome: Outcome, state: State) -> str | None:
    """The version that clients are to get after a rollback; None where the journal does not tell any more."""
    if outcome == "rolled_back":
        return plan.stable_answers or None
    won = outcome == "failed" and state.stable == plan.candidate and state.verified
    return (plan.answers or None) if won else None
