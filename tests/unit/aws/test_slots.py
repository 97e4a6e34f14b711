"""The slots' ECS services: launched, stopped and deleted, each as often as one likes."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.slots import Slots, SlotService, stop_reason
from tests.unit.account import Account


@pytest.fixture
def slots(account: Account) -> Slots:
    """Return the service's slots."""
    return Slots(account.ecs, account.spec)


def _service(account: Account) -> dict[str, Any]:
    found = account.ecs.describe_services(cluster=account.spec.cluster, services=["web-green"])
    return found["services"][0]


def test_a_slot_that_never_was_has_no_service(slots: Slots) -> None:
    """Stopping and deleting it are harmless."""
    slots.stop("green")
    slots.delete("green")
    assert slots.describe("green") is None
    assert slots.all_gone()


def test_a_launch_makes_the_service(account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary rolling service, with the circuit breaker on and ECS's own rollback off."""
    made: dict[str, Any] = {}
    monkeypatch.setattr(account.ecs, "create_service", made.update)
    slots.launch("green", account.spec.blueprint, 3)
    assert (made["serviceName"], made["desiredCount"], made["launchType"]) == ("web-green", 3, "FARGATE")
    assert made["loadBalancers"] == [
        {
            "targetGroupArn": account.spec.target_groups.green,
            "containerName": "app",
            "containerPort": 8080,
        }
    ]
    breaker = made["deploymentConfiguration"]["deploymentCircuitBreaker"]
    assert breaker == {"enable": True, "rollback": False}


def test_launching_twice_is_launching_once(account: Account, slots: Slots) -> None:
    """Every handler may run twice."""
    slots.launch("green", account.spec.blueprint, 2)
    slots.launch("green", account.spec.blueprint, 2)
    found = slots.describe("green")
    assert found is not None
    assert (found.task_definition, found.desired) == (account.spec.blueprint, 2)


def test_a_launch_replaces_what_ran_there(account: Account, slots: Slots) -> None:
    """Task definition, count and network are the spec's, each time anew."""
    slots.launch("green", account.spec.blueprint, 2)
    slots.stop("green")
    newer = account.ecs.register_task_definition(
        family="web", containerDefinitions=[{"name": "app", "image": "web", "memory": 512}]
    )["taskDefinition"]["taskDefinitionArn"]
    slots.launch("green", newer, 4)
    found = slots.describe("green")
    assert found is not None
    assert (found.task_definition, found.desired) == (newer, 4)


@pytest.mark.parametrize(
    ("rollout", "forced"),
    [
        pytest.param({"rolloutState": "COMPLETED", "failedTasks": 0}, False, id="went-well"),
        pytest.param({"rolloutState": "FAILED", "failedTasks": 0}, True, id="gave-up"),
        pytest.param({"rolloutState": "IN_PROGRESS", "failedTasks": 1}, True, id="failed-once"),
    ],
)
def test_a_release_that_failed_before_is_rolled_out_anew(
    slots: Slots, monkeypatch: pytest.MonkeyPatch, rollout: dict[str, Any], forced: bool
) -> None:
    """ECS would take it for the same rollout, and leave it failed."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: _described(**rollout))
    monkeypatch.setattr(slots._ecs, "update_service", lambda **given: calls.append(given))
    slots.launch("green", "web:1", 2)
    assert [call["forceNewDeployment"] for call in calls] == [forced]
    assert calls[0]["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "ENABLED"


def test_a_create_that_had_its_effect_already_is_updated(
    account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier try was there first: the update is absolute."""
    slots.launch("green", account.spec.blueprint, 1)
    seen = iter([None, slots.describe("green")])
    monkeypatch.setattr(slots, "describe", lambda _: next(seen))
    monkeypatch.setattr(account.ecs, "create_service", _refuse)
    slots.launch("green", account.spec.blueprint, 2)
    assert _service(account)["desiredCount"] == 2


def test_a_create_that_is_refused_is_passed_on(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is understood is translated."""
    monkeypatch.setattr(slots._ecs, "create_service", _refuse)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        slots.launch("green", "web:1", 1)


def test_stopping_twice_is_stopping_once(account: Account, slots: Slots) -> None:
    """The service stays, at 0 tasks."""
    slots.launch("green", account.spec.blueprint, 2)
    slots.stop("green")
    slots.stop("green")
    found = slots.describe("green")
    assert found is not None
    assert found.desired == 0


def test_a_deleted_slot_is_gone(account: Account, slots: Slots) -> None:
    """Deleted twice, with its tasks, and then launched anew."""
    slots.launch("green", account.spec.blueprint, 2)
    slots.delete("green")
    slots.delete("green")
    assert slots.describe("green") is None


@pytest.mark.parametrize(
    ("services", "gone"),
    [
        pytest.param([], True, id="never-were"),
        pytest.param([{"status": "INACTIVE", "runningCount": 0}], True, id="inactive"),
        pytest.param([{"status": "INACTIVE", "runningCount": 1}], False, id="a-task-is-left"),
        pytest.param([{"status": "DRAINING", "runningCount": 0}], False, id="draining"),
        pytest.param([{"status": "ACTIVE", "runningCount": 0}], False, id="active"),
    ],
)
def test_all_gone(
    slots: Slots, monkeypatch: pytest.MonkeyPatch, services: list[dict[str, Any]], gone: bool
) -> None:
    """Tasks included."""
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: {"services": services})
    assert slots.all_gone() is gone


def test_the_newest_rollout_is_described(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ECS's own words where it gave up."""
    described = _described(rolloutState="FAILED", rolloutStateReason="circuit breaker", failedTasks=3)
    described["services"][0] |= {"runningCount": 3, "pendingCount": 1}
    described["services"][0]["deployments"][:0] = [
        {"status": "ACTIVE", "failedTasks": 9, "runningCount": 2},
        {"status": "INACTIVE", "failedTasks": 0, "runningCount": 1},
    ]
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: described)
    assert slots.describe("green") == SlotService(
        task_definition="web:1",
        desired=2,
        running=3,
        tasks=4,
        others=3,
        failed_tasks=3,
        rollout_failed=True,
        rollout_reason="circuit breaker",
    )


def test_tasks_of_the_newest_rollout_are_no_others(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what is launched; those of an earlier rollout may still answer with its version."""
    described = _described(rolloutState="IN_PROGRESS", failedTasks=0)
    described["services"][0]["deployments"][0]["runningCount"] = 2
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: described)
    found = slots.describe("green")
    assert found is not None
    assert found.others == 0


def test_the_last_stop_tells_why(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several stopped tasks, the one that stopped last."""
    tasks = [
        {"stoppedAt": "2026-11-23T04:00:02", "stoppedReason": "second"},
        {"stoppedAt": "2026-11-23T04:00:01", "stoppedReason": "first"},
    ]
    monkeypatch.setattr(slots._ecs, "list_tasks", lambda **_: {"taskArns": ["a", "b"]})
    monkeypatch.setattr(slots._ecs, "describe_tasks", lambda **_: {"tasks": tasks})
    assert slots.last_stop("green") == "second"


def test_without_a_stopped_task_there_is_no_reason(account: Account, slots: Slots) -> None:
    """Nothing is made up."""
    slots.launch("green", account.spec.blueprint, 1)
    assert slots.last_stop("green") == ""


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({}, ""),
        (
            {"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: not found"},
            "TaskFailedToStart, CannotPullContainerError: not found",
        ),
        (
            {
                "stopCode": "EssentialContainerExited",
                "containers": [
                    {"name": "app", "exitCode": 137, "reason": "OutOfMemoryError"},
                    {"name": "proxy", "exitCode": 0},
                    {"name": "init"},
                ],
            },
            "EssentialContainerExited, container app exit code 137: OutOfMemoryError, "
            "container proxy exit code 0",
        ),
    ],
)
def test_stop_reasons(task: dict[str, Any], expected: str) -> None:
    """Stop code, ECS's reason, exit codes: whatever there is."""
    assert expected == stop_reason(task)


def _described(**rollout: Any) -> dict[str, Any]:
    return {
        "services": [
            {
                "status": "ACTIVE",
                "taskDefinition": "web:1",
                "desiredCount": 2,
                "runningCount": 0,
                "pendingCount": 0,
                "deployments": [{"status": "PRIMARY", "runningCount": 0, **rollout}],
            }
        ]
    }


def _refuse(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "InvalidParameterException", "Message": "no"}}, "CreateService")
