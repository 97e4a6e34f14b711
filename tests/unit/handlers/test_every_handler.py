"""What all handlers have in common: quiet imports, named failures, logs under the deployment's name."""

import os
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from pydantic import ValidationError

from crossfade.aws.journal import Journal
from crossfade.domain import errors
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from faults.files import ROOT, functions
from tests.statemachine.definitions import event_keys
from tests.unit.account import Account
from tests.unit.examples import ENDED, at, first_plan, plan, waiting
from tests.unit.handlers.conftest import Aws, Context, Invoke, Logged, module_of

MODULES = sorted(function["Handler"].rpartition(".")[0] for function in functions().values())
STEPS = sorted(module.rpartition(".")[2] for module in MODULES if not module.endswith("cleanup"))

IMPORT = """
import importlib, socket, sys
import boto3
def refuse(*_, **__): raise SystemExit("an import did something")
boto3.client = boto3.resource = boto3.Session = socket.socket.connect = refuse
for name in sys.argv[1:]:
    importlib.import_module(name)
from crossfade.aws.clients import client
assert client.cache_info().currsize == 0
"""


@pytest.fixture
def held(account: Account, journal: Journal) -> HeldPlan:
    """Return a first deployment that holds the service."""
    plan = account.first_plan(release=account.release("0.0.2"))
    journal.holding.claim(plan)
    return plan


def test_imports_do_nothing() -> None:
    """No client, no network, and no environment is needed to import the handlers."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "functions")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT, *MODULES],  # no bytecode beside the code: it would be packed
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", STEPS)
def test_a_malformed_event_is_refused(account: Account, aws: Aws, name: str) -> None:
    """Before any call."""
    with pytest.raises(ValidationError):
        module_of(name).handler({"service": 1}, Context())
    assert aws.called == set()


DRAINING = {"shifted": at(0), "probe": "task"}


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "plan_release",
        "GetParameter",
        {"input": {"service": "web", "image_tag": "1"}, "execution": "e", "deployment": "d"},
    ),
    ("queue_release", "TransactWriteItems", {"service": "web", "waiting": waiting()}),
    ("claim_service", "TransactWriteItems", {"plan": first_plan(deployment="d2", execution="other")}),
    ("register_task_definition", "RegisterTaskDefinition", {}),
    ("start_probe", "RunTask", {"attempt": 1}),
    ("check_probe", "GetLogEvents", {"task": "task", "deadline": at(60)}),
    ("suspend_scaling", "DescribeScalableTargets", {"plan": plan()}),
    ("launch_candidate", "UpdateService", {"task_definition": "web:1", "deadline": at(60)}),
    (
        "check_candidate",
        "DescribeServices",
        {
            "rollout": {"id": "ecs-svc/1", "task_definition": "web:1", "asked": iso(at(0))},
            "deadline": at(60),
            "healthy_since": None,
        },
    ),
    (
        "watch_stage",
        "GetLogEvents",
        {
            "probe": "task",
            "stage": 1,
            "began": at(0),
            "deadline": at(60),
            "candidate_since": at(0),
            "watching": "{}",
        },
    ),
    (
        "shift_traffic",
        "DescribeTargetHealth",
        {"stage": 1, "deadline": at(60), "written": None},
    ),
    (
        "retire_stable",
        "GetLogEvents",
        {"plan": plan(), "candidate_since": at(0), "watching": "{}", **DRAINING},
    ),
    ("resume_scaling", "GetItem", {}),
    ("stop_probe", "ListTasks", {"executions": ["execution"], "task": None}),
    (
        "write_report",
        "GetLogEvents",
        {"outcome": "failed", "reason": "why", "executions": [], "probed": False, "ended": at(60)},
    ),
    (
        "record_outcome",
        "TransactWriteItems",
        {
            "outcome": "failed",
            "reason": "why",
            "executions": [],
            "ended": at(60),
            "failure": {"Error": "E", "Cause": "C"},
        },
    ),
    ("release_service", "UpdateItem", {}),
    ("start_next", "Query", {"service": None}),
    ("stop_old_slot", "DescribeRules", {"plan": plan()}),
    ("assess", "GetItem", {"input": {"service": "web"}, "execution": "e", "began": iso(at(0))}),
    (
        "restore_weights",
        "DescribeRules",
        {"deadline": at(60), "tasks_deadline": at(60), "rounds": 0, "written": None},
    ),
    (
        "verify_restored",
        "GetLogEvents",
        {"version": "0.0.1", "loser": "green", "quiet": {}, "cursor": None, **DRAINING},
    ),
    ("stop_loser", "DescribeRules", {"slot": "green", "deadline": at(60), "undecided": True}),
    ("catch_up", "DescribeImages", {}),
    ("send_message", "Publish", {"detail": ENDED}),
    ("check_held", "Query", {}),
    (
        "publish_events",
        "Query",
        {"detail": {"executionArn": "e", "name": "d", "status": "FAILED", "stopDate": 1}},
    ),
]


@pytest.mark.parametrize(("name", "operation", "event"), CALLS)
@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        pytest.param("AccessDeniedException", 400, errors.AwsRefused, id="refused"),
        pytest.param("ThrottlingException", 400, errors.AwsUnavailable, id="throttled"),
        pytest.param("InternalFailure", 500, errors.AwsUnavailable, id="unavailable"),
    ],
)
def test_failures_of_aws_get_names(
    account: Account,
    invoke: Invoke,
    aws: Aws,
    held: HeldPlan,
    name: str,
    operation: str,
    event: dict[str, Any],
    code: str,
    status: int,
    expected: type[Exception],
) -> None:
    """The class is the error name that the state machine retries or catches."""
    given = event
    if "plan" in event_keys(module_of(name)):
        asked = event.get("plan", held)
        given = event | {"plan": asked.model_copy(update={"spec": account.spec})}
    aws.refuse(operation, code, status)
    with pytest.raises(expected, match=code) as failed:
        invoke(name, **given)
    assert type(failed.value) is expected


def test_every_handler_is_in_the_table() -> None:
    """A new one must say which of its calls may fail."""
    assert sorted(name for name, *_ in CALLS) == STEPS


def test_no_answer_is_worth_another_try(invoke: Invoke, aws: Aws, held: HeldPlan) -> None:
    """A broken connection is no refusal."""
    aws.fail("UpdateItem", EndpointConnectionError(endpoint_url="https://dynamodb"))
    with pytest.raises(errors.AwsUnavailable, match="did not answer"):
        invoke("release_service", plan=held)


def test_logs_are_found_under_the_deployments_name(invoke: Invoke, held: HeldPlan, logged: Logged) -> None:
    """One line for an answer."""
    answer = invoke("start_probe", plan=held, attempt=1)
    (line,) = logged()
    assert (line["correlation_id"], line["answer"]) == ("d1", answer)
    assert answer["status"] == "started"


def test_failures_are_logged_in_words(invoke: Invoke, held: HeldPlan, logged: Logged) -> None:
    """The name and the sentence, as the state machine shows them."""
    with pytest.raises(errors.ServiceChanged):
        invoke("claim_service", plan=held.model_copy(update={"deployment": "d2", "holder": "other"}))
    (line,) = logged()
    assert line["level"] == "WARNING"
    assert line["message"].startswith("ServiceChanged: Service web was held by")
