"""In which order a task's containers start, and what they wait for: a container definition's `dependsOn`.

MiniStack starts them in the order of the task definition, and waits for nothing. Here a container starts
after those that it depends on: after their start, or with COMPLETE and SUCCESS after their end. There are no
health checks of containers, so HEALTHY is as START.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import ecs

from sandbox.ecs.containers import runtime
from sandbox.patching import replaces

Definition = dict[str, Any]
Task = dict[str, Any]


@replaces(ecs, "_start_task_worker", version="1.5.33")
def start_in_order(
    emulator: Callable[..., None], task: Task, definition: Definition, overrides: Any, docker: Any
) -> None:
    """Put the containers of a task in the order in which they are to start."""
    containers = definition.get("containerDefinitions", [])
    order = in_order(containers)
    definition["containerDefinitions"] = [containers[place] for place in order]
    for kept in (
        "containers",
        "_container_essentials",
    ):  # which MiniStack finds by the place in the definition
        task[kept] = [task[kept][place] for place in order]
    emulator(task, definition, overrides, docker)


@replaces(ecs, "_run_docker_container", version="1.5.33")
def wait_for_others(
    emulator: Callable[..., Any], docker: Any, container: Definition, kwargs: Any, **options: Any
) -> Any:
    """Wait until a container may start. RuntimeError: one that it needs has failed."""
    task = kwargs["labels"]["com.amazonaws.ecs.task-arn"]
    for needed in container.get("dependsOn") or []:
        if needed["condition"] in {"COMPLETE", "SUCCESS"}:
            status = runtime.wait_for(task, needed["containerName"])
            if status and needed["condition"] == "SUCCESS":
                raise RuntimeError(
                    f"container '{needed['containerName']}' of the task did not end well, which "
                    f"'{container['name']}' depends on"
                )
    return emulator(docker, container, kwargs, **options)


def in_order(containers: list[Definition]) -> list[int]:
    """The places of the containers, in the order of their start; a circle, which ECS refuses, has any."""
    places = {container["name"]: place for place, container in enumerate(containers)}
    order: list[int] = []

    def add(place: int, on_the_way: frozenset[int]) -> None:
        for needed in containers[place].get("dependsOn") or []:
            other = places.get(needed["containerName"])
            if other is not None and other not in on_the_way:
                add(other, on_the_way | {other})
        if place not in order:
            order.append(place)

    for place in range(len(containers)):
        add(place, frozenset({place}))
    return order
