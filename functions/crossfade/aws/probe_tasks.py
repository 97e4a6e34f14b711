"""The probe task: started for each deployment, once more if it dies, and stopped at the end."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from crossfade.aws.ecs_services import awsvpc, stop_reason
from crossfade.aws.errors import error_code
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.preparation import LIVE, PATTERN, SECRET
from crossfade.domain.slots import SLOTS
from crossfade.domain.spec.service import DEPLOYMENT_SECONDS, ServiceSpec
from crossfade.domain.tasks.launch import ECS_LAG
from crossfade.domain.tasks.reasons import said
from crossfade.domain.traffic.rule import HEADER

TIMEOUT_SECONDS = 5
ATTEMPTS = (1, 2)
"""A probe that has died is started once more."""
NO_CLUSTER = "ClusterNotFoundException"
"""The cluster is gone, and no task of it runs."""


class Asked(NamedTuple):
    """The probe task's ARN; None where ECS has no place for it, and ``refusal`` says why in ECS's words."""

    task: str | None
    refusal: str = ""


class ProbeTasks:
    """Runs probe tasks through a boto3 ``ecs`` client."""

    def __init__(self, ecs: Any, spec: ServiceSpec) -> None:
        self._ecs = ecs
        self._spec = spec

    def start(
        self, plan: HeldPlan, attempt: int, ask: int, *, task_definition: str, container: str, log_group: str
    ) -> Asked:
        """Run the probe task of an execution's attempt; a second start of the same finds the first.

        ``ask`` numbers the requests for it, because AWS repeats its answer to the same request, even that
        there is no place. The next request may be made only after that answer, or two probes would run.
        """
        name = _started_by(plan.holder, attempt)
        running = self._running(name)
        if running:
            return Asked(running[0])
        answer = self._ecs.run_task(
            cluster=self._spec.cluster,
            taskDefinition=task_definition,
            launchType="FARGATE",
            startedBy=name,
            clientToken=f"{name}-{ask}",
            networkConfiguration={
                "awsvpcConfiguration": awsvpc(plan.spec.probe.network or plan.spec.pattern.network)
            },
            overrides={
                "containerOverrides": [{"name": container, "environment": self._environment(plan, log_group)}]
            },
        )
        if not answer["tasks"]:
            reasons = "; ".join(failure.get("reason", "no reason given") for failure in answer["failures"])
            return Asked(None, said(reasons))
        return Asked(str(answer["tasks"][0]["taskArn"]))

    def stopped(self, task: str, *, asked: datetime | None, now: datetime) -> str | None:
        """Why the probe task stopped; None while it runs or starts, or ECS need not show it yet.

        ``asked`` is when a probe was last asked for; None if that is not known.
        """
        found = self._described(task)
        if not found:
            return None if asked and now < asked + ECS_LAG else "ECS no longer knows the task"
        return stop_reason(found[0]) if found[0]["desiredStatus"] == "STOPPED" else None

    def stop_all(self, executions: Iterable[str]) -> list[str]:
        """Stop every probe task that ECS shows these executions have started; harmless when none runs."""
        tasks = [
            task
            for execution in executions
            for attempt in ATTEMPTS
            for task in self._running(_started_by(execution, attempt))
        ]
        return [task for task in tasks if self.stop(task)]

    def among(self, tasks: Iterable[Mapping[str, Any]], secret: str) -> list[str]:
        """Those of the cluster's tasks that are probes of this service, of any execution.

        ``secret`` is the SSM parameter that its probes are given: another Crossfade's have another one.
        """
        return [str(task["taskArn"]) for task in tasks if secret in _secrets(task)]

    def stop(self, task: str) -> bool:
        """Stop a probe task; harmless when it has stopped. False: ECS does not know it."""
        try:
            self._ecs.stop_task(cluster=self._spec.cluster, task=task, reason="The deployment has ended")
        except ClientError as error:
            # ECS forgets stopped tasks after an hour or so, and may not know one that was just started.
            if error_code(error) not in {"InvalidParameterException", NO_CLUSTER}:
                raise
            return False
        return True

    def _described(self, task: str) -> list[dict[str, Any]]:
        """A task as ECS shows it, alone in a list; nothing where it shows none."""
        try:
            return list(self._ecs.describe_tasks(cluster=self._spec.cluster, tasks=[task])["tasks"])
        except ClientError as error:
            if error_code(error) != NO_CLUSTER:
                raise
            return []

    def _running(self, name: str) -> list[str]:
        try:
            found = self._ecs.list_tasks(cluster=self._spec.cluster, startedBy=name)["taskArns"]
        except ClientError as error:
            if error_code(error) != NO_CLUSTER:
                raise
            return []
        return [str(task) for task in found]

    def _environment(self, plan: Plan, log_group: str) -> list[dict[str, str]]:
        values = {
            "PROBE_DEPLOYMENT": plan.deployment,
            "PROBE_LOG_GROUP": log_group,
            "PROBE_LOG_STREAM": plan.ledger,
            # The probe ends by itself, even if no execution is left to stop it.
            "PROBE_DEADLINE_SECONDS": str(DEPLOYMENT_SECONDS),
            "PROBE_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
            "PROBE_LANES": json.dumps(self._lanes(plan)),
            # Not the secret itself: who may see tasks sees their environment.
            "PROBE_SECRET_PARAMETER": plan.spec.preview_secret,
        }
        if len(plan.spec.asked_paths) > 1:
            # Once for all lanes: ECS admits 8,192 characters of overrides.
            values["PROBE_PATHS"] = json.dumps([asked.model_dump() for asked in plan.spec.asked_paths])
        return [{"name": name, "value": value} for name, value in values.items()]

    def _lanes(self, plan: Plan) -> list[dict[str, Any]]:
        """Production counts from the first request where a stable slot serves it; a slot once it answers.

        All ask the same address. Where the owner's service takes a slot's place, it is met by a rule of its
        own. Behind a login production is met by a rule that leads where users get to.
        """
        spec = plan.spec
        common = {
            "connect_to": spec.probe.connect_to,
            "version_from": spec.version.from_.text,
            "ok": list(spec.version.ok),
        }
        production = {
            **common,
            "name": "production",
            "url": spec.probe.url + spec.version.path,
            "headers": spec.probe.headers | ({HEADER: f"{SECRET}-{LIVE}"} if spec.login_bypass else {}),
            "rate": spec.probe.production_rate,
            "starts": "at_once" if plan.stable else "when_answered",
            "pauses": False,
        }
        roles = {slot: PATTERN if slot == spec.origin else slot for slot in SLOTS}
        slots = [
            {
                **common,
                "name": slot,
                "url": spec.probe.url + spec.version.path,
                "headers": spec.probe.headers | {HEADER: f"{SECRET}-{roles[slot]}"},
                "rate": spec.probe.slot_rate,
                "starts": "at_once" if slot == plan.stable else "when_answered",
                "pauses": True,
            }
            for slot in SLOTS
        ]
        return [production, *slots]


def _secrets(task: Mapping[str, Any]) -> list[str]:
    """The parameters of secrets that a task is given: one for a probe, none for any other task."""
    return [
        variable["value"]
        for container in task.get("overrides", {}).get("containerOverrides", [])
        for variable in container.get("environment", [])
        if variable["name"] == "PROBE_SECRET_PARAMETER"
    ]


def _started_by(execution: str, attempt: int) -> str:
    # Execution names may hold characters that ECS refuses here, and be longer than it takes.
    return f"crossfade-{hashlib.sha256(execution.encode()).hexdigest()[:36]}-{attempt}"
