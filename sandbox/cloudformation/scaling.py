"""AWS::ApplicationAutoScaling::ScalableTarget, with its scheduled actions, and …::ScalingPolicy."""

from __future__ import annotations

import contextlib
from typing import Any

from ministack.services.cloudformation import provisioners

from sandbox.autoscaling.calls import call
from sandbox.autoscaling.scalable_targets import Refused
from sandbox.cloudformation.api_names import request
from sandbox.patching import changes

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]

_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
_POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
_OF_A_TARGET = ("ResourceId", "ScalableDimension", "ServiceNamespace")
"""What names a target, in the order in which Ref does."""


@changes(provisioners, "_RESOURCE_HANDLERS", version="1.5.33")
def know_scaling(emulator: dict[str, Any]) -> dict[str, Any]:
    """MiniStack: "Unsupported resource type" for both."""
    emulator[_TARGET] = {"create": _register, "update": _register_again, "delete": _deregister}
    emulator[_POLICY] = {"create": _put, "update": _put_again, "delete": _delete}
    return emulator


@changes(provisioners, "_REPLACING_PROPERTIES", version="1.5.33")
def replace_those_of_another_target(emulator: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """What the template reference of both says of an update."""
    emulator[_TARGET] = _OF_A_TARGET
    emulator[_POLICY] = (*_OF_A_TARGET, "PolicyName", "ScalingTargetId")
    return emulator


def _register(logical_id: str, properties: Properties, stack: str) -> Created:
    """Ref is `service/CLUSTER/NAME|ecs:service:DesiredCount|ecs`."""
    return _keep_target({}, properties)


def _register_again(physical_id: str, old: Properties, new: Properties, stack: str) -> Created:
    return _keep_target(old, new)


def _keep_target(old: Properties, new: Properties) -> Created:
    target = {name: new[name] for name in _OF_A_TARGET}
    _call("RegisterScalableTarget", {name: new[name] for name in new if name != "ScheduledActions"})
    actions = {action["ScheduledActionName"]: action for action in new.get("ScheduledActions") or []}
    for action in actions.values():
        _call("PutScheduledAction", target | action)
    for action in old.get("ScheduledActions") or []:
        if action["ScheduledActionName"] not in actions:
            _delete_if_there(
                "DeleteScheduledAction", target, ScheduledActionName=action["ScheduledActionName"]
            )
    reference = "|".join(target.values())
    return reference, {"Id": reference}


def _deregister(physical_id: str, properties: Properties) -> None:
    _delete_if_there("DeregisterScalableTarget", {name: properties[name] for name in _OF_A_TARGET})


def _put(logical_id: str, properties: Properties, stack: str) -> Created:
    """Ref is the policy's ARN."""
    given = {name: value for name, value in properties.items() if name != "ScalingTargetId"}
    arn = _call("PutScalingPolicy", given | _target_of(properties))["PolicyARN"]
    return arn, {"Arn": arn}


def _put_again(physical_id: str, old: Properties, new: Properties, stack: str) -> Created:
    return _put("", new, stack)


def _delete(physical_id: str, properties: Properties) -> None:
    _delete_if_there("DeleteScalingPolicy", _target_of(properties), PolicyName=properties["PolicyName"])


def _target_of(policy: Properties) -> Properties:
    """The target of a policy, which may be named by its Ref."""
    if reference := policy.get("ScalingTargetId"):
        return dict(zip(_OF_A_TARGET, reference.split("|"), strict=True))
    return {name: policy[name] for name in _OF_A_TARGET}


def _call(operation: str, properties: Properties) -> dict[str, Any]:
    """Raises ValueError, with the words of the refusal."""
    try:
        return call(operation, request("application-autoscaling", operation, properties))
    except Refused as refused:
        raise ValueError(f"{refused} ({refused.code})") from None


def _delete_if_there(operation: str, target: Properties, **named: str) -> None:
    with contextlib.suppress(Refused):
        call(operation, target | named)
