"""ECS as it is in AWS right after a write: seen late, and done late.

MiniStack 1.5.33 answers every read with what was just written, and acts before it answers. On AWS, ECS is
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

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]
Described = dict[str, Any]

services = Past(Delay.ECS_READ, delays)
tasks = Past(Delay.ECS_READ, delays)

# Whether the request under way is a write whose effect comes later.
_late: contextvars.ContextVar[bool] = contextvars.ContextVar("late", default=False)


def install() -> None:
    """Put the patches in place, over those that change what the calls answer."""
    calls = ecs._ACTION_MAP
    describe_services, describe_tasks, list_tasks = (
        calls[name] for name in ("DescribeServices", "DescribeTasks", "ListTasks")
    )
    ecs._reconcile_service_tasks = reconcile_late(ecs._reconcile_service_tasks)
    for name in ("CreateService", "UpdateService"):
        calls[name] = note_service(act_late(calls[name]), describe_services)
    calls["DeleteService"] = note_service(calls["DeleteService"], describe_services)
    calls["RunTask"] = note_new_tasks(calls["RunTask"])
    calls["StopTask"] = note_stopped_task(stop_late(calls["StopTask"], describe_tasks), describe_tasks)
    calls["DescribeServices"] = show_services(describe_services)
    calls["DescribeTasks"] = show_tasks(describe_tasks)
    calls["ListTasks"] = show_list(list_tasks)


# --- effects ------------------------------------------------------------------------------------------------


def act_late(write: Action) -> Action:
    """The write answers at once; what it changes in tasks comes later."""

    def write_and_answer(data: dict[str, Any]) -> Response:
        token = _late.set(True)
        try:
            return write(data)
        finally:
            _late.reset(token)

    return write_and_answer


def reconcile_late(reconcile: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """Start and stop a service's tasks: later for a write, at once for ECS's own reasons."""

    def reconcile_later(cluster: str, key: str, seconds: float) -> None:
        _late.set(False)
        time.sleep(seconds)
        reconcile(cluster, key)

    def reconcile_in_time(cluster: str, key: str) -> None:
        if _late.get():
            seconds = delays.seconds(Delay.ECS_EFFECT, key)
            ecs.spawn_background(reconcile_later, cluster, key, seconds, thread_name="ecs-effect")
        else:
            reconcile(cluster, key)

    return reconcile_in_time


def stop_late(stop: Action, describe: Action) -> Action:
    """The task is told to stop a while after StopTask's answer, in which it is still RUNNING."""

    def stop_later(data: dict[str, Any]) -> None:
        time.sleep(delays.seconds(Delay.ECS_EFFECT, "StopTask"))
        stop(data)

    def answer_and_stop(data: dict[str, Any]) -> Response:
        task = _task(describe, data.get("cluster"), str(data.get("task", "")))
        if task is None or task["lastStatus"] == "STOPPED":
            return stop(data)
        ecs.spawn_background(stop_later, data, thread_name="ecs-stop")
        return json_response({"task": task | {"desiredStatus": "STOPPED"}})

    return answer_and_stop


# --- what was written ---------------------------------------------------------------------------------------


def note_service(write: Action, describe: Action) -> Action:
    """A write of a service: what it was like stays visible for a while."""

    def write_and_note(data: dict[str, Any]) -> Response:
        name = data.get("serviceName") or data.get("service")
        asked = {"cluster": data.get("cluster", "default"), "services": [name or ""]}
        found = json.loads(describe(asked)[2]).get("services") or [None]
        response = write(data)
        if response[0] == 200:
            arn = str(json.loads(response[2])["service"]["serviceArn"])
            services.wrote(arn, found[0], arn)
        return response

    return write_and_note


def note_new_tasks(run: Action) -> Action:
    """A task that was just started is MISSING for a while, once."""

    def run_and_note(data: dict[str, Any]) -> Response:
        response = run(data)
        if response[0] == 200:
            for task in json.loads(response[2])["tasks"]:
                if task["taskArn"] not in tasks.lately():
                    tasks.wrote(task["taskArn"], None, "RunTask")
        return response

    return run_and_note


def note_stopped_task(stop: Action, describe: Action) -> Action:
    """A task that was told to stop looks as if it were not."""

    def stop_and_note(data: dict[str, Any]) -> Response:
        task = _task(describe, data.get("cluster"), str(data.get("task", "")))
        response = stop(data)
        if response[0] == 200 and task:
            tasks.wrote(task["taskArn"], task, "StopTask")
        return response

    return stop_and_note


# --- what is shown ------------------------------------------------------------------------------------------


def show_services(describe: Action) -> Action:
    """DescribeServices, to a role: what was just written as it was before."""

    def describe_what_is_seen(data: dict[str, Any]) -> Response:
        response = describe(data)
        if response[0] != 200:
            return response
        answer = json.loads(response[2])
        return json_response(_seen(answer, "services", "serviceArn", services))

    return describe_what_is_seen


def show_tasks(describe: Action) -> Action:
    """DescribeTasks, to a role: what was just written as it was before."""

    def describe_what_is_seen(data: dict[str, Any]) -> Response:
        response = describe(data)
        if response[0] != 200:
            return response
        return json_response(_seen(json.loads(response[2]), "tasks", "taskArn", tasks))

    return describe_what_is_seen


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


def show_list(list_tasks: Action) -> Action:
    """ListTasks, to a role: without tasks that are not seen yet; those told to stop are still running."""

    def list_what_is_seen(data: dict[str, Any]) -> Response:
        response = list_tasks(data)
        if response[0] != 200:
            return response
        answer = json.loads(response[2])
        stopped = data.get("desiredStatus") == "STOPPED"
        shown = [arn for arn in answer["taskArns"] if not (stale := tasks.read(arn)) or _runs(stale, stopped)]
        if not stopped and not data.get("nextToken"):
            others = json.loads(ecs._list_tasks(data | {"desiredStatus": "STOPPED"})[2])["taskArns"]
            shown += [arn for arn in others if (stale := tasks.read(arn)) and _runs(stale, stopped)]
        return json_response(answer | {"taskArns": shown})

    return list_what_is_seen


def _runs(stale: Stale, stopped: bool) -> bool:
    """Whether a task that is shown as it was belongs into a list of running, or of stopped tasks."""
    return isinstance(stale.value, dict) and (stale.value["desiredStatus"] == "STOPPED") == stopped


def _task(describe: Action, cluster: str | None, task: str) -> Described | None:
    asked = {"cluster": cluster or "default", "tasks": [task]}
    found = json.loads(describe(asked)[2]).get("tasks") or [None]
    return found[0]
