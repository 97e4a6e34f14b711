"""ECS calls that MiniStack 1.5.33 answers differently: what still stops, what is refused, what runs once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import ecs
from ministack.services.cloudformation import provisioners, stacks

from sandbox.ecs.containers import Runtime

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]

_CLUSTER_PATIENCE = 120.0  # seconds that CloudFormation waits for a cluster's tasks to end


def install(runtime: Runtime) -> None:
    """Put the patches in place."""
    ecs._get_docker = lambda: runtime
    calls = ecs._ACTION_MAP
    calls["DescribeTasks"] = describe_what_still_stops(calls["DescribeTasks"], runtime)
    calls["DescribeServices"] = describe_what_still_drains(calls["DescribeServices"], runtime)
    calls["CreateService"] = refuse_while_draining(calls["CreateService"], runtime)
    calls["UpdateService"] = refuse_inactive_services(calls["UpdateService"])
    calls["ListTasks"] = refuse_joined_filters(calls["ListTasks"])
    calls["RunTask"] = run_once(lambda data: ecs._run_task(data))
    ecs._delete_cluster = refuse_used_clusters(ecs._delete_cluster, runtime)
    calls["DeleteCluster"] = ecs._delete_cluster
    provisioners._RESOURCE_HANDLERS["AWS::ECS::Cluster"]["delete"] = _delete_cluster_of_a_stack
    stacks._runs_on_worker_thread = _with_clusters(stacks._runs_on_worker_thread)


def describe_what_still_stops(describe: Action, runtime: Runtime) -> Action:
    """MiniStack 1.5.33: a task is STOPPED the moment it is told to; on AWS when its containers have ended."""

    def describe_live(data: dict[str, Any]) -> Response:
        status, headers, body = describe(data)
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

    return describe_live


def _drains(service: dict[str, Any], runtime: Runtime) -> bool:
    """Whether tasks of a deleted service still wait for the load balancer."""
    group = f"service:{service['serviceName']}"
    return service["status"] == "INACTIVE" and any(
        not container.process.terminating
        for task in list(ecs._tasks.values())
        if task.get("group") == group and task.get("clusterArn") == service["clusterArn"]
        for container in runtime.stopping(task["taskArn"])
    )


def describe_what_still_drains(describe: Action, runtime: Runtime) -> Action:
    """MiniStack 1.5.33: a deleted service is INACTIVE at once; on AWS DRAINING while its tasks drain."""

    def describe_live(data: dict[str, Any]) -> Response:
        status, headers, body = describe(data)
        answer = json.loads(body)
        for service in answer.get("services", []):
            if _drains(service, runtime):
                service["status"] = "DRAINING"
        return status, headers, json.dumps(answer).encode()

    return describe_live


def refuse_while_draining(create: Action, runtime: Runtime) -> Action:
    """MiniStack 1.5.33: a service may be created again while the deleted one of its name still drains."""

    def create_or_refuse(data: dict[str, Any]) -> Response:
        service = _service(data.get("cluster"), data.get("serviceName"))
        if service and _drains(service, runtime):
            message = "Unable to Start a service that is still Draining."
            return error_response_json("InvalidParameterException", message, 400)
        return create(data)

    return create_or_refuse


def refuse_inactive_services(update: Action) -> Action:
    """MiniStack 1.5.33: a deleted service can be updated, and what is said of its tags is lost."""

    def update_or_refuse(data: dict[str, Any]) -> Response:
        service = _service(data.get("cluster"), data.get("service"))
        if service and service["status"] != "ACTIVE":
            return error_response_json("ServiceNotActiveException", "Service was not ACTIVE.", 400)
        if service and "propagateTags" in data:
            service["propagateTags"] = data["propagateTags"]
        return update(data)

    return update_or_refuse


def refuse_joined_filters(list_tasks: Action) -> Action:
    """MiniStack 1.5.33: any filters may be joined. On AWS startedBy stands alone, says its documentation, and
    family and serviceName exclude each other.
    """
    filters = {"containerInstance", "desiredStatus", "family", "launchType", "serviceName", "startedBy"}

    def list_or_refuse(data: dict[str, Any]) -> Response:
        given = filters & data.keys()
        if ("startedBy" in given and len(given) > 1) or {"family", "serviceName"} <= given:
            message = f"These filters cannot be joined: {', '.join(sorted(given))}"
            return error_response_json("InvalidParameterException", message, 400)
        return list_tasks(data)

    return list_or_refuse


def _service(cluster: str | None, service: str | None) -> dict[str, Any] | None:
    name = str(service).rsplit("/", 1)[-1]
    found: dict[str, Any] | None = ecs._services.get(
        f"{ecs._resolve_cluster_name(cluster or 'default')}/{name}"
    )
    return found


def run_once(run: Action) -> Action:
    """MiniStack 1.5.33: the clientToken of RunTask is ignored. On AWS it lasts for a day; here for ever.

    The first answer is given again, whether it told of a task or of why there was none.
    """
    known: dict[tuple[str, ...], tuple[dict[str, Any], Response]] = {}

    def run_or_repeat(data: dict[str, Any]) -> Response:
        token = data.get("clientToken")
        if not token:
            return run(data)
        cluster = data.get("cluster", "default")
        key = (get_account_id(), get_region(), str(ecs._resolve_cluster_name(cluster)), token)
        asked, answer = known.get(key, (data, None))
        arns = [task["taskArn"] for task in json.loads(answer[2])["tasks"]] if answer else []
        if asked != data:
            message = "The provided clientToken is already in use with a different RunTask request."
            return error_response_json("ConflictException", message, 400, {"resourceIds": arns})
        if arns:
            status, headers, body = ecs._describe_tasks({"cluster": cluster, "tasks": arns})
            return status, headers, json.dumps(json.loads(body) | {"failures": []}).encode()
        if answer is None:
            answer = run(data)
            if answer[0] == 200:
                known[key] = data, answer
        return answer

    return run_or_repeat


def refuse_used_clusters(delete: Action, runtime: Runtime) -> Action:
    """MiniStack 1.5.33: a cluster is deleted with all that runs in it."""

    def delete_or_refuse(data: dict[str, Any]) -> Response:
        name = ecs._resolve_cluster_name(data.get("cluster", "default"))
        services = [service for key, service in ecs._services.items() if key.startswith(f"{name}/")]
        if any(service["status"] == "ACTIVE" or _drains(service, runtime) for service in services):
            message = "The Cluster cannot be deleted while Services are active."
            return error_response_json("ClusterContainsServicesException", message, 400)
        tasks = [task for task in list(ecs._tasks.values()) if task["clusterArn"].endswith(f"/{name}")]
        if any(t["lastStatus"] in ecs._PRE_STOP_STATUSES or runtime.stopping(t["taskArn"]) for t in tasks):
            message = "The Cluster cannot be deleted while Tasks are active."
            return error_response_json("ClusterContainsTasksException", message, 400)
        return delete(data)

    return delete_or_refuse


def _delete_cluster_of_a_stack(physical_id: str, properties: dict[str, Any]) -> None:
    """MiniStack 1.5.33: does not look at the answer. On AWS what still runs fails the stack's deletion."""
    deadline = time.monotonic() + _CLUSTER_PATIENCE
    while True:
        status, _, body = ecs._delete_cluster({"cluster": physical_id})
        error = json.loads(body)
        if status == 200 or error["__type"] == "ClusterNotFoundException":
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{error['message']} ({error['__type']})")
        time.sleep(0.5)


def _with_clusters(blocks: Callable[[str], bool]) -> Callable[[str], bool]:
    """The types whose deletion may wait, and so must not hold the emulator up."""
    return lambda resource_type: resource_type == "AWS::ECS::Cluster" or blocks(resource_type)
