"""Application Auto Scaling, as far as ECS services need it: targets that can be suspended, and step policies.

MiniStack knows only EC2's Auto Scaling, and stores alarm actions that are no SNS topics without doing
them. Here a policy is done when an alarm that names it is raised, once each time, unless that is suspended.
Nothing follows a metric by itself, and there are no scheduled actions.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)
from ministack.services import cloudwatch, ecs

from sandbox.delays import Delay, Past, delays
from sandbox.patching import changes, replaces

SERVICE = "application-autoscaling"
_DIMENSION = "ecs:service:DesiredCount"
_SUSPENDABLE = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
_PAGE = 50

Parameters = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]
Key = tuple[str, str, str]

_targets = AccountRegionScopedDict()
_policies = AccountRegionScopedDict()
"""By ARN: the key of the target, and how many tasks more the policy asks for."""
seen = Past(Delay.SCALING_READ, delays)
"""What DescribeScalableTargets may still answer, by a target's key."""


class Refused(Exception):
    """A call that AWS refuses; carries the error's code."""

    def __init__(self, message: str, code: str = "ValidationException") -> None:
        super().__init__(message)
        self.code = code


@changes(router, "SERVICE_PATTERNS", version="1.5.33")
def know_its_calls(emulator: dict[str, Any]) -> dict[str, Any]:
    """Which calls are this service's."""
    emulator[SERVICE] = {
        "target_prefixes": ["AnyScaleFrontendService"],
        "host_patterns": [r"application-autoscaling\."],
        "credential_scope": SERVICE,
    }
    return emulator


@changes(app, "SERVICE_HANDLERS", version="1.5.33")
def answer_its_calls(emulator: dict[str, Any]) -> dict[str, Any]:
    """They are answered here."""
    emulator[SERVICE] = handle_request
    return emulator


@changes(iam_actions, "SERVICE_TO_IAM_NAMESPACE", version="1.5.33")
def enforce_iam(emulator: dict[str, str]) -> dict[str, str]:
    """What its actions are called in policies."""
    emulator[SERVICE] = SERVICE
    return emulator


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> Response:
    """Answer one call."""
    action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    operation = _OPERATIONS.get(action)
    if operation is None:
        return error_response_json("UnknownOperationException", f"not in the sandbox: {action}", 400)
    parameters = json.loads(body or b"{}")
    try:
        if action == "RegisterScalableTarget":
            _refuse_who_may_not_scale(parameters, router.extract_access_key_id(headers, query))
        return json_response(operation(parameters))
    except Refused as refused:
        return error_response_json(refused.code, str(refused), 400)


def arn_of(parameters: Parameters) -> str:
    """The ARN of the target that a call names; one with a wildcard for an id when there is none."""
    found = _targets.get(_key(parameters))
    return str(found["ScalableTargetARN"]) if found else _arn("*")


def _register(parameters: Parameters) -> dict[str, Any]:
    key = _key(parameters)
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


def _put_policy(parameters: Parameters) -> dict[str, Any]:
    key, kind = _key(parameters), parameters.get("PolicyType", "StepScaling")
    if _targets.get(key) is None:
        message = (
            "No scalable target registered for service namespace: {}, resource ID: {}, scalable dimension: {}"
        )
        raise Refused(message.format(*key), "ObjectNotFoundException")
    configuration = parameters.get("StepScalingPolicyConfiguration") or {}
    steps = configuration.get("StepAdjustments") or []
    if (kind, configuration.get("AdjustmentType"), len(steps)) != ("StepScaling", "ChangeInCapacity", 1):
        raise Refused("in the sandbox a policy is a StepScaling of one step, in ChangeInCapacity")
    name = (
        f"scalingPolicy:{secrets.token_hex(18)}:resource/ecs/{key[1]}:policyName/{parameters['PolicyName']}"
    )
    arn = f"arn:aws:autoscaling:{get_region()}:{get_account_id()}:{name}"
    _policies[arn] = key, int(steps[0]["ScalingAdjustment"])
    return {"PolicyARN": arn, "Alarms": []}


@replaces(cloudwatch, "_dispatch_alarm_actions", version="1.5.33")
def do_policies(
    emulator: Callable[..., None], alarm: dict[str, Any], old: str, new: str, reason: str
) -> None:
    """Do the policies that an alarm names, as well as what the emulator does when its state changes."""
    emulator(alarm, old, new, reason)
    if new == "ALARM" and alarm.get("ActionsEnabled", True):
        for arn in alarm.get("AlarmActions") or []:
            if policy := _policies.get(arn):
                _scale(*policy)


def _scale(key: Key, change: int) -> None:
    """Change a service's count within the bounds; a count below them is brought up to them first."""
    target = _targets.get(key)
    if target is None or target["SuspendedState"][_SUSPENDABLE[change > 0]]:
        return
    least, most = target["MinCapacity"], target["MaxCapacity"]
    _set_count(target, min(max(max(_count(target), least) + change, least), most))


def _describe(parameters: Parameters) -> dict[str, Any]:
    namespace, dimension = parameters.get("ServiceNamespace"), parameters.get("ScalableDimension")
    if not namespace:
        raise Refused("ServiceNamespace must be specified")
    if dimension and dimension.split(":")[0] != namespace:
        raise Refused(f"Unsupported service namespace, resource type or scalable dimension: {dimension}")
    resources = parameters.get("ResourceIds")
    found = [
        target
        for target in _as_read()
        if target["ServiceNamespace"] == namespace
        and dimension in (None, target["ScalableDimension"])
        and (not resources or target["ResourceId"] in resources)
    ]
    start, size = int(parameters.get("NextToken") or 0), parameters.get("MaxResults") or _PAGE
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {"ScalableTargets": found[start : start + size], **more}


def _deregister(parameters: Parameters) -> dict[str, Any]:
    key = _key(parameters)
    known = _targets.pop(key, None)
    if known is None:
        message = (
            "No scalable target found for service namespace: {}, resource ID: {}, scalable dimension: {}"
        )
        raise Refused(message.format(*key), "ObjectNotFoundException")
    seen.wrote("|".join(key), known, key[1])
    return {}


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


_OPERATIONS: dict[str, Callable[[Parameters], dict[str, Any]]] = {
    "RegisterScalableTarget": _register,
    "DescribeScalableTargets": _describe,
    "DeregisterScalableTarget": _deregister,
    "PutScalingPolicy": _put_policy,
}


def _key(parameters: Parameters) -> Key:
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


def _refuse_who_may_not_scale(parameters: Parameters, access_key: str) -> None:
    """AWS tries the caller's own rights on what is to be scaled, and on alarms."""
    if not app.AUTH:
        return
    region, resource = get_region(), str(parameters.get("ResourceId", ""))
    service = f"arn:aws:ecs:{region}:{get_account_id()}:{resource}"
    needed = {
        "ecs:DescribeServices": service,
        "ecs:UpdateService": service,
        "cloudwatch:DescribeAlarms": "*",
    }
    for action, arn in needed.items():
        denied = iam_evaluator.enforce(access_key, action, action.partition(":")[0], region, resource_arn=arn)
        if isinstance(denied, iam_evaluator.EvalResult):
            raise Refused(
                iam_actions.identity_denial_message(
                    action, denied.principal_arn, arn, denied.decision == "Deny"
                )
            )


def _arn(identifier: str) -> str:
    return f"arn:aws:{SERVICE}:{get_region()}:{get_account_id()}:scalable-target/{identifier}"


@replaces(iam_actions, "request_tag_context", version="1.5.33")
def know_condition_keys(
    emulator: Callable[..., dict[str, Any]],
    service: str,
    iam_action: str,
    body: bytes,
    params: dict[str, Any],
) -> dict[str, Any]:
    """What a policy's conditions may ask of these calls, beside the tags that the emulator gives them."""
    found = emulator(service, iam_action, body, params)
    if service != SERVICE:
        return found
    data = json.loads(body or b"{}")
    asked = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
    return found | {f"{SERVICE}:{key}": data[name] for key, name in asked.items() if name in data}
