"""AWS::ECS::Service: created, updated and deleted as CloudFormation does, which waits for its tasks.

On any change of its properties CloudFormation calls UpdateService with all of them. So a stack's update that
changes a tag sets the task definition and the number of tasks of the template again, whatever runs by then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.services import ecs
from ministack.services.cloudformation import provisioners, stacks

from sandbox.cloudformation.api_names import request
from sandbox.ecs.calls import drains
from sandbox.patching import changes, replaces

Properties = dict[str, Any]
Service = dict[str, Any]
Created = tuple[str, dict[str, str]]

_HANDLERS, _SERVICE = "_RESOURCE_HANDLERS", "AWS::ECS::Service"
_CREATE_ONLY = {"Cluster", "ServiceName", "Role", "SchedulingStrategy", "LaunchType"}
"""What UpdateService cannot change."""
_PATIENCE = 300.0
"""Seconds that a stack waits for a service. On AWS three hours, which nobody would wait for here."""


@replaces(provisioners, _HANDLERS, _SERVICE, "create", version="1.5.33")
def create_with_all_properties(
    emulator: Callable[..., Created], logical_id: str, properties: Properties, stack: str
) -> Created:
    """MiniStack: knows nine of the properties, gives a name without random letters, and does not wait."""
    name = properties.get("ServiceName") or provisioners._physical_name(stack, logical_id, max_len=255)
    given = {key: value for key, value in properties.items() if key != "ForceNewDeployment"}
    service = _ask("CreateService", request("ecs", "CreateService", {**given, "ServiceName": name}))
    try:
        _wait_until_steady(service["serviceArn"])
    except RuntimeError:  # nobody else takes away what was not created in the end
        delete_and_wait(emulator, service["serviceArn"], properties)
        raise
    return service["serviceArn"], {"ServiceArn": service["serviceArn"], "Name": name}


@replaces(provisioners, _HANDLERS, _SERVICE, "update", version="1.5.33")
def send_all_properties(
    emulator: Callable[..., Created], physical_id: str, old: Properties, new: Properties, stack: str
) -> Created:
    """MiniStack: sends those that have changed, and knows eight. What a template no longer names stays: to
    remove load balancers, its reference says, one has to give an empty list.
    """
    given = {key: value for key, value in new.items() if key not in _CREATE_ONLY | {"Tags"}}
    force = given.pop("ForceNewDeployment", None)
    asked = request("ecs", "UpdateService", {**given, "Cluster": new["Cluster"], "Service": physical_id})
    if force != old.get("ForceNewDeployment"):
        asked["forceNewDeployment"] = str((force or {}).get("EnableForceNewDeployment")).lower() == "true"
    provisioners._reconcile_tag_list(
        ecs._tags.setdefault(physical_id, []), old, new, key="key", value="value"
    )
    _ask("UpdateService", asked)
    _wait_until_steady(physical_id)
    return physical_id, {"ServiceArn": physical_id, "Name": physical_id.rsplit("/", 1)[-1]}


@replaces(provisioners, _HANDLERS, _SERVICE, "delete", version="1.5.33")
def delete_and_wait(emulator: Callable[..., Any], physical_id: str, properties: Properties) -> None:
    """MiniStack: does not wait for the service's tasks."""
    service = _of(physical_id)
    if service is None or service["status"] != "ACTIVE":
        return
    _ask("DeleteService", {"cluster": service["clusterArn"], "service": physical_id, "force": True})
    deadline = time.monotonic() + _PATIENCE
    while drains(service):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Service {physical_id} did not stabilize.")
        time.sleep(0.1)


@changes(provisioners, "_REPLACING_PROPERTIES", version="1.5.33")
def replace_what_cannot_change(emulator: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """What the template reference says of an update. A launch type changes in place to capacity providers."""
    emulator[_SERVICE] = ("Cluster", "ServiceName", "Role", "SchedulingStrategy")
    return emulator


@replaces(stacks, "_runs_on_worker_thread", version="1.5.33")
def wait_aside(emulator: Callable[[str], bool], resource_type: str) -> bool:
    """A service is waited for, which must not hold the emulator up."""
    return resource_type == _SERVICE or emulator(resource_type)


def _ask(operation: str, asked: dict[str, Any]) -> Service:
    status, _, body = ecs._ACTION_MAP[operation](asked)
    answer = json.loads(body)
    if status >= 400:
        raise RuntimeError(f"{answer['message']} ({answer['__type']})")
    return dict(answer["service"])


def _of(arn: str) -> Service | None:
    """The service as it is; what roles see of it may be old."""
    cluster, _, name = arn.partition(":service/")[2].partition("/")
    found: Service | None = ecs._services.get(f"{cluster}/{name}")
    return found


def _wait_until_steady(arn: str) -> None:
    """Wait until one deployment runs all its tasks. RuntimeError: the one under way now has failed."""
    service = _of(arn)
    if service is None:
        raise RuntimeError(f"Service {arn} was deleted meanwhile.")
    deployment = ecs._primary_deployment(service)
    deadline = time.monotonic() + _PATIENCE
    while not _steady(service):
        if deployment["rolloutState"] == "FAILED":
            reason = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."
            raise RuntimeError(f'Resource handler returned message: "{reason}"')
        if service["status"] != "ACTIVE" or time.monotonic() > deadline:
            raise RuntimeError(f"Service {arn} did not stabilize.")
        time.sleep(0.1)


def _steady(service: Service) -> bool:
    (*others, last) = service["deployments"]
    return bool(
        not others
        and last["rolloutState"] == "COMPLETED"
        and service["runningCount"] == service["desiredCount"]
    )
