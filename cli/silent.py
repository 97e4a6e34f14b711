"""Alarms and dashboards that measure the owner's service by name: they go silent once a slot is live."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ServiceSpec


def silent_alarms(cloudwatch: Any, spec: ServiceSpec, pattern: Pattern) -> list[str]:
    """The names of the alarms whose metrics have the service, or its target group, as a dimension.

    Those of target tracking are left out: scaling makes them anew for a slot.
    """
    wanted, cluster = _dimensions(spec, pattern), spec.cluster_name
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    return [
        alarm["AlarmName"]
        for page in pages
        for alarm in page["MetricAlarms"]
        if not alarm["AlarmName"].startswith("TargetTracking-")
        and any(
            (name, value) in wanted and given.get("ClusterName", cluster) == cluster
            for given in _of_alarm(alarm)
            for name, value in given.items()
        )
    ]


def silent_dashboards(cloudwatch: Any, spec: ServiceSpec, pattern: Pattern) -> list[str]:
    """The names of the dashboards that show such metrics."""
    wanted = _dimensions(spec, pattern)
    pages = cloudwatch.get_paginator("list_dashboards").paginate()
    names = [entry["DashboardName"] for page in pages for entry in page.get("DashboardEntries", [])]
    found = []
    for name in names:
        body = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
        if wanted & set(_pairs(body)):
            found.append(name)
    return found


def _dimensions(spec: ServiceSpec, pattern: Pattern) -> set[tuple[str, str]]:
    """The dimensions of ECS and of the load balancer that name the service.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    """
    return {
        ("ServiceName", spec.pattern_service),
        ("TargetGroup", pattern.target_group.rpartition(":")[2]),
    }


def _of_alarm(alarm: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The dimensions of each metric of an alarm, by their names."""
    queries = [query.get("MetricStat", {}).get("Metric", {}) for query in alarm.get("Metrics", [])]
    for metric in (alarm, *queries):
        yield {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    """Texts that follow each other in a list, as name and value of a dimension do in a widget's metrics."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _pairs(inner)
    elif isinstance(value, list):
        for one, next_one in pairwise(value):
            if isinstance(one, str) and isinstance(next_one, str):
                yield one, next_one
        for inner in value:
            yield from _pairs(inner)
