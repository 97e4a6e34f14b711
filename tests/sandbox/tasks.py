"""The tasks of ECS as what they are in the sandbox: processes of this machine, which can be killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests

from probe.asking import USER_AGENT
from tests.sandbox.cloud import Cloud
from tests.sandbox.machine import Sandbox
from tests.sandbox.patience import until
from tests.sandbox.shell import STACK

LONG_SECONDS = 600
METADATA = re.compile(r"ECS_CONTAINER_METADATA_URI_V4=(\S+)")


class Tasks:
    """Finds the processes of tasks by the metadata that ECS gives each of them, and kills them with -9."""

    def __init__(self, cloud: Cloud, sandbox: Sandbox) -> None:
        self._cloud, self._sandbox = cloud, sandbox
        self._known: dict[int, str] = {}

    def of_slot(self, slot: str) -> list[str]:
        """The ARNs of a slot's running tasks."""
        return self._listed(f"service:{self._cloud.service}-{slot}")

    def probes(self) -> list[str]:
        """The ARNs of the running tasks that are of no slot."""
        return [task["taskArn"] for task in self._running() if not task["group"].startswith("service:")]

    def kill(self, tasks: Iterable[str]) -> float:
        """Kill every process of these tasks; returns the moment (seconds since the epoch)."""
        wanted = set(tasks)
        found = [pid for pid, task in self._processes().items() if task in wanted]
        moment = time.time()
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return moment

    def break_all(self, slot: str, path: str) -> None:
        """Ask a slot for a path, by the preview rule, until each of its tasks was asked.

        The load balancer sends a request to whichever task it likes: all were asked when all answers are bad.
        """
        until(
            lambda: (
                {self._status(slot, path) for _ in range(8)} == {200}
                and {self._status(slot, "/version") for _ in range(8)} == {500}
            ),
            f"every task of {slot} to be asked for {path}",
        )

    def _status(self, slot: str, path: str) -> int:
        parameter = f"/{STACK}/preview/{self._cloud.service}"
        found = self._cloud.client("ssm").get_parameter(Name=parameter, WithDecryption=True)["Parameter"]
        url = f"{self._cloud.url}{path}"
        # Nobody's outcome: as the probe's own requests it is not counted among the users'.
        headers = {"x-crossfade-slot": f"{found['Value']}-{slot}", "User-Agent": USER_AGENT}
        return requests.get(url, headers=headers, timeout=10).status_code

    def kill_probe(self) -> str:
        """Kill the probe, wait until ECS has noticed; returns the task's ARN."""
        (probe,) = self.probes()
        self.kill([probe])
        until(lambda: probe not in self.probes(), "ECS to notice that the probe has died")
        return probe

    @contextmanager
    def gone_for_good(self, slot: str) -> Iterator[float]:
        """Kill all tasks of a slot, with no room for others in their place for the time of the block.

        Gives the moment (seconds since the epoch).
        """
        self._no_room(slot, LONG_SECONDS)
        try:
            yield self.kill(self.of_slot(slot))
        finally:
            self._no_room(slot, 0)

    def _no_room(self, slot: str, seconds: int) -> None:
        tag = {"key": f"sandbox:no-capacity:service:{self._cloud.service}-{slot}", "value": str(seconds)}
        self._cloud.client("ecs").tag_resource(resourceArn=self._cloud.cluster, tags=[tag])

    def _listed(self, group: str) -> list[str]:
        return [task["taskArn"] for task in self._running() if task["group"] == group]

    def _running(self) -> list[dict[str, Any]]:
        ecs, cluster = self._cloud.client("ecs"), self._cloud.cluster
        arns = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
        return list(ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]) if arns else []

    def _processes(self) -> dict[int, str]:
        """The task of each process that belongs to one."""
        children = self._sandbox.children()
        self._known = {pid: task for pid, task in self._known.items() if pid in children}
        for pid in children.keys() - self._known.keys():
            task = _task_of(pid)
            if task:
                self._known[pid] = task
        return self._known


def _task_of(pid: int) -> str | None:
    """The ARN that the metadata endpoint in a process's environment tells."""
    command = ["ps", "eww", "-o", "args=", "-p", str(pid)]
    found = METADATA.search(subprocess.run(command, capture_output=True, text=True).stdout)
    if found is None:
        return None
    with suppress(OSError, ValueError), urllib.request.urlopen(f"{found[1]}/task", timeout=5) as answer:
        return str(json.load(answer)["TaskARN"])
    return None
