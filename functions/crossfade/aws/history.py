"""The items of deployments: what each one writes down while it runs, and what is kept of it.

A write that asks for a hold raises ServiceLost where the service is not held so any more.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from crossfade.aws.journal_table import Change, JournalTable, expiry, item_of, numbered
from crossfade.domain.errors import InvalidInput
from crossfade.domain.gate.course import Course
from crossfade.domain.journal import Hold
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import Plan, read_plan
from crossfade.domain.proof.certificate import Certificate, History, Outcome, StageRecord
from crossfade.domain.verdict import Verdict


class DeploymentHistory:
    """The deployments of each service, in the journal's table."""

    def __init__(self, table: JournalTable) -> None:
        self._table = table

    # ---- what is read ------------------------------------------------------------------------------------

    def of(self, service: str, deployment: str) -> History:
        """A deployment's plan, milestones and stages.

        Raises
        ------
        InvalidInput
            The journal has no such deployment.
        PlanOutdated
            Its plan has the form of before version 0.2.0.
        """
        item = self._table.get(service, item_of(deployment))
        if not item:
            raise InvalidInput(
                f"The journal has no deployment {deployment} of {service}. Look the name up in the journal's "
                "table, and start again."
            )
        known = {key: item[key] for key in History.model_fields if key in item}
        if "course" in item:
            known["course"] = Course.model_validate_json(item["course"])
        stages = sorted(item["stages"].values(), key=lambda stage: str(stage["began"]))
        return History.model_validate(
            {**known, "plan": read_plan(service, deployment, item["plan"]), "stages": stages}
        )

    def released(self, service: str, number: int | None) -> History | None:
        """The deployment that has promoted the release of a number; None where the journal has none.

        Raises
        ------
        PlanOutdated
            Its plan has the form of before version 0.2.0.
        """
        found = self._table.get(service, numbered(number)) if number else {}
        there = found and self._table.get(service, item_of(found["deployment"]))
        return self.of(service, found["deployment"]) if there else None

    def item(self, service: str, deployment: str) -> dict[str, Any]:
        """A deployment's item as it stands in the table; empty where there is none."""
        return self._table.get(service, item_of(deployment))

    def items(self, service: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The items of all of a service's deployments, each with the deployment's name, in no order."""
        for item in self._table.all_of(service, item_of("")):
            yield item["item"].removeprefix(item_of("")), item

    def last_plan(self, service: str) -> Plan | None:
        """The plan of a service's last deployment or back-out; None where the journal has none any more.

        Raises
        ------
        PlanOutdated
            It has the form of before version 0.2.0.
        """
        last = max(self._planned(service), key=lambda item: str(item["began"]), default=None)
        return read_plan(service, last["item"].removeprefix(item_of("")), last["plan"]) if last else None

    def knows(self, service: str, digest: str) -> bool:
        """Whether an image was deployed or tried before, or was live when another one was."""
        return any(digest in str(item["plan"]) for item in self._planned(service))

    def _planned(self, service: str) -> Iterator[dict[str, Any]]:
        # One after the other: 400 days of deployments are more than a function's memory holds.
        return (item for item in self._table.all_of(service, item_of("")) if "plan" in item)

    # ---- while the deployment runs -----------------------------------------------------------------------

    def milestone(self, hold: Hold, name: str, value: Any) -> Any:
        """Write down a milestone of the deployment (a field of ``History``); the first value stays.

        Returns the value that stands.
        """
        self._write(hold, "SET #name = if_not_exists(#name, :value)", {":value": value}, {"#name": name})
        return self._table.get(hold.service, item_of(hold.deployment))[name]

    def judged(
        self, hold: Hold, verdict: Verdict, weight: int, now: datetime, course: Course | None = None
    ) -> None:
        """Write down the verdict to roll back at a weight, why, whether it refuses the candidate, and the
        evidence that led to it, if ``watched`` does not write that."""
        expression = "SET judged = if_not_exists(judged, :now), judged_for = if_not_exists(judged_for, :why)"
        values: dict[str, Any] = {":now": iso(now), ":why": verdict.reason}
        if course:
            expression, values = (
                f"{expression}, course = :course",
                {**values, ":course": course.model_dump_json()},
            )
        if verdict.refuses:
            self._write(
                hold,
                f"{expression}, refused = if_not_exists(refused, :weight)",
                {**values, ":weight": weight},
            )
        else:
            self._write(hold, expression, values)

    def wanted(self, hold: Hold, count: int) -> None:
        """Write down the most tasks that the live slot was wanted to have since the candidate's launch."""
        self._write(hold, "SET wanted = :count", {":count": count})

    def asking_for_probe(self, hold: Hold, now: datetime) -> None:
        """Write down that a probe task is about to be started, and that none is known to be at work."""
        self._write(hold, "SET probe_asked = :now REMOVE probe", {":now": iso(now)})

    def probing(self, hold: Hold, task: str) -> None:
        """Write down which probe task is at work."""
        self._write(hold, "SET probe = :task", {":task": task})

    def watched(
        self, hold: Hold, record: StageRecord, cursor: str | None = None, course: Course | None = None
    ) -> None:
        """Write down how a stage stands, known by its key, and how far the ledger was read, if it was, with
        the evidence so far.

        Where it goes on, a verdict to roll back that stands there is of a try whose answer was lost.
        """
        values: dict[str, Any] = {":record": record.model_dump(mode="json")}
        expression, names = "SET stages.#stage = :record", {"#stage": record.key}
        if cursor:
            expression += ", #cursor = :cursor"
            values[":cursor"], names["#cursor"] = cursor, "cursor"
        if course:
            expression += ", course = :course"
            values[":course"] = course.model_dump_json()
        lost = "" if record.verdict == "roll_back" else " REMOVE judged, judged_for, refused"
        self._write(hold, expression + lost, values, names)

    # ---- the end -----------------------------------------------------------------------------------------

    def close(self, hold: Hold, certificate: Certificate, key: str, page: str | None, now: datetime) -> None:
        """Turn the deployment's item into history: how it went, and where its certificate and page are."""
        expression, values = _report(certificate, key, page)
        ended = _ended(certificate.outcome, certificate.reason, now)
        self._write(hold, f"{_END}, {expression}", ended | values)

    def end(
        self,
        hold: Hold,
        outcome: Outcome,
        reason: str,
        now: datetime,
        *,
        not_reported: str,
        executions: Sequence[str],
    ) -> None:
        """The same without a certificate; the item says why there is none."""
        values = {
            **_ended(outcome, reason, now),
            ":why": not_reported,
            ":executions": list(executions),
        }
        self._write(hold, f"{_END}, not_reported = :why, executions = :executions", values)

    def supplement(self, plan: Plan, certificate: Certificate, key: str, page: str | None) -> None:
        """Add the report that was missing; the deployment no longer holds its service."""
        expression, values = _report(certificate, key, page)
        self._table.update(plan.service, item_of(plan.deployment), f"SET {expression}", values)

    def abandon(self, service: str, deployment: str, reason: str, now: datetime) -> None:
        """Close a deployment that will get no report, as failed; harmless if it has its outcome."""
        self._table.update_if(
            service,
            item_of(deployment),
            _END,
            _ended("failed", reason, now),
            condition="attribute_not_exists(outcome)",
        )

    def _write(
        self, hold: Hold, expression: str, values: Mapping[str, Any], names: Mapping[str, str] | None = None
    ) -> None:
        self._table.change_deployment(hold, Change(expression, values, names))


_END = "SET outcome = :outcome, reason = :reason, ended = :ended, expires = :expires"


def _counts(certificate: Certificate) -> dict[str, int]:
    """The requests of production; DynamoDB takes no float, so that the bound is left to the certificate."""
    return certificate.requests["production"].model_dump(exclude={"at_most"})


def _report(certificate: Certificate, key: str, page: str | None) -> tuple[str, dict[str, Any]]:
    """What is written of a report, to follow ``SET``: the keys of its certificate and its page, if any."""
    expression = "certificate = :certificate, requests = :requests"
    values: dict[str, Any] = {":certificate": key, ":requests": _counts(certificate)}
    if page is None:
        return f"{expression} REMOVE not_reported, report", values
    return f"{expression}, report = :report REMOVE not_reported", {**values, ":report": page}


def _ended(outcome: Outcome, reason: str, now: datetime) -> dict[str, Any]:
    return {":outcome": outcome, ":reason": reason, ":ended": iso(now), ":expires": expiry(now)}
