"""CloudWatch: the target groups' metrics by the minute, and alarms."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from faults.aws.route import Answer
from faults.workflow.clock import START
from faults.workflow.query import Refused

if TYPE_CHECKING:
    from faults.world import World

MINUTE = 60
PUBLISHING_SECONDS = 15.0
"""From the end of a minute until its points can be read."""
REQUESTS, FAILURES = "RequestCount", "HTTPCode_Target_5XX_Count"
NEVER = "TargetConnectionErrorCount"
"""A metric that has no point: a target that is healthy accepts connections."""

Counts = Counter[tuple[str, str]]
"""By metric and target group."""


class CloudWatch:
    """Operations of ``cloudwatch``. ``alarms``: state and since when, by name."""

    def __init__(self, world: World) -> None:
        self.alarms: dict[str, tuple[str, datetime]] = {}
        self._world = world
        self._probes: dict[int, Counts] = {}
        self._users: dict[int, Counts] = {}

    def count(self, moment: float, answer: Answer) -> None:
        """The probe got an answer; users are counted when somebody asks."""
        _add(self._probes.setdefault(int(moment // MINUTE), Counter()), answer)

    def set_alarm(self, name: str, state: str) -> None:
        """An alarm goes to another state, or is created."""
        self.alarms[name] = state, self._world.clock.time()

    def get_metric_data(
        self, *, MetricDataQueries: list[dict[str, Any]], StartTime: datetime, EndTime: datetime
    ) -> dict[str, Any]:
        """Points in falling order of time. There is none of what did not happen."""
        self._world.logs.catch_up()
        first = max(int((StartTime - START).total_seconds() // MINUTE), 0)
        last = int((EndTime - START).total_seconds() // MINUTE)
        minutes = [n for n in range(last, first - 1, -1) if self._published(n)]
        results = []
        for query in MetricDataQueries:
            key = self._key(query["MetricStat"])
            points = {n: number for n in minutes if (number := self._probe(n)[key] + self._of_users(n)[key])}
            results.append(
                {
                    "Id": query["Id"],
                    "Label": key[0],
                    "Timestamps": [START + timedelta(minutes=n) for n in points],
                    "Values": [float(number) for number in points.values()],
                    "StatusCode": "Complete",
                }
            )
        return {"MetricDataResults": results}

    def describe_alarms(
        self,
        *,
        AlarmTypes: list[str],
        AlarmNames: list[str] | None = None,
        AlarmNamePrefix: str = "",
        MaxRecords: int = 50,
    ) -> dict[str, Any]:
        """Metric alarms by name, or by how their names begin; one that is not there is left out."""
        wanted = AlarmNames or [name for name in self.alarms if name.startswith(AlarmNamePrefix)]
        if "MetricAlarm" not in AlarmTypes or len(wanted) > MaxRecords:
            raise Refused(f"DescribeAlarms: {AlarmTypes}, {MaxRecords}")
        found = {name: self.alarms[name] for name in wanted if name in self.alarms}
        return {
            "MetricAlarms": [
                {
                    "AlarmName": name,
                    "StateValue": state,
                    "StateUpdatedTimestamp": since,
                    "StateTransitionedTimestamp": since,
                }
                for name, (state, since) in found.items()
            ],
            "CompositeAlarms": [],
        }

    def _published(self, minute: int) -> bool:
        return (minute + 1) * MINUTE + PUBLISHING_SECONDS <= self._world.clock.now

    def _probe(self, minute: int) -> Counts:
        return self._probes.get(minute, Counter())

    def _of_users(self, minute: int) -> Counts:
        if minute not in self._users:
            counts = self._users[minute] = Counter()
            for _, met in self._world.users.met(minute * MINUTE, (minute + 1) * MINUTE):
                _add(counts, met)
        return self._users[minute]

    def _key(self, wanted: dict[str, Any]) -> tuple[str, str]:
        """The metric and the target group; CloudWatch gives no points for a metric that there is not."""
        metric, namespace = wanted["Metric"]["MetricName"], wanted["Metric"]["Namespace"]
        names = {entry["Name"]: entry["Value"] for entry in wanted["Metric"]["Dimensions"]}
        group = names.pop("TargetGroup", None)
        groups = [arn for arn in self._world.balancer.healthy if arn.rpartition(":")[2] == group]
        known = namespace == "AWS/ApplicationELB" and metric in {REQUESTS, FAILURES, NEVER}
        balancer = {"LoadBalancer": self._world.own.listener.partition("listener/")[2].rpartition("/")[0]}
        if not known or not groups or names != balancer or (wanted["Period"], wanted["Stat"]) != (60, "Sum"):
            raise Refused(f"GetMetricData: {wanted}")
        return metric, groups[0]


def _add(counts: Counts, answer: Answer) -> None:
    counts[REQUESTS, answer.group] += 1
    if answer.status >= 500 and not answer.own:
        counts[FAILURES, answer.group] += 1
