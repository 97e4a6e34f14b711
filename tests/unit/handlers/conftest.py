"""The handlers' surroundings: an account in moto, their environment, a clock, and a record of their calls."""

import importlib
import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from math import ceil
from types import ModuleType
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from crossfade.aws.clients import CONFIG
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.domain.slots import SLOTS
from crossfade.domain.traffic.weights import Weights
from crossfade.step import logger
from crossfade.watching.ledger_tail import PAUSE_SECONDS
from faults.aws.names import REGION
from faults.files import ROOT
from faults.law import READS, calls, unnamed
from tests.statemachine.permissions import ACTIONS, actions_of
from tests.unit.account import (
    BUCKET,
    DEAD_LETTERS,
    LEDGER_GROUP,
    MACHINES,
    PROBE,
    SPECS,
    TABLE,
    TASK_ROLES,
    TOPICS,
    Account,
    read_logs_by_prefix,
    renewed_accounts,
    scale_as_aws_does,
)
from tests.unit.checked import unsupported
from tests.unit.examples import DEPLOY, EXECUTION, at

PRODUCT = ROOT / "functions/crossfade"
Edit = Callable[[dict[str, Any]], dict[str, Any]]


class Clock:
    """Time for the handlers: it passes only when they sleep, and things can happen meanwhile."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.meanwhile: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """The time of day."""
        return at(self.seconds)

    def monotonic(self) -> float:
        """Seconds, as `time.monotonic` counts them."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds = round(self.seconds + seconds, 3)
        if self.meanwhile:
            self.meanwhile.pop(0)()


def looked(seconds: float) -> float:
    """When the first look is that comes so many seconds after the first of all, or later."""
    return round(ceil(round(seconds / PAUSE_SECONDS, 6)) * PAUSE_SECONDS, 3)


class Aws:
    """What the handlers call, and what they are answered."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Every write, with what it was given."""
        self.unnamed: list[str] = []
        """What they set and the law on harm does not name."""
        self._instead: dict[str, Callable[[], dict[str, Any]]] = {}
        self._edits: dict[str, Edit] = {}

    def answer(self, operation: str, answer: dict[str, Any]) -> None:
        """Answer an operation, where moto's answer is not to the point."""
        self._instead[operation] = lambda: answer

    def edit(self, operation: str, change: Edit) -> None:
        """Change what moto answers to an operation."""
        self._edits[operation] = change

    def refuse(self, operation: str, code: str, status: int = 400) -> None:
        """Refuse an operation."""
        answer: Any = {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        self.fail(operation, ClientError(answer, operation))

    def allow(self, operation: str) -> None:
        """Let moto answer an operation again."""
        self._instead.pop(operation)

    def fail(self, operation: str, error: Exception) -> None:
        """Let an operation fail."""

        def raise_it() -> dict[str, Any]:
            raise error

        self._instead[operation] = raise_it

    def go_on_answering(self, operation: str, answer: dict[str, Any], *, after: str) -> None:
        """From the next call of ``after`` on, answer an operation as before it; ``allow`` ends that."""

        def freeze(written: dict[str, Any]) -> dict[str, Any]:
            self.answer(operation, answer)
            return written

        self.edit(after, freeze)

    def call(self, make: Any, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        """Make a call of a handler's client."""
        service = client.meta.service_model.service_name
        self.called |= actions_of(service, operation, arguments)
        if not operation.startswith(READS):
            self.asked.append((operation, arguments))
            for made, request in calls(service, operation, arguments):
                self.unnamed += unnamed(made, request)
        if operation in self._instead:
            return self._instead[operation]()
        answer = make(client, operation, arguments)
        return self._edits[operation](answer) if operation in self._edits else answer


class Context:
    """What Lambda tells a handler about itself."""

    function_name = "crossfade"
    memory_limit_in_mb = 256
    invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:crossfade"
    aws_request_id = "request-1"
    remaining = 50_000

    def get_remaining_time_in_millis(self) -> int:
        """Less at each look."""
        self.remaining -= 10_000
        return self.remaining


def module_of(name: str) -> ModuleType:
    """A handler's module."""
    return importlib.import_module(f"crossfade.handlers.{name}")


@pytest.fixture(scope="module")
def renewed() -> Iterator[Callable[[], Account]]:
    """Return a function that gives an account as good as new; it is set up once for each file."""
    with renewed_accounts() as renewed:
        yield renewed


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, renewed: Callable[[], Account]) -> Account:
    """Return an account, with the environment that the template gives to functions."""
    for name, value in {
        "AWS_DEFAULT_REGION": REGION,
        "JOURNAL_TABLE": TABLE,
        "SPECS_PATH": SPECS,
        "TASK_ROLES": TASK_ROLES,
        "LEDGER_GROUP": LEDGER_GROUP,
        "EVIDENCE_BUCKET": BUCKET,
        "PROBE_TASK_DEFINITION": PROBE,
        "PROBE_CONTAINER": "probe",
        "DEAD_LETTERS": DEAD_LETTERS,
        "DEPLOY_STATE_MACHINE": MACHINES[DEPLOY],
        "MESSAGES_TOPIC": TOPICS["messages"],
        "CHAT_TOPIC": TOPICS["chat"],
    }.items():
        monkeypatch.setenv(name, value)
    read_logs_by_prefix(monkeypatch)
    scale_as_aws_does(monkeypatch)
    return renewed()


@pytest.fixture
def journal(account: Account) -> Journal:
    """Return the journal, for what happened before the handler runs."""
    return Journal(account.dynamodb, TABLE)


@pytest.fixture
def blue_live(account: Account, journal: Journal) -> None:
    """Make 0.0.1 live in blue by a deployment that has ended; green has tasks as well."""
    before = account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0")
    blue = Weights.share("blue", 100)
    journal.holding.claim(before)
    Traffic(account.elbv2, account.spec).write(blue)
    journal.live.wrote(before, blue, at(-900))
    journal.holding.release(before.hold, at(-600))
    for slot in SLOTS:
        account.run(slot, account.spec.pattern.task_definition)
        account.register_targets(slot, "10.0.0.10", "10.0.0.11")


@pytest.fixture
def probe(account: Account) -> str:
    """Return a probe task that runs, and is silent as long as nobody writes a ledger."""
    asked = ProbeTasks(account.ecs, account.spec).start(
        account.plan(), 1, 0, task_definition=PROBE, container="probe", log_group=LEDGER_GROUP
    )
    assert asked.task
    return asked.task


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that all handlers look at."""
    found = Clock()
    for path in (*(PRODUCT / "handlers").glob("*.py"), *(PRODUCT / "watching").glob("*.py")):
        module = importlib.import_module(f"crossfade.{path.parent.name}.{path.stem}")
        if hasattr(module, "utc_now"):
            monkeypatch.setattr(module, "utc_now", found.now)
        if hasattr(module, "time"):
            monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Return the record of what the handlers call; what tests call themselves is not in it.

    None of it may set more than the law on harm names.
    """
    found, make = Aws(), botocore.client.BaseClient._make_api_call

    def call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if client.meta.config.connect_timeout != CONFIG.connect_timeout:
            return make(client, operation, arguments)
        return found.call(make, client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    yield found
    assert found.unnamed == []


Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Logged:
    """Return a function that reads what was logged."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def invoke(account: Account, clock: Clock, aws: Aws) -> Invoke:
    """Return a function that invokes a handler as Lambda does: JSON in, JSON out.

    It fails when the handler calls what its role does not allow, or certifies what its ledger does not say.
    """

    def run(name: str, **event: Any) -> dict[str, Any]:
        given = {key: _plain(value) for key, value in event.items()}
        aws.called.clear()
        try:
            answer = module_of(name).handler(json.loads(json.dumps(given)), Context())
        finally:
            assert aws.called - ACTIONS[name] == set()
        if name == "write_report":
            assert unsupported(account.evidence()) == []
        return json.loads(json.dumps(answer))

    return run


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
