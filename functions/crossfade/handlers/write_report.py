"""WriteReport: the ledger becomes a certificate, page by page, in memory that does not grow with it."""

import hashlib
import os
import time
from collections.abc import Iterator

from aws_lambda_powertools.metrics import MetricUnit
from pydantic import RootModel

from crossfade.aws.certificates import Certificates, Upload
from crossfade.aws.clients import client
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.ledger import Ledger
from crossfade.domain.errors import InvalidInput
from crossfade.domain.journal import State
from crossfade.domain.ledger import read_record
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import Certificate, Outcome, Reading, certify
from crossfade.domain.proof.tally import Tally
from crossfade.metrics import measure_outcome, metrics
from crossfade.step import step

CLOSING_SECONDS = 15
"""A stopped probe takes some seconds to write its closing record; without it the ledger counts as cut."""
PAUSE_SECONDS = 0.5
SETTLE_SECONDS = 3
"""CloudWatch Logs may show a line late, to whoever reads again: so long until a ledger with gaps is."""


class Event(Model):
    """How and when the deployment ended, the executions whose transitions count, if there was a probe."""

    plan: Plan
    outcome: Outcome
    reason: str
    executions: tuple[str, ...]
    probed: bool
    ended: Timestamp


class ByHand(Model):
    """A person asks for the report of a deployment that ended without one."""

    service: str
    deployment: str


class Asked(RootModel[Event | ByHand]):
    """Who asks for a report: the workflow or a person."""


class Reported(Model):
    """Where the certificate is in the evidence bucket."""

    outcome: Outcome
    certificate: str


@step(Asked)
def handler(asked: Asked) -> Reported:
    """Draw up the certificate, store it with its ledger, and close the journal's item."""
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    if isinstance(asked.root, ByHand):
        event = _unreported(asked.root, journal)
        certificate, key = _report(event, journal, held=False)
        journal.supplement(event.plan, certificate, key)
    else:
        event = asked.root
        certificate, key = _report(event, journal, held=True)
        journal.close(event.plan, certificate, key, event.ended)
        _measure(certificate)
    return Reported(outcome=certificate.outcome, certificate=key)


def _report(event: Event, journal: Journal, *, held: bool) -> tuple[Certificate, str]:
    """Store ledger and certificate; ``held``: not if somebody else has taken the service over meanwhile."""
    plan = event.plan
    evidence = Certificates(client("s3"), os.environ["EVIDENCE_BUCKET"])
    history = journal.history(plan.service, plan.deployment)
    winner = _winner(event, journal.refuse_lost(plan) if held else State())
    until: float | None = None
    while True:
        first = until is None
        with evidence.ledger(plan.ledger) as upload:
            reading = Reading(history, winner)
            sha256 = _read(plan, reading, upload, wait=event.probed and first)
            until = until or time.monotonic() + CLOSING_SECONDS
            gaps, cut = reading.tally.missing > 0, event.probed and not reading.tally.closed
            late = time.monotonic() + SETTLE_SECONDS > until
            # A ledger with gaps is read again as long as there is time. The end of a cut one was waited for;
            # but whoever waits at a stream's end does not see what shows late before it: once more.
            if (late or not gaps) and not (cut and first):
                if held:
                    journal.refuse_lost(plan)
                upload.complete()
                break
        if gaps:
            time.sleep(SETTLE_SECONDS)
    certificate = certify(
        reading,
        sha256=sha256,
        outcome=event.outcome,
        reason=event.reason,
        ended=event.ended,
        transitions=Executions(client("stepfunctions")).transitions(event.executions),
    )
    document = certificate.model_dump_json(by_alias=True, indent=2).encode()
    return certificate, evidence.certificate(plan.ledger, document)


def _read(plan: Plan, reading: Reading, upload: Upload, *, wait: bool) -> str:
    """Take the ledger in, and send it on; its SHA-256 is returned."""
    digest = hashlib.sha256()
    for lines in _pages(plan, reading.tally, wait=wait):
        piece = "".join(f"{line}\n" for line in lines).encode()
        digest.update(piece)
        upload.write(piece)
        for line in lines:
            if record := read_record(line):
                reading.take(record)
    return digest.hexdigest()


def _pages(plan: Plan, tally: Tally, *, wait: bool) -> Iterator[list[str]]:
    """The ledger's pages; ``wait``: until it is closed, or for some seconds."""
    ledger, cursor = Ledger(client("logs"), os.environ["LEDGER_GROUP"]), None
    until: float | None = None
    while True:
        for lines, reached in ledger.pages(plan.ledger, cursor):
            cursor = reached
            yield lines
        until = until or time.monotonic() + CLOSING_SECONDS
        if not wait or tally.closed or time.monotonic() >= until:
            return
        time.sleep(PAUSE_SECONDS)


def _winner(event: Event, state: State) -> str | None:
    """The version that clients are to get after a rollback; None where the journal does not tell any more."""
    plan = event.plan
    if event.outcome == "rolled_back":
        return plan.stable_answers or None
    won = event.outcome == "failed" and state.stable == plan.candidate and state.verified
    return plan.release.version if won else None


def _unreported(asked: ByHand, journal: Journal) -> Event:
    """What the workflow would have asked for.

    Raises
    ------
    InvalidInput
        The deployment runs, or has its certificate.
    """
    history = journal.history(asked.service, asked.deployment)
    if history.not_reported is None or history.outcome is None or history.ended is None:
        found = f"its certificate is {history.certificate}" if history.outcome else "it has not ended"
        raise InvalidInput(
            f"No report of {asked.deployment} of {asked.service} is missing: {found}. Name a deployment "
            "whose item in the journal has not_reported."
        )
    return Event(
        plan=history.plan,
        outcome=history.outcome,
        reason=history.reason or "",
        executions=history.executions,
        probed=False,
        ended=history.ended,
    )


def _measure(certificate: Certificate) -> None:
    """Metrics of the finished deployment, in the embedded metric format on the function's log."""
    timing = certificate.timing
    measure_outcome(certificate.service, certificate.outcome, timing.total)
    production = certificate.requests["production"]
    metrics.add_metric(name="ProductionFailures", unit=MetricUnit.Count, value=production.failed)
    if timing.restored_api is not None:
        metrics.add_metric(name="TimeToRestoreApi", unit=MetricUnit.Seconds, value=timing.restored_api)
    if timing.restored is not None:
        metrics.add_metric(name="TimeToRestore", unit=MetricUnit.Seconds, value=timing.restored)
    metrics.flush_metrics()
