"""ECS services: they run as many tasks as they should."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from faults.aws.answer import AwsError
from faults.aws.balancer import DRAIN_SECONDS, HEALTH_SECONDS
from faults.aws.definitions import ECS, TaskDefinitions
from faults.aws.tasks import (
    CRASH_SECONDS,
    START_SECONDS,
    STOP_SECONDS,
    Rollout,
    Service,
    Task,
)
from faults.aws.views import Resource
from faults.workflow.clock import START
from faults.workflow.query import Refused

if TYPE_CHECKING:
    from faults.world import World

BREAKER = 3
"""So many failed tasks, and the circuit breaker gives a rollout up."""
RETRY_SECONDS = 2.0
"""Until ECS starts another task in place of one that could not start."""
LONGEST_RETRY_SECONDS = 60.0
"""ECS waits longer and longer before it tries again to place a task; on AWS, for up to 27 minutes."""
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability zone."
)
"""What ECS says where Fargate has no room for a task."""
CLUSTER_OF_OTHERS = f"{ECS}:cluster/others"
"""It is there, and nothing in it is the service's: it may be looked at, and nothing else."""
_PLACEMENT = {"loadBalancers", "networkConfiguration", "launchType"}
"""Without these a service is none of those that are simulated."""
_SETTINGS = _PLACEMENT | {
    "healthCheckGracePeriodSeconds", "availabilityZoneRebalancing", "deploymentConfiguration",
    "propagateTags", "enableExecuteCommand", "enableECSManagedTags", "serviceConnectConfiguration",
}  # fmt: skip


@dataclass
class Shortage:
    """No task can be placed until a moment, but for the first ``room`` ones; ``reason`` is ECS's."""

    until: float
    room: int = 0
    reason: str = NO_CAPACITY


class Services(TaskDefinitions):
    """Operations of ``ecs`` on the services of one cluster."""

    def __init__(self, world: World, cluster: str) -> None:
        super().__init__(world.registry.images)
        self.services: dict[str, Service] = {}
        self._world, self._cluster = world, cluster
        self._number = 0
        self._held: dict[str, float] = {}
        """Until when what was written of a resource has no effect yet."""
        self._shortages: dict[str, Shortage] = {}

    def snapshot(self) -> Self:
        """Every service as it is now."""
        frozen = copy.copy(self)
        frozen.services = {
            name: replace(
                service,
                rollouts=[copy.copy(rollout) for rollout in service.rollouts],
                tasks=[copy.copy(task) for task in service.tasks],
                events=list(service.events),
            )
            for name, service in self.services.items()
        }
        return frozen

    def hold(self, name: str, until: float) -> None:
        """What is written of a service, or of the tasks of none, has no effect before this moment."""
        self._held[name] = until

    def lack(self, name: str, seconds: float, *, room: int = 0, reason: str = NO_CAPACITY) -> None:
        """From now on, for a while, there is no place for tasks of a service, or for those of none."""
        self._shortages[name] = Shortage(self._world.clock.now + seconds, room, reason)

    def refusal(self, name: str) -> str | None:
        """Why no task of a service, or of none, can be placed now; None where one was."""
        shortage = self._shortages.get(name)
        if shortage is None or self._world.clock.now >= shortage.until:
            return None
        shortage.room -= 1
        return shortage.reason if shortage.room < 0 else None

    def rolled_out(self, rollout: str) -> str | None:
        """The service whose rollout this is, or was."""
        for name, service in self.services.items():
            if any(rollout == known.rollout for known in service.tasks) or rollout in {
                known.id for known in service.rollouts
            }:
                return name
        return None

    def owner(self, tasks: list[str]) -> str | None:
        """The service that a task belongs to."""
        return next(
            (
                name
                for name, service in self.services.items()
                if any(task.arn in tasks for task in service.tasks)
            ),
            None,
        )

    def describe_services(
        self, *, cluster: str, services: list[str], include: list[str] | None = None
    ) -> dict[str, Any]:
        """Services by name; of those that are not there it says so."""
        known = {} if cluster == CLUSTER_OF_OTHERS else self.services
        if known:
            self._check(cluster)
        tagged = include == ["TAGS"]
        found = [known[name].described(tagged=tagged) for name in services if name in known]
        missing = [name for name in services if name not in known]
        return {"services": found, "failures": [{"arn": name, "reason": "MISSING"} for name in missing]}

    def describe_service_revisions(self, *, serviceRevisionArns: list[str]) -> dict[str, Any]:
        """Revisions of services: what they run with, and of which AWS tells nowhere else."""
        found = [service for service in self.services.values() if service.revision in serviceRevisionArns]
        return {
            "serviceRevisions": [
                {
                    "serviceRevisionArn": service.revision,
                    "taskDefinition": service.definition,
                    "createdAt": START + timedelta(seconds=service.primary.created),
                }
                for service in found
            ],
            "failures": [],
        }

    def create_service(
        self, *, cluster: str, serviceName: str, taskDefinition: str, desiredCount: int,
        tags: list[dict[str, str]] | None = None, **placement: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A new service."""
        self._check(cluster)
        known = self.services.get(serviceName)
        if known and known.status == "DRAINING":
            raise AwsError("InvalidParameterException", "Unable to Start a service that is still Draining.")
        if known and known.status == "ACTIVE":
            raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
        self._refuse_inactive(taskDefinition)
        if not _PLACEMENT <= placement.keys() <= _SETTINGS or placement["launchType"] != "FARGATE":
            raise Refused(f"CreateService with {sorted(placement)}")
        service = Service(serviceName, taskDefinition, desiredCount, placement)
        service.tags = {tag["key"]: tag["value"] for tag in tags or []}
        self.services[serviceName] = service
        self._world.watcher.resized(serviceName, 0, desiredCount)
        self._roll_out(service)
        return {"service": service.described()}

    def update_service(
        self, *, cluster: str, service: str, desiredCount: int | None = None,
        taskDefinition: str | None = None, forceNewDeployment: bool = False, **placement: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Another size, another task definition, or both."""
        self._check(cluster)
        if service not in self.services:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if odd := placement.keys() - _SETTINGS:
            raise Refused(f"UpdateService: {odd}")
        found = self.services[service]
        if found.deleted:
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        after = found.placement | placement
        new = forceNewDeployment or taskDefinition not in {None, found.definition} or after != found.placement
        if taskDefinition:
            self._refuse_inactive(taskDefinition)
            found.definition = taskDefinition
        found.placement = after
        found.primary.next_try = 0.0
        if desiredCount is not None:
            self._resize(found, desiredCount)
        if new:
            self._roll_out(found)
        else:
            self._reconcile(found)
        return {"service": found.described()}

    def tag_resource(self, *, resourceArn: str, tags: list[dict[str, str]]) -> dict[str, Any]:
        """Tags of a service, beside those that it has."""
        found = self.services.get(resourceArn.rpartition("/")[2])
        if found is None:
            raise AwsError("InvalidParameterException", "The specified resource is not valid.")
        found.tags |= {tag["key"]: tag["value"] for tag in tags}
        return {}

    def delete_service(self, *, cluster: str, service: str, force: bool = False) -> dict[str, Any]:
        """Its tasks drain and stop; their service is inactive a while before the last one has ended."""
        self._check(cluster)
        if service not in self.services:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        found = self.services[service]
        if found.desired and not force:
            raise AwsError(
                "InvalidParameterException", "The service cannot be stopped while it is scaled above 0."
            )
        found.deleted, found.desired = True, 0
        self._reconcile(found)
        return {"service": found.described()}

    def clamp(self, service: str, least: int, most: int) -> None:
        """Application Auto Scaling brings the count of an active service within its bounds."""
        found = self.services.get(service)
        if found is None or found.deleted:
            raise AwsError("ValidationException", f"ECS service doesn't exist: {service}")
        if not least <= found.desired <= most:
            self._resize(found, min(max(found.desired, least), most))
            self._reconcile(found)

    def lose(self, service: str) -> None:
        """Every task of a service dies, and from now on no task of it can start."""
        found = self.services[service]
        found.lost = True
        for task in found.tasks:
            if task.status == "RUNNING":
                self._world.balancer.deregister(found.groups, task.address)
                task.end(self._world.clock.now, "EssentialContainerExited", exit_code=137)
        self._reconcile(found)

    def kill(self, service: Service, count: int, back: float | None = None) -> None:
        """So many tasks of a service die; others start in their place after ``back`` seconds, or never."""
        for task in service.of(service.primary, "RUNNING")[:count]:
            self._world.balancer.deregister(service.groups, task.address)
            task.end(self._world.clock.now, "EssentialContainerExited", exit_code=137)
            service.missing += 1
            if back is not None:
                self._world.clock.after(back, self._find_room, service)
        self._reconcile(service)

    def ask_by_hand(self, service: str, count: int) -> None:
        """The service's owner sets its count."""
        self.update_by_owner(service, desiredCount=count)

    def update_by_owner(self, service: str, **given: Any) -> None:
        """The service's owner, or the stack that declares it, sets this of it."""
        self._world.views.wrote(Resource("ecs", service))
        self.update_service(cluster=self._cluster, service=service, **given)

    def _refuse_inactive(self, definition: str) -> None:
        found = self.describe_task_definition(taskDefinition=definition)["taskDefinition"]
        if found["status"] != "ACTIVE":
            raise AwsError("ClientException", "TaskDefinition is inactive")

    def _find_room(self, service: Service) -> None:
        service.missing = max(service.missing - 1, 0)
        self._reconcile(service)

    def _resize(self, service: Service, count: int) -> None:
        self._world.watcher.resized(service.name, service.desired, count)
        service.desired = count
        if count == 0:  # what is started there another time is started elsewhere
            service.lost, service.missing = False, 0

    def _roll_out(self, service: Service) -> None:
        for rollout in service.rollouts:
            rollout.status = "ACTIVE"
        self._number += 1
        service.rollouts.append(
            Rollout(f"ecs-svc/{self._number}", service.definition, created=self._world.clock.now)
        )
        self._reconcile(service)

    def _reconcile(self, service: Service) -> None:
        """Start what is missing, stop what is too much; old tasks go when the new ones are healthy."""
        if left := self._held_for(service.name):
            self._world.clock.after(left, self._reconcile, service, background=service.lost)
            return
        primary = service.primary
        tasks = service.of(primary, "PROVISIONING", "RUNNING")
        if primary.state != "FAILED":
            self._place(service, primary, service.desired - service.missing - len(tasks))
        for task in tasks[service.desired :]:
            self._stop(service, task)
        states = self._world.balancer.states(service.group)
        healthy = sum(states.get(task.address) == "healthy" for task in service.of(primary, "RUNNING"))
        if healthy >= service.desired:
            for task in service.tasks:
                if task.rollout != primary.id and task.status in {"PROVISIONING", "RUNNING"}:
                    self._stop(service, task)
        service.rollouts = [
            rollout
            for rollout in service.rollouts
            if rollout is primary
            or service.of(rollout, "PROVISIONING", "RUNNING", "DEACTIVATING", "STOPPING")
        ]
        if healthy == service.desired and service.rollouts == [primary] and primary.state == "IN_PROGRESS":
            primary.state = "COMPLETED"
            self._say(service, "has reached a steady state.")

    def _place(self, service: Service, rollout: Rollout, count: int) -> None:
        """Start so many tasks, as far as there is room for them; the others are tried again later."""
        now = self._world.clock.now
        if count <= 0 or now < rollout.next_try:
            return
        started, refusal = 0, self.refusal(service.name)
        while started < count and not refusal:
            self._start(service, rollout)
            started, refusal = started + 1, self.refusal(service.name) if started + 1 < count else None
        if started:
            self._say(service, f"has started {started} tasks.")
            rollout.tries = 0
        if refusal:
            self._say(service, f"was unable to place a task. Reason: {refusal}")
            self._count_failure(service, rollout)
            seconds = min(RETRY_SECONDS * 2**rollout.tries, LONGEST_RETRY_SECONDS)
            rollout.tries, rollout.next_try = rollout.tries + 1, now + seconds
            self._world.clock.after(seconds, self._reconcile, service, background=service.lost)

    def _say(self, service: Service, event: str) -> None:
        service.events.append((self._world.clock.now, event))

    def _start(self, service: Service, rollout: Rollout) -> None:
        task = self._task(rollout.definition, rollout=rollout.id)
        service.tasks.append(task)
        # A service that can start no task tries for ever, and nobody waits for it.
        self._world.clock.after(START_SECONDS, self._up, service, rollout, task, background=service.lost)

    def _task(self, definition: str, **given: Any) -> Task:
        self._number += 1
        return Task(f"{ECS}:task/web/{self._number:032x}", definition, f"10.0.0.{self._number}", **given)

    def _up(self, service: Service, rollout: Rollout, task: Task) -> None:
        if task.status != "PROVISIONING":
            return
        image = self.image(task.definition)
        if image.behaviour == "crashes" or service.lost:
            self._exit(service, rollout, task)
            return
        task.status, rollout.ran, rollout.failed = "RUNNING", True, 0
        if image.behaviour == "crashes-late":
            self._world.clock.after(CRASH_SECONDS, self._crash, service, rollout, task)
        self._world.balancer.register(service.groups, task.address, image)
        self._world.clock.after(HEALTH_SECONDS, self._reconcile, service)

    def _crash(self, service: Service, rollout: Rollout, task: Task) -> None:
        if task.status == "RUNNING":
            self._world.balancer.deregister(service.groups, task.address)
            self._exit(service, rollout, task)

    def _exit(self, service: Service, rollout: Rollout, task: Task) -> None:
        """A task ends by itself, and another one is started in its place after a while."""
        task.end(self._world.clock.now, "EssentialContainerExited", exit_code=1)
        self._count_failure(service, rollout)
        self._world.clock.after(RETRY_SECONDS, self._reconcile, service, background=service.lost)

    def _count_failure(self, service: Service, rollout: Rollout) -> None:
        """A task that cannot be placed counts as one that cannot start does."""
        rollout.failed += not rollout.ran
        if rollout.failed >= BREAKER and rollout.state == "IN_PROGRESS":
            rollout.state = "FAILED"  # the breaker is for rollouts; a service that ran goes on trying
            self._say(service, f"(deployment {rollout.id}) deployment failed: tasks failed to start.")

    def _stop(self, service: Service, task: Task) -> None:
        """Scale in: first the target, then the process."""
        seconds = DRAIN_SECONDS if task.status == "RUNNING" else 0.0
        task.status, task.wanted = "DEACTIVATING", "STOPPED"
        self._world.balancer.deregister(service.groups, task.address)
        self._world.clock.after(seconds, self._kill, service, task)

    def _kill(self, service: Service, task: Task) -> None:
        task.status = "STOPPING"
        self._world.clock.after(STOP_SECONDS, self._stopped, service, task)

    def _stopped(self, service: Service, task: Task) -> None:
        task.end(self._world.clock.now, "ServiceSchedulerInitiated")
        self._reconcile(service)

    def _held_for(self, name: str) -> float:
        """Seconds until what is written has an effect."""
        return max(self._held.get(name, 0.0) - self._world.clock.now, 0.0)

    def _check(self, cluster: str) -> None:
        if cluster == CLUSTER_OF_OTHERS:
            raise Refused("a cluster of others, which is none of Crossfade's business")
        if cluster != self._cluster:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
