"""A service at rest: what must hold of it whenever nothing works on it, whatever has happened before."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.sandbox.cloud import Cloud
from tests.sandbox.patience import PATIENCE
from tests.sandbox.scaling import suspended
from tests.sandbox.tasks import Tasks

UNDER_WAY = ("holder", "deployment", "candidate", "intended", "waiting", "warm")
"""What the journal says of a service only while something is under way."""


@dataclass(frozen=True)
class Live:
    """The slot that the journal calls stable, and its version."""

    slot: str
    version: str


def live(cloud: Cloud) -> Live | None:
    """What is live by the journal; None before the first release."""
    state = cloud.state()
    return Live(state["stable"], state["version"]) if state.get("stable") else None


def other(slot: str) -> str:
    """The slot that ``slot`` is not."""
    return "green" if slot == "blue" else "blue"


def unrest(cloud: Cloud, tasks: Tasks) -> list[str]:
    """Everything that is not as it has to be at rest, in words; empty when all is well."""
    state = cloud.state()
    stable = str(state.get("stable"))
    found = [f"the journal says {key}: {state[key]}" for key in UNDER_WAY if state.get(key) is not None]
    wanted = {"blue": 0, "green": 0, stable: 100}
    weights = cloud.weights_of_rules()
    if set(weights) != {(wanted["blue"], wanted["green"])} or state.get("weights") != wanted:
        found.append(
            f"weights are {weights}, {state.get('weights')} in the journal, where {stable} is stable"
        )
    slots = cloud.slots()
    wanted_tasks = cloud.grown_to or cloud.spec["tasks"]
    for slot, count in {stable: wanted_tasks, other(stable): 0}.items():
        found += _unrest_of_slot(slot, slots.get(slot, {}), count)
    if stable in slots and not cloud.image_of(stable).endswith(f"@{state['digest']}"):
        found.append(f"{stable} runs {cloud.image_of(stable)} instead of {state['version']}")
    found += [f"the probe {probe} runs" for probe in tasks.probes()]
    if suspended(cloud).get(stable):
        found.append(f"{stable} does not scale")
    return found


def _unrest_of_slot(slot: str, service: dict[str, Any], count: int) -> list[str]:
    counts = {key: service.get(key, 0) for key in ("desiredCount", "runningCount", "pendingCount")}
    if counts == {"desiredCount": count, "runningCount": count, "pendingCount": 0}:
        return []
    return [f"{slot} stands at {counts} instead of {count}"]


def come_to_rest(cloud: Cloud, tasks: Tasks) -> list[str]:
    """Wait for a service to be at rest; returns what keeps it from it when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while (found := unrest(cloud, tasks)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found
