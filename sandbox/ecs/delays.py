"""ECS as it is in AWS right after a write: seen late, and done late.

MiniStack answers every read with what was just written, and acts before it answers. On AWS, ECS is
eventually consistent: a service that was just created may be MISSING, one that was just updated may be shown
with its old PRIMARY deployment, and tasks start and stop a while after the write.
"""

from __future__ import annotations

import contextvars
import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import json_response
from ministack.services import ecs

from sandbox.delays import Delay, Past, Stale, delays
from sandbox.patching import replaced, replaces

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]
Described = dict[str, Any]

services = Past(Delay.ECS_READ, delays)
tasks = Past(Delay.ECS_READ, delays)

# Whether the request under way is a write whose effect comes later.
_late: contextvars.ContextVar[bool] = contextvars.ContextVar("late", default=False)


# --- effects ------------------------------------------------------------------------------------------------


@replaces(ecs, "_ACTION_MAP", "CreateService", version="1.5.33")
@replaces(ecs, "_ACTION_MAP", "UpdateService", version="1.5.33")
def act_late(emulator: Action, data: dict[str, Any]) -> Response:
    """The write answers at once; what it changes in tasks comes later."""
    token = _late.set(True)
    try:
        return emulator(data)
    finally:
        _late.reset(token)


@replaces(ecs, "_reconcile_service_tasks", version="1.5.33")
def reconcile_late(emulator: Callable[[str, str], None], cluster: str, key: str) -> None:
    """Start and stop a service's tasks: later for a write, at once for ECS's own reasons."""
    if _late.get():
        seconds = delays.seconds(Delay.ECS_EFFECT, key)
        ecs.spawn_background(_reconcile_later, emulator, cluster, key, seconds, thread_name="ecs-effect")
    else:
        emulator(cluster, key)


def _reconcile_later(reconcile: Callable[[str, str], None], cluster: str, key: str, seconds: float) -> None:
    _late.set(False)
    time.sleep(seconds)
    reconcile(cluster, key)


@replaces(ecs, "_ACTION_MAP", "StopTask", version="1.5.33")
def stop_late(emulator: Action, data: dict[str, Any]) -> Response:
    """The task is told to stop a while after StopTask's answer, in which it is still RUNNING."""
    task = _task(data)
    if task is None or task["lastStatus"] == "STOPPED":
        return emulator(data)
    ecs.spawn_background(_stop_later, emulator, data, thread_name="ecs-stop")
    return json_response({"task": task | {"desiredStatus": "STOPPED"}})


def _stop_later(stop: Action, data: dict[str, Any]) -> None:
    time.sleep(delays.seconds(Delay.ECS_EFFECT, "StopTask"))
    stop(data)


# --- what was written ---------------------------------------------------------------------------------------


@replaces(ecs, "_ACTION_MAP", "CreateService", version="1.5.33")
@replaces(ecs, "_ACTION_MAP", "UpdateService", version="1.5.33")
@replaces(ecs, "_ACTION_MAP", "DeleteService", version="1.5.33")
def note_service(emulator: Action, data: dict[str, Any]) -> Response:
    """A write of a service: what it was like stays visible for a while."""
    name = data.get("serviceName") or data.get("service")
    asked = {"cluster": data.get("cluster", "default"), "services": [name or ""]}
    found = json.loads(replaced(show_services)(asked)[2]).get("services") or [None]
    response = emulator(data)
    if response[0] == 200:
        arn = str(json.loads(response[2])["service"]["serviceArn"])
        services.wrote(arn, found[0], arn)
    return response


@replaces(ecs, "_ACTION_MAP", "RunTask", version="1.5.33")
def note_new_tasks(emulator: Action, data: dict[str, Any]) -> Response:
    """A task that was just started is MISSING for a while, once."""
    response = emulator(data)
    if response[0] == 200:
        for task in json.loads(response[2])["tasks"]:
            if task["taskArn"] not in tasks.lately():
                tasks.wrote(task["taskArn"], None, "RunTask")
    return response


@replaces(ecs, "_ACTION_MAP", "StopTask", version="1.5.33")
def note_stopped_task(emulator: Action, data: dict[str, Any]) -> Response:
    """A task that was told to stop looks as if it were not."""
    task = _task(data)
    response = emulator(data)
    if response[0] == 200 and task:
        tasks.wrote(task["taskArn"], task, "StopTask")
    return response


def _task(data: dict[str, Any]) -> Described | None:
    """The task that a call names, as it is."""
    asked = {"cluster": data.get("cluster") or "default", "tasks": [str(data.get("task", ""))]}
    found = json.loads(replaced(show_tasks)(asked)[2]).get("tasks") or [None]
    return found[0]


# --- what is shown ------------------------------------------------------------------------------------------


@replaces(ecs, "_ACTION_MAP", "DescribeServices", version="1.5.33")
def show_services(emulator: Action, data: dict[str, Any]) -> Response:
    """DescribeServices, to a role: what was just written as it was before."""
    response = emulator(data)
    if response[0] != 200:
        return response
    return json_response(_seen(json.loads(response[2]), "services", "serviceArn", services))


@replaces(ecs, "_ACTION_MAP", "DescribeTasks", version="1.5.33")
def show_tasks(emulator: Action, data: dict[str, Any]) -> Response:
    """DescribeTasks, to a role: what was just written as it was before."""
    response = emulator(data)
    if response[0] != 200:
        return response
    return json_response(_seen(json.loads(response[2]), "tasks", "taskArn", tasks))


def _seen(answer: Described, kind: str, arn: str, past: Past) -> Described:
    """The answer of a Describe call with each thing as it is seen."""
    shown: list[Described] = []
    failures: list[Described] = list(answer["failures"])
    for thing in answer[kind]:
        stale = past.read(thing[arn])
        if stale is None:
            shown.append(thing)
        elif isinstance(stale.value, dict):
            shown.append(stale.value)
        else:
            failures.append({"arn": thing[arn], "reason": "MISSING"})
    return answer | {kind: shown, "failures": failures}


@replaces(ecs, "_ACTION_MAP", "ListTasks", version="1.5.33")
def show_list(emulator: Action, data: dict[str, Any]) -> Response:
    """ListTasks, to a role: without tasks that are not seen yet; those told to stop are still running."""
    response = emulator(data)
    if response[0] != 200:
        return response
    answer = json.loads(response[2])
    stopped = data.get("desiredStatus") == "STOPPED"
    shown = [arn for arn in answer["taskArns"] if not (stale := tasks.read(arn)) or _runs(stale, stopped)]
    if not stopped and not data.get("nextToken"):
        others = json.loads(ecs._list_tasks(data | {"desiredStatus": "STOPPED"})[2])["taskArns"]
        shown += [arn for arn in others if (stale := tasks.read(arn)) and _runs(stale, stopped)]
    return json_response(answer | {"taskArns": shown})


def _runs(stale: Stale, stopped: bool) -> bool:
    """Whether a task that is shown as it was belongs into a list of running, or of stopped tasks."""
    return isinstance(stale.value, dict) and (stale.value["desiredStatus"] == "STOPPED") == stopped
