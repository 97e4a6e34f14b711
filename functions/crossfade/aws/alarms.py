"""CloudWatch alarms, read by name."""

from collections.abc import Sequence
from typing import Any

from crossfade.domain.rollout.alarms import Alarm


class Alarms:
    """Reads alarms through a boto3 ``cloudwatch`` client."""

    def __init__(self, cloudwatch: Any) -> None:
        self._cloudwatch = cloudwatch

    def states(self, names: Sequence[str]) -> dict[str, Alarm]:
        """Those of the named alarms that exist, by name, as they are now."""
        if not names:
            return {}
        found = self._cloudwatch.describe_alarms(
            AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100
        )
        return {
            alarm["AlarmName"]: Alarm(
                name=alarm["AlarmName"],
                state=alarm["StateValue"],
                # Not the time of the last update: an alarm that stays where it is may be updated too.
                since=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
            )
            for alarm in [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
        }
