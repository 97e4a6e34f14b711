"""How a service goes from one task definition to the next, where MiniStack's ECS differs from AWS."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import ecs

from sandbox import load_balancer
from sandbox.patching import replaces

_LOOK_SECONDS = 0.1
_STEADY_SECONDS = 1.0  # a task that dies sooner after its first good health check was never healthy
_AT_ONCE = 3  # tasks that do not start, before the next try has to wait
_LONGEST_WAIT = 30.0  # on AWS 27 minutes

Service = dict[str, Any]
Task = dict[str, Any]


@replaces(ecs, "_make_deployment", version="1.5.33")
def begin_in_progress(emulator: Callable[..., dict[str, Any]], *args: Any, **options: Any) -> dict[str, Any]:
    """MiniStack: a new service's deployment is COMPLETED before a task runs, so that its circuit breaker
    never opens and tasks that cannot start are tried again without end or pause.
    """
    deployment = emulator(*args, **options)
    reason = f"ECS deployment {deployment['id']} in progress."
    return deployment | {"rolloutState": "IN_PROGRESS", "rolloutStateReason": reason}


@replaces(ecs, "_run_task", version="1.5.33")
def start_by_deployment(emulator: Callable[..., Any], data: dict[str, Any]) -> Any:
    """MiniStack: a service's tasks are started by its name; on AWS by its deployment's id. And they have no
    tags, whatever the service says.
    """
    deployment = data.get("_deploymentId")
    if not deployment:
        return emulator(data)
    service = ecs._services[f"{data['cluster']}/{data['group'].partition(':')[2]}"]
    source = {"TASK_DEFINITION": data["taskDefinition"], "SERVICE": service["serviceArn"]}
    tags = ecs._tags.get(source.get(service["propagateTags"], ""), [])
    return emulator(data | {"startedBy": deployment, "tags": list(tags)})


_watched: set[str] = set()
"""Deployments that are looked at again until their tasks are healthy."""


@replaces(ecs, "_complete_service_deployment", version="1.5.33")
def complete_when_healthy(
    emulator: Callable[..., None], cluster: str, key: str, expected_deployment_id: str | None = None
) -> None:
    """MiniStack: a rollout is COMPLETED, and the old tasks are stopped, a second after the new tasks run; on
    AWS when their targets are healthy.
    """
    service = ecs._services.get(key)
    primary = ecs._primary_deployment(service) if service else None
    tasks = _running(service, primary) if service and primary else []
    waiting = [task for task in tasks if service and not _steady(service, task)]
    if not waiting or not primary or primary["rolloutState"] != "IN_PROGRESS":
        emulator(cluster, key, expected_deployment_id)
    elif primary["id"] not in _watched:
        _watched.add(primary["id"])
        scope = get_account_id(), get_region()
        ecs.spawn_background(_look_again, emulator, cluster, key, primary["id"], scope, thread_name="rollout")


def _look_again(
    emulator: Callable[..., None], cluster: str, key: str, deployment: str, scope: tuple[str, str]
) -> None:
    time.sleep(_LOOK_SECONDS)
    _watched.discard(deployment)
    with request_scope(*scope):
        service = ecs._services.get(key)
        primary = ecs._primary_deployment(service) if service else None
        if service and service["status"] == "ACTIVE" and primary and primary["id"] == deployment:
            complete_when_healthy(emulator, cluster, key, deployment)


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


def _steady(service: Service, task: Task) -> bool:
    """Whether the load balancer has had the task as healthy for a while, or there is no load balancer."""
    groups = [balancer.get("targetGroupArn") for balancer in service.get("loadBalancers") or []]
    if not all(load_balancer.healthy(group, ecs._task_ip(task) or "") for group in groups if group):
        task.pop("_healthy_since", None)
        return False
    now = time.monotonic()
    return not groups or now - task.setdefault("_healthy_since", now) >= _STEADY_SECONDS


@replaces(ecs, "_record_service_task_healthy", version="1.5.33")
def forgive_when_a_task_ran(emulator: Callable[[str, Task], None], key: str, task: Task) -> None:
    """MiniStack: failures that come later are counted again. On AWS, once a task of a deployment has run,
    healthy or not, `failedTasks` is 0 and stays so: ECS never gives a candidate up that crashes a little
    after its start. A task that ends within MiniStack's first second has not run.
    """
    emulator(key, task)
    service = ecs._services.get(key)
    deployment = ecs._deployment_for_task(service, task) if service else None
    if deployment and task["lastStatus"] == "RUNNING":
        deployment["_has_run"] = True
        deployment["failedTasks"] = 0


@replaces(ecs, "_record_service_task_failure", version="1.5.33")
def count_no_failure_after_a_run(
    emulator: Callable[..., None], task: Task, digest_resolution_failed: bool = False
) -> None:
    """MiniStack: the circuit breaker counts a task that dies while others are still starting, even after one
    has run.
    """
    name = task.get("group", "").partition("service:")[2]
    cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
    key = f"{cluster}/{name}"
    service = ecs._services.get(key) if name else None
    deployment = ecs._deployment_for_task(service, task) if service else None
    if deployment and deployment.get("_has_run") and not digest_resolution_failed:
        ecs._reconcile_service_tasks(cluster, key)
    else:
        emulator(task, digest_resolution_failed)


_never_started: Counter[str] = Counter()
"""Tasks of each deployment that have not started."""


@replaces(ecs, "_record_service_task_failure", version="1.5.33")
def wait_after_failures(emulator: Callable[..., None], task: Task, *args: Any, **options: Any) -> None:
    """MiniStack: a service's tasks that cannot start are tried again without pause. On AWS "the time between
    subsequent restart attempts is incrementally increased"; a task that has run is replaced at once.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
    """
    deployment = str(task.get("_deployment_id"))
    if task.get("stopCode") == "TaskFailedToStart":
        _never_started[deployment] += 1
        too_many = _never_started[deployment] - _AT_ONCE
        time.sleep(min(2.0**too_many, _LONGEST_WAIT) if too_many > 0 else 0)
    emulator(task, *args, **options)


@replaces(ecs, "_reconcile_service_tasks", version="1.5.33")
def keep_old_tasks_of_a_failure(emulator: Callable[[str, str], None], cluster: str, key: str) -> None:
    """MiniStack: when a deployment fails, the old one's tasks are stopped as if it had succeeded."""
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
        emulator(cluster, key)


def _lives_elsewhere(task: Task, service: Service, primary: dict[str, Any]) -> bool:
    return (
        _belongs(task, service)
        and task["lastStatus"] in ecs._PRE_STOP_STATUSES
        and ecs._deployment_for_task(service, task) is not primary
    )


@replaces(ecs, "_refresh_service_state", version="1.5.33")
def forget_drained_deployments(emulator: Callable[[str, str], None], cluster: str, group: str) -> None:
    """MiniStack: a deployment that has no task any more is listed until the next one has completed, and a
    failed one for ever. With rollback on, it is what the service may go back to, and stays.
    """
    emulator(cluster, group)
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
