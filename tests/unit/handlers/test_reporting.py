"""The end: the certificate is stored, the numbers are published, the service is free, the stack can go."""

import hashlib
import json
import urllib.request
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain import errors
from crossfade.domain.journal import DELETION, State
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.traffic.weights import Weights
from crossfade.handlers.cleanup import REASON_CHARACTERS
from tests.statemachine.permissions import ACTIONS
from tests.unit.account import BUCKET, SPECS, TABLE, Account
from tests.unit.examples import (
    DEPLOY,
    EXECUTION,
    FIRST_TRY,
    ROLLBACK,
    ROLLBACKS,
    at,
    opened,
    request,
    requests,
    waiting,
    warm_spec,
)
from tests.unit.handlers.conftest import Aws, Clock, Context, Invoke, module_of

CLOSED = json.dumps(
    {
        "type": "closed",
        "at": "2026-11-23T04:01:00.000Z",
        "reason": "stopped",
        "lanes": {"production": {"sent": 3, "ok": 2, "failed": 1, "missed": 0}},
        "rejected": 0,
    }
)
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


def test_a_report_stores_the_ledger_and_what_it_proves(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The certificate's hash is the stored ledger's."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    answer = _report(invoke, held, executions=[held.execution, f"{ROLLBACKS}:mine"])
    assert answer == {"certificate": "web/d1/certificate.json"}
    certificate, ledger = json.loads(_stored(account, "certificate.json")), _stored(account, "ledger.jsonl")
    assert certificate["requests"]["production"] == {"sent": 3, "ok": 2, "failed": 1, "missing": 0}
    assert certificate["ledger"] == {
        "records": 3,
        "complete": True,
        "gaps": [],
        "sha256": hashlib.sha256(ledger).hexdigest(),
    }
    assert (certificate["transitions"], certificate["timing"]["total"]) == (2, 60.0)
    assert len(ledger.splitlines()) == 4


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
    certificate, ledger = json.loads(_stored(account, "certificate.json")), _stored(account, "ledger.jsonl")
    assert certificate["ledger"]["complete"] is True
    assert certificate["requests"]["production"] == {"sent": 3, "ok": 2, "failed": 1, "missing": 0}
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
    assert certificate["requests"]["production"] == {"sent": 4, "ok": 3, "failed": 1, "missing": 0}
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


def test_a_report_that_was_written_after_all_is_not_missing(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """The function was killed each time after it had done its work: only its answer is lost."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    written = _report(invoke, held, outcome="rolled_back", reason="why")
    answer = _record_outcome(invoke, held)
    assert answer == {"certificate": written["certificate"], "reason": None}
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
    assert (item["outcome"], "certificate" in item) == ("rolled_back", False)
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
    assert answer == {"certificate": "web/d1/certificate.json"}
    certificate, item = json.loads(_stored(account, "certificate.json")), account.item("deployment#d1")
    assert (certificate["reason"], certificate["timing"]["total"], certificate["transitions"]) == (
        "why",
        60.0,
        2,
    )
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
    """In the embedded metric format, under the service's name."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    _report(invoke, held)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    (metrics,) = lines
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Crossfade"
    assert (metrics["service"], metrics["DeploymentsPromoted"], metrics["DeploymentsFailed"]) == (
        "web",
        [1.0],
        [0.0],
    )
    assert metrics["ProductionFailures"] == [1.0]


def test_the_time_to_restore_is_of_clients(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the weights were read back is a metric of its own; it is earlier than what clients meet."""
    blue = Weights.share("blue", 100)
    journal.live.wrote(held, blue, at(0))
    journal.holding.release(held.hold, at(61))
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
    assert (metrics["TimeToRestoreApi"], metrics["TimeToRestore"]) == ([6.0], [12.0])


def test_a_released_service_is_free(invoke: Invoke, journal: Journal, held: HeldPlan) -> None:
    """Released twice as well."""
    for _ in range(2):
        invoke("release_service", plan=held)
    assert journal.state("web") == State(freed=at(0))


def test_a_former_holder_releases_nothing(invoke: Invoke, journal: Journal, held: HeldPlan) -> None:
    """Its rollback still works; that is no failure of the deployment."""
    journal.holding.take_over(held.hold, f"{ROLLBACKS}:mine", FIRST_TRY)
    invoke("release_service", plan=held)
    assert journal.state("web").holder == f"{ROLLBACKS}:mine"


class Answers:
    """CloudFormation's side: it waits at a URL for an answer."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def open(self, request: urllib.request.Request, timeout: float) -> Any:
        """Take an answer."""
        assert request.get_method() == "PUT"
        assert request.full_url == "https://cloudformation.example/answer"
        assert timeout <= 10
        self.bodies.append(json.loads(request.data))  # type: ignore[arg-type]
        return self

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return what CloudFormation is told."""
    found = Answers()
    monkeypatch.setattr(urllib.request, "urlopen", found.open)
    return found


def _custom_resource(kind: str, service: str) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ServiceToken": "arn",
        "ResponseURL": "https://cloudformation.example/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "CrossfadeService",
        "ResourceType": "Custom::CrossfadeService",
        "ResourceProperties": {"ServiceToken": "arn", "Service": service},
    }


def _cleanup(aws: Aws, kind: str, service: str = "web") -> None:
    aws.called.clear()
    context = Context()
    context.remaining = 900_000
    module_of("cleanup").handler(_custom_resource(kind, service), context)
    assert aws.called - ACTIONS["cleanup"] == set()


@pytest.fixture
def deployed(account: Account, clock: Clock, journal: Journal, held: HeldPlan) -> HeldPlan:
    """Return a deployment that runs: its probe too, and its release is live."""
    account.start(DEPLOY, "d1")
    release = account.release("0.0.2")
    account.run("blue", TaskDefinitions(account.ecs).register(account.spec, release))
    Traffic(account.elbv2, account.spec).write(Weights(blue=100, green=0))
    return held


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_creating_and_updating_change_nothing(
    account: Account, aws: Aws, answers: Answers, deployed: HeldPlan, kind: str
) -> None:
    """A stack update can never change what is live."""
    _cleanup(aws, kind)
    assert Traffic(account.elbv2, account.spec).rule() is not None
    assert account.runs(deployed.execution)
    assert answers.bodies == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "crossfade-web",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "CrossfadeService",
        }
    ]


def test_a_deleted_stack_leaves_nothing_of_crossfade(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """Rule, services, task definitions and state; deleted twice that is still a success."""
    for _ in range(2):
        _cleanup(aws, "Delete")
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"] * 2
    assert Traffic(account.elbv2, account.spec).rule() is None
    assert journal.state("web") == State()
    found = account.ecs.list_task_definitions(familyPrefix="web", status="ACTIVE")["taskDefinitionArns"]
    assert [arn for arn in found if "web-stack" not in arn] == []


def test_a_rule_that_is_not_seen_yet_is_removed_as_well(
    account: Account, aws: Aws, clock: Clock, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """It was made just now, as the journal knows; whoever keeps it keeps the listener's target groups."""
    journal.live.wrote(deployed, Weights(blue=100, green=0), at(0))
    aws.answer("DescribeRules", {"Rules": []})
    clock.meanwhile.append(lambda: aws.allow("DescribeRules"))
    _cleanup(aws, "Delete")
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"]
    assert Traffic(account.elbv2, account.spec).rule() is None


def test_a_running_deployment_is_stopped_with_its_probe(
    account: Account, aws: Aws, invoke: Invoke, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """It would go on to launch what is deleted; what waits for it goes too, and whoever asked can read so."""
    for attempt in (1, 2):
        invoke("start_probe", plan=deployed, attempt=attempt)
    account.waits(waiting())
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert not account.runs(deployed.execution)
    assert account.probes() == []
    assert journal.state("web") == State()
    item = account.item("deployment#d1")
    assert (item["outcome"], item["reason"]) == ("failed", "the stack of web is deleted")
    dropped = account.item("deployment#w1")
    assert (dropped["outcome"], dropped["reason"]) == (
        "dropped",
        "0.0.3 waited, and the stack of web is deleted",
    )


def test_a_rollback_is_stopped_with_its_probe(
    account: Account, aws: Aws, invoke: Invoke, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """And the deployment, which waits for it."""
    rollback = account.start(ROLLBACK, "mine")
    invoke("start_probe", plan=deployed, attempt=1)
    mine = deployed.held_by(journal.holding.take_over(deployed.hold, rollback, FIRST_TRY))
    invoke("start_probe", plan=mine, attempt=2)
    _cleanup(aws, "Delete")
    assert (account.runs(deployed.execution), account.runs(rollback)) == (False, False)
    assert account.probes() == []


def test_whatever_is_under_way_changes_nothing_more(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """A function that runs on after its execution was stopped finds that it holds nothing."""
    refused: list[Exception] = []

    def write(answer: dict[str, Any]) -> dict[str, Any]:
        with pytest.raises(errors.ServiceLost) as lost:
            journal.live.intend(deployed.hold, Weights(blue=0, green=100), at(0))
        with pytest.raises(errors.ServiceLost):
            journal.holding.take_over(deployed.hold, f"{ROLLBACKS}:mine", FIRST_TRY)
        refused.append(lost.value)
        return answer

    aws.edit("StopExecution", write)
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert len(refused) == 1


def test_a_service_that_changes_hands_just_then_is_taken_all_the_same(
    account: Account, aws: Aws, clock: Clock, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """The deployment was freed between a look and the write: the next look finds out."""
    seen: list[None] = []

    def free(answer: dict[str, Any]) -> dict[str, Any]:
        if not seen:
            seen.append(None)
            journal.holding.release(deployed.hold, at(60))
        return answer

    aws.edit("GetItem", free)
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert journal.state("web") == State()


def test_a_service_that_changes_hands_for_ever_is_told(
    account: Account, aws: Aws, clock: Clock, answers: Answers, deployed: HeldPlan
) -> None:
    """Nothing of it is deleted; CloudFormation says why."""
    aws.refuse("UpdateItem", "ConditionalCheckFailedException")
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert answers.bodies[0]["Reason"].startswith("ServiceChanged: Service web was held by")
    assert clock.seconds == 10
    assert account.runs(deployed.execution)
    assert Traffic(account.elbv2, account.spec).rule() is not None


def test_tasks_that_do_not_end_in_time_are_told(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """CloudFormation would otherwise wait for an hour; the stack can be deleted again."""
    draining = {"serviceName": "web-blue", "status": "DRAINING"}
    aws.edit("DescribeServices", lambda _: {"services": [draining]})
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert "['web-blue'] did not settle in time" in answers.bodies[0]["Reason"]
    assert journal.state("web").holder == DELETION
    aws.edit("DescribeServices", lambda answer: answer)
    _cleanup(aws, "Delete")
    assert answers.bodies[1]["Status"] == "SUCCESS"
    assert journal.state("web") == State()


def _task(status: str, **given: Any) -> dict[str, Any]:
    wanted = "RUNNING" if status == "RUNNING" else "STOPPED"
    return {"taskArn": "arn:task", "lastStatus": status, "desiredStatus": wanted, **given}


PROBE_TASK = {
    "overrides": {
        "containerOverrides": [{"environment": [{"name": "PROBE_LOG_STREAM", "value": "web/d0"}]}],
    }
}


@pytest.mark.parametrize(
    "given", [{"group": "service:web-green"}, PROBE_TASK], ids=["of-a-slot", "a-probe-whoever-started-it"]
)
def test_tasks_that_still_stop_are_waited_for(
    account: Account, aws: Aws, clock: Clock, answers: Answers, deployed: HeldPlan, given: dict[str, Any]
) -> None:
    """Their service is INACTIVE by then, and the cluster and its network cannot be deleted before them."""
    inactive = [{"serviceName": name, "status": "INACTIVE"} for name in ("web-blue", "web-green")]
    aws.answer("DescribeServices", {"services": inactive})
    aws.answer("ListTasks", {"taskArns": ["arn:task"]})
    aws.answer("DescribeTasks", {"tasks": [_task("STOPPING", **given)]})
    aws.answer("StopTask", {})

    def end() -> None:
        assert answers.bodies == []
        aws.answer("DescribeTasks", {"tasks": [_task("STOPPED", **given)]})

    clock.meanwhile = [lambda: None] * 9 + [end]
    _cleanup(aws, "Delete")
    assert (answers.bodies[0]["Status"], clock.seconds) == ("SUCCESS", 20)


def test_tasks_of_others_in_the_cluster_are_left_alone(
    account: Account, aws: Aws, clock: Clock, answers: Answers, deployed: HeldPlan
) -> None:
    """Another service's, and another service's probe."""
    theirs = {"containerOverrides": [{"environment": [{"name": "PROBE_LOG_STREAM", "value": "web2/d1"}]}]}
    aws.answer("ListTasks", {"taskArns": ["arn:task"]})
    tasks = [_task("RUNNING", group="service:web2-blue"), _task("RUNNING", overrides=theirs)]
    aws.answer("DescribeTasks", {"tasks": tasks})
    aws.fail("StopTask", AssertionError("it is not ours"))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"


def test_what_was_launched_just_now_is_looked_for_until_ecs_shows_it(
    account: Account, aws: Aws, invoke: Invoke, clock: Clock, answers: Answers, held: HeldPlan
) -> None:
    """A service that ECS does not show yet is not one that is gone; when it is shown, it is deleted."""
    account.start(DEPLOY, "d1")
    clock.seconds = 5
    invoke(
        "launch_candidate", plan=held, task_definition=account.spec.pattern.task_definition, deadline=at(60)
    )
    aws.refuse("DeleteService", "ServiceNotFoundException")
    aws.answer("DescribeServices", {"services": []})

    def show() -> None:
        assert answers.bodies == []
        aws.allow("DescribeServices")
        aws.allow("DeleteService")

    clock.meanwhile = [lambda: None] * 24 + [show]
    _cleanup(aws, "Delete")
    assert (answers.bodies[0]["Status"], clock.seconds) == ("SUCCESS", 65)
    assert account.status("blue") == "INACTIVE"


def test_a_service_that_is_free_is_deleted_as_well(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """No deployment is asked for, and an old slot that is still warm goes too."""
    journal.holding.release(deployed.hold, at(60))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert Traffic(account.elbv2, account.spec).rule() is None


def test_a_service_that_never_was_deployed_is_deleted(
    account: Account, aws: Aws, answers: Answers, clock: Clock, journal: Journal
) -> None:
    """There is nothing of Crossfade's."""
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert journal.state("web") == State()


def test_a_name_that_no_service_can_have_needs_no_cleanup(
    account: Account, aws: Aws, answers: Answers, deployed: HeldPlan
) -> None:
    """A stack that could not be made has to be deleted all the same; SSM would find web's spec by web:1."""
    for name in ("", "web:1"):
        _cleanup(aws, "Delete", name)
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"] * 2
    assert Traffic(account.elbv2, account.spec).rule() is not None


def _gone(account: Account) -> None:
    account.unpublish("web")


def _malformed(account: Account) -> None:
    _replace_spec(account, json.dumps({"stages": [{"weight": n} for n in range(200)]}))


def _moved(account: Account) -> None:
    """The stack has another place by now, which somebody else has taken, and no release followed it."""
    theirs = account.spec.model_copy(update={"rule_priority": 50})
    account.elbv2.create_rule(
        ListenerArn=theirs.listener,
        Priority=theirs.rule_priority,
        Conditions=[{"Field": "path-pattern", "Values": ["/shop"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": theirs.target_groups.blue}],
    )
    cluster = account.ecs.create_cluster(clusterName="moved")["cluster"]["clusterArn"]
    account.publish(theirs.model_copy(update={"cluster": cluster}))


@pytest.mark.parametrize("happen", [_gone, _malformed, _moved])
def test_what_was_made_is_known_by_the_journal(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan, happen: Any
) -> None:
    """Whatever the spec says by now: where the last deployment was is where everything is removed."""
    happen(account)
    _cleanup(aws, "Delete")
    assert (answers.bodies[0]["Status"], answers.bodies[0]["Reason"]) == ("SUCCESS", "")
    assert Traffic(account.elbv2, account.spec).rule() is None
    assert account.status("blue") == "INACTIVE"
    assert journal.state("web") == State()
    theirs = account.spec.model_copy(update={"rule_priority": 50})
    assert (Traffic(account.elbv2, theirs).rule() is not None) is (happen is _moved)


def test_a_service_that_was_deleted_before_and_never_deployed_again_is_deleted(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """Its history tells of a listener and a cluster that have gone with the stack of before."""
    _cleanup(aws, "Delete")
    aws.fail("DescribeRules", AssertionError("there is nothing to look for"))
    _cleanup(aws, "Delete")
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"] * 2


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        (("DescribeRules",), "ListenerNotFound"),
        (("DeleteService", "DescribeServices", "ListTasks"), "ClusterNotFoundException"),
    ],
)
def test_what_has_gone_with_its_place_is_gone(
    account: Account,
    aws: Aws,
    answers: Answers,
    journal: Journal,
    deployed: HeldPlan,
    operations: tuple[str, ...],
    error: str,
) -> None:
    """Somebody has deleted the listener, or the cluster, before the stack."""
    for operation in operations:
        aws.refuse(operation, error)
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert journal.state("web") == State()


REMOVED = {
    "DescribeRules": "the production rule",
    "DeleteRule": "the production rule",
    "DeleteService": "web-blue, web-green",
    "ListTasks": "the tasks in arn",
    "StopTask": "arn:aws:ecs:us-east-1:123456789012:task/web/",
    "ListTaskDefinitions": "the task definitions of web",
    "DeregisterTaskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
    "StopExecution": f"{EXECUTION}:d1",
}
"""What is left where a call is refused, by the call."""


@pytest.mark.parametrize("operation", REMOVED)
def test_what_cannot_be_removed_keeps_nothing_else(
    account: Account,
    aws: Aws,
    clock: Clock,
    answers: Answers,
    journal: Journal,
    deployed: HeldPlan,
    probe: str,
    operation: str,
) -> None:
    """It is named, with AWS's word; all the rest goes, and the service is not forgotten before."""
    aws.refuse(operation, "AccessDenied")
    _cleanup(aws, "Delete")
    (body,) = answers.bodies
    assert body["Status"] == "FAILED"
    assert body["Reason"].startswith("NotRemoved: Crossfade removed all that it made for web, except")
    assert f"for web, except {REMOVED[operation]}" in body["Reason"]
    assert f"(AccessDenied) when calling the {operation} operation" in body["Reason"]
    assert len(body["Reason"]) < REASON_CHARACTERS
    assert clock.seconds < 60
    rule, definitions = _rule_and_releases(account)
    assert bool(rule) is (operation in {"DescribeRules", "DeleteRule"})
    assert bool(definitions) is (operation in {"ListTaskDefinitions", "DeregisterTaskDefinition"})
    assert account.status("blue") == ("ACTIVE" if operation == "DeleteService" else "INACTIVE")
    assert account.dies(probe) is (operation not in {"StopTask", "ListTasks"})
    assert account.runs(deployed.execution) is (operation == "StopExecution")
    assert journal.state("web").holder == DELETION
    aws.allow(operation)
    _cleanup(aws, "Delete")
    assert answers.bodies[1]["Status"] == "SUCCESS"
    assert _rule_and_releases(account) == (None, [])


def _rule_and_releases(account: Account) -> tuple[Any, list[str]]:
    found = account.ecs.list_task_definitions(familyPrefix="web", status="ACTIVE")["taskDefinitionArns"]
    return Traffic(account.elbv2, account.spec).rule(), [arn for arn in found if "web-stack" not in arn]


def test_a_rule_that_was_given_another_priority_is_removed(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """Nothing was deployed since, so the journal's plans know the old one only; another rule has that."""
    traffic = Traffic(account.elbv2, account.spec)
    journal.live.wrote(deployed, Weights(blue=100, green=0), at(1), traffic.write(Weights(blue=100, green=0)))
    rule = traffic.rule()
    assert rule
    account.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": rule.arn, "Priority": 7}])
    account.others_rule(account.spec.rule_priority, {"Field": "path-pattern", "Values": ["/shop"]})
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    found = account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]
    assert [one["Priority"] for one in found] == [str(account.spec.rule_priority), "default"]


def test_a_service_that_a_failed_deletion_holds_begins_anew(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """Its stack was deleted without the resource; held for ever, no release of the next stack would begin."""
    aws.refuse("DeleteRule", "AccessDenied")
    _cleanup(aws, "Delete")
    _cleanup(aws, "Update")
    assert journal.state("web").holder == DELETION
    _cleanup(aws, "Create")
    assert journal.state("web") == State()
    assert [body["Status"] for body in answers.bodies] == ["FAILED", "SUCCESS", "SUCCESS"]


@pytest.fixture
def without_history(account: Account, journal: Journal, deployed: HeldPlan) -> HeldPlan:
    """Return the deployment of a service that is live, and was deployed so long ago that no item is left."""
    journal.live.promote(deployed, at(50))
    journal.holding.release(deployed.hold, at(60))
    key = {"service": {"S": "web"}, "item": {"S": "deployment#d1"}}
    account.dynamodb.delete_item(TableName=TABLE, Key=key)
    return deployed


def test_without_a_history_the_spec_says_what_was_made(
    account: Account, aws: Aws, answers: Answers, without_history: HeldPlan
) -> None:
    """History goes after 400 days."""
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert Traffic(account.elbv2, account.spec).rule() is None


@pytest.mark.parametrize("happen", [_gone, _malformed])
def test_where_nobody_knows_what_was_made_that_is_told(
    account: Account, aws: Aws, answers: Answers, journal: Journal, without_history: HeldPlan, happen: Any
) -> None:
    """Nothing is removed and nothing forgotten; with the spec put back the stack can be deleted."""
    happen(account)
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert answers.bodies[0]["Reason"].startswith("DeployedUnknown: web was deployed")
    assert f"Put the spec back into the parameter {SPECS}web" in answers.bodies[0]["Reason"]
    assert len(answers.bodies[0]["Reason"]) < REASON_CHARACTERS
    assert Traffic(account.elbv2, account.spec).rule() is not None
    account.publish(account.spec)
    _cleanup(aws, "Delete")
    assert answers.bodies[1]["Status"] == "SUCCESS"


def test_a_deployment_that_keeps_its_old_slot_warm_is_stopped(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """It holds nothing and waits for hours, and its state machine could not be deleted meanwhile."""
    warm = deployed.model_copy(update={"stable": "green", "spec": warm_spec()})
    journal.live.promote(warm, at(50))
    journal.holding.release(deployed.hold, at(60))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert not account.runs(deployed.execution)


def _replace_spec(account: Account, document: str) -> None:
    account.ssm.put_parameter(Name=f"{SPECS}web", Value=document, Type="String", Overwrite=True)


def test_a_spec_that_no_release_can_be_deployed_by_is_good_enough(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """It was accepted once, or has a key too many."""
    values = json.loads(account.spec.model_dump_json()) | {"surprise": 1}
    values["launch"]["deadline_seconds"] = 9_000
    _replace_spec(account, json.dumps(values))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert Traffic(account.elbv2, account.spec).rule() is None


def test_a_spec_that_cannot_be_read_keeps_no_stack_that_never_was_deployed(
    account: Account, aws: Aws, answers: Answers, clock: Clock
) -> None:
    """There is nothing of Crossfade's."""
    _replace_spec(account, "{")
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"


def test_an_answer_is_no_longer_than_cloudformation_takes(
    aws: Aws, answers: Answers, deployed: HeldPlan
) -> None:
    """A longer one is thrown away, and the stack waits for the resource's time-out."""
    aws.fail("StopExecution", RuntimeError("x" * 5_000))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert len(answers.bodies[0]["Reason"]) == REASON_CHARACTERS
