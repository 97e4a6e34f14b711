"""ECS right after a write: what a role reads, and when the write takes effect."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ministack.services import ecs

from sandbox import patching
from sandbox.delays import PACES, Delay
from sandbox.ecs import delays as ecs_delays

Call = Callable[..., dict[str, Any]]


class Refused(Exception):
    """An error answer; its text is the AWS error code."""


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Calls one operation of an ECS without containers: its tasks run at once. Starts and ends empty."""
    monkeypatch.setattr(ecs, "_get_docker", lambda: None)
    monkeypatch.setattr(ecs, "_ACTION_MAP", dict(ecs._ACTION_MAP))
    monkeypatch.setattr(ecs, "_reconcile_service_tasks", ecs._reconcile_service_tasks)
    monkeypatch.setitem(PACES["rehearsal"], Delay.ECS_EFFECT, (0.2, 0.3))
    monkeypatch.setitem(PACES["rehearsal"], Delay.ECS_READ, (20.0, 30.0))
    patching.install(ecs_delays)
    ecs.reset()

    def operation(name: str, **parameters: Any) -> dict[str, Any]:
        status, _, body = ecs._dispatch_action(name, parameters)
        answer = json.loads(body)
        if status >= 400:
            raise Refused(answer["__type"])
        return dict(answer)

    operation("CreateCluster", clusterName="shop")
    for _ in range(2):
        operation(
            "RegisterTaskDefinition", family="web", containerDefinitions=[{"name": "app", "image": "web"}]
        )
    yield operation
    time.sleep(0.4)  # what still has an effect has it here
    ecs.reset()
    seen()


def seen() -> None:
    """All that was written is seen by everybody."""
    ecs_delays.services.forget()
    ecs_delays.tasks.forget()


def create(call: Call, count: int = 0) -> dict[str, Any]:
    made = call(
        "CreateService", cluster="shop", serviceName="web", taskDefinition="web:1", desiredCount=count
    )
    return dict(made["service"])


def described(call: Call) -> dict[str, Any]:
    return call("DescribeServices", cluster="shop", services=["web"])


def primary(service: dict[str, Any]) -> tuple[str, int]:
    """Task definition and desired count of the PRIMARY deployment."""
    found = next(each for each in service["deployments"] if each["status"] == "PRIMARY")
    return found["taskDefinition"].rpartition("/")[2], found["desiredCount"]


def test_a_new_service_is_missing(call: Call, as_role: str):
    """As AWS says it: not in the services, but a failure with its ARN. It cannot be created twice."""
    made = create(call)

    assert described(call)["services"] == []
    assert described(call)["failures"] == [{"arn": made["serviceArn"], "reason": "MISSING"}]
    with pytest.raises(Refused, match="ClientException"):
        create(call)


def test_an_updated_service_has_its_old_primary(call: Call, as_role: str):
    """The write's own answer has the new one."""
    create(call)
    seen()
    answer = call("UpdateService", cluster="shop", service="web", taskDefinition="web:2", desiredCount=2)
    stale = described(call)["services"][0]
    seen()

    assert primary(answer["service"]) == ("web:2", 2)
    assert primary(stale) == ("web:1", 0)
    assert primary(described(call)["services"][0]) == ("web:2", 2)


def test_a_deleted_service_is_active(call: Call, as_role: str):
    """Until the deletion is seen."""
    create(call)
    seen()
    call("DeleteService", cluster="shop", service="web")

    assert described(call)["services"][0]["status"] == "ACTIVE"


def test_the_account_itself_sees_what_is(call: Call):
    """Tests and the demo look at what is, as it is."""
    create(call)
    call("UpdateService", cluster="shop", service="web", taskDefinition="web:2", desiredCount=2)

    assert primary(described(call)["services"][0]) == ("web:2", 2)


def test_tasks_start_and_stop_a_while_after_the_write(call: Call):
    """The answer has the new count, and no task has been touched yet."""
    create(call, count=2)
    at_once = len(call("ListTasks", cluster="shop")["taskArns"])
    time.sleep(0.5)
    later = len(call("ListTasks", cluster="shop")["taskArns"])
    call("UpdateService", cluster="shop", service="web", desiredCount=0)
    still = len(call("ListTasks", cluster="shop")["taskArns"])
    time.sleep(0.5)

    assert (at_once, later, still) == (0, 2, 2)
    assert call("ListTasks", cluster="shop")["taskArns"] == []


def test_a_new_task_is_missing(call: Call, as_role: str):
    """It is neither described nor listed, though RunTask has answered with it."""
    task = call("RunTask", cluster="shop", taskDefinition="web:1", startedBy="x")["tasks"][0]["taskArn"]
    stale = call("DescribeTasks", cluster="shop", tasks=[task])
    listed = call("ListTasks", cluster="shop", startedBy="x")["taskArns"]
    seen()

    assert (stale["tasks"], stale["failures"]) == ([], [{"arn": task, "reason": "MISSING"}])
    assert listed == []
    assert call("ListTasks", cluster="shop", startedBy="x")["taskArns"] == [task]


def test_a_task_that_was_told_to_stop_runs_on(call: Call, as_role: str):
    """In what is read, and for a moment in fact."""
    task = call("RunTask", cluster="shop", taskDefinition="web:1")["tasks"][0]["taskArn"]
    seen()
    answer = call("StopTask", cluster="shop", task=task)["task"]
    fact = ecs._tasks[task]["lastStatus"]
    time.sleep(0.4)
    stale = call("DescribeTasks", cluster="shop", tasks=[task])["tasks"][0]
    lists = [
        call("ListTasks", cluster="shop", desiredStatus=status)["taskArns"]
        for status in ("RUNNING", "STOPPED")
    ]
    seen()

    assert (answer["desiredStatus"], fact, ecs._tasks[task]["lastStatus"]) == (
        "STOPPED",
        "RUNNING",
        "STOPPED",
    )
    assert (stale["desiredStatus"], stale["lastStatus"]) == ("RUNNING", "RUNNING")
    assert lists == [[task], []]
    assert call("ListTasks", cluster="shop")["taskArns"] == []
