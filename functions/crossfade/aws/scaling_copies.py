"""The pattern's automatic scaling: read for a plan, copied to a slot, and removed from there."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.aws.scalable_targets import DIMENSION, suspended_state, target_of
from crossfade.domain.errors import AwsUnavailable
from crossfade.domain.slots import Slot
from crossfade.domain.spec.names import SERVICE_TAG, own_tags
from crossfade.domain.spec.placed import Pattern, PatternScaling, Placed
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.tasks.scaling import SUSPENDED
from crossfade.domain.tasks.scaling_copy import (
    ALARM_ACTIONS,
    Copy,
    Found,
    cautions,
    copy,
    not_copied,
    read_scaling,
    slot_alarm_prefix,
)

ABSENT = {"ObjectNotFoundException", "ResourceNotFoundException"}
"""The codes of a target, a policy or a scheduled action that is not there."""
MOST_DELETED = 100
"""Alarms that DeleteAlarms takes at once (botocore cloudwatch 2010-08-01)."""


class PatternScalings:
    """Reads how patterns are scaled through boto3 ``application-autoscaling`` and ``cloudwatch`` clients."""

    def __init__(self, autoscaling: Any, cloudwatch: Any) -> None:
        self._autoscaling = autoscaling
        self._cloudwatch = cloudwatch

    def read(self, spec: ServiceSpec, pattern: Pattern, now: datetime) -> Pattern:
        """The same pattern with its scaling, and with what of that the slots do not get."""
        resource = _resource(spec, spec.pattern_service)
        target = target_of(self._autoscaling, resource)
        if target is None:
            return pattern
        policies = list(_policies(self._autoscaling, resource))
        found = Found(
            target=target,
            policies=policies,
            actions=list(_actions(self._autoscaling, resource)),
            alarms=self._alarms([policy for policy in policies if policy["PolicyType"] == "StepScaling"]),
        )
        return pattern.model_copy(
            update={
                "scaling": read_scaling(found, now),
                "left_out": (*pattern.left_out, *not_copied(found)),
                "warnings": (*pattern.warnings, *cautions(found)),
            }
        )

    def _alarms(self, policies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The alarms of step scaling, which are its owner's; target tracking makes its own."""
        found: dict[str, dict[str, Any]] = {}
        for arn in (policy["PolicyARN"] for policy in policies):
            pages = self._cloudwatch.get_paginator("describe_alarms").paginate(
                ActionPrefix=arn, AlarmTypes=["MetricAlarm"]
            )
            for alarm in (alarm for page in pages for alarm in page["MetricAlarms"]):
                # A prefix: another policy's name may begin like this one's.
                if any(arn in alarm.get(kind, []) for kind in ALARM_ACTIONS):
                    found[alarm["AlarmName"]] = alarm
        return list(found.values())


class SlotScaling:
    """Scales the slots like the pattern, through the same clients.

    What Crossfade has registered carries its tag, and that alone is ever removed: a slot's scalable target
    that its owner has registered by hand is suspended only, where the pattern has none.
    """

    def __init__(self, autoscaling: Any, cloudwatch: Any, spec: Placed) -> None:
        self._autoscaling = autoscaling
        self._cloudwatch = cloudwatch
        self._spec = spec

    def copy(self, slot: Slot, scaling: PatternScaling, bounds: dict[str, int]) -> None:
        """Give a slot, whose service must be there, the pattern's scaling, with all kinds suspended.

        Always written, because what is read may be stale. Harmless when it is done again.

        Raises
        ------
        AwsUnavailable
            Application Auto Scaling does not see the service or the target yet: try again.
        """
        wanted = copy(self._spec, slot, scaling)
        target = _target(self._spec, self._spec.slot_service(slot))
        registered = _once_there(
            self._autoscaling.register_scalable_target,
            **target,
            **bounds,
            SuspendedState=suspended_state(SUSPENDED),
        )
        arn, tags = registered["ScalableTargetARN"], self._spec.own_tags
        _once_there(self._autoscaling.tag_resource, ResourceARN=arn, Tags=tags)
        self._clear(target, wanted)
        arns = {
            policy["PolicyName"]: _once_there(self._autoscaling.put_scaling_policy, **target, **policy)[
                "PolicyARN"
            ]
            for policy in wanted.policies
        }
        for action in wanted.actions:
            _once_there(self._autoscaling.put_scheduled_action, **target, **action)
        for alarm in wanted.alarms:
            named = {kind: [arns[name] for name in alarm[kind]] for kind in ALARM_ACTIONS if kind in alarm}
            self._cloudwatch.put_metric_alarm(**alarm | named)
        names = {alarm["AlarmName"] for alarm in wanted.alarms}
        _delete_alarms(self._cloudwatch, slot_alarm_prefix(self._spec, slot), names)

    def remove(self, slot: Slot) -> None:
        """Take from a slot what it has of a scaling that the pattern has no more."""
        own = OwnScaling(self._autoscaling, self._cloudwatch, self._spec, self._spec.parameter)
        own.remove(self._spec.slot_service(slot), slot_alarm_prefix(self._spec, slot))

    def _clear(self, target: dict[str, str], wanted: Copy) -> None:
        """Delete policies and actions that the pattern has no more; a policy's type cannot be changed."""
        resource = target["ResourceId"]
        kept = {(policy["PolicyName"], policy["PolicyType"]) for policy in wanted.policies}
        for policy in _policies(self._autoscaling, resource):
            if (policy["PolicyName"], policy["PolicyType"]) not in kept:
                _unless_gone(
                    self._autoscaling.delete_scaling_policy, **target, PolicyName=policy["PolicyName"]
                )
        names = {action["ScheduledActionName"] for action in wanted.actions}
        for action in _actions(self._autoscaling, resource):
            if (name := action["ScheduledActionName"]) not in names:
                _unless_gone(self._autoscaling.delete_scheduled_action, **target, ScheduledActionName=name)


class OwnScaling:
    """Removes the scaling that Crossfade gave to a service, and never its owner's.

    ``parameter`` is the SSM parameter of the spec.
    """

    def __init__(self, autoscaling: Any, cloudwatch: Any, spec: ServiceSpec, parameter: str) -> None:
        self._tags = own_tags(spec.service, parameter)
        self._autoscaling = autoscaling
        self._cloudwatch = cloudwatch
        self._spec = spec

    def remove(self, service: str, alarms: str) -> None:
        """Deregister an ECS service's scalable target, if it is tagged, and delete the alarms of a prefix.

        Policies and scheduled actions go with the target, and so does what tells that there were alarms.
        """
        target = _target(self._spec, service)
        shown = target_of(self._autoscaling, target["ResourceId"])
        if shown and self._is_made(shown):
            _delete_alarms(self._cloudwatch, alarms, set())
            _unless_gone(self._autoscaling.deregister_scalable_target, **target)

    def _is_made(self, target: dict[str, Any]) -> bool:
        tags = _unless_gone(self._autoscaling.list_tags_for_resource, ResourceARN=target["ScalableTargetARN"])
        # One that an earlier version has registered has only the first of the two.
        given = {key: value for key, value in tags["Tags"].items() if key in self._tags} if tags else {}
        return SERVICE_TAG in given and given.items() <= self._tags.items()


def _resource(spec: ServiceSpec, service: str) -> str:
    return f"service/{spec.cluster.partition(':cluster/')[2]}/{service}"


def _target(spec: ServiceSpec, service: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": _resource(spec, service),
        "ScalableDimension": DIMENSION,
    }


def _policies(autoscaling: Any, resource: str) -> Iterator[dict[str, Any]]:
    yield from _all(autoscaling, "describe_scaling_policies", "ScalingPolicies", resource)


def _actions(autoscaling: Any, resource: str) -> Iterator[dict[str, Any]]:
    yield from _all(autoscaling, "describe_scheduled_actions", "ScheduledActions", resource)


def _all(autoscaling: Any, operation: str, key: str, resource: str) -> Sequence[dict[str, Any]]:
    pages = autoscaling.get_paginator(operation).paginate(
        ServiceNamespace="ecs", ResourceId=resource, ScalableDimension=DIMENSION
    )
    return [one for page in pages for one in page[key]]


def _delete_alarms(cloudwatch: Any, prefix: str, kept: set[str]) -> None:
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
    )
    names = [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]
    gone = [name for name in names if name not in kept]
    for first in range(0, len(gone), MOST_DELETED):
        cloudwatch.delete_alarms(AlarmNames=gone[first : first + MOST_DELETED])


def _once_there(call: Callable[..., Any], **arguments: Any) -> Any:
    """Make a call about what was made a moment ago, and may not be seen yet."""
    try:
        return call(**arguments)
    except ClientError as error:
        unseen = error_code(error) == "ValidationException" and "exist" in str(error)
        if unseen or error_code(error) in ABSENT:
            raise AwsUnavailable(f"{error} It was made a moment ago, and is not seen yet.") from error
        raise


def _unless_gone(call: Callable[..., Any], **arguments: Any) -> Any:
    """Make a call about what may be gone already; None where it is."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error_code(error) not in ABSENT:
            raise
        return None
