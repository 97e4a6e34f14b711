"""What a service is made with and what UpdateService changes of it, where MiniStack keeps only a part.

Sources: the documentation of CreateService and UpdateService in botocore's model, which says of each
parameter whether its change begins a deployment, and which defaults there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecs

from sandbox.ecs import service_revisions
from sandbox.ecs.containers import runtime
from sandbox.patching import replaces

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]
Service = dict[str, Any]

_OF_THE_SERVICE = {
    "availabilityZoneRebalancing",
    "deploymentController",
    "enableECSManagedTags",
    "placementConstraints",
    "placementStrategy",
    "propagateTags",
}
"""Described of the service. Changes begin no deployment."""

_OF_A_DEPLOYMENT = {"serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"}
"""Described of the service's deployments only."""

_BEGIN_A_DEPLOYMENT = _OF_A_DEPLOYMENT | {
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceRegistries",
}
"""So does a new task definition, which MiniStack knows."""

_ROLLING = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
}
_NOT_ASSOCIATED = (
    "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
    "the cluster. Associate the capacity provider with the cluster and try again."
)


@replaces(ecs, "_ACTION_MAP", "CreateService", version="1.5.33")
def keep_what_it_is_made_with(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: drops what it has no use for, and sets few defaults."""
    if refused := _unknown_provider(data):
        return refused
    made = {"availabilityZoneRebalancing": "ENABLED", **data}
    made["deploymentConfiguration"] = _ROLLING | (data.get("deploymentConfiguration") or {})
    response = emulator(made)
    if response[0] != 200:
        return response
    service = _service(made.get("cluster") or "default", made["serviceName"])
    _keep(service, made)
    if runs_on_fargate(service):
        service["platformVersion"] = service["platformVersion"] or "LATEST"
        service["platformFamily"] = "Linux"
    _keep_of_deployment(service, {})
    return json_response({"service": ecs._sanitize(service)})


@replaces(ecs, "_ACTION_MAP", "UpdateService", version="1.5.33")
def change_what_it_is_made_with(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: drops most, and begins a deployment for a new task definition only."""
    if refused := _unknown_provider(data):
        return refused
    service = _service(data.get("cluster") or "default", str(data.get("service")).rsplit("/", 1)[-1])
    if not service:
        return emulator(data)
    before = ecs._primary_deployment(service)
    known = service | {name: before.get(name) for name in _OF_A_DEPLOYMENT}
    changed = {name for name in _BEGIN_A_DEPLOYMENT & data.keys() if not _same(data[name], known.get(name))}
    asked = dict(data)
    if changed:
        asked["forceNewDeployment"] = True
    if "deploymentConfiguration" in data:
        # What is not named stays: Terraform's provider removes a circuit breaker by one that is off.
        asked["deploymentConfiguration"] = (
            service["deploymentConfiguration"] | data["deploymentConfiguration"]
        )
    response = emulator(asked)
    if response[0] != 200:
        return response
    _keep(service, data)
    _keep_of_deployment(service, before)
    return json_response({"service": ecs._sanitize(service)})


def runs_on_fargate(service: Service) -> bool:
    """Whether its tasks run on Fargate, by launch type or by capacity provider."""
    providers = {item["capacityProvider"] for item in service.get("capacityProviderStrategy") or []}
    return service.get("launchType") == "FARGATE" or bool(providers & set(ecs._FARGATE_PROVIDERS))


def _keep(service: Service, data: dict[str, Any]) -> None:
    for name in (_OF_THE_SERVICE | {"serviceRegistries"}) & data.keys():
        service[name] = data[name]
    later = _OF_A_DEPLOYMENT | {"monitoring"}
    service["_asked"] = service.get("_asked", {}) | {name: data[name] for name in later & data.keys()}


def _keep_of_deployment(service: Service, before: dict[str, Any]) -> None:
    """A new deployment has what was asked of the service until then."""
    primary = ecs._primary_deployment(service)
    if primary["id"] == before.get("id"):
        return
    of_service = ("networkConfiguration", "launchType", "capacityProviderStrategy")
    asked = dict(service["_asked"])
    monitoring = asked.pop("monitoring", None)
    primary |= asked | {name: service[name] for name in of_service}
    if runs_on_fargate(service):
        version = service["platformVersion"]
        primary["platformVersion"] = "1.4.0" if version in {"", "LATEST"} else version
        primary["platformFamily"] = "Linux"
    service_revisions.record(service, primary, monitoring)


def _same(given: Any, known: Any) -> bool:
    """Whether both say the same: the order of subnets, and what is left out or empty, make no difference."""
    return _canonical(given) == _canonical(known)


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: found
            for key, inner in value.items()
            if (found := _canonical(inner)) not in ({}, [], "", None)
        }
    if isinstance(value, list):
        return sorted(
            (_canonical(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True)
        )
    return value


def _service(cluster: str, name: str) -> Service:
    found: Service = ecs._services.get(f"{ecs._resolve_cluster_name(cluster)}/{name}") or {}
    return found


@replaces(ecs, "_ACTION_MAP", "DescribeServices", version="1.5.33")
def show_tags_when_asked(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: the tags that a service was made with are shown unasked."""
    status, headers, body = emulator(data)
    answer = json.loads(body)
    if "TAGS" not in data.get("include", []):
        for service in answer.get("services", []):
            service.pop("tags", None)
    return status, headers, json.dumps(answer).encode()


# --- capacity providers -------------------------------------------------------------------------------------


def _unknown_provider(data: dict[str, Any]) -> Response | None:
    asked = {item["capacityProvider"] for item in data.get("capacityProviderStrategy") or []}
    cluster = ecs._clusters.get(ecs._resolve_cluster_name(data.get("cluster") or "default")) or {}
    if asked <= set(cluster.get("capacityProviders") or []):
        return None
    return error_response_json("InvalidParameterException", _NOT_ASSOCIATED, 400)


@replaces(ecs, "_ACTION_MAP", "PutClusterCapacityProviders", version="1.5.33")
def refuse_while_in_use(emulator: Action, data: dict[str, Any]) -> Response:
    """MiniStack: a capacity provider is taken from under running tasks. On AWS it is in use by them, and by
    the services that name it.
    """
    name = ecs._resolve_cluster_name(data.get("cluster") or "default")
    cluster = ecs._clusters.get(name)
    if cluster:
        arn = cluster["clusterArn"]
        used = {
            item["capacityProvider"]
            for key, service in list(ecs._services.items())
            if key.startswith(f"{name}/") and service["status"] == "ACTIVE"
            for item in service.get("capacityProviderStrategy") or []
        } | {
            task.get("capacityProviderName")
            for task in list(ecs._tasks.values())
            if task["clusterArn"] == arn
            and (task["lastStatus"] in ecs._PRE_STOP_STATUSES or runtime.stopping(task["taskArn"]))
        }
        if used & set(cluster.get("capacityProviders") or []) - set(data["capacityProviders"]):
            message = "The specified capacity provider is in use and cannot be removed."
            return error_response_json("ResourceInUseException", message, 400)
    return emulator(data)
