"""The two ECS services of a service: one for each slot."""

from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.failures import code
from crossfade.domain.message import Message
from crossfade.domain.spec import SLOTS, Network, ServiceSpec, Slot


class SlotService(Message):
    """A slot's ECS service and its newest rollout.

    ``running`` and ``tasks`` (running or starting) count all tasks; ``others`` are running tasks of an
    earlier rollout.
    """

    task_definition: str
    desired: int
    running: int
    tasks: int
    others: int
    failed_tasks: int
    rollout_failed: bool
    rollout_reason: str


class Slots:
    """Reads and writes the slots' ECS services through a boto3 ``ecs`` client."""

    def __init__(self, ecs: Any, spec: ServiceSpec) -> None:
        self._ecs = ecs
        self._spec = spec

    def describe(self, slot: Slot) -> SlotService | None:
        """A slot's service as it is now; None when there is none yet."""
        found = self._ecs.describe_services(
            cluster=self._spec.cluster, services=[self._spec.slot_service(slot)]
        )["services"]
        service = next((service for service in found if service["status"] == "ACTIVE"), None)
        if service is None:
            return None
        primary: dict[str, Any] = next(
            (rollout for rollout in service["deployments"] if rollout["status"] == "PRIMARY"), {}
        )
        return SlotService(
            task_definition=service["taskDefinition"],
            desired=service["desiredCount"],
            running=service["runningCount"],
            tasks=service["runningCount"] + service["pendingCount"],
            others=sum(
                rollout["runningCount"]
                for rollout in service["deployments"]
                if rollout["status"] != "PRIMARY"
            ),
            failed_tasks=primary.get("failedTasks", 0),
            rollout_failed=primary.get("rolloutState") == "FAILED",
            rollout_reason=primary.get("rolloutStateReason", ""),
        )

    def last_stop(self, slot: Slot) -> str:
        """Why the slot's task that stopped last did so, in ECS's words; empty when none did."""
        arns = self._ecs.list_tasks(
            cluster=self._spec.cluster, serviceName=self._spec.slot_service(slot), desiredStatus="STOPPED"
        )["taskArns"]
        if not arns:
            return ""
        tasks = self._ecs.describe_tasks(cluster=self._spec.cluster, tasks=arns[:100])["tasks"]
        stopped = sorted(tasks, key=lambda task: str(task.get("stoppedAt", "")))
        return stop_reason(stopped[-1]) if stopped else ""

    def launch(self, slot: Slot, task_definition: str, count: int) -> None:
        """Run ``count`` tasks of a task definition in a slot, whatever ran there before."""
        found = self.describe(slot)
        if found is None:
            try:
                self._create(slot, task_definition, count)
                return
            except ClientError as error:
                # An earlier try of this same write had its effect meanwhile: the update below is absolute.
                found = self.describe(slot)
                if code(error) != "InvalidParameterException" or found is None:
                    raise
        self._ecs.update_service(
            cluster=self._spec.cluster,
            service=self._spec.slot_service(slot),
            taskDefinition=task_definition,
            desiredCount=count,
            # ECS takes a release that failed before for the same rollout, and leaves it failed.
            forceNewDeployment=found.rollout_failed or found.failed_tasks > 0,
            **self._placement(slot),
        )

    def stop(self, slot: Slot) -> None:
        """Scale a slot to 0 tasks; harmless when it has no service."""
        found = self.describe(slot)
        if found and found.desired > 0:
            self._ecs.update_service(
                cluster=self._spec.cluster, service=self._spec.slot_service(slot), desiredCount=0
            )

    def delete(self, slot: Slot) -> None:
        """Delete a slot's service with its tasks; harmless when it has none."""
        if self.describe(slot):
            self._ecs.delete_service(
                cluster=self._spec.cluster, service=self._spec.slot_service(slot), force=True
            )

    def all_gone(self) -> bool:
        """Whether both slots' services have ended, tasks included."""
        names = [self._spec.slot_service(slot) for slot in SLOTS]
        found = self._ecs.describe_services(cluster=self._spec.cluster, services=names)["services"]
        return all(service["status"] == "INACTIVE" and not service["runningCount"] for service in found)

    def _create(self, slot: Slot, task_definition: str, count: int) -> None:
        spec = self._spec
        self._ecs.create_service(
            cluster=spec.cluster,
            serviceName=spec.slot_service(slot),
            taskDefinition=task_definition,
            desiredCount=count,
            launchType="FARGATE",
            # No rollback of ECS's own: it would bring back whatever the idle slot ran before.
            deploymentConfiguration={
                "deploymentCircuitBreaker": {"enable": True, "rollback": False},
                "minimumHealthyPercent": 100,
                "maximumPercent": 200,
            },
            **self._placement(slot),
        )

    def _placement(self, slot: Slot) -> dict[str, Any]:
        """Where a slot's tasks run and are registered: the spec's, each time anew."""
        spec = self._spec
        return {
            "loadBalancers": [
                {
                    "targetGroupArn": spec.target_groups.of(slot),
                    "containerName": spec.container,
                    "containerPort": spec.port,
                }
            ],
            "networkConfiguration": {"awsvpcConfiguration": awsvpc(spec.network)},
            # Crossfade's own deadline decides first; ECS must not kill tasks for their health before it.
            "healthCheckGracePeriodSeconds": int(spec.launch.deadline_seconds) + 60,
        }


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
    return ", ".join(part for part in parts if part)


def _container_end(container: dict[str, Any]) -> str:
    exit_code, reason = container.get("exitCode"), container.get("reason")
    parts = [f"exit code {exit_code}" if exit_code is not None else "", reason or ""]
    return ": ".join(part for part in parts if part)
