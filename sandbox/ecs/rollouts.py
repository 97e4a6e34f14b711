"""How a service goes from one task definition to the next, where MiniStack 1.5.33's ECS differs from AWS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import ecs

_LOOK_SECONDS = 0.1
_STEADY_SECONDS = 1.0  # a task that dies sooner after its first good health check was never healthy

Service = dict[str, Any]
Task = dict[str, Any]
Healthy = Callable[[str, str], bool]


def install(healthy: Healthy) -> None:
    """Put the patches in place. `healthy` tells whether a target group has a task's address as healthy."""
    ecs._make_deployment = begin_in_progress(ecs._make_deployment)
    ecs._run_task = start_by_deployment(ecs._run_task)
    ecs._complete_service_deployment = complete_when_healthy(ecs._complete_service_deployment, healthy)
    ecs._record_service_task_healthy = forgive_when_a_task_ran(ecs._record_service_task_healthy)
    ecs._record_service_task_failure = count_no_failure_after_a_run(ecs._record_service_task_failure)
    ecs._reconcile_service_tasks = keep_old_tasks_of_a_failure(ecs._reconcile_service_tasks)
    ecs._refresh_service_state = forget_drained_deployments(ecs._refresh_service_state)


def begin_in_progress(make: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """MiniStack 1.5.33: a new service's deployment is COMPLETED before a task runs, so that its circuit
    breaker never opens and tasks that cannot start are tried again without end or pause.
    """

    def make_in_progress(*args: Any, **options: Any) -> dict[str, Any]:
        deployment = make(*args, **options)
        reason = f"ECS deployment {deployment['id']} in progress."
        return deployment | {"rolloutState": "IN_PROGRESS", "rolloutStateReason": reason}

    return make_in_progress


def start_by_deployment(run_task: Callable[..., Any]) -> Callable[..., Any]:
    """MiniStack 1.5.33: a service's tasks are started by its name; on AWS by its deployment's id. And they
    have no tags, whatever the service says.
    """

    def run(data: dict[str, Any]) -> Any:
        deployment = data.get("_deploymentId")
        if not deployment:
            return run_task(data)
        service = ecs._services[f"{data['cluster']}/{data['group'].partition(':')[2]}"]
        source = {"TASK_DEFINITION": data["taskDefinition"], "SERVICE": service["serviceArn"]}
        tags = ecs._tags.get(source.get(service["propagateTags"], ""), [])
        return run_task(data | {"startedBy": deployment, "tags": list(tags)})

    return run


def complete_when_healthy(complete: Callable[..., None], healthy: Healthy) -> Callable[..., None]:
    """MiniStack 1.5.33: a rollout is COMPLETED, and the old tasks are stopped, a second after the new tasks
    run; on AWS when their targets are healthy.
    """
    watched: set[str] = set()

    def complete_or_look_again(cluster: str, key: str, expected_deployment_id: str | None = None) -> None:
        service = ecs._services.get(key)
        primary = ecs._primary_deployment(service) if service else None
        tasks = _running(service, primary) if service and primary else []
        waiting = [task for task in tasks if service and not _steady(service, task, healthy)]
        if not waiting or not primary or primary["rolloutState"] != "IN_PROGRESS":
            complete(cluster, key, expected_deployment_id)
        elif primary["id"] not in watched:
            watched.add(primary["id"])
            ecs.spawn_background(
                look_again, cluster, key, primary["id"], get_account_id(), get_region(), thread_name="rollout"
            )

    def look_again(cluster: str, key: str, deployment: str, account: str, region: str) -> None:
        time.sleep(_LOOK_SECONDS)
        watched.discard(deployment)
        with request_scope(account, region):
            service = ecs._services.get(key)
            primary = ecs._primary_deployment(service) if service else None
            if service and service["status"] == "ACTIVE" and primary and primary["id"] == deployment:
                complete_or_look_again(cluster, key, deployment)

    return complete_or_look_again


def _running(service: Service, deployment: dict[str, Any]) -> list[Task]:
    return [
        task
        for task in list(ecs._tasks.values())
        if _belongs(task, service)
        and task["lastStatus"] == "RUNNING"
        and ecs._deployment_for_task(service, task) is deployment
    ]


def _belongs(task: Task, service: Service) -> bool:
    return bool(
        task.get("group") == f"service:{service['serviceName']}"
        and task.get("clusterArn") == service["clusterArn"]
    )


def _steady(service: Service, task: Task, healthy: Healthy) -> bool:
    """Whether the load balancer has had the task as healthy for a while, or there is no load balancer."""
    groups = [balancer.get("targetGroupArn") for balancer in service.get("loadBalancers") or []]
    if not all(healthy(group, ecs._task_ip(task) or "") for group in groups if group):
        task.pop("_healthy_since", None)
        return False
    now = time.monotonic()
    return not groups or now - task.setdefault("_healthy_since", now) >= _STEADY_SECONDS


def forgive_when_a_task_ran(record: Callable[[str, Task], None]) -> Callable[[str, Task], None]:
    """MiniStack 1.5.33: failures that come later are counted again. On AWS, once a task of a deployment has
    run, healthy or not, `failedTasks` is 0 and stays so: ECS never gives a candidate up that crashes a little
    after its start. A task that ends within MiniStack's first second has not run.
    """

    def record_and_forgive(key: str, task: Task) -> None:
        record(key, task)
        service = ecs._services.get(key)
        deployment = ecs._deployment_for_task(service, task) if service else None
        if deployment and task["lastStatus"] == "RUNNING":
            deployment["_has_run"] = True
            deployment["failedTasks"] = 0

    return record_and_forgive


def count_no_failure_after_a_run(record: Callable[..., None]) -> Callable[..., None]:
    """MiniStack 1.5.33: the circuit breaker counts a task that dies while others are still starting, even
    after one has run.
    """

    def record_unless_it_ran(task: Task, digest_resolution_failed: bool = False) -> None:
        name = task.get("group", "").partition("service:")[2]
        cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
        key = f"{cluster}/{name}"
        service = ecs._services.get(key) if name else None
        deployment = ecs._deployment_for_task(service, task) if service else None
        if deployment and deployment.get("_has_run") and not digest_resolution_failed:
            ecs._reconcile_service_tasks(cluster, key)
        else:
            record(task, digest_resolution_failed)

    return record_unless_it_ran


def keep_old_tasks_of_a_failure(reconcile: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """MiniStack 1.5.33: when a deployment fails, the old one's tasks are stopped as if it had succeeded."""

    def reconcile_unless_failed(cluster: str, key: str) -> None:
        service = ecs._services.get(key)
        primary = ecs._primary_deployment(service) if service else None
        if (
            service
            and primary
            and primary["rolloutState"] == "FAILED"
            and service.get("desiredCount", 0) > 0
            and any(_lives_elsewhere(task, service, primary) for task in list(ecs._tasks.values()))
        ):
            ecs._refresh_service_state(cluster, f"service:{service['serviceName']}")
            ecs._recount_cluster(cluster)
        else:
            reconcile(cluster, key)

    return reconcile_unless_failed


def _lives_elsewhere(task: Task, service: Service, primary: dict[str, Any]) -> bool:
    return (
        _belongs(task, service)
        and task["lastStatus"] in ecs._PRE_STOP_STATUSES
        and ecs._deployment_for_task(service, task) is not primary
    )


def forget_drained_deployments(refresh: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """MiniStack 1.5.33: a deployment that has no task any more is listed until the next one has completed,
    and a failed one for ever. With rollback on, it is what the service may go back to, and stays.
    """

    def refresh_and_forget(cluster: str, group: str) -> None:
        refresh(cluster, group)
        service = ecs._services.get(f"{cluster}/{(group or '').partition('service:')[2]}")
        breaker = (service or {}).get("deploymentConfiguration", {}).get("deploymentCircuitBreaker") or {}
        if not service or breaker.get("rollback"):
            return
        alive = {
            id(ecs._deployment_for_task(service, task))
            for task in list(ecs._tasks.values())
            if _belongs(task, service) and task["lastStatus"] in ecs._PRE_STOP_STATUSES
        }
        service["deployments"] = [
            deployment
            for deployment in service["deployments"]
            if deployment["status"] == "PRIMARY" or id(deployment) in alive
        ]

    return refresh_and_forget
