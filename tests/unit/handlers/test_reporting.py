"""The end: the certificate is stored, the numbers are published, the service is free."""

import gzip
import hashlib
import json
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.domain import errors
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.traffic.weights import Weights
from crossfade.metrics import COUNTERS, UNITS
from tests.unit.account import BUCKET, Account
from tests.unit.examples import (
    EXECUTION,
    FIRST_TRY,
    ROLLBACKS,
    at,
    opened,
    request,
    requests,
)
from tests.unit.handlers.conftest import Aws, Clock, Invoke

CLOSED = json.dumps(
    {
        "type": "closed",
        "at": "2026-11-23T04:01:00.000Z",
        "reason": "stopped",
        "lanes": {"production": {"sent": 3, "ok": 2, "failed": 1, "missed": 0}},
        "rejected": 0,
    }
)
LANE = {"sent": 3, "ok": 2, "failed": 1, "missing": 0, "at_most": 0.865}
PAGE = {
    "s3": f"s3://{BUCKET}/web/d1/report.html",
    "console": f"https://us-east-1.console.aws.amazon.com/s3/object/{BUCKET}?region=us-east-1"
    "&prefix=web/d1/report.html",
}
HISTORY = {"events": [{"type": "TaskStateEntered"}, {"type": "TaskStateExited"}]}


@pytest.fixture
def held(account: Account, journal: Journal, aws: Aws) -> HeldPlan:
    """Return a first deployment that holds the service; each execution has entered one state."""
    aws.answer("GetExecutionHistory", HISTORY)
    plan = account.first_plan()
    journal.holding.claim(plan)
    return plan


def _report(invoke: Invoke, plan: HeldPlan, **given: Any) -> dict[str, Any]:
    values = {
        "outcome": "promoted",
        "reason": "0.0.2 answered well at every stage",
        "executions": [plan.execution],
        "probed": True,
        "ended": at(60),
        **given,
    }
    return invoke("write_report", plan=plan, **values)


def _stored(account: Account, name: str) -> bytes:
    return account.s3.get_object(Bucket=BUCKET, Key=f"web/d1/{name}")["Body"].read()


def _ledger(account: Account) -> bytes:
    return gzip.decompress(_stored(account, "ledger.jsonl.gz"))


def test_a_report_stores_the_ledger_and_what_it_proves(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The certificate's hash is the stored ledger's."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    answer = _report(invoke, held, executions=[held.execution, f"{ROLLBACKS}:mine"])
    assert answer == {"certificate": "web/d1/certificate.json", "report": PAGE}
    certificate, ledger = json.loads(_stored(account, "certificate.json")), _ledger(account)
    assert certificate["requests"]["production"] == LANE
    said, reported = certificate["ledger"], certificate["reported"]
    assert (said["file"], said["lines"], said["records"]) == ("ledger.jsonl.gz", 4, 3)
    assert (said["complete"], said["gaps"], said["unread"]) == (True, [], 0)
    assert said["sha256"] == hashlib.sha256(ledger).hexdigest()
    assert (reported["transitions"], reported["timing"]["total"]) == (2, 60.0)
    assert len(ledger.splitlines()) == 4


def test_a_report_has_a_page(account: Account, invoke: Invoke, clock: Clock, held: HeldPlan) -> None:
    """A browser shows it; it counts as the certificate does, and stands in the journal."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    _report(invoke, held, reason="<script>alert(1)</script>")
    stored = account.s3.get_object(Bucket=BUCKET, Key="web/d1/report.html")
    page = stored["Body"].read().decode()
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert "1 of 3 requests failed" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert account.item("deployment#d1")["report"] == "web/d1/report.html"


@pytest.mark.parametrize(
    "broken", ["Observed.take", "deployment_page", "Certificates.page"], ids=["read", "drawn", "stored"]
)
def test_a_page_that_cannot_be_written_fails_no_report(
    account: Account,
    invoke: Invoke,
    held: HeldPlan,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    """The certificate is stored, the item is closed, and says that there is no page."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("year 0 is out of range")

    monkeypatch.setattr(f"crossfade.handlers.write_report.{broken}", fail)
    assert _report(invoke, held) == {"certificate": "web/d1/certificate.json", "report": None}
    assert json.loads(_stored(account, "certificate.json"))["requests"]["production"] == LANE
    item = account.item("deployment#d1")
    assert (item["certificate"], "report" in item) == ("web/d1/certificate.json", False)
    assert not account.s3.list_objects_v2(Bucket=BUCKET, Prefix="web/d1/report").get("Contents")


def test_the_certificate_is_stored_before_the_page(
    account: Account, aws: Aws, invoke: Invoke, held: HeldPlan
) -> None:
    """A function that ends while it draws has left what proves."""
    _report(invoke, held)
    keys = [given["Key"] for operation, given in aws.asked if operation == "PutObject"]
    assert keys == [f"web/d1/{name}" for name in ("ledger.jsonl.gz", "certificate.json", "report.html")]


def test_reporting_twice_leaves_one_certificate(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The same one, however much later the second try comes."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    _report(invoke, held)
    first = _stored(account, "certificate.json")
    clock.seconds += 300
    _report(invoke, held)
    assert first == _stored(account, "certificate.json")


def test_a_report_closes_the_journals_item(account: Account, invoke: Invoke, held: HeldPlan) -> None:
    """It becomes history, which expires long after."""
    account.write_ledger(held.ledger, CLOSED)
    _report(invoke, held, outcome="rolled_back", reason="why")
    item = account.item("deployment#d1")
    assert (item["outcome"], item["reason"]) == ("rolled_back", "why")
    assert item["certificate"] == "web/d1/certificate.json"
    assert int(item["expires"]) - at(60).timestamp() == 400 * 86_400


def test_a_report_waits_for_the_closing_record(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The probe takes a moment to end."""
    account.write_ledger(held.ledger, *requests("production", "..x"))
    clock.meanwhile = [lambda: None, lambda: account.write_ledger(held.ledger, CLOSED)]
    _report(invoke, held)
    assert json.loads(_stored(account, "certificate.json"))["ledger"]["complete"] is True
    assert clock.seconds == 1


def test_a_ledger_that_is_not_closed_is_reported_as_cut(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """After some seconds, and truthfully."""
    account.write_ledger(held.ledger, *requests("production", ".."))
    _report(invoke, held)
    assert json.loads(_stored(account, "certificate.json"))["ledger"]["complete"] is False
    assert clock.seconds == 15


def test_a_line_that_shows_late_is_not_skipped(
    account: Account, aws: Aws, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """CloudWatch shows the closing record, and a line of before it only to whoever reads again."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)

    def late(answer: dict[str, Any]) -> dict[str, Any]:
        hidden = [] if clock.seconds > 2 else [1]
        events = [event for place, event in enumerate(answer["events"]) if place not in hidden]
        return {**answer, "events": events}

    aws.edit("GetLogEvents", late)
    _report(invoke, held)
    certificate, ledger = json.loads(_stored(account, "certificate.json")), _ledger(account)
    assert certificate["ledger"]["complete"] is True
    assert certificate["requests"]["production"] == LANE
    assert certificate["ledger"]["sha256"] == hashlib.sha256(ledger).hexdigest()
    assert clock.seconds == 3


def test_a_closing_record_that_shows_late_is_not_skipped(
    account: Account, aws: Aws, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """Whoever waits for it at the stream's end has read past it; so the ledger is read once more."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)

    def late(answer: dict[str, Any]) -> dict[str, Any]:
        shown = [event for event in answer["events"] if clock.seconds > 5 or event["message"] != CLOSED]
        return {**answer, "events": shown}

    aws.edit("GetLogEvents", late)
    _report(invoke, held)
    assert json.loads(_stored(account, "certificate.json"))["ledger"]["complete"] is True
    assert clock.seconds == 15


def test_a_gap_that_stays_is_reported(account: Account, invoke: Invoke, clock: Clock, held: HeldPlan) -> None:
    """The ledger is not read again and again for ever."""
    account.write_ledger(held.ledger, request("production", 2), CLOSED)
    _report(invoke, held)
    certificate = json.loads(_stored(account, "certificate.json"))
    assert certificate["requests"]["production"]["missing"] == 2
    assert clock.seconds <= 15


def test_a_probe_that_died_is_reported_with_its_gap(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """Its successor has closed the ledger, so that nothing is waited for; complete it is not."""
    account.write_ledger(held.ledger, opened(0), *requests("production", "."))
    account.write_ledger(held.ledger, opened(9), *requests("production", "..x", seconds=10), CLOSED)
    _report(invoke, held)
    certificate = json.loads(_stored(account, "certificate.json"))
    assert certificate["requests"]["production"] == {
        **LANE,
        "sent": 4,
        "ok": 3,
        "at_most": 0.752,
    }
    assert certificate["ledger"]["complete"] is False
    assert certificate["ledger"]["gaps"] == [{"began": iso(at(0.1)), "ended": iso(at(9))}]
    assert clock.seconds == 0


def test_whoever_lost_the_service_reports_nothing_to_the_journal(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """The rollback's report is the one that counts."""
    account.write_ledger(held.ledger, CLOSED)
    journal.holding.take_over(held.hold, f"{ROLLBACKS}:mine", FIRST_TRY)
    with pytest.raises(errors.ServiceLost):
        _report(invoke, held)
    assert "outcome" not in account.item("deployment#d1")


def test_whoever_loses_the_service_while_reading_leaves_the_evidence_alone(
    account: Account, aws: Aws, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """A function runs on after its execution was stopped; the rollback's ledger and certificate stand."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)

    def take_over(answer: dict[str, Any]) -> dict[str, Any]:
        if journal.state("web").holder == held.execution:
            journal.holding.take_over(held.hold, f"{ROLLBACKS}:mine", FIRST_TRY)
        return answer

    aws.edit("GetLogEvents", take_over)
    with pytest.raises(errors.ServiceLost):
        _report(invoke, held)
    assert account.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []


NOT_WRITTEN = {"Error": "Lambda.Unknown", "Cause": "it was killed"}


def _record_outcome(invoke: Invoke, plan: HeldPlan, **given: Any) -> dict[str, Any]:
    values = {
        "outcome": "rolled_back",
        "reason": "why",
        "executions": [plan.execution, f"{ROLLBACKS}:mine"],
        "ended": at(60),
        "failure": NOT_WRITTEN,
        **given,
    }
    return invoke("record_outcome", plan=plan, **values)


def test_a_report_that_cannot_be_written_leaves_the_outcome(
    account: Account, invoke: Invoke, held: HeldPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal has it, and says why there is no certificate; recorded twice it is the same."""
    for _ in range(2):
        said = _record_outcome(invoke, held)["reason"]
    item = account.item("deployment#d1")
    assert (item["outcome"], item["reason"], item["ended"]) == ("rolled_back", "why", iso(at(60)))
    assert "certificate" not in item
    assert said == item["not_reported"]
    assert "Lambda.Unknown: it was killed" in said
    assert "docs/operations.md" in said
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (metrics[0]["ReportsNotWritten"], metrics[0]["DeploymentsRolledBack"]) == ([1.0], [1.0])
    published = {one["Name"] for one in metrics[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert published == {*COUNTERS.values(), "DeploymentTime", "ReportsNotWritten"}


def test_a_report_that_was_written_after_all_is_not_missing(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """The function was killed each time after it had done its work: only its answer is lost."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    written = _report(invoke, held, outcome="rolled_back", reason="why")
    answer = _record_outcome(invoke, held)
    assert answer == {**written, "reason": None}
    assert "not_reported" not in account.item("deployment#d1")


def test_the_report_of_a_promotion_is_not_that_of_its_rollback(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """A promotion that was reported is taken back by hand, and the second report cannot be written."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    _report(invoke, held)
    mine = held.held_by(journal.holding.take_over(held.hold, f"{ROLLBACKS}:mine", FIRST_TRY, take_back=True))
    assert _record_outcome(invoke, mine)["certificate"] is None
    item = account.item("deployment#d1")
    assert (item["outcome"], "certificate" in item, "report" in item) == ("rolled_back", False, False)
    assert "could not be written" in item["not_reported"]


def test_whoever_lost_the_service_records_no_outcome(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """The rollback's word is the one that counts."""
    journal.holding.take_over(held.hold, f"{ROLLBACKS}:mine", FIRST_TRY)
    with pytest.raises(errors.ServiceLost):
        _record_outcome(invoke, held)
    assert "outcome" not in account.item("deployment#d1")


def test_a_missing_report_is_drawn_up_by_hand(
    account: Account, invoke: Invoke, journal: Journal, clock: Clock, held: HeldPlan
) -> None:
    """As the workflow would have done, long after the service was freed; and only once."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    _record_outcome(invoke, held)
    journal.holding.release(held.hold, at(61))
    clock.seconds = 9_000
    answer = invoke("write_report", service="web", deployment="d1")
    assert answer == {"certificate": "web/d1/certificate.json", "report": PAGE}
    certificate, item = json.loads(_stored(account, "certificate.json")), account.item("deployment#d1")
    reported = certificate["reported"]
    assert (certificate["reason"], reported["timing"]["total"], reported["transitions"]) == ("why", 60.0, 2)
    assert item["certificate"] == "web/d1/certificate.json"
    assert "not_reported" not in item
    with pytest.raises(errors.InvalidInput, match="its certificate is web/d1/"):
        invoke("write_report", service="web", deployment="d1")


@pytest.mark.parametrize(
    ("deployment", "found"), [("d1", "it has not ended"), ("d9", "no deployment d9 of web")]
)
def test_a_report_by_hand_needs_a_deployment_that_ended_without(
    invoke: Invoke, held: HeldPlan, deployment: str, found: str
) -> None:
    """A running one writes its own."""
    with pytest.raises(errors.InvalidInput, match=found):
        invoke("write_report", service="web", deployment=deployment)


def test_without_a_probe_there_is_nothing_to_wait_for(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The deployment failed before it was started."""
    _report(invoke, held, outcome="failed", probed=False)
    assert clock.seconds == 0
    assert json.loads(_stored(account, "certificate.json"))["ledger"]["records"] == 0


def test_a_report_publishes_metrics(
    account: Account, invoke: Invoke, held: HeldPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the embedded metric format, under the service's name and the stack's."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    _report(invoke, held)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    (metrics,) = lines
    (published,) = metrics["_aws"]["CloudWatchMetrics"]
    assert (published["Namespace"], published["Dimensions"]) == ("Crossfade", [["service", "stack"]])
    assert metrics["stack"] == "Staging"
    assert (metrics["service"], metrics["DeploymentsPromoted"], metrics["DeploymentsFailed"]) == (
        "web",
        [1.0],
        [0.0],
    )
    assert (metrics["ProductionRequests"], metrics["ProductionFailures"]) == ([3.0], [1.0])


def test_the_time_to_restore_is_of_clients(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the weights were read back is a metric of its own; it is earlier than what clients meet."""
    blue = Weights.share("blue", 100)
    journal.live.wrote(held, blue, at(0))
    journal.holding.release(held.hold, at(0))
    plan = account.plan(deployment="d2", execution=f"{EXECUTION}:d2")
    journal.holding.claim(plan)
    journal.history.milestone(plan.hold, "healthy", iso(at(5)))
    journal.history.watched(plan.hold, StageRecord(weight=10, began=at(10)), None)
    journal.history.milestone(plan.hold, "judged", iso(at(20)))
    journal.history.milestone(plan.hold, "restored", iso(at(21)))
    production = [
        request("production", n, 10 + n, version="0.0.2" if n <= 18 and n % 2 else "0.0.1")
        for n in range(1, 60)
    ]
    account.write_ledger(plan.ledger, *production, request("green", 1, 15, status=500), CLOSED)
    _report(invoke, plan, outcome="rolled_back", executions=[plan.execution])
    (metrics,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [metrics[name] for name in ("TimeToDetect", "TimeToRestoreApi", "TimeToRestore")] == [
        [5.0], [6.0], [12.0],
    ]  # fmt: skip
    published = {one["Name"]: one["Unit"] for one in metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert published == {name: unit.value for name, unit in UNITS.items()}


def test_a_released_service_is_free(invoke: Invoke, journal: Journal, held: HeldPlan) -> None:
    """Released twice as well."""
    for _ in range(2):
        invoke("release_service", plan=held)
    state = journal.state("web")
    assert (state.holder, state.deployment, state.candidate, state.freed) == (None, None, None, at(0))


def test_a_former_holder_releases_nothing(invoke: Invoke, journal: Journal, held: HeldPlan) -> None:
    """Its rollback still works; that is no failure of the deployment."""
    journal.holding.take_over(held.hold, f"{ROLLBACKS}:mine", FIRST_TRY)
    invoke("release_service", plan=held)
    assert journal.state("web").holder == f"{ROLLBACKS}:mine"
