"""Fargate without room for tasks, for as long as the account's owner says.

MiniStack runs whatever it is asked for. On AWS there may be no capacity: RunTask then answers with a
failure, and a service's scheduler says so in the service's events, counts it as a task that could not start,
and tries again after growing waits.

Who wants that here puts a tag on the cluster. Its key is ``sandbox:no-capacity:`` and a task group as ECS
names it, ``service:NAME`` or, for tasks of no service, ``family:FAMILY``; its value is for how many seconds.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from ministack.core.responses import json_response, new_uuid
from ministack.services import ecs

from sandbox.patching import replaces

Response = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, Any]], Response]

KEY = "sandbox:no-capacity:"
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability zone."
)
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 8.0


class Shortages:
    """Until when there is no room for which task groups, each by its cluster's ARN."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def begin(self, cluster: str, group: str, seconds: float) -> None:
        """From now on there is none; 0 seconds end it."""
        self._until[cluster, group] = self._clock() + seconds

    def holds(self, cluster: str, group: str) -> bool:
        """Whether there is none now."""
        return self._clock() < self._until.get((cluster, group), 0.0)


shortages = Shortages()
_waiting: set[str] = set()
"""Deployments of services that will try again."""
_refused: Counter[str] = Counter()
"""How often in a row a deployment's task found no room."""
_lock = threading.Lock()


@replaces(ecs, "_ACTION_MAP", "TagResource", version="1.5.33")
def follow_tags(emulator: Action, data: dict[str, Any]) -> Response:
    """A tag of a cluster may begin or end a shortage."""
    response = emulator(data)
    if response[0] == 200:
        for given in data.get("tags", []):
            if given["key"].startswith(KEY):
                group = given["key"].removeprefix(KEY)
                shortages.begin(data["resourceArn"], group, float(given["value"]))
    return response


@replaces(ecs, "_run_task", version="1.5.33")
def run_where_there_is_room(emulator: Action, data: dict[str, Any]) -> Response:
    """Run a task, or answer that there is no room for it. A service's is tried again later."""
    cluster = str(ecs._resolve_cluster_name(data.get("cluster", "default")))
    definition = str(ecs._resolve_td_key(data.get("taskDefinition", "")))
    group = data.get("group") or f"family:{definition.partition(':')[0]}"
    arn = ecs._clusters.get(cluster, {}).get("clusterArn", "")
    deployment = data.get("_deploymentId")
    if not shortages.holds(arn, group):
        _refused.pop(str(deployment), None)
        return emulator(data)
    if deployment:
        _refuse(cluster, arn, group, deployment)
    return json_response({"tasks": [], "failures": [{"reason": NO_CAPACITY}]})


def _refuse(cluster: str, arn: str, group: str, deployment: str) -> None:
    with _lock:
        if deployment in _waiting:
            return
        _waiting.add(deployment)
        seconds = min(_FIRST_WAIT * 2 ** _refused[deployment], _LONGEST_WAIT)
        _refused[deployment] += 1
    name = group.removeprefix("service:")
    message = f"(service {name}) was unable to place a task. Reason: {NO_CAPACITY}"
    ecs._services[f"{cluster}/{name}"]["events"].insert(
        0, {"id": new_uuid(), "createdAt": ecs._iso(), "message": message}
    )
    never_placed = {"group": group, "clusterArn": arn, "_deployment_id": deployment}
    ecs.spawn_background(_count_and_try_again, never_placed, seconds, thread_name="ecs-no-capacity")


def _count_and_try_again(never_placed: dict[str, Any], seconds: float) -> None:
    time.sleep(seconds)
    with _lock:
        _waiting.discard(never_placed["_deployment_id"])
    ecs._record_service_task_failure(never_placed)
