"""Scalable targets of ECS services: registered, suspended, read, and what they do to a service's count."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import ecs

from sandbox.delays import Delay, Past, delays

SERVICE = "application-autoscaling"
_DIMENSION = "ecs:service:DesiredCount"
_SUSPENDABLE = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
_PAGE = 50

Parameters = dict[str, Any]
Key = tuple[str, str, str]
"""Of a target: namespace, resource id, dimension."""

_targets = AccountRegionScopedDict()
_tags = AccountRegionScopedDict()
"""Of targets, by ARN."""
seen = Past(Delay.SCALING_READ, delays)
"""What DescribeScalableTargets may still answer, by a target's key."""


class Refused(Exception):
    """A call that AWS refuses; carries the error's code."""

    def __init__(self, message: str, code: str = "ValidationException") -> None:
        super().__init__(message)
        self.code = code


def arn_of(parameters: Parameters) -> str:
    """The ARN of the target that a call names; one with a wildcard for an id when there is none."""
    found = _targets.get(key_of(parameters))
    return str(found["ScalableTargetARN"]) if found else _arn("*")


def register(parameters: Parameters) -> dict[str, Any]:
    """RegisterScalableTarget."""
    key = key_of(parameters)
    _refuse_unknown_service(key)
    known = _targets.get(key)
    target = known or {
        "ServiceNamespace": key[0],
        "ResourceId": key[1],
        "ScalableDimension": key[2],
        "RoleARN": f"arn:aws:iam::{get_account_id()}:role/aws-service-role/ecs.application-autoscaling."
        "amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
        "CreationTime": time.time(),
        "SuspendedState": dict.fromkeys(_SUSPENDABLE, False),
        "ScalableTargetARN": _arn(secrets.token_hex(18)),
    }
    given = {name: parameters[name] for name in ("MinCapacity", "MaxCapacity") if name in parameters}
    changed = target | given
    for name in ("MinCapacity", "MaxCapacity"):
        if name not in changed:
            raise Refused(f"{name} must be specified when a scalable target is registered")
    if changed["MaxCapacity"] < changed["MinCapacity"]:
        raise Refused("Maximum capacity cannot be less than minimum capacity")
    changed["SuspendedState"] = target["SuspendedState"] | parameters.get("SuspendedState", {})
    _targets[key] = changed
    seen.wrote("|".join(key), known, key[1])
    _bring_within(changed)
    return {"ScalableTargetARN": changed["ScalableTargetARN"]}


def _bring_within(target: dict[str, Any]) -> None:
    """Set the service's count into the target's bounds, also where only a suspension was written: so says
    RegisterScalableTarget's documentation.
    """
    _set_count(target, min(max(_count(target), target["MinCapacity"]), target["MaxCapacity"]))


def _count(target: dict[str, Any]) -> int:
    return int(ecs._services[str(target["ResourceId"]).removeprefix("service/")]["desiredCount"])


def _set_count(target: dict[str, Any], wanted: int) -> None:
    cluster, _, name = str(target["ResourceId"]).removeprefix("service/").partition("/")
    if wanted != _count(target):
        ecs._ACTION_MAP["UpdateService"]({"cluster": cluster, "service": name, "desiredCount": wanted})


def scale(key: Key, change: int) -> None:
    """Change a service's count within the bounds; a count below them is brought up to them first."""
    target = _targets.get(key)
    if target is None or target["SuspendedState"][_SUSPENDABLE[change > 0]]:
        return
    least, most = target["MinCapacity"], target["MaxCapacity"]
    _set_count(target, min(max(max(_count(target), least) + change, least), most))


def describe(parameters: Parameters) -> dict[str, Any]:
    """DescribeScalableTargets."""
    resources = parameters.get("ResourceIds")
    found = [target for target in _as_read() if not resources or target["ResourceId"] in resources]
    return page("ScalableTargets", found, parameters)


def page(kind: str, things: list[dict[str, Any]], parameters: Parameters) -> dict[str, Any]:
    """The answer of a Describe call: those of a namespace and a dimension, page by page."""
    namespace, dimension = parameters.get("ServiceNamespace"), parameters.get("ScalableDimension")
    if not namespace:
        raise Refused("ServiceNamespace must be specified")
    if dimension and dimension.split(":")[0] != namespace:
        raise Refused(f"Unsupported service namespace, resource type or scalable dimension: {dimension}")
    found = [
        thing
        for thing in things
        if thing["ServiceNamespace"] == namespace and dimension in (None, thing["ScalableDimension"])
    ]
    start, size = int(parameters.get("NextToken") or 0), parameters.get("MaxResults") or _PAGE
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {kind: found[start : start + size], **more}


def deregister(parameters: Parameters) -> dict[str, Any]:
    """DeregisterScalableTarget, of the target alone."""
    key = key_of(parameters)
    known = _targets.pop(key, None)
    if known is None:
        raise not_found("No scalable target found", key)
    seen.wrote("|".join(key), known, key[1])
    _tags.pop(known["ScalableTargetARN"], None)
    return {}


def tag(parameters: Parameters) -> dict[str, Any]:
    """TagResource."""
    arn = _registered(parameters)
    _tags[arn] = tags_of(arn) | parameters["Tags"]
    return {}


def list_tags(parameters: Parameters) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"Tags": tags_of(_registered(parameters))}


def tags_of(arn: str) -> dict[str, str]:
    """The tags of a target."""
    return dict(_tags.get(arn) or {})


def all_tags() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """All targets' tags by ARN."""
    for arn, tags in _tags.items():
        yield arn, [{"Key": key, "Value": value} for key, value in tags.items()]


def _registered(parameters: Parameters) -> str:
    arn = str(parameters.get("ResourceARN", ""))
    if all(target["ScalableTargetARN"] != arn for target in _targets.values()):
        raise Refused(f"No scalable target found with the ARN {arn}", "ResourceNotFoundException")
    return arn


def not_found(what: str, key: Key) -> Refused:
    """The refusal of a call that names something of a target that is not there."""
    namespace, resource, dimension = key
    place = f"service namespace: {namespace}, resource ID: {resource}, scalable dimension: {dimension}"
    return Refused(f"{what} for {place}", "ObjectNotFoundException")


def refuse_unregistered(key: Key) -> None:
    """Policies and scheduled actions need a target."""
    if _targets.get(key) is None:
        raise not_found("No scalable target registered", key)


def _as_read() -> list[dict[str, Any]]:
    """All targets; to a role, those that were just written as they were before."""
    found = []
    for key in dict.fromkeys(["|".join(key) for key in _targets] + seen.lately()):
        stale = seen.read(key)
        namespace, resource, dimension = key.split("|")
        target = stale.value if stale else _targets.get((namespace, resource, dimension))
        if isinstance(target, dict):
            found.append(target)
    return found


def key_of(parameters: Parameters) -> Key:
    """The target that a call names."""
    key = tuple(
        str(parameters.get(name, "")) for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")
    )
    return key[0], key[1], key[2]


def _refuse_unknown_service(key: Key) -> None:
    namespace, resource, dimension = key
    kind, _, name = resource.partition("/")
    if (namespace, kind, dimension) != ("ecs", "service", _DIMENSION) or name.count("/") != 1:
        raise Refused("Unsupported service namespace, resource type or scalable dimension")
    service = ecs._services.get(name)
    if service is None or service["status"] != "ACTIVE":
        raise Refused(f"ECS service doesn't exist: {resource}")


def _arn(identifier: str) -> str:
    return f"arn:aws:{SERVICE}:{get_region()}:{get_account_id()}:scalable-target/{identifier}"
