"""The end: the certificate is stored, the numbers are published, the service is free, the stack can go."""

import hashlib
import json
import urllib.request
from typing import Any

import pytest

from crossfade.aws.journal import Journal, State
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.aws.traffic import Traffic
from crossfade.domain.plan import Plan
from crossfade.domain.traffic import Weights
from tests.unit.account import BUCKET, Account
from tests.unit.examples import EXECUTION, at, requests
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
def held(account: Account, journal: Journal, aws: Aws) -> Plan:
    """Return a first deployment that holds the service; each execution has entered one state."""
    aws.answer("GetExecutionHistory", HISTORY)
    plan = account.first_plan()
    journal.claim(plan)
    return plan


def _report(invoke: Invoke, plan: Plan, **given: Any) -> dict[str, Any]:
    values = {
        "outcome": "promoted",
        "reason": "0.0.2 answered well at every stage",
        "executions": [plan.execution],
        "probed": True,
        **given,
    }
    return invoke("report", plan=plan, **values)


def _stored(account: Account, name: str) -> bytes:
    return account.s3.get_object(Bucket=BUCKET, Key=f"web/d1/{name}")["Body"].read()


def test_a_report_stores_the_ledger_and_what_it_proves(
    account: Account, invoke: Invoke, clock: Clock, held: Plan
) -> None:
    """The certificate's hash is the stored ledger's."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    clock.seconds = 60
    answer = _report(invoke, held, executions=[held.execution, f"{EXECUTION}:rollback"])
    assert answer == {"outcome": "promoted", "certificate": "web/d1/certificate.json"}
    certificate, ledger = json.loads(_stored(account, "certificate.json")), _stored(account, "ledger.jsonl")
    assert certificate["requests"]["production"] == {"sent": 3, "ok": 2, "failed": 1, "missing": 0}
    assert certificate["ledger"] == {
        "records": 3,
        "complete": True,
        "sha256": hashlib.sha256(ledger).hexdigest(),
    }
    assert (certificate["transitions"], certificate["timing"]["total"]) == (2, 60.0)
    assert len(ledger.splitlines()) == 4


def test_reporting_twice_leaves_one_certificate(account: Account, invoke: Invoke, held: Plan) -> None:
    """The same one."""
    account.write_ledger(held.ledger, *requests("production", "..x"), CLOSED)
    _report(invoke, held)
    first = _stored(account, "certificate.json")
    _report(invoke, held)
    assert first == _stored(account, "certificate.json")


def test_a_report_closes_the_journals_item(account: Account, invoke: Invoke, held: Plan) -> None:
    """It becomes history, which expires long after."""
    account.write_ledger(held.ledger, CLOSED)
    _report(invoke, held, outcome="rolled_back", reason="why")
    item = account.item("deployment#d1")
    assert (item["outcome"], item["reason"]) == ("rolled_back", "why")
    assert item["certificate"] == "web/d1/certificate.json"
    assert int(item["expires"]) - at(0).timestamp() == 400 * 86_400


def test_a_report_waits_for_the_closing_record(
    account: Account, invoke: Invoke, clock: Clock, held: Plan
) -> None:
    """The probe takes a moment to end."""
    account.write_ledger(held.ledger, *requests("production", "..x"))
    clock.meanwhile = [lambda: None, lambda: account.write_ledger(held.ledger, CLOSED)]
    _report(invoke, held)
    assert json.loads(_stored(account, "certificate.json"))["ledger"]["complete"] is True
    assert clock.seconds == 1


def test_a_ledger_that_is_not_closed_is_reported_as_cut(
    account: Account, invoke: Invoke, clock: Clock, held: Plan
) -> None:
    """After some seconds, and truthfully."""
    account.write_ledger(held.ledger, *requests("production", ".."))
    _report(invoke, held)
    assert json.loads(_stored(account, "certificate.json"))["ledger"]["complete"] is False
    assert clock.seconds == 15


def test_without_a_probe_there_is_nothing_to_wait_for(
    account: Account, invoke: Invoke, clock: Clock, held: Plan
) -> None:
    """The deployment failed before it was started."""
    _report(invoke, held, outcome="failed", probed=False)
    assert clock.seconds == 0
    assert json.loads(_stored(account, "certificate.json"))["ledger"]["records"] == 0


def test_a_report_publishes_metrics(
    account: Account, invoke: Invoke, held: Plan, capsys: pytest.CaptureFixture[str]
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


def test_a_released_service_is_free(invoke: Invoke, journal: Journal, held: Plan) -> None:
    """Released twice as well."""
    for _ in range(2):
        assert invoke("release", plan=held) == {"service": "web"}
    assert journal.state("web") == State()


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


def _custom_resource(kind: str) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ServiceToken": "arn",
        "ResponseURL": "https://cloudformation.example/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "CrossfadeService",
        "ResourceType": "Custom::CrossfadeService",
        "ResourceProperties": {"ServiceToken": "arn", "Service": "web"},
    }


def _cleanup(kind: str) -> None:
    module_of("cleanup").handler(_custom_resource(kind), Context())


@pytest.fixture
def deployed(account: Account, clock: Clock, journal: Journal, held: Plan) -> Plan:
    """Return a service that is live."""
    release = account.release("0.0.2")
    account.run("blue", TaskDefinitions(account.ecs).register(account.spec, release))
    Traffic(account.elbv2, account.spec).write(Weights(blue=100, green=0))
    return held


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_creating_and_updating_change_nothing(
    account: Account, answers: Answers, deployed: Plan, kind: str
) -> None:
    """A stack update can never change what is live."""
    _cleanup(kind)
    assert Traffic(account.elbv2, account.spec).rule() is not None
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
    account: Account, answers: Answers, journal: Journal, deployed: Plan
) -> None:
    """Rule, services, task definitions and state; deleted twice that is still a success."""
    for _ in range(2):
        _cleanup("Delete")
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"] * 2
    assert Traffic(account.elbv2, account.spec).rule() is None
    assert journal.state("web") == State()
    found = account.ecs.list_task_definitions(familyPrefix="web", status="ACTIVE")["taskDefinitionArns"]
    assert [arn for arn in found if "blueprint" not in arn] == []


def test_tasks_that_do_not_end_in_time_are_told(aws: Aws, answers: Answers, deployed: Plan) -> None:
    """CloudFormation would otherwise wait for an hour."""
    draining = {"status": "DRAINING", "runningCount": 1}
    aws.edit("DescribeServices", lambda _: {"services": [draining]})
    _cleanup("Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert "did not stop in time" in answers.bodies[0]["Reason"]


def test_a_service_that_is_gone_needs_no_cleanup(account: Account, answers: Answers, clock: Clock) -> None:
    """Its spec went before it."""
    account.ssm.delete_parameter(Name="/crossfade/services/web")
    _cleanup("Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
