"""The target groups' metrics in CloudWatch, minute by minute."""

from collections import Counter
from datetime import datetime
from typing import Any

from crossfade.domain.gate.blocks.from_metrics import Minute
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.placed import Placed

REQUESTS = "RequestCount"
FAILURES = ("HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount")
PERIOD = 60


class TargetMetrics:
    """Reads metrics through a boto3 ``cloudwatch`` client."""

    def __init__(self, cloudwatch: Any, spec: Placed) -> None:
        self._cloudwatch = cloudwatch
        self._spec = spec

    def minutes(self, since: datetime, until: datetime) -> list[Minute]:
        """Both slots' minutes for which CloudWatch has a point, in any order; of all their ports together.

        A slot without a point had no requests, or its point is late. The two look the same, so there is no
        ``Minute``. Failures without a point are 0.
        """
        points: dict[str, dict[datetime, float]] = {}
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=self._queries(), StartTime=since, EndTime=until
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                found = zip(result["Timestamps"], result["Values"], strict=True)
                points.setdefault(result["Id"], {}).update(found)

        def of(slot: Slot, *names: str) -> Counter[datetime]:
            found: Counter[datetime] = Counter()
            for name in names:
                for port in range(len(self._spec.ports)):
                    found.update({at: int(n) for at, n in points.get(_id(slot, name, port), {}).items()})
            return found

        counts = [(slot, of(slot, REQUESTS), of(slot, *FAILURES)) for slot in SLOTS]
        return [
            Minute(slot=slot, at=at, requests=n, failures=failures[at])
            for slot, requests, failures in counts
            for at, n in requests.items()
        ]

    def _queries(self) -> list[dict[str, Any]]:
        balancer = "/".join(self._spec.listener.rsplit("/", 4)[1:4])
        return [
            {
                "Id": _id(slot, name, port),
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/ApplicationELB",
                        "MetricName": name,
                        "Dimensions": [
                            {
                                "Name": "TargetGroup",
                                "Value": groups.of(slot).rsplit(":", 1)[-1],
                            },
                            {"Name": "LoadBalancer", "Value": balancer},
                        ],
                    },
                    "Period": PERIOD,
                    "Stat": "Sum",
                },
            }
            for slot in SLOTS
            for name in (REQUESTS, *FAILURES)
            for port, (_, groups) in enumerate(self._spec.ports)
        ]


def _id(slot: str, name: str, port: int) -> str:
    """A query's id: it must begin with a small letter. GetMetricData takes 500, and these are 30 at most."""
    return f"{slot}_{name}_{port}"
