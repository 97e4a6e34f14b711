"""WriteReport: the ledger becomes a certificate."""

import hashlib
import os
import time

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from crossfade.aws.clients import client
from crossfade.aws.evidence import Evidence
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.ledger import Ledger
from crossfade.domain.certificate import Certificate, Outcome, certify
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.domain.records import Closed, read_records
from crossfade.handlers.step import step, utc_now

CLOSING_SECONDS = 15
"""A stopped probe takes some seconds to write its closing record; without it the ledger counts as cut."""

COUNTERS: dict[Outcome, str] = {
    "promoted": "DeploymentsPromoted",
    "rolled_back": "DeploymentsRolledBack",
    "failed": "DeploymentsFailed",
}

metrics = Metrics(namespace="Crossfade")


class Event(Message):
    """How the deployment went, the executions whose transitions count, and whether a probe was at work."""

    plan: Plan
    outcome: Outcome
    reason: str
    executions: tuple[str, ...]
    probed: bool


class Reported(Message):
    """Where the certificate is in the evidence bucket."""

    outcome: Outcome
    certificate: str


@step(Event)
def handler(event: Event) -> Reported:
    """Draw up the certificate, store it with its ledger, and close the journal's item."""
    plan = event.plan
    lines = _ledger(plan, event.probed)
    ledger = "".join(f"{line}\n" for line in lines).encode()
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    now = utc_now()
    certificate = certify(
        journal.history(plan.service, plan.deployment),
        read_records(lines),
        sha256=hashlib.sha256(ledger).hexdigest(),
        outcome=event.outcome,
        reason=event.reason,
        ended=now,
        transitions=Executions(client("stepfunctions")).transitions(event.executions),
    )
    document = certificate.model_dump_json(by_alias=True, indent=2).encode()
    evidence = Evidence(client("s3"), os.environ["EVIDENCE_BUCKET"])
    key = evidence.store(plan.ledger, ledger=ledger, certificate=document)
    journal.close(plan, certificate, key, now)
    _measure(certificate)
    return Reported(outcome=event.outcome, certificate=key)


def _ledger(plan: Plan, probed: bool) -> list[str]:
    """The whole ledger, once it is closed; as it is, when it is not closed in time."""
    ledger = Ledger(client("logs"), os.environ["LEDGER_GROUP"])
    lines, cursor = ledger.after(plan.ledger, None)
    until = time.monotonic() + CLOSING_SECONDS
    while probed and not _closed(lines) and time.monotonic() < until:
        time.sleep(0.5)
        more, cursor = ledger.after(plan.ledger, cursor)
        lines += more
    return lines


def _closed(lines: list[str]) -> bool:
    return any(isinstance(record, Closed) for record in read_records(lines[-3:]))


def _measure(certificate: Certificate) -> None:
    """Metrics of the finished deployment, in the embedded metric format on the function's log."""
    metrics.add_dimension(name="service", value=certificate.service)
    for outcome, name in COUNTERS.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=int(certificate.outcome == outcome))
    metrics.add_metric(name="DeploymentTime", unit=MetricUnit.Seconds, value=certificate.timing.total)
    production = certificate.requests["production"]
    metrics.add_metric(name="ProductionFailures", unit=MetricUnit.Count, value=production.failed)
    if certificate.timing.restored is not None:
        metrics.add_metric(name="TimeToRestore", unit=MetricUnit.Seconds, value=certificate.timing.restored)
    metrics.flush_metrics()
