"""The slots' ECS services: launched, stopped and deleted, each as often as one likes."""

import re
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from crossfade.aws.ecs_services import (
    OwnServices,
    Slots,
    SlotService,
    Stop,
    stop_reason,
    unfinished_tasks,
)
from crossfade.domain.errors import ResourceGone
from crossfade.domain.planning.pattern import COPIED, REFUSED, SWITCHED_OFF
from crossfade.domain.tasks.reasons import Event
from faults.files import ROOT
from tests.unit.account import SERVICE_TAGS, SPECS, Account
from tests.unit.examples import at, of_two_ports


@pytest.fixture
def slots(account: Account) -> Slots:
    """Return the service's slots."""
    return Slots(account.ecs, account.spec)


@pytest.fixture
def own(account: Account) -> OwnServices:
    """Return the services that Crossfade made for the slots."""
    return OwnServices(account.ecs, account.declared, account.spec.parameter)


def _service(account: Account) -> dict[str, Any]:
    found = account.ecs.describe_services(cluster=account.spec.cluster, services=["web-green"])
    return found["services"][0]


def _left(account: Account, own: OwnServices) -> list[str]:
    return own.left(unfinished_tasks(account.ecs, account.spec.cluster))


def test_a_slot_that_never_was_has_no_service(account: Account, slots: Slots, own: OwnServices) -> None:
    """Stopping and deleting it are harmless."""
    slots.stop("green")
    own.delete("green")
    assert slots.describe("green") is None
    assert _left(account, own) == []


def test_a_launch_makes_the_service(account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary rolling service, with the circuit breaker on and ECS's own rollback off."""
    calls = _record(account, monkeypatch, "create_service")
    _launch(slots, account.spec.pattern.task_definition, 3)
    (made,) = calls
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
    assert made["tags"] == SERVICE_TAGS
    assert "capacityProviderStrategy" not in made
    assert {key: made[key] for key in SWITCHED_OFF} == SWITCHED_OFF


def test_a_slot_is_reached_by_all_ports(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, however many rules lead there."""
    spec = of_two_ports(account.spec)
    updated = _update_only(account, monkeypatch, {})
    Slots(account.ecs, spec).launch("green", "web:1", 1, again=False)
    assert updated[0]["loadBalancers"] == [
        {
            "targetGroupArn": account.spec.target_groups.green,
            "containerName": "app",
            "containerPort": 8080,
        },
        {
            "targetGroupArn": spec.also[0].target_groups.green,
            "containerName": "proxy",
            "containerPort": 9090,
        },
    ]


def _like(account: Account, **changes: Any) -> Slots:
    """The slots of a service whose pattern has other settings, tags, or else."""
    pattern = account.spec.pattern
    settings = pattern.settings | changes.pop("settings", {})
    told = {key: value for key, value in settings.items() if value is not None}
    pattern = pattern.model_copy(update={"settings": told, **changes})
    return Slots(account.ecs, account.spec.model_copy(update={"pattern": pattern}))


SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
CLIENT = {"enabled": True, "namespace": "shop"}


def test_a_slot_is_made_with_the_patterns_settings(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its tasks run, and what they may, its owner has said of his own service."""
    wanted = {
        "launchType": None,
        "capacityProviderStrategy": SPOT,
        "enableExecuteCommand": True,
        "propagateTags": "SERVICE",
        "serviceConnectConfiguration": CLIENT,
    }
    slots = _like(account, settings=wanted, tags={"CostCenter": "7"})
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(
        account.ecs, "create_service", lambda **given: calls.append(given) or {"service": _ACTIVE}
    )
    _launch(slots, account.spec.pattern.task_definition, 3)
    (made,) = calls
    assert {key: made.get(key) for key in wanted} == wanted
    assert "launchType" not in made
    assert made["networkConfiguration"] == account.spec.pattern.settings["networkConfiguration"]
    assert made["tags"][0] == {"key": "CostCenter", "value": "7"}


def test_a_slot_follows_its_pattern(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The launch type is CreateService's alone; switches are told each time."""
    calls = _update_only(account, monkeypatch, {})
    _launch(_like(account, settings={"launchType": None, "capacityProviderStrategy": SPOT}), "web:1", 1)
    (updated,) = calls
    assert updated["capacityProviderStrategy"] == SPOT
    assert (updated["enableExecuteCommand"], updated["enableECSManagedTags"]) == (False, False)
    assert updated["propagateTags"] == "NONE"
    assert "launchType" not in updated


def test_what_the_pattern_has_no_more_is_taken_out(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the way that UpdateService's documentation names for each; what is not there is not named."""
    shown = {
        "capacityProviderStrategy": SPOT,
        "placementStrategy": [{"type": "random"}],
        "deployments": [
            {
                "status": "PRIMARY",
                "serviceConnectConfiguration": CLIENT,
                "volumeConfigurations": [{"name": "data"}],
            }
        ],
    }
    calls = _update_only(account, monkeypatch, shown)
    _launch(_like(account), "web:1", 1)
    (updated,) = calls
    assert updated["capacityProviderStrategy"] == []
    assert updated["placementStrategy"] == []
    assert updated["serviceConnectConfiguration"] == {"enabled": False}
    assert updated["volumeConfigurations"] == []
    assert "placementConstraints" not in updated


def _update_only(
    account: Account, monkeypatch: pytest.MonkeyPatch, shown: dict[str, Any]
) -> list[dict[str, Any]]:
    """Let a slot's service be shown so, and write down its updates."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(account.ecs, "describe_services", lambda **_: {"services": [_ACTIVE | shown]})
    monkeypatch.setattr(account.ecs, "tag_resource", lambda **_: {})
    monkeypatch.setattr(
        account.ecs, "update_service", lambda **given: calls.append(given) or {"service": _ACTIVE}
    )
    return calls


_ACTIVE: dict[str, Any] = {
    "status": "ACTIVE",
    "serviceArn": "arn:service",
    "deployments": [{"status": "PRIMARY", "id": "ecs-svc/1"}],
}


def test_of_the_owners_own_service_little_is_set(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its task definition and its count: all else is its owner's, tags as well."""
    origin = Slots(account.ecs, account.spec.model_copy(update={"origin": "green"}))
    calls = _record(account, monkeypatch, "update_service")
    tagged = _record(account, monkeypatch, "tag_resource")
    _launch(origin, account.spec.pattern.task_definition, 3)
    assert calls == [
        {
            "cluster": account.spec.cluster,
            "service": "web",
            "taskDefinition": account.spec.pattern.task_definition,
            "desiredCount": 3,
            "forceNewDeployment": True,
        }
    ]
    assert tagged == []
    found = origin.describe("green")
    assert found is not None
    assert found.desired == 3
    origin.stop("green")
    assert calls[1] == {"cluster": account.spec.cluster, "service": "web", "desiredCount": 0}


def test_the_owners_own_service_is_never_made(
    account: Account, own: OwnServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor deleted; where it is gone that is said."""
    origin = Slots(account.ecs, account.spec.model_copy(update={"origin": "green"}))
    own.delete("green")
    assert account.ecs.describe_services(cluster="web", services=["web"])["services"][0]["status"] == "ACTIVE"
    assert _left(account, own) == []
    made = _record(account, monkeypatch, "create_service")
    monkeypatch.setattr(account.ecs, "update_service", _refuse("ServiceNotFoundException"))
    with pytest.raises(ResourceGone, match=r"service/web/web.* does not exist"):
        _launch(origin, "web:1", 1)
    assert made == []


def test_what_crossfade_made_for_a_slot_is_deleted_whoever_takes_its_place(
    account: Account, slots: Slots, own: OwnServices
) -> None:
    """A service that has left Crossfade has both slots' services still, at 0."""
    _launch(slots, account.spec.pattern.task_definition, 1)
    assert _left(account, own)[0] == "web-green"
    own.delete("green")
    assert account.status("green") != "ACTIVE"


def test_the_pattern_is_stopped_where_it_is_in_nobodys_place(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was kept warm by the deployment before; harmless where it is gone."""
    slots = Slots(account.ecs, account.spec.model_copy(update={"leftover": True}))
    account.ecs.update_service(cluster="web", service="web", desiredCount=2)
    slots.stop_leftover()
    found = account.ecs.describe_services(cluster="web", services=["web"])["services"][0]
    assert found["desiredCount"] == 0
    monkeypatch.setattr(account.ecs, "update_service", _refuse("ServiceNotFoundException"))
    slots.stop_leftover()


def test_a_service_has_the_patterns_tags(account: Account) -> None:
    """From its beginning, and those of a later pattern too; what others added stays."""
    _launch(_like(account, tags={"CostCenter": "7"}), account.spec.pattern.task_definition, 1)
    service = _service(account)["serviceArn"]
    account.ecs.tag_resource(resourceArn=service, tags=[{"key": "Owner", "value": "me"}])
    _launch(_like(account, tags={"CostCenter": "8", "Team": "web"}), account.spec.pattern.task_definition, 1)
    tags = account.ecs.list_tags_for_resource(resourceArn=service)["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {
        "CostCenter": "8",
        "Team": "web",
        "Owner": "me",
        "crossfade:service": "web",
        "crossfade:spec": f"{SPECS}web",
    }


def test_what_a_deployment_relies_on_is_set_each_time(
    account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may have let ECS roll back by itself. docs/adopting.md says what is set, and what not."""
    made = _record(account, monkeypatch, "create_service")
    _launch(slots, account.spec.pattern.task_definition, 1)
    updated = _record(account, monkeypatch, "update_service")
    _launch(slots, account.spec.pattern.task_definition, 1)

    assert made[0]["deploymentConfiguration"] == updated[0]["deploymentConfiguration"]
    rows = [line.split("|") for line in _section().splitlines() if line.startswith("| ")]
    relied_on, copied, refused = (set(re.findall(r"`(\w+)`", row[2])) for row in rows[1:])
    assert updated[0].keys() - {"cluster", "service"} <= relied_on | copied
    assert relied_on <= updated[0].keys()
    assert copied == set(COPIED)
    assert refused == set(REFUSED)
    model = botocore.session.get_session().get_service_model("ecs")
    takes = set(model.operation_model("UpdateService").input_shape.members)
    only_created = {"launchType", "schedulingStrategy"}
    assert takes == {"cluster", "service"} | relied_on | (copied | refused) - only_created


def _section() -> str:
    text = (ROOT / "docs/adopting.md").read_text(encoding="utf-8")
    return text.split("## What is copied of your service\n", 1)[1].split("\n## ", 1)[0]


def test_launching_twice_is_launching_once(account: Account, slots: Slots) -> None:
    """Every handler may run twice."""
    _launch(slots, account.spec.pattern.task_definition, 2)
    _launch(slots, account.spec.pattern.task_definition, 2)
    found = slots.describe("green")
    assert found is not None
    assert (found.task_definition, found.desired) == (account.spec.pattern.task_definition, 2)


def test_a_launch_replaces_what_ran_there(account: Account, slots: Slots) -> None:
    """Task definition, count and network are the spec's, each time anew."""
    _launch(slots, account.spec.pattern.task_definition, 2)
    slots.stop("green")
    newer = account.ecs.register_task_definition(
        family="web", containerDefinitions=[{"name": "app", "image": "web", "memory": 512}]
    )["taskDefinition"]["taskDefinitionArn"]
    _launch(slots, newer, 4)
    found = slots.describe("green")
    assert found is not None
    assert (found.task_definition, found.desired) == (newer, 4)


def test_growing_is_no_new_rollout(account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the count is written, so that no task is replaced; without a service it is harmless."""
    slots.grow("green", 3)
    rollout = _launch(slots, account.spec.pattern.task_definition, 2)
    calls = _record(account, monkeypatch, "update_service")
    slots.grow("green", 3)
    found = slots.describe("green")
    assert found is not None
    assert (found.desired, found.rollout) == (3, rollout)
    assert calls == [{"cluster": account.spec.cluster, "service": "web-green", "desiredCount": 3}]


def test_a_count_that_somebody_raised_meanwhile_is_put_back(
    account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read that led here was old: ECS's answer tells of five tasks, and three were asked for."""
    _launch(slots, account.spec.pattern.task_definition, 5)
    update = account.ecs.update_service

    def answer(**given: Any) -> dict[str, Any]:
        told = update(**given)
        told["service"]["deployments"][0] |= {"runningCount": 4, "pendingCount": 1}
        return dict(told)

    monkeypatch.setattr(account.ecs, "update_service", answer)
    slots.grow("green", 3)
    assert account.desired("green") == 5


def test_every_launch_is_a_rollout_of_its_own(
    account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known by ECS's answer to the write, whatever it shows; what failed here before begins anew."""
    shown = _described(rolloutState="COMPLETED", failedTasks=0, id="ecs-svc/old")
    monkeypatch.setattr(account.ecs, "describe_services", lambda **_: shown)
    launched = [_launch(slots, account.spec.pattern.task_definition, 2) for _ in range(3)]
    assert len(set(launched)) == 3
    monkeypatch.undo()
    assert _service(account)["deployments"][0]["id"] == launched[-1]


def test_ecs_moves_no_task_by_itself(account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor in a service that was made before this was said."""
    made = _record(account, monkeypatch, "create_service")
    _launch(slots, account.spec.pattern.task_definition, 2)
    updated = _record(account, monkeypatch, "update_service")
    _launch(slots, account.spec.pattern.task_definition, 2)
    assert [call["availabilityZoneRebalancing"] for call in (*made, *updated)] == ["DISABLED"] * 2


def test_a_service_is_there_by_its_own_word(
    account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECS may show none for a while after it was made: what counts is what it answers to the write."""
    _launch(slots, account.spec.pattern.task_definition, 1)
    monkeypatch.setattr(account.ecs, "describe_services", lambda **_: _MISSING)
    assert _launch(slots, account.spec.pattern.task_definition, 2)
    monkeypatch.undo()
    assert _service(account)["desiredCount"] == 2


@pytest.mark.parametrize(
    ("shown", "again"),
    [
        pytest.param({"services": [{"status": "DRAINING"}]}, False, id="it-drains"),
        pytest.param({"services": [{"status": "ACTIVE"}]}, False, id="its-deletion-is-not-shown-yet"),
        pytest.param({"services": []}, True, id="it-was-made-just-now-and-is-not-shown-yet"),
    ],
)
def test_a_name_that_is_not_free_yet_is_waited_for(
    slots: Slots, monkeypatch: pytest.MonkeyPatch, shown: dict[str, Any], again: bool
) -> None:
    """A service is made when the one of its name that was deleted before is gone."""
    monkeypatch.setattr(slots._ecs, "update_service", _refuse("ServiceNotActiveException"))
    monkeypatch.setattr(slots._ecs, "create_service", _refuse("InvalidParameterException"))
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: shown)
    assert slots.launch("green", "web:1", 1, again=again) is None


@pytest.mark.parametrize("shown", [[], [{"status": "INACTIVE"}]], ids=["never-was", "is-gone"])
def test_a_create_that_is_refused_is_passed_on(
    slots: Slots, monkeypatch: pytest.MonkeyPatch, shown: list[dict[str, Any]]
) -> None:
    """A subnet that does not exist is told at once."""
    monkeypatch.setattr(slots._ecs, "create_service", _refuse("InvalidParameterException"))
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: {"services": shown})
    with pytest.raises(ClientError, match="InvalidParameterException"):
        _launch(slots, "web:1", 1)


@pytest.mark.parametrize("write", ["update_service", "create_service", "delete_service", "list_tasks"])
def test_other_refusals_are_passed_on(
    account: Account, slots: Slots, own: OwnServices, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    """Only what is understood is translated."""
    monkeypatch.setattr(account.ecs, write, _refuse("AccessDeniedException"))
    monkeypatch.setattr(account.ecs, "get_paginator", lambda name: _Pages(getattr(account.ecs, name)))
    asked = {
        "update_service": lambda: slots.stop("green"),
        "create_service": lambda: _launch(slots, account.spec.pattern.task_definition, 1),
        "delete_service": lambda: own.delete("green"),
        "list_tasks": lambda: slots.stops("green", "ecs-svc/1"),
    }
    with pytest.raises(ClientError, match="AccessDenied"):
        asked[write]()


def test_a_slot_is_stopped_whatever_is_shown(
    account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback right after a launch may be shown the count from before it."""
    _launch(slots, account.spec.pattern.task_definition, 2)
    stale = _described(rolloutState="COMPLETED", failedTasks=0)
    stale["services"][0]["desiredCount"] = 0
    monkeypatch.setattr(account.ecs, "describe_services", lambda **_: stale)
    slots.stop("green")
    monkeypatch.undo()
    assert _service(account)["desiredCount"] == 0


def test_what_still_runs_is_told_by_the_answer_to_the_stop(
    account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shown right afterwards may be older."""
    answer = {"service": {"desiredCount": 0, "runningCount": 2}}
    monkeypatch.setattr(account.ecs, "update_service", lambda **_: answer)
    assert slots.stop("green") == 2


@pytest.mark.parametrize("code", ["ServiceNotFoundException", "ServiceNotActiveException"])
def test_a_slot_without_a_service_is_stopped_already(
    account: Account, slots: Slots, own: OwnServices, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """By the write's own answer, and deleted as well."""
    monkeypatch.setattr(account.ecs, "update_service", _refuse(code))
    monkeypatch.setattr(account.ecs, "delete_service", _refuse(code))
    assert slots.stop("green") == 0
    own.delete("green")


def test_stopping_twice_is_stopping_once(account: Account, slots: Slots) -> None:
    """The service stays, at 0 tasks."""
    _launch(slots, account.spec.pattern.task_definition, 2)
    slots.stop("green")
    slots.stop("green")
    found = slots.describe("green")
    assert found is not None
    assert found.desired == 0


def test_a_deleted_slot_is_gone(account: Account, slots: Slots, own: OwnServices) -> None:
    """Deleted twice, with its tasks, and then launched anew."""
    _launch(slots, account.spec.pattern.task_definition, 2)
    own.delete("green")
    own.delete("green")
    assert slots.describe("green") is None


@pytest.mark.parametrize(
    ("status", "task", "left"),
    [
        pytest.param("ACTIVE", "STOPPED", ["web-blue"], id="its-deletion-is-not-shown-yet"),
        pytest.param("DRAINING", "STOPPED", ["web-blue"], id="it-drains"),
        pytest.param("INACTIVE", "STOPPING", ["arn:task"], id="its-tasks-are-stopping"),
        pytest.param("INACTIVE", "DEPROVISIONING", ["arn:task"], id="its-network-is-taken-down"),
        pytest.param("INACTIVE", "STOPPED", [], id="all-is-gone"),
    ],
)
def test_what_is_left(
    account: Account,
    own: OwnServices,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    task: str,
    left: list[str],
) -> None:
    """A service is INACTIVE before its tasks have ended."""
    services = [{"serviceName": "web-blue", "status": status}]
    tasks = [
        {"taskArn": "arn:task", "group": "service:web-blue", "lastStatus": task},
        {"taskArn": "arn:other", "group": "service:web2-blue", "lastStatus": "RUNNING"},
    ]
    pages = _Pages(lambda desiredStatus, **_: [{"taskArns": ["a"] if desiredStatus == "STOPPED" else []}])
    monkeypatch.setattr(account.ecs, "describe_services", lambda **_: {"services": services})
    monkeypatch.setattr(account.ecs, "get_paginator", lambda _: pages)
    monkeypatch.setattr(account.ecs, "describe_tasks", lambda **_: {"tasks": tasks})
    assert _left(account, own) == left


def test_the_newest_rollout_is_described(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ECS's own words where it gave up."""
    described = _described(rolloutState="FAILED", rolloutStateReason="circuit breaker", failedTasks=3)
    described["services"][0] |= {"runningCount": 4, "pendingCount": 0}
    described["services"][0]["deployments"][0] |= {"id": "ecs-svc/2", "runningCount": 1}
    described["services"][0]["tags"] = SERVICE_TAGS
    described["services"][0]["events"] = [{"id": "1", "createdAt": at(5), "message": "no room"}]
    described["services"][0]["deployments"][:0] = [
        {"status": "ACTIVE", "failedTasks": 9, "runningCount": 2},
        {"status": "INACTIVE", "failedTasks": 0, "runningCount": 1},
    ]
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: described)
    assert slots.describe("green") == SlotService(
        task_definition="web:1",
        desired=2,
        rollout="ecs-svc/2",
        running=1,
        tasks=4,
        others=3,
        rollout_failed=True,
        rollout_reason="circuit breaker",
        events=(Event(at=at(5), message="no room"),),
        of_spec=f"{SPECS}web",
    )


def test_what_ecs_says_of_a_slot(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why it gave up, and its last event of trouble; nothing of before."""
    described = _described(rolloutState="FAILED", rolloutStateReason="tasks failed to start.")
    described["services"][0]["events"] = [{"id": "1", "createdAt": at(5), "message": "no room."}]
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: described)
    found = slots.describe("green")
    assert found is not None
    assert found.trouble(at(5)) == "tasks failed to start; ECS at 04:00:05: no room"
    assert found.trouble(at(6)) == "tasks failed to start"


def test_tasks_of_the_newest_rollout_are_no_others(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what is launched; those of an earlier rollout may still answer with its version."""
    described = _described(rolloutState="IN_PROGRESS", failedTasks=0)
    described["services"][0]["deployments"][0]["runningCount"] = 2
    monkeypatch.setattr(slots._ecs, "describe_services", lambda **_: described)
    found = slots.describe("green")
    assert found is not None
    assert found.others == 0


def test_the_stops_of_a_rollout(account: Account, slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of an earlier one, nor in the order of the listing; a task may be stopping still.

    One that had no network did not crash.
    """
    mine = {"startedBy": "ecs-svc/2"}
    tasks = {
        "a": mine | {"stoppingAt": "2026-11-23T04:00:02", "stopCode": "EssentialContainerExited"},
        "b": mine | {"stoppedAt": "2026-11-23T04:00:01", "stopCode": "ServiceSchedulerInitiated"},
        "c": {"startedBy": "ecs-svc/1", "stoppedAt": "2026-11-23T04:00:03", "stopCode": "TaskFailedToStart"},
        "d": mine
        | {
            "stoppedAt": "2026-11-23T04:00:03",
            "stopCode": "TaskFailedToStart",
            "stoppedReason": "Unexpected EC2 error while attempting to Create Network Interface",
        },
    }
    pages = _Pages(lambda **_: [{"taskArns": ["a", "b"]}, {"taskArns": []}, {"taskArns": ["c", "d"]}])
    monkeypatch.setattr(account.ecs, "get_paginator", lambda _: pages)
    monkeypatch.setattr(
        account.ecs, "describe_tasks", lambda **given: {"tasks": [tasks[arn] for arn in given["tasks"]]}
    )
    assert slots.stops("green", "ecs-svc/2") == [
        Stop("ServiceSchedulerInitiated", crashed=False),
        Stop("EssentialContainerExited", crashed=True),
        Stop(f"TaskFailedToStart, {tasks['d']['stoppedReason']}", crashed=False),
    ]


def test_without_a_stopped_task_there_is_no_reason(account: Account, slots: Slots) -> None:
    """Nothing is made up, nor is anything where there is no service."""
    assert slots.stops("green", "ecs-svc/1") == []
    rollout = _launch(slots, account.spec.pattern.task_definition, 1)
    assert slots.stops("green", rollout) == []


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
        ({"stoppedReason": "of\nsomebody else"}, r"of\nsomebody else"),
        ({"stoppedReason": "x" * 601}, "x" * 600 + "…"),
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


_MISSING = {"services": [], "failures": [{"arn": "web-green", "reason": "MISSING"}]}


class _Pages:
    """A paginator."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def paginate(self, **given: Any) -> Any:
        """All pages."""
        return self._ask(**given)


def _refuse(code: str) -> Callable[..., None]:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")

    return refuse


def _record(account: Account, monkeypatch: pytest.MonkeyPatch, operation: str) -> list[dict[str, Any]]:
    """Write down what a call of the account is given."""
    calls: list[dict[str, Any]] = []
    make = getattr(account.ecs, operation)
    monkeypatch.setattr(account.ecs, operation, lambda **given: calls.append(given) or make(**given))
    return calls


def _launch(slots: Slots, task_definition: str, count: int) -> str:
    rollout = slots.launch("green", task_definition, count, again=False)
    assert rollout
    return rollout
