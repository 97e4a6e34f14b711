"""Scheduled actions: kept, read and deleted. None is done."""

from __future__ import annotations

import time
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region, new_uuid

from sandbox.autoscaling.scalable_targets import (
    Key,
    Parameters,
    Refused,
    key_of,
    not_found,
    page,
    refuse_unregistered,
)

_actions = AccountRegionScopedDict()
"""As DescribeScheduledActions has them, by target and name."""


def put(parameters: Parameters) -> dict[str, Any]:
    """PutScheduledAction: what is not named stays, but for the times, says its documentation."""
    key, name = key_of(parameters), parameters["ScheduledActionName"]
    refuse_unregistered(key)
    known = _actions.get((*key, name)) or _new(key, name)
    lasting = {field: value for field, value in known.items() if field not in {"StartTime", "EndTime"}}
    changed = lasting | parameters
    if "Schedule" not in changed:
        raise Refused("Schedule must be specified")
    if not changed.get("ScalableTargetAction"):
        raise Refused("ScalableTargetAction must be specified")
    _actions[(*key, name)] = changed
    return {}


def describe(parameters: Parameters) -> dict[str, Any]:
    """DescribeScheduledActions."""
    resource, names = parameters.get("ResourceId"), parameters.get("ScheduledActionNames")
    found = [
        action
        for action in _actions.values()
        if resource in (None, action["ResourceId"]) and (not names or action["ScheduledActionName"] in names)
    ]
    return page("ScheduledActions", found, parameters)


def delete(parameters: Parameters) -> dict[str, Any]:
    """DeleteScheduledAction."""
    key, name = key_of(parameters), parameters["ScheduledActionName"]
    if _actions.pop((*key, name), None) is None:
        raise not_found(f"No scheduled action found with name {name}", key)
    return {}


def forget_those_of(key: Key) -> None:
    """Deregistering a target deletes its scheduled actions."""
    for place in list(_actions):
        if place[:3] == key:
            del _actions[place]


def _new(key: Key, name: str) -> dict[str, Any]:
    namespace, resource, _ = key
    place = f"scheduledAction:{new_uuid()}:resource/{namespace}/{resource}:scheduledActionName/{name}"
    arn = f"arn:aws:autoscaling:{get_region()}:{get_account_id()}:{place}"
    return {"ScheduledActionARN": arn, "CreationTime": time.time()}
