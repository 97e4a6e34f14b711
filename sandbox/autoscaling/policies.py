"""Scaling policies. One of a single step is done when an alarm that names it is raised; none follows a
metric.

A target tracking policy has its two alarms as on AWS, where they are made and deleted with it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region, new_uuid
from ministack.services import cloudwatch

from sandbox.autoscaling.scalable_targets import (
    Key,
    Parameters,
    Refused,
    key_of,
    not_found,
    page,
    refuse_unregistered,
    scale,
)
from sandbox.patching import replaces

_policies = AccountRegionScopedDict()
"""As DescribeScalingPolicies has them, by ARN."""
_CONFIGURATIONS = {
    "StepScaling": "StepScalingPolicyConfiguration",
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScaling": "PredictiveScalingPolicyConfiguration",
}
_METRICS = {
    "ECSServiceAverageCPUUtilization": ("AWS/ECS", "CPUUtilization"),
    "ECSServiceAverageMemoryUtilization": ("AWS/ECS", "MemoryUtilization"),
    "ALBRequestCountPerTarget": ("AWS/ApplicationELB", "RequestCountPerTarget"),
}
"""What the predefined metrics are called in CloudWatch, says the user guide of Application Auto Scaling."""


def put(parameters: Parameters) -> dict[str, Any]:
    """PutScalingPolicy. A policy that is changed keeps its type and its ARN."""
    key, name = key_of(parameters), parameters["PolicyName"]
    refuse_unregistered(key)
    known = _of(key, name) or _new(key, name)
    kind = parameters.get("PolicyType") or known.get("PolicyType")
    configuration = _CONFIGURATIONS.get(str(kind))
    if configuration is None or known.get("PolicyType", kind) != kind:
        raise Refused(f"The policy type {kind} is not supported for this policy")
    given = parameters.get(configuration) or known.get(configuration)
    if not given:
        raise Refused(f"{configuration} must be specified")
    policy = known | {"PolicyType": kind, configuration: given}
    _policies[policy["PolicyARN"]] = policy
    if kind == "TargetTrackingScaling":
        _put_alarms(policy)
    return {"PolicyARN": policy["PolicyARN"], "Alarms": _alarms(policy)}


def describe(parameters: Parameters) -> dict[str, Any]:
    """DescribeScalingPolicies."""
    resource, names = parameters.get("ResourceId"), parameters.get("PolicyNames")
    found = [
        {**policy, "Alarms": _alarms(policy)}
        for policy in _policies.values()
        if resource in (None, policy["ResourceId"]) and (not names or policy["PolicyName"] in names)
    ]
    return page("ScalingPolicies", found, parameters)


def delete(parameters: Parameters) -> dict[str, Any]:
    """DeleteScalingPolicy."""
    key = key_of(parameters)
    policy = _of(key, parameters["PolicyName"])
    if policy is None:
        raise not_found(f"No scaling policy found with name {parameters['PolicyName']}", key)
    _forget(policy)
    return {}


def forget_those_of(key: Key) -> None:
    """Deregistering a target deletes its policies."""
    for policy in list(_policies.values()):
        if key_of(policy) == key:
            _forget(policy)


def _of(key: Key, name: str) -> dict[str, Any] | None:
    found = (p for p in _policies.values() if key_of(p) == key and p["PolicyName"] == name)
    return next(found, None)


def _new(key: Key, name: str) -> dict[str, Any]:
    place = f"scalingPolicy:{secrets.token_hex(18)}:resource/ecs/{key[1]}:policyName/{name}"
    return {
        "PolicyARN": f"arn:aws:autoscaling:{get_region()}:{get_account_id()}:{place}",
        "PolicyName": name,
        "ServiceNamespace": key[0],
        "ResourceId": key[1],
        "ScalableDimension": key[2],
        "CreationTime": time.time(),
    }


def _forget(policy: dict[str, Any]) -> None:
    if policy["PolicyType"] == "TargetTrackingScaling":
        _delete_alarms(policy)
    del _policies[policy["PolicyARN"]]


def _alarms(policy: dict[str, Any]) -> list[dict[str, str]]:
    """Those that name the policy."""
    return [
        {"AlarmName": alarm["AlarmName"], "AlarmARN": alarm["AlarmArn"]}
        for alarm in list(cloudwatch._alarms.values())
        if policy["PolicyARN"] in (alarm.get("AlarmActions") or [])
    ]


def _delete_alarms(policy: dict[str, Any]) -> None:
    for alarm in _alarms(policy):
        del cloudwatch._alarms[alarm["AlarmName"]]


def _put_alarms(policy: dict[str, Any]) -> None:
    """Make the two alarms of a target tracking policy; metric math has none here."""
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    metric = _metric(policy, configuration)
    target = float(configuration["TargetValue"])
    sides = {"High": ("GreaterThanThreshold", 3, target), "Low": ("LessThanThreshold", 15, 0.9 * target)}
    _delete_alarms(policy)
    for side, (comparison, periods, threshold) in sides.items() if metric else ():
        alarm: dict[str, Any] = {
            **metric,
            "AlarmName": f"TargetTracking-{policy['ResourceId']}-Alarm{side}-{new_uuid()}",
            "AlarmDescription": f"DO NOT EDIT OR DELETE. For policy {policy['PolicyARN']}.",
            "ComparisonOperator": comparison,
            "EvaluationPeriods": periods,
            "Threshold": threshold,
            "AlarmActions": [policy["PolicyARN"]],
        }
        cloudwatch._put_metric_alarm({}, alarm, is_cbor=False, is_json=True)


def _metric(policy: dict[str, Any], configuration: dict[str, Any]) -> dict[str, Any]:
    """The metric that a policy follows, as alarms name one."""
    if own := configuration.get("CustomizedMetricSpecification"):
        return (
            {name: value for name, value in own.items() if name != "Metrics"} if "MetricName" in own else {}
        )
    predefined = configuration["PredefinedMetricSpecification"]
    namespace, name = _METRICS[predefined["PredefinedMetricType"]]
    _, cluster, service = policy["ResourceId"].split("/")
    dimensions = {"ClusterName": cluster, "ServiceName": service}
    if namespace == "AWS/ApplicationELB":
        group = predefined["ResourceLabel"].partition("targetgroup/")[2]
        dimensions = {"TargetGroup": f"targetgroup/{group}"}
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Statistic": "Sum" if namespace == "AWS/ApplicationELB" else "Average",
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }


@replaces(cloudwatch, "_dispatch_alarm_actions", version="1.5.33")
def do_policies(
    emulator: Callable[..., None], alarm: dict[str, Any], old: str, new: str, reason: str
) -> None:
    """MiniStack: stores alarm actions that are no SNS topics without doing them. Here the policies that an
    alarm names are done once each time that it is raised.
    """
    emulator(alarm, old, new, reason)
    if new == "ALARM" and alarm.get("ActionsEnabled", True):
        for arn in alarm.get("AlarmActions") or []:
            if policy := _policies.get(arn):
                _do(policy)


def _do(policy: dict[str, Any]) -> None:
    """What the policy asks for, as far as it is one step in numbers of tasks."""
    configuration = policy.get("StepScalingPolicyConfiguration") or {}
    steps = configuration.get("StepAdjustments") or []
    if len(steps) == 1 and configuration.get("AdjustmentType") == "ChangeInCapacity":
        scale(key_of(policy), int(steps[0]["ScalingAdjustment"]))
