"""Alarms and dashboards that measure the owner's service by name: they go silent once a slot is live."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.tasks.scaling_copy import ALARM_ACTIONS


def silent_alarms(cloudwatch: Any, spec: ServiceSpec, pattern: Pattern) -> list[str]:
    """The names of the alarms whose metrics have the service, or a target group of it, as a dimension.

    Those of target tracking are left out, which scaling makes anew for a slot, and those of step scaling that
    do nothing but scale: each slot gets a copy of them.
    """
    wanted, cluster = _dimensions(spec, pattern), spec.cluster_name
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    return [
        alarm["AlarmName"]
        for page in pages
        for alarm in page["MetricAlarms"]
        if not alarm["AlarmName"].startswith("TargetTracking-")
        and not _is_copied(alarm, pattern)
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
    groups = {("TargetGroup", target.target_group.rpartition(":")[2]) for target in pattern.targets}
    return {("ServiceName", spec.pattern_service), *groups}


def _is_copied(alarm: dict[str, Any], pattern: Pattern) -> bool:
    """Whether a slot gets all of an alarm: its actions are policies of the pattern, and no others."""
    copies = pattern.scaling.alarms if pattern.scaling else ()
    named = {copied["AlarmName"]: copied for copied in copies}.get(alarm["AlarmName"])
    return named is not None and all(
        len(named.get(kind, [])) == len(alarm.get(kind, [])) for kind in ALARM_ACTIONS
    )


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
