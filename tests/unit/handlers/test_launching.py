"""From the claim to a candidate that is healthy: claim, register, start_probe, launch, checks."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.ledger import Ledger
from crossfade.domain import errors
from crossfade.domain.message import iso
from crossfade.domain.plan import Plan
from tests.unit.account import LEDGER_GROUP, Account
from tests.unit.examples import EXECUTION, at
from tests.unit.handlers.conftest import Aws, Clock, Invoke

OPENED = '{"type":"opened","deployment":"d1","at":"2026-11-23T04:00:00.000Z","lanes":["production"]}'


@pytest.fixture
def held(account: Account, journal: Journal) -> Plan:
    """Return a first deployment that holds the service."""
    plan = account.first_plan(release=account.release("0.0.2"))
    journal.claim(plan)
    return plan


def _running(failed: int = 0, state: str = "COMPLETED", running: int | None = None) -> Any:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for service in answer["services"]:
            service["runningCount"] = service["desiredCount"] if running is None else running
            rollout = {"status": "PRIMARY", "rolloutState": state, "failedTasks": failed}
            service["deployments"] = [rollout | {"rolloutStateReason": "circuit breaker"}]
        return answer

    return edit


def test_a_claim_tells_its_holder(account: Account, invoke: Invoke, journal: Journal) -> None:
    """Claimed twice it is still the same."""
    plan = account.first_plan()
    answers = [invoke("claim", plan=plan), invoke("claim", plan=plan)]
    assert answers == [{"holder": plan.execution}] * 2
    assert journal.state("web").holder == plan.execution


def test_a_claim_of_a_held_service_is_busy(account: Account, invoke: Invoke, held: Plan) -> None:
    """The push that comes while another one is deployed."""
    with pytest.raises(errors.ServiceBusy, match="Wait until that deployment ends"):
        invoke("claim", plan=account.first_plan(deployment="d2", execution=f"{EXECUTION}:d2"))


def test_a_release_is_registered_once(invoke: Invoke, held: Plan) -> None:
    """Registered twice it is the same revision."""
    first, second = (invoke("register", plan=held) for _ in range(2))
    assert first == second
    assert ":task-definition/web:1" in first["task_definition"]


def test_a_probe_is_started_once(account: Account, invoke: Invoke, journal: Journal, held: Plan) -> None:
    """And the journal knows it, for whoever must stop it."""
    first, second = (invoke("start_probe", plan=held) for _ in range(2))
    assert first == second
    assert journal.history("web", "d1").probe == first["task"]


def test_the_probe_is_waited_for(account: Account, invoke: Invoke, held: Plan) -> None:
    """Until its first record is there."""
    task = invoke("start_probe", plan=held)["task"]
    check = {"plan": held, "task": task, "deadline": at(60)}
    assert invoke("check_probe", **check, cursor=None) == {"status": "waiting", "cursor": None}
    account.write_ledger(held.ledger, OPENED)
    found = invoke("check_probe", **check, cursor=None)
    assert found["status"] == "writing"
    # What was read once is not read again: the first stage goes on from there.
    assert Ledger(account.logs, LEDGER_GROUP).after(held.ledger, found["cursor"])[0] == []


def test_a_probe_that_stopped_is_not_waited_for(account: Account, invoke: Invoke, held: Plan) -> None:
    """Its image is missing, most likely."""
    task = invoke("start_probe", plan=held)["task"]
    account.ecs.stop_task(cluster=account.spec.cluster, task=task, reason="CannotPullContainerError")
    with pytest.raises(errors.ProbeCannotStart, match="CannotPullContainerError"):
        invoke("check_probe", plan=held, task=task, deadline=at(60), cursor=None)


def test_a_silent_probe_is_given_up(invoke: Invoke, clock: Clock, held: Plan) -> None:
    """No traffic moves without evidence."""
    task = invoke("start_probe", plan=held)["task"]
    clock.seconds = 60
    with pytest.raises(errors.ProbeCannotStart, match="wrote nothing in time"):
        invoke("check_probe", plan=held, task=task, deadline=at(60), cursor=None)


def test_a_first_release_starts_with_the_specs_count(
    account: Account, invoke: Invoke, clock: Clock, held: Plan
) -> None:
    """There is nothing to take it from."""
    definition = invoke("register", plan=held)["task_definition"]
    clock.seconds = 3
    answer = invoke("launch", plan=held, task_definition=definition)
    assert answer == {"count": 2, "deadline": iso(at(63))}


@pytest.mark.parametrize(("running", "count"), [(5, 5), pytest.param(0, 1, id="at-least-one")])
def test_a_release_starts_with_the_stable_slots_count(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, running: int, count: int
) -> None:
    """As many as are running now, whatever the spec says: it may have been scaled."""
    plan = account.plan(release=account.release("0.0.2"))
    before = account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0")
    journal.claim(before)
    journal.wrote(before, plan.before, at(0))
    journal.release(before)
    journal.claim(plan)
    definition = invoke("register", plan=plan)["task_definition"]
    account.run("blue", definition, running)
    aws.edit("DescribeServices", _running(running=running))
    assert invoke("launch", plan=plan, task_definition=definition)["count"] == count


def test_launching_twice_moves_no_deadline(invoke: Invoke, clock: Clock, held: Plan) -> None:
    """It counts from the first try."""
    definition = invoke("register", plan=held)["task_definition"]
    first = invoke("launch", plan=held, task_definition=definition)
    clock.seconds = 30
    assert first == invoke("launch", plan=held, task_definition=definition)


@pytest.fixture
def launched(account: Account, invoke: Invoke, aws: Aws, held: Plan) -> Plan:
    """Return a plan whose candidate was launched and runs."""
    definition = invoke("register", plan=held)["task_definition"]
    invoke("launch", plan=held, task_definition=definition)
    aws.edit("DescribeServices", _running())
    return held


def _check(invoke: Invoke, plan: Plan, since: float | None = None) -> dict[str, Any]:
    healthy_since = None if since is None else iso(at(since))
    return invoke("check_green", plan=plan, deadline=at(60), healthy_since=healthy_since)


def test_health_is_held_for_a_while(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, launched: Plan
) -> None:
    """Ready is what was healthy for the hold time; the journal keeps since when."""
    assert _check(invoke, launched)["status"] == "waiting"
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    clock.seconds = 10
    first = _check(invoke, launched)
    assert (first["status"], first["healthy_since"]) == ("waiting", iso(at(10)))
    clock.seconds = 15
    assert _check(invoke, launched, since=10)["status"] == "ready"
    assert journal.history("web", "d1").healthy == at(10)


def test_an_image_that_cannot_be_pulled_is_given_up_early(invoke: Invoke, aws: Aws, launched: Plan) -> None:
    """With the reason of the task that stopped last."""
    aws.edit("DescribeServices", _running(failed=2, state="FAILED", running=0))
    aws.answer("ListTasks", {"taskArns": ["task"]})
    stopped = {"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError"}
    aws.answer("DescribeTasks", {"tasks": [stopped]})
    said = "circuit breaker; TaskFailedToStart, CannotPullContainerError"
    with pytest.raises(errors.CandidateCannotStart, match=said):
        _check(invoke, launched)


def test_a_candidate_that_never_is_healthy_is_given_up(
    invoke: Invoke, aws: Aws, clock: Clock, launched: Plan
) -> None:
    """With the load balancer's reason."""
    health = {"State": "unhealthy", "Description": "code 503"}
    target = {"Target": {"Id": "10.0.0.10"}, "TargetHealth": health}
    aws.answer("DescribeTargetHealth", {"TargetHealthDescriptions": [target]})
    clock.seconds = 60
    with pytest.raises(errors.CandidateNotHealthy, match="code 503"):
        _check(invoke, launched)


def test_a_candidate_that_somebody_deleted_cannot_start(
    account: Account, invoke: Invoke, launched: Plan
) -> None:
    """The sentence names the service."""
    account.ecs.delete_service(cluster=account.spec.cluster, service="web-blue", force=True)
    with pytest.raises(errors.CandidateCannotStart, match="web-blue is gone"):
        _check(invoke, launched)
