"""AWS::ECS::Cluster, and the capacity providers that a template associates with one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.services import ecs
from ministack.services.cloudformation import provisioners, stacks

from sandbox.cloudformation.api_names import request
from sandbox.patching import changes, replaces

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]

_HANDLERS, _CLUSTER = "_RESOURCE_HANDLERS", "AWS::ECS::Cluster"
_PROVIDERS = "AWS::ECS::ClusterCapacityProviderAssociations"
_PATIENCE = 120.0
"""Seconds that a stack waits for a cluster's tasks, or those of a capacity provider, to end."""


@replaces(provisioners, _HANDLERS, _CLUSTER, "update", version="1.5.33")
def leave_what_others_associated(
    emulator: Callable[..., Created],
    physical_id: str,
    old: Properties,
    new: Properties,
    stack: str,
    logical_id: str | None = None,
) -> Created:
    """MiniStack: any update takes away the capacity providers that the cluster itself does not name."""
    cluster = ecs._clusters.get(physical_id) or {}
    associated = {key: cluster.get(key) for key in ("capacityProviders", "defaultCapacityProviderStrategy")}
    updated = emulator(physical_id, old, new, stack, logical_id)
    if (
        updated[0] == physical_id
        and not {"CapacityProviders", "DefaultCapacityProviderStrategy"} & new.keys()
    ):
        cluster |= associated
    return updated


@replaces(provisioners, _HANDLERS, _CLUSTER, "delete", version="1.5.33")
def delete_when_empty(emulator: Callable[..., None], physical_id: str, properties: Properties) -> None:
    """MiniStack: does not look at the answer. On AWS what still runs fails the stack's deletion."""
    _ask_until_free("DeleteCluster", {"cluster": physical_id})


@changes(provisioners, _HANDLERS, version="1.5.33")
def know_associations(emulator: dict[str, Any]) -> dict[str, Any]:
    """MiniStack: "Unsupported resource type"."""
    emulator[_PROVIDERS] = {"create": _associate, "update": _associate_others, "delete": _dissociate}
    return emulator


@changes(provisioners, "_REPLACING_PROPERTIES", version="1.5.33")
def replace_those_of_another_cluster(emulator: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """What the template reference says of an update."""
    emulator[_PROVIDERS] = ("Cluster",)
    return emulator


def _associate(logical_id: str, properties: Properties, stack: str) -> Created:
    """Ref is the cluster."""
    cluster = properties["Cluster"]
    nothing: Properties = {"CapacityProviders": [], "DefaultCapacityProviderStrategy": []}
    asked = request("ecs", "PutClusterCapacityProviders", {**nothing, **properties})
    _ask_until_free("PutClusterCapacityProviders", asked)
    return cluster, {}


def _associate_others(physical_id: str, old: Properties, new: Properties, stack: str) -> Created:
    return _associate(physical_id, new, stack)


def _dissociate(physical_id: str, properties: Properties) -> None:
    _associate(physical_id, {"Cluster": properties["Cluster"]}, "")


def _ask_until_free(operation: str, asked: dict[str, Any]) -> None:
    """Repeat a call as long as tasks stand in its way."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        status, _, body = ecs._ACTION_MAP[operation](asked)
        if status == 200:
            return
        error = json.loads(body)
        if error["__type"] == "ClusterNotFoundException":
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{error['message']} ({error['__type']})")
        time.sleep(0.5)


@replaces(stacks, "_runs_on_worker_thread", version="1.5.33")
def wait_aside(emulator: Callable[[str], bool], resource_type: str) -> bool:
    """The types that may wait, and so must not hold the emulator up."""
    return resource_type in {_CLUSTER, _PROVIDERS} or emulator(resource_type)
