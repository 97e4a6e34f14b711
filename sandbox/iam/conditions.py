"""What a policy's conditions may ask of a call, where MiniStack does not know it.

Tags of load balancers', of ECS's and of scalable targets, the tags that a call to ELB names, the cluster of a
call to ECS, and the source and the type of what is put on an event bus. Which action has which key: AWS's
Service Authorization Reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import alb, tagging

from sandbox.autoscaling import scalable_targets
from sandbox.patching import changes, replaces

_OF_A_CLUSTER = {
    "CreateService",
    "DeleteService",
    "DescribeServices",
    "DescribeTasks",
    "ListServices",
    "ListTasks",
    "RunTask",
    "StopTask",
    "UpdateService",
}
"""Actions that may be allowed for one cluster by ``ecs:cluster``."""

Collector = Callable[[], Iterator[tuple[str, list[dict[str, str]]]]]


@changes(iam_actions, "_BOTOCORE_SERVICE_MAP", version="1.5.33")
def know_which_calls_name_tags(emulator: dict[str, list[str]]) -> dict[str, list[str]]:
    """MiniStack looks into botocore's model that is called as the service is in ARNs; ELB's is elbv2."""
    emulator["elasticloadbalancing"] = ["elbv2"]
    return emulator


@changes(tagging, "_RESOURCE_TAG_COLLECTORS", version="1.5.33")
def know_more_resources(emulator: dict[str, Collector]) -> dict[str, Collector]:
    """Whose tags `aws:ResourceTag/…` asks for."""
    return emulator | {
        "elasticloadbalancing": _tags_of_elb,
        "ecs": tagging._collect_ecs,
        scalable_targets.SERVICE: scalable_targets.all_tags,
    }


def _tags_of_elb() -> Iterator[tuple[str, list[dict[str, str]]]]:
    yield from alb._tags.items()


@replaces(app, "pin_request_origin", version="1.5.33")
def count_as_made_by_tls(emulator: Callable[[str, bool], None], source: str, _secure: bool) -> None:
    """The sandbox speaks plain HTTP, and has buckets whose policy refuses whatever is not TLS."""
    emulator(source, True)


@replaces(iam_actions, "request_tag_context", version="1.5.33")
def know_more_keys(
    emulator: Callable[..., dict[str, Any]],
    service: str,
    iam_action: str,
    body: bytes,
    params: dict[str, Any],
) -> dict[str, Any]:
    """The cluster, and the keys of tags that are taken away, which MiniStack overlooks in small letters; what
    is put on an event bus.
    """
    found = emulator(service, iam_action, body, params)
    if iam_action == "events:PutEvents":
        return found | _of_events(json.loads(body or b"{}").get("Entries", []))
    if service != "ecs":
        return found
    action, data = iam_action.partition(":")[2], json.loads(body or b"{}")
    if action in _OF_A_CLUSTER:
        found = found | {"ecs:cluster": cluster_arn(str(data.get("cluster") or "default"))}
    if action == "UntagResource":
        found = found | {"aws:TagKeys": list(data.get("tagKeys") or [])}
    return found


def _of_events(entries: list[dict[str, str]]) -> dict[str, str | list[str]]:
    """AWS asks for each entry; here one call is allowed or refused, so all of them have to be alike."""
    found: dict[str, str | list[str]] = {}
    for key, name in (("events:source", "Source"), ("events:detail-type", "DetailType")):
        values = sorted({entry.get(name, "") for entry in entries})
        found[key] = values[0] if len(values) == 1 else values
    return found


def cluster_arn(cluster: str) -> str:
    """The ARN of a cluster that a call names, by that or by its name."""
    if cluster.startswith("arn:"):
        return cluster
    return f"arn:aws:ecs:{get_region()}:{get_account_id()}:cluster/{cluster}"
