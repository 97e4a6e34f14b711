"""The two ECS services of a service: one for each slot, or the owner's own in the place of a slot's."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.errors import ResourceGone, SlotDrift
from crossfade.domain.model import Model
from crossfade.domain.planning.drift import foreign_slot
from crossfade.domain.planning.pattern import created_settings, updated_settings
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.names import SERVICE_TAG, SPEC_TAG, target_group_name
from crossfade.domain.spec.placed import Placed
from crossfade.domain.spec.service import Network, ServiceSpec
from crossfade.domain.tasks.reasons import Event, passes, said, trouble
from crossfade.domain.traffic.place import cluster_gone

GONE = frozenset({"ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException"})
"""ECS's own word, in its answer to a write, that there is no such service: a cluster goes last."""

CRASHED = frozenset({"TaskFailedToStart", "EssentialContainerExited"})
"""Stop codes of tasks that ended by themselves, and not because ECS or a person stopped them.

A task that found no room or no network has one of them too, but may start the next time.
"""


class SlotService(Model):
    """A slot's ECS service. ``rollout`` is the newest one: ECS's PRIMARY deployment of the service.

    ``running`` are tasks of that rollout, ``others`` running tasks of earlier ones; ``tasks`` counts all that
    run or start. ``events`` are the service's events, the newest first. ``given``: this Crossfade made it, or
    it is the owner's in a slot's place, and not another service that has a slot's name. ``of_spec`` is the
    SSM parameter of the spec that it was made for; empty where its tags do not say.
    """

    task_definition: str
    desired: int
    rollout: str
    running: int
    tasks: int
    others: int
    rollout_failed: bool
    rollout_reason: str
    events: tuple[Event, ...] = ()
    given: bool = True
    of_spec: str = ""

    def trouble(self, since: datetime) -> str:
        """What keeps its tasks from running, in ECS's words; empty if ECS has reported no trouble since."""
        gave_up = said(self.rollout_reason) if self.rollout_failed else ""
        return "; ".join(filter(None, (gave_up, trouble(self.events, since))))


class Stop(NamedTuple):
    """A task that has stopped, or is stopping: why, in ECS's words, and whether it ended by itself."""

    reason: str
    crashed: bool


class Slots:
    """Reads and writes the slots' ECS services through a boto3 ``ecs`` client.

    Where the owner's service takes the place of a slot's, only its task definition and its count are written.
    """

    def __init__(self, ecs: Any, spec: Placed) -> None:
        self._ecs = ecs
        self._spec = spec

    def describe(self, slot: Slot) -> SlotService | None:
        """A slot's service as ECS shows it; None when ECS shows none.

        What is shown may be older than the last write: see ``ECS_LAG`` in ``domain/tasks/launch.py``.

        Raises
        ------
        ResourceGone
            There is no such cluster.
        """
        service = self._find(slot)
        if service is None or service["status"] != "ACTIVE":
            return None
        primary = _primary(service)
        return SlotService(
            task_definition=service["taskDefinition"],
            desired=service["desiredCount"],
            rollout=primary.get("id", ""),
            running=primary.get("runningCount", 0),
            tasks=service["runningCount"] + service["pendingCount"],
            others=sum(
                rollout["runningCount"]
                for rollout in service["deployments"]
                if rollout["status"] != "PRIMARY"
            ),
            rollout_failed=primary.get("rolloutState") == "FAILED",
            rollout_reason=primary.get("rolloutStateReason", ""),
            events=tuple(
                Event(at=event["createdAt"], message=event["message"]) for event in service.get("events", [])
            ),
            given=slot == self._spec.origin or _is_made(service, self._spec, slot, self._spec.parameter),
            of_spec=ecs_tags(service).get(SPEC_TAG, ""),
        )

    def stops(self, slot: Slot, rollout: str) -> list[Stop]:
        """The slot's tasks of a rollout that have stopped or are stopping, the last one last."""
        try:
            stopped = [
                task
                for task in _tasks(
                    self._ecs,
                    self._spec.cluster,
                    serviceName=self._spec.slot_service(slot),
                    desiredStatus="STOPPED",
                )
                if task.get("startedBy") == rollout
            ]
        except ClientError as error:
            if error_code(error) not in GONE:
                raise
            return []
        stopped.sort(key=lambda task: str(task.get("stoppingAt") or task.get("stoppedAt") or ""))
        return [
            Stop(reason, task.get("stopCode") in CRASHED and not passes(reason))
            for task, reason in ((task, stop_reason(task)) for task in stopped)
        ]

    def launch(self, slot: Slot, task_definition: str, count: int, *, again: bool) -> str | None:
        """Roll out ``count`` tasks of a task definition in a slot, whatever ran there before.

        ``again``: an earlier try may have created the service just now. Returns the rollout's id. None: no
        service can be created yet, because ECS still has a deleted one of its name, or does not show a new
        one yet.

        Raises
        ------
        ResourceGone
            There is no such cluster, or the owner's service is to be launched and is not there.
        SlotDrift
            Another Crossfade has made a service of the slot's name since the plan.
        """
        origin = slot == self._spec.origin
        shown = None if origin else self._find(slot)
        _refuse_anothers(self._spec.slot_service(slot), self._spec.parameter, shown)
        try:
            answer = self._ecs.update_service(
                cluster=self._spec.cluster,
                service=self._spec.slot_service(slot),
                taskDefinition=task_definition,
                desiredCount=count,
                # Each launch is a new rollout: for a release that ran or failed here before, ECS would
                # otherwise continue the old one, with its failures and stopped tasks.
                forceNewDeployment=True,
                **({} if origin else self._updated(slot, shown)),
            )
        except ClientError as error:
            if error_code(error) not in GONE:
                raise
            if origin:
                raise self._origin_gone() from error
            answer = self._create(slot, task_definition, count, again=again)
        else:
            if not origin:  # UpdateService takes no tags
                self._ecs.tag_resource(resourceArn=answer["service"]["serviceArn"], tags=self._own_tags())
        return str(_primary(answer["service"])["id"]) if answer else None

    def grow(self, slot: Slot, count: int) -> None:
        """Ask for ``count`` tasks in a slot, in the same rollout; harmless when it has no service.

        If ECS answers with more tasks, the desired count was raised in the meantime, and that count is
        restored.
        """
        try:
            there = self._resize(slot, count)
            if there > count:
                self._resize(slot, there)
        except ClientError as error:
            if error_code(error) not in GONE:
                raise

    def stop(self, slot: Slot) -> int:
        """Scale a slot to 0 tasks, and say how many still run; harmless when it has no service.

        Another Crossfade's service is left alone. The count is written whatever is read: what is read may be
        older than the launch that is to be undone.
        """
        try:
            if slot != self._spec.origin and _of_another(self._find(slot), self._spec.parameter):
                return 0
        except ResourceGone:
            return 0
        return self._stop(self._spec.slot_service(slot))

    def stop_leftover(self) -> None:
        """The same for what was kept warm and is in no slot's place any more."""
        if self._spec.leftover_service:
            self._stop(self._spec.leftover_service)

    def _stop(self, service: str) -> int:
        try:
            answer = self._ecs.update_service(cluster=self._spec.cluster, service=service, desiredCount=0)
        except ClientError as error:
            if error_code(error) not in GONE:
                raise
            return 0
        return int(answer["service"]["runningCount"])

    def _resize(self, slot: Slot, count: int) -> int:
        """Set a slot's desired count; returns how many tasks of its rollout run or start by the answer."""
        answer = self._ecs.update_service(
            cluster=self._spec.cluster, service=self._spec.slot_service(slot), desiredCount=count
        )
        primary = _primary(answer["service"])
        return int(primary.get("runningCount", 0) + primary.get("pendingCount", 0))

    def _find(self, slot: Slot) -> dict[str, Any] | None:
        return service_of(self._ecs, self._spec, self._spec.slot_service(slot))

    def _origin_gone(self) -> ResourceGone:
        return ResourceGone(
            f"The ECS service {self._spec.like}, which the spec of {self._spec.service} names in like, does "
            "not exist, and so nothing can be launched into it. Crossfade makes none in its place: deploy "
            "the stack that declares it again."
        )

    def _create(self, slot: Slot, task_definition: str, count: int, *, again: bool) -> dict[str, Any] | None:
        spec = self._spec
        try:
            answer: dict[str, Any] = self._ecs.create_service(
                cluster=spec.cluster,
                serviceName=spec.slot_service(slot),
                taskDefinition=task_definition,
                desiredCount=count,
                tags=self._own_tags(),
                **created_settings(spec.pattern),
                **self._settings(slot),
            )
        except ClientError as error:
            if error_code(error) != "InvalidParameterException":
                raise
            # ECS refuses a name that is taken with the same code as a subnet that does not exist.
            there = self._find(slot)
            if again or (there and there["status"] in {"ACTIVE", "DRAINING"}):
                return None
            raise
        return answer

    def _updated(self, slot: Slot, shown: dict[str, Any] | None) -> dict[str, Any]:
        """What makes a slot's service like the pattern, and what a deployment relies on."""
        return {**updated_settings(self._spec.pattern, shown or {}), **self._settings(slot)}

    def _own_tags(self) -> list[dict[str, str]]:
        """The pattern's tags and Crossfade's own."""
        tags = {**self._spec.pattern.tags, **self._spec.own_tags}
        return [{"key": key, "value": value} for key, value in tags.items()]

    def _settings(self, slot: Slot) -> dict[str, Any]:
        """What a deployment relies on, set at each launch: it may have been changed since the last one."""
        spec = self._spec
        return {
            # No rollback of ECS's own: it would bring back whatever the idle slot ran before.
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": True, "rollback": False},
                "minimumHealthyPercent": 100,
                "maximumPercent": 200,
            },
            "loadBalancers": [
                {
                    "targetGroupArn": groups.of(slot),
                    "containerName": target.container,
                    "containerPort": target.port,
                }
                for target, groups in spec.ports
            ],
            # ECS would start and stop tasks on its own, and each of them is a target that comes and goes.
            "availabilityZoneRebalancing": "DISABLED",
            # Crossfade's own deadline decides first; ECS must not kill tasks for their health before it.
            "healthCheckGracePeriodSeconds": int(spec.launch.deadline_seconds) + 60,
        }


class OwnServices:
    """Removes the services that Crossfade made for the slots, and never the owner's own.

    ``parameter`` is the SSM parameter of the spec.
    """

    def __init__(self, ecs: Any, spec: ServiceSpec, parameter: str) -> None:
        self._ecs = ecs
        self._spec = spec
        self._parameter = parameter

    def made(self) -> list[Slot]:
        """The slots whose services are not shown as another's; an own one may be too new to be shown.

        Deleted by its name alone, that one would go with its tasks.
        """
        try:
            shown = {slot: service_of(self._ecs, self._spec, self._spec.own_service(slot)) for slot in SLOTS}
        except ResourceGone:
            return list(SLOTS)
        return [
            slot
            for slot, service in shown.items()
            if not service
            or service["status"] != "ACTIVE"
            or _is_made(service, self._spec, slot, self._parameter)
        ]

    def delete(self, slot: Slot) -> None:
        """Delete Crossfade's service of a slot with its tasks; harmless when there is none."""
        try:
            name = self._spec.own_service(slot)
            self._ecs.delete_service(cluster=self._spec.cluster, service=name, force=True)
        except ClientError as error:
            if error_code(error) not in GONE:
                raise

    def left(self, tasks: Iterable[Mapping[str, Any]], slots: Iterable[Slot] = SLOTS) -> list[str]:
        """Crossfade's services of these slots that are not INACTIVE, and the tasks of all of them.

        A service is INACTIVE as soon as its tasks are STOPPING, and they keep the cluster and its network.
        """
        names = [self._spec.own_service(slot) for slot in slots]
        if not names:
            return []
        found = self._ecs.describe_services(cluster=self._spec.cluster, services=names)["services"]
        services = [service["serviceName"] for service in found if service["status"] != "INACTIVE"]
        groups = {f"service:{name}" for name in names}
        return [*services, *(task["taskArn"] for task in tasks if task.get("group") in groups)]


def service_of(ecs: Any, spec: ServiceSpec, name: str) -> dict[str, Any] | None:
    """An ECS service of the spec's cluster, with its tags; None where ECS shows none of that name.

    One that was deleted and made anew is shown twice for a while: the ACTIVE one counts.

    Raises
    ------
    ResourceGone
        There is no such cluster.
    """
    try:
        answer = ecs.describe_services(cluster=spec.cluster, services=[name], include=["TAGS"])
    except ClientError as error:
        if error_code(error) != "ClusterNotFoundException":
            raise
        raise cluster_gone(spec) from error
    found: list[dict[str, Any]] = answer["services"]
    active = (service for service in found if service["status"] == "ACTIVE")
    return next(active, found[0] if found else None)


def refuse_anothers_slots(ecs: Any, spec: ServiceSpec, parameter: str) -> None:
    """Refuse to prepare a service whose slots would have the names of another Crossfade's.

    ``parameter`` is the SSM parameter of the spec.

    Raises
    ------
    SlotDrift
        There is one of them; the sentence names both specs.
    """
    for slot in SLOTS:
        name = spec.own_service(slot)
        _refuse_anothers(name, parameter, service_of(ecs, spec, name))


def _refuse_anothers(name: str, parameter: str, shown: dict[str, Any] | None) -> None:
    if of := _of_another(shown, parameter):
        raise SlotDrift(" ".join(foreign_slot(name, parameter, of)))


def _of_another(shown: dict[str, Any] | None, parameter: str) -> str:
    """The SSM parameter of the spec of another Crossfade that has made a service; empty where none has."""
    of = ecs_tags(shown).get(SPEC_TAG, "") if shown and shown["status"] == "ACTIVE" else ""
    return "" if of == parameter else of


def unfinished_tasks(ecs: Any, cluster: str) -> Iterator[dict[str, Any]]:
    """All tasks of a cluster that have not ended, STOPPING ones among them.

    The whole cluster is listed: ListTasks need not know a deleted service, and joins few filters.
    """
    for wanted in ("RUNNING", "STOPPED"):
        for task in _tasks(ecs, cluster, desiredStatus=wanted):
            if task["lastStatus"] != "STOPPED":
                yield task


def _tasks(ecs: Any, cluster: str, **wanted: str) -> Iterator[dict[str, Any]]:
    pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, **wanted)
    for arns in (page["taskArns"] for page in pages):
        if arns:
            yield from ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]


def _is_made(service: dict[str, Any], spec: ServiceSpec, slot: Slot, parameter: str) -> bool:
    """Whether this Crossfade has made an ECS service, which is shown with its tags.

    Earlier versions did not tag it with the spec. Then its target group tells: no other stack gives
    that name.
    """
    tags = ecs_tags(service)
    if SPEC_TAG in tags:
        return tags[SPEC_TAG] == parameter
    group = target_group_name(parameter.removesuffix(spec.service), spec.service, slot)
    balancers = [balancer.get("targetGroupArn", "") for balancer in service.get("loadBalancers", [])]
    return tags.get(SERVICE_TAG) == spec.service and any(f":targetgroup/{group}/" in arn for arn in balancers)


def ecs_tags(shown: dict[str, Any] | None) -> dict[str, str]:
    """The tags in what ECS shows with them; none of what it does not show."""
    return {tag["key"]: tag.get("value", "") for tag in (shown or {}).get("tags", [])}


def _primary(service: dict[str, Any]) -> dict[str, Any]:
    """The newest rollout of a service."""
    return next((rollout for rollout in service["deployments"] if rollout["status"] == "PRIMARY"), {})


def awsvpc(network: Network) -> dict[str, Any]:
    """A network in ECS's words."""
    return {
        "subnets": list(network.subnets),
        "securityGroups": list(network.security_groups),
        "assignPublicIp": "ENABLED" if network.public_ip else "DISABLED",
    }


def stop_reason(task: dict[str, Any]) -> str:
    """Why a task stopped: its stop code, ECS's reason, and its containers' exit codes and reasons."""
    containers = [
        f"container {container['name']} {detail}"
        for container in task.get("containers", [])
        if (detail := _container_end(container))
    ]
    parts = [task.get("stopCode", ""), task.get("stoppedReason", ""), *containers]
    return said(", ".join(part for part in parts if part))


def _container_end(container: dict[str, Any]) -> str:
    exit_code, reason = container.get("exitCode"), container.get("reason")
    parts = [f"exit code {exit_code}" if exit_code is not None else "", reason or ""]
    return ": ".join(part for part in parts if part)
