"""ECS tasks that belong to no service: the probe."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from faults.aws.answer import AwsError
from faults.aws.probe import Probe
from faults.aws.services import Services
from faults.aws.tasks import START_SECONDS, STOP_SECONDS, Task
from faults.aws.views import PROBES
from faults.workflow.query import Refused
from probe.settings import read_settings

if TYPE_CHECKING:
    from faults.world import World


class Ecs(Services):
    """Operations of ``ecs``. ``probes`` holds the probe tasks, each with what it does once it runs."""

    def __init__(self, world: World, cluster: str) -> None:
        super().__init__(world, cluster)
        self.probes: list[tuple[Task, Probe]] = []
        self._tokens: dict[str, tuple[dict[str, Any], Task | str]] = {}

    def snapshot(self) -> Self:
        """Services and tasks as they are now."""
        frozen = super().snapshot()
        frozen.probes = [(copy.copy(task), probe) for task, probe in self.probes]
        return frozen

    def run_task(
        self, *, cluster: str, taskDefinition: str, launchType: str, startedBy: str, clientToken: str,
        networkConfiguration: dict[str, Any], overrides: dict[str, Any],
    ) -> dict[str, Any]:  # fmt: skip
        """Start a probe; the same token a second time gives the first answer again.

        That is the first task, even if it has stopped, or the reason why there was no place for it, even if
        there is one now.
        """
        self._check(cluster)
        self.describe_task_definition(taskDefinition=taskDefinition)
        request = {"startedBy": startedBy, "overrides": overrides, "network": networkConfiguration}
        known, task = self._tokens.get(clientToken, (request, None))
        if known != request:
            raise AwsError("ConflictException", "The token was used with other parameters.")
        if task is None:
            task = self.refusal(PROBES) or self._task(taskDefinition, started_by=startedBy)
            self._tokens[clientToken] = request, task
            if isinstance(task, Task):
                self._begin(task, overrides)
        if isinstance(task, str):
            return {"tasks": [], "failures": [{"reason": task}]}
        return {"tasks": [task.described()], "failures": []}

    def _begin(self, task: Task, overrides: dict[str, Any]) -> None:
        environment = {
            variable["name"]: variable["value"]
            for variable in overrides["containerOverrides"][0]["environment"]
        }
        probe = Probe(self._world, read_settings(environment))
        self.probes.append((task, probe))
        self._world.clock.after(self._held_for(PROBES) + START_SECONDS, self._probe, task, probe)

    def stop_task(self, *, cluster: str, task: str, reason: str) -> dict[str, Any]:
        """Stop a probe; it closes its ledger first. Stopping what has stopped is no error."""
        self._check(cluster)
        found, probe = next(
            ((known, probe) for known, probe in self.probes if known.arn == task), (None, None)
        )
        if found is None or probe is None:
            raise AwsError("InvalidParameterException", "The referenced task was not found.")
        if found.wanted != "STOPPED":
            found.wanted = "STOPPED"
            self._world.clock.after(self._held_for(PROBES), self._terminate, found, probe)
        return {"task": found.described()}

    def _terminate(self, task: Task, probe: Probe) -> None:
        if task.status != "STOPPED":
            task.status = "DEACTIVATING"
            probe.stop()
            now = self._world.clock.now
            self._world.clock.after(STOP_SECONDS, task.end, now, "UserInitiated", 0)

    def kill_probe(self) -> None:
        """Every probe that runs dies, without a word."""
        for task, probe in self.probes:
            if task.status == "RUNNING":
                probe.die()
                task.end(self._world.clock.now, "EssentialContainerExited", 137)

    def list_tasks(
        self, *, cluster: str, startedBy: str | None = None, serviceName: str | None = None,
        desiredStatus: str = "RUNNING",
    ) -> dict[str, Any]:  # fmt: skip
        """The tasks of a service, or those that somebody started."""
        self._check(cluster)
        if startedBy and (serviceName or desiredStatus != "RUNNING"):
            raise Refused("ListTasks: startedBy must be the only filter")
        if serviceName is not None and serviceName not in self.services:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        tasks = [task for service in self.services.values() for task in service.tasks]
        if serviceName:
            tasks = self.services[serviceName].tasks
        else:
            tasks += [task for task, _ in self.probes]
        arns = [
            task.arn
            for task in tasks
            if task.wanted == desiredStatus and startedBy in {None, task.started_by, task.rollout}
        ]
        return {"taskArns": arns}

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, Any]:
        """Tasks by ARN; of those that are not there it says so."""
        self._check(cluster)
        every = [*(task for service in self.services.values() for task in service.tasks)]
        every += [task for task, _ in self.probes]
        found = [task.described() for task in every if task.arn in tasks]
        missing = set(tasks) - {task["taskArn"] for task in found}
        return {"tasks": found, "failures": [{"arn": arn, "reason": "MISSING"} for arn in sorted(missing)]}

    def _probe(self, task: Task, probe: Probe) -> None:
        if task.status == "PROVISIONING":
            task.status = "RUNNING"
            probe.begin()
