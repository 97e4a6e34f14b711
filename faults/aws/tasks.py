"""A task of ECS, from its start to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from faults.aws.names import ECS
from faults.workflow.clock import START

START_SECONDS = 2.0
STOP_SECONDS = 1.0
"""From SIGTERM to the end of the process."""

CRASH_SECONDS = 1.5
"""How long a task runs that crashes a little after its start: its target is not healthy yet."""
OF_A_ROLLOUT = frozenset({"serviceConnectConfiguration", "volumeConfigurations"})
"""Settings that DescribeServices tells of each rollout, and not of the service."""
MOST_EVENTS = 100
"""So many of a service's events are told, the newest first."""
REASONS = {"EssentialContainerExited": "Essential container in task exited"}
"""ECS's reason for a stop, by its code, where it is always the same."""

Status = Literal["PROVISIONING", "RUNNING", "DEACTIVATING", "STOPPING", "STOPPED"]


@dataclass
class Task:
    """A task; ``rollout`` is the deployment of the service that it belongs to, if it belongs to one."""

    arn: str
    definition: str
    address: str
    rollout: str | None = None
    started_by: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    status: Status = "PROVISIONING"
    wanted: Literal["RUNNING", "STOPPED"] = "RUNNING"
    stop_code: str = ""
    exit_code: int | None = None
    stopped: float | None = None

    def end(self, now: float, code: str, exit_code: int | None = None) -> None:
        """It runs no more; ``code`` is ECS's stop code."""
        self.status = self.wanted = "STOPPED"
        self.stop_code, self.exit_code, self.stopped = code, exit_code, now

    def described(self) -> dict[str, Any]:
        """The task as DescribeTasks tells of it."""
        found: dict[str, Any] = {
            "taskArn": self.arn,
            "taskDefinitionArn": self.definition,
            "lastStatus": self.status,
            "desiredStatus": self.wanted,
            "containers": [{"name": "app", "lastStatus": self.status}],
        }
        if starter := self.started_by or self.rollout:
            found["startedBy"] = starter
        if self.exit_code is not None:
            found["containers"][0]["exitCode"] = self.exit_code
        if self.stop_code:
            found["stopCode"] = self.stop_code
        if self.stop_code in REASONS:
            found["stoppedReason"] = REASONS[self.stop_code]
        if self.stopped is not None:
            found["stoppedAt"] = START + timedelta(seconds=self.stopped)
        return found


@dataclass
class Rollout:
    """What ECS calls a deployment of a service."""

    id: str
    definition: str
    status: Literal["PRIMARY", "ACTIVE"] = "PRIMARY"
    state: Literal["IN_PROGRESS", "COMPLETED", "FAILED"] = "IN_PROGRESS"
    failed: int = 0
    ran: bool = False
    """Whether a task of it ever ran: from then on ECS counts no more failed ones."""
    created: float = 0.0
    tries: int = 0
    """How often in a row no task of it could be placed."""
    next_try: float = 0.0
    """When ECS tries to place the next one."""


@dataclass
class Service:
    """A service: the newest rollout is the last one."""

    name: str
    definition: str
    desired: int
    placement: dict[str, Any]
    rollouts: list[Rollout] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    lost: bool = False
    """Whether no task of it can start."""
    missing: int = 0
    """For so many of its tasks ECS finds no room."""
    deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    events: list[tuple[float, str]] = field(default_factory=list)
    """What ECS has to say of it, and when, the last one last."""

    @property
    def revision(self) -> str:
        """The ARN of the newest revision of the service."""
        number = self.primary.id.rpartition("/")[2]
        return f"{ECS}:service-revision/web/{self.name}/{number}"

    @property
    def group(self) -> str:
        """The target group of its tasks, the first one of several."""
        return self.groups[0]

    @property
    def groups(self) -> tuple[str, ...]:
        """The target groups of its tasks, one for each port."""
        return tuple(str(one["targetGroupArn"]) for one in self.placement["loadBalancers"])

    @property
    def placeable(self) -> int:
        """How many of the tasks that it is asked for can run."""
        return 0 if self.lost else max(self.desired - self.missing, 0)

    @property
    def primary(self) -> Rollout:
        """The newest rollout."""
        return self.rollouts[-1]

    @property
    def status(self) -> Literal["ACTIVE", "DRAINING", "INACTIVE"]:
        """A deleted service is inactive once its tasks are stopping; they still run then."""
        if not self.deleted:
            return "ACTIVE"
        left = {task.status for task in self.tasks} - {"STOPPING", "STOPPED"}
        return "DRAINING" if left else "INACTIVE"

    def of(self, rollout: Rollout, *statuses: Status) -> list[Task]:
        """The tasks of a rollout in one of these states."""
        return [task for task in self.tasks if task.rollout == rollout.id and task.status in statuses]

    def described(self, *, tagged: bool = False) -> dict[str, Any]:
        """The service as DescribeServices tells of it; a task that drains counts as running no more.

        Some of its settings stand in its rollouts. Its tags are told to who asks for them.
        """
        settings = {key: value for key, value in self.placement.items() if key not in OF_A_ROLLOUT}
        of_rollout = {key: value for key, value in self.placement.items() if key in OF_A_ROLLOUT}
        tags = [{"key": key, "value": value} for key, value in self.tags.items()] if tagged else None
        rollouts = [
            {
                "id": rollout.id,
                "status": rollout.status,
                "taskDefinition": rollout.definition,
                "createdAt": START + timedelta(seconds=rollout.created),
                "desiredCount": self.desired if rollout.status == "PRIMARY" else 0,
                "runningCount": len(self.of(rollout, "RUNNING")),
                "pendingCount": len(self.of(rollout, "PROVISIONING")),
                "failedTasks": rollout.failed,
                "rolloutState": rollout.state,
                "rolloutStateReason": f"ECS deployment {rollout.id} is {rollout.state}.",
                **of_rollout,
            }
            for rollout in reversed(self.rollouts)
        ]
        return {
            **settings,
            **({"tags": tags} if tags is not None else {}),
            "schedulingStrategy": "REPLICA",
            "currentServiceRevisions": [{"arn": self.revision}],
            "serviceName": self.name,
            "serviceArn": f"{ECS}:service/web/{self.name}",
            "status": self.status,
            "taskDefinition": self.definition,
            "desiredCount": self.desired,
            "runningCount": sum(rollout["runningCount"] for rollout in rollouts),
            "pendingCount": sum(rollout["pendingCount"] for rollout in rollouts),
            "deployments": rollouts,
            "events": [
                {
                    "id": f"{self.name}-{at}",
                    "createdAt": START + timedelta(seconds=at),
                    "message": f"(service {self.name}) {said}",
                }
                for at, said in reversed(self.events[-MOST_EVENTS:])
            ],
        }
