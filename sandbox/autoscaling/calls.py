"""Application Auto Scaling, as far as ECS services need it: MiniStack knows only EC2's Auto Scaling."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response

from sandbox.autoscaling import policies, scalable_targets, scheduled_actions
from sandbox.autoscaling.scalable_targets import SERVICE, Parameters, Refused, key_of
from sandbox.patching import changes, replaces

Response = tuple[int, dict[str, str], bytes]


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
    if action not in _OPERATIONS:
        return error_response_json("UnknownOperationException", f"not in the sandbox: {action}", 400)
    parameters = json.loads(body or b"{}")
    try:
        if action in {"RegisterScalableTarget", "PutScalingPolicy"}:
            _refuse_who_may_not_scale(parameters, router.extract_access_key_id(headers, query))
        return json_response(call(action, parameters))
    except Refused as refused:
        return error_response_json(refused.code, str(refused), 400)


def call(action: str, parameters: Parameters) -> dict[str, Any]:
    """The answer of a call. Raises Refused."""
    return _OPERATIONS[action](parameters)


def _deregister(parameters: Parameters) -> dict[str, Any]:
    answer = scalable_targets.deregister(parameters)
    policies.forget_those_of(key_of(parameters))
    scheduled_actions.forget_those_of(key_of(parameters))
    return answer


_OPERATIONS: dict[str, Callable[[Parameters], dict[str, Any]]] = {
    "RegisterScalableTarget": scalable_targets.register,
    "DescribeScalableTargets": scalable_targets.describe,
    "DeregisterScalableTarget": _deregister,
    "TagResource": scalable_targets.tag,
    "ListTagsForResource": scalable_targets.list_tags,
    "PutScalingPolicy": policies.put,
    "DescribeScalingPolicies": policies.describe,
    "DeleteScalingPolicy": policies.delete,
    "PutScheduledAction": scheduled_actions.put,
    "DescribeScheduledActions": scheduled_actions.describe,
    "DeleteScheduledAction": scheduled_actions.delete,
}


def _refuse_who_may_not_scale(parameters: Parameters, access_key: str) -> None:
    """AWS tries the caller's own rights on what is to be scaled, and on alarms, with one that has no name."""
    if not app.AUTH:
        return
    region, resource = get_region(), str(parameters.get("ResourceId", ""))
    service = f"arn:aws:ecs:{region}:{get_account_id()}:{resource}"
    needed = {
        "ecs:DescribeServices": service,
        "ecs:UpdateService": service,
        "cloudwatch:DescribeAlarms": "*",
        "cloudwatch:PutMetricAlarm": f"arn:aws:cloudwatch:{region}:{get_account_id()}:alarm:",
        "cloudwatch:DeleteAlarms": f"arn:aws:cloudwatch:{region}:{get_account_id()}:alarm:",
    }
    for action, arn in needed.items():
        denied = iam_evaluator.enforce(access_key, action, action.partition(":")[0], region, resource_arn=arn)
        if isinstance(denied, iam_evaluator.EvalResult):
            raise Refused(
                iam_actions.identity_denial_message(
                    action, denied.principal_arn, arn, denied.decision == "Deny"
                )
            )


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
    tags = {f"aws:RequestTag/{key}": value for key, value in (data.get("Tags") or {}).items()}
    return found | tags | {f"{SERVICE}:{key}": data[name] for key, name in asked.items() if name in data}
