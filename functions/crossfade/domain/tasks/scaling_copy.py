"""How a slot is scaled like the pattern: what is copied, and what is written otherwise for the slot.

Every field of PutScalingPolicy, PutScheduledAction (botocore application-autoscaling 2016-02-06) and
PutMetricAlarm (botocore cloudwatch 2010-08-01) is in one of the tables here.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from crossfade.domain.model import iso
from crossfade.domain.slots import Slot
from crossfade.domain.spec.placed import PatternScaling, Placed
from crossfade.domain.tasks.scaling import ScalableTarget

Shown = Mapping[str, Any]
"""What AWS shows of something."""

OF_THE_TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")
POLICY = (
    "PolicyName", "PolicyType", "StepScalingPolicyConfiguration", "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScalingPolicyConfiguration",
)  # fmt: skip
ACTION = ("ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
ALARM = (
    "AlarmName", "AlarmDescription", "ActionsEnabled", "MetricName", "Namespace", "Statistic",
    "ExtendedStatistic", "Dimensions", "Period", "Unit", "EvaluationPeriods", "DatapointsToAlarm",
    "Threshold", "ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile", "Metrics",
    "ThresholdMetricId", "EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria",
    "EvaluationInterval",
)  # fmt: skip
ALARM_ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
"""Of an alarm's actions those alone are copied that are policies."""
ALARM_SET = ("Tags",)
BOUNDS = ("MinCapacity", "MaxCapacity")
LONGEST_ALARM_NAME = 255
LATEST_ZONE = timedelta(hours=12)
"""How long after UTC a day ends where it ends last."""


class Names(NamedTuple):
    """What the pattern is called in metrics, or a slot: the dimensions ``ServiceName``, ``TargetGroup``, of
    each of its ports, and ``TaskDefinitionFamily``."""

    service: str
    groups: tuple[str, ...]
    family: str


class Copy(NamedTuple):
    """The arguments of the calls that scale a slot like the pattern, without what names the target.

    ``alarms`` name policies where their calls have the ARNs of those.
    """

    policies: tuple[dict[str, Any], ...]
    actions: tuple[dict[str, Any], ...]
    alarms: tuple[dict[str, Any], ...]


class Found(NamedTuple):
    """What AWS shows of the pattern's scaling: its target, policies, scheduled actions, and their alarms."""

    target: Shown
    policies: Sequence[Shown]
    actions: Sequence[Shown]
    alarms: Sequence[Shown]


def read_scaling(found: Found, now: datetime) -> PatternScaling:
    """What the slots get of the pattern's scaling.

    What is over by ``now`` is not copied: it does nothing any more.
    """
    names = {policy["PolicyARN"]: policy["PolicyName"] for policy in found.policies}
    return PatternScaling(
        least=found.target["MinCapacity"],
        most=found.target["MaxCapacity"],
        policies=tuple(_of(policy, POLICY) for policy in found.policies),
        actions=tuple(_of(action, ACTION) for action in found.actions if not _over(action, now)),
        alarms=tuple(
            _of(alarm, ALARM)
            | {
                kind: [names[arn] for arn in alarm[kind] if arn in names]
                for kind in ALARM_ACTIONS
                if alarm.get(kind)
            }
            for alarm in found.alarms
        ),
    )


def still_to_come(scaling: PatternScaling, now: datetime) -> PatternScaling:
    """The same without what is over by now: it may have been read long ago, for an older release."""
    actions = tuple(action for action in scaling.actions if not _over(action, now))
    return scaling.model_copy(update={"actions": actions})


def not_copied(found: Found) -> Iterator[str]:
    """What the pattern's scaling has and the slots do not get."""
    policies = {policy["PolicyARN"] for policy in found.policies}
    for alarm in found.alarms:
        if any(arn not in policies for kind in ALARM_ACTIONS for arn in alarm.get(kind, [])):
            yield f"other actions of the alarm {alarm['AlarmName']}"


def cautions(found: Found) -> Iterator[str]:
    """What the owner should know of the copies."""
    for policy in found.policies:
        if policy["PolicyType"] == "PredictiveScaling":
            yield f"the policy {policy['PolicyName']} predicts from the time alone in which its slot was live"


def bounds(
    scaling: PatternScaling, live: ScalableTarget | None, wanted: int, *, first: bool
) -> dict[str, int]:
    """MinCapacity and MaxCapacity of a slot.

    They are the pattern's, but for one that its schedule sets: that is the live slot's, where the schedule
    has been at work. ``wanted`` tasks run in the live slot, and the candidate is left as many: AWS brings a
    count within the bounds as they are written. ``first``: nothing is live.
    """
    set_by_schedule = {name for action in scaling.actions for name in action.get("ScalableTargetAction", {})}
    least, most = scaling.least, scaling.most
    if live and "MinCapacity" in set_by_schedule:
        least = live.least
    if live and "MaxCapacity" in set_by_schedule:
        most = live.most
    return {"MinCapacity": least, "MaxCapacity": max(least, most, 0 if first else wanted)}


def copy(spec: Placed, slot: Slot, scaling: PatternScaling) -> Copy:
    """The pattern's policies, scheduled actions and alarms as a slot gets them.

    Its own metrics are watched there: dimensions, ResourceLabels and expressions name it.
    """
    prefix = slot_alarm_prefix(spec, slot)
    rewriting = _Rewriting(spec.cluster_name, _pattern_names(spec), _slot_names(spec, slot))
    return Copy(
        policies=tuple(rewriting.of(policy) for policy in scaling.policies),
        actions=scaling.actions,
        alarms=tuple(
            rewriting.of(alarm)
            | {
                "AlarmName": _alarm_name(prefix, alarm["AlarmName"]),
                "Tags": [{"Key": key, "Value": value} for key, value in spec.own_tags.items()],
            }
            for alarm in scaling.alarms
        ),
    )


def alarm_prefix(group: str) -> str:
    """How the names of a slot's alarms begin; ``group`` is the name of its target group."""
    return f"{group}-"


def slot_alarm_prefix(spec: Placed, slot: Slot) -> str:
    """The same of a slot in which Crossfade's own service runs."""
    return alarm_prefix(spec.target_groups.of(slot).split("/")[1])


def _of(shown: Shown, fields: Sequence[str]) -> dict[str, Any]:
    """What AWS shows of these fields, without empty ones; moments as text, since a plan is JSON."""
    return {
        key: iso(shown[key]) if isinstance(shown[key], datetime) else shown[key]
        for key in fields
        if key in shown and shown[key] not in (None, "", [], {})
    }


def _over(action: Shown, now: datetime) -> bool:
    """Whether a scheduled action is over; ``at(yyyy-mm-ddThh:mm:ss)`` is done once.

    That is in UTC, or in a time zone of the action's own, of which only the latest is reckoned with.
    """
    once, end = re.fullmatch(r"at\((.+)\)", action["Schedule"]), action.get("EndTime")
    if once is None:
        return end is not None and datetime.fromisoformat(str(end)) < now  # in a plan it is a text
    due = datetime.fromisoformat(once[1]).replace(tzinfo=UTC)
    return due + (LATEST_ZONE if action.get("Timezone") else timedelta()) < now


def _alarm_name(prefix: str, name: str) -> str:
    whole = f"{prefix}{name}"
    if len(whole) <= LONGEST_ALARM_NAME:
        return whole
    mark = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{whole[: LONGEST_ALARM_NAME - 7]}-{mark}"


def _pattern_names(spec: Placed) -> Names:
    family = spec.pattern.task_definition.rpartition("/")[2].partition(":")[0]
    groups = tuple(_in_metrics(target.target_group) for target, _ in spec.ports)
    return Names(spec.pattern_service, groups, family)


def _slot_names(spec: Placed, slot: Slot) -> Names:
    own = tuple(_in_metrics(groups.of(slot)) for _, groups in spec.ports)
    return Names(spec.slot_service(slot), own, spec.family)


def _in_metrics(group: str) -> str:
    """What a target group is called in metrics: the end of its ARN, ``targetgroup/<name>/<id>``."""
    return group[group.index("targetgroup/") :]


class _Rewriting:
    """Puts a slot's names in place of the pattern's."""

    def __init__(self, cluster: str, pattern: Names, slot: Names) -> None:
        self._cluster = cluster
        self._groups = tuple(zip(pattern.groups, slot.groups, strict=True))
        self._service = pattern.service, slot.service
        self._dimensions = {
            ("ServiceName", pattern.service): slot.service,
            ("TaskDefinitionFamily", pattern.family): slot.family,
        }

    def of(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: self._expression(inner) if key == "Expression" else self.of(inner)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self._dimension(one) if self._is_here(value) else self.of(one) for one in value]
        return self._grouped(value) if isinstance(value, str) else value

    def _is_here(self, dimensions: list[Any]) -> bool:
        """Whether a list is of dimensions, and of this cluster: a service elsewhere may be named alike."""
        named = {one["Name"]: one["Value"] for one in dimensions if _is_dimension(one)}
        return len(named) == len(dimensions) and named.get("ClusterName", self._cluster) == self._cluster

    def _dimension(self, one: dict[str, str]) -> dict[str, str]:
        known = self._dimensions.get((one["Name"], one["Value"]), one["Value"])
        return {**one, "Value": self._grouped(known)}

    def _expression(self, text: str) -> str:
        """A query may name the service, e.g. ``WHERE ServiceName = 'web'``."""
        before, after = self._service
        named = re.compile(rf"""(ServiceName"?\s*=\s*)(["']){re.escape(before)}\2""")
        text = named.sub(rf"\g<1>\g<2>{after}\g<2>", text)
        return self._grouped(text)

    def _grouped(self, text: str) -> str:
        for theirs, own in self._groups:
            text = text.replace(theirs, own)
        return text


def _is_dimension(one: Any) -> bool:
    return isinstance(one, dict) and one.keys() == {"Name", "Value"}
