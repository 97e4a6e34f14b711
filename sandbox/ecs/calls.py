"""ECS calls that MiniStack answers differently: what still stops, what is refused, what runs once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import ecs

from sandbox.ecs.containers import runtime
from sandbox.patching import replaces

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]


@replaces(ecs, "_ACTION_MAP", "DescribeTasks", version="1.5.33")
def describe_what_still_stops(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: a task is STOPPED the moment it is told to; on AWS when its containers have ended."""
    status, headers, body = emulator(data)
    answer = json.loads(body)
    for task in answer.get("tasks", []):
        containers = runtime.stopping(task["taskArn"])
        if not containers:
            continue
        terminating = all(container.process.terminating for container in containers)
        task["lastStatus"] = "STOPPING" if terminating else "DEACTIVATING"
        task.pop("stoppedAt", None)
        for container in task["containers"]:
            container["lastStatus"] = "RUNNING"
            container.pop("exitCode", None)
    return status, headers, json.dumps(answer).encode()


def drains(service: dict[str, Any]) -> bool:
    """Whether tasks of a deleted service still wait for the load balancer."""
    group = f"service:{service['serviceName']}"
    return service["status"] == "INACTIVE" and any(
        not container.process.terminating
        for task in list(ecs._tasks.values())
        if task.get("group") == group and task.get("clusterArn") == service["clusterArn"]
        for container in runtime.stopping(task["taskArn"])
    )


@replaces(ecs, "_ACTION_MAP", "DescribeServices", version="1.5.33")
def describe_what_still_drains(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: a deleted service is INACTIVE at once; on AWS DRAINING while its tasks drain."""
    status, headers, body = emulator(data)
    answer = json.loads(body)
    for service in answer.get("services", []):
        if drains(service):
            service["status"] = "DRAINING"
    return status, headers, json.dumps(answer).encode()


@replaces(ecs, "_ACTION_MAP", "CreateService", version="1.5.33")
def refuse_while_draining(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: a service may be created again while the deleted one of its name still drains."""
    service = _service(data.get("cluster"), data.get("serviceName"))
    if service and drains(service):
        message = "Unable to Start a service that is still Draining."
        return error_response_json("InvalidParameterException", message, 400)
    return emulator(data)


@replaces(ecs, "_ACTION_MAP", "UpdateService", version="1.5.33")
def refuse_inactive_services(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: a deleted service can be updated."""
    service = _service(data.get("cluster"), data.get("service"))
    if service and service["status"] != "ACTIVE":
        return error_response_json("ServiceNotActiveException", "Service was not ACTIVE.", 400)
    return emulator(data)


@replaces(ecs, "_ACTION_MAP", "ListTasks", version="1.5.33")
def refuse_joined_filters(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: any filters may be joined. On AWS startedBy stands alone, says its documentation, and family
    and serviceName exclude each other.
    """
    filters = {"containerInstance", "desiredStatus", "family", "launchType", "serviceName", "startedBy"}
    given = filters & data.keys()
    if ("startedBy" in given and len(given) > 1) or {"family", "serviceName"} <= given:
        message = f"These filters cannot be joined: {', '.join(sorted(given))}"
        return error_response_json("InvalidParameterException", message, 400)
    return emulator(data)


def _service(cluster: str | None, service: str | None) -> dict[str, Any] | None:
    name = str(service).rsplit("/", 1)[-1]
    found: dict[str, Any] | None = ecs._services.get(
        f"{ecs._resolve_cluster_name(cluster or 'default')}/{name}"
    )
    return found


_run: dict[tuple[str, ...], tuple[dict[str, Any], Response]] = {}
"""What each client token asked for, and the answer."""


@replaces(ecs, "_ACTION_MAP", "RunTask", version="1.5.33")
def run_once(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: the clientToken of RunTask is ignored. On AWS it lasts for a day; here for ever.

    The first answer is given again, whether it named a task or the reason why there is none. A task is run by
    `ecs._run_task`, not by `emulator`: services run theirs by that name too, and other patches stand there.
    """
    token = data.get("clientToken")
    if not token:
        return _run_task(data)
    cluster = data.get("cluster", "default")
    key = (get_account_id(), get_region(), str(ecs._resolve_cluster_name(cluster)), token)
    asked, answer = _run.get(key, (data, None))
    arns = [task["taskArn"] for task in json.loads(answer[2])["tasks"]] if answer else []
    if asked != data:
        message = "The provided clientToken is already in use with a different RunTask request."
        return error_response_json("ConflictException", message, 400, {"resourceIds": arns})
    if arns:
        status, headers, body = ecs._describe_tasks({"cluster": cluster, "tasks": arns})
        return status, headers, json.dumps(json.loads(body) | {"failures": []}).encode()
    if answer is None:
        answer = _run_task(data)
        if answer[0] == 200:
            _run[key] = data, answer
    return answer


def _run_task(data: dict[str, Any]) -> Response:
    answer: Response = ecs._run_task(data)
    return answer


@replaces(ecs, "_delete_cluster", version="1.5.33")
@replaces(ecs, "_ACTION_MAP", "DeleteCluster", version="1.5.33")
def refuse_used_clusters(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: a cluster is deleted with all that runs in it."""
    name = ecs._resolve_cluster_name(data.get("cluster", "default"))
    services = [service for key, service in ecs._services.items() if key.startswith(f"{name}/")]
    if any(service["status"] == "ACTIVE" or drains(service) for service in services):
        message = "The Cluster cannot be deleted while Services are active."
        return error_response_json("ClusterContainsServicesException", message, 400)
    tasks = [task for task in list(ecs._tasks.values()) if task["clusterArn"].endswith(f"/{name}")]
    if any(t["lastStatus"] in ecs._PRE_STOP_STATUSES or runtime.stopping(t["taskArn"]) for t in tasks):
        message = "The Cluster cannot be deleted while Tasks are active."
        return error_response_json("ClusterContainsTasksException", message, 400)
    return emulator(data)
