"""The sandbox as its users see it: a shell to act with, and boto3 to look at what is live."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ClientError

from tests.sandbox.shell import SERVICE, STACK, Shell, machine_arn

PATIENCE = 150.0
"""Seconds that a wait may take before the test fails. Long: the machine may be busy with other things."""

Weights = tuple[int, int]
Counts = tuple[int, int]
Found = TypeVar("Found")


def until(condition: Callable[[], Found | None], what: str, seconds: float = PATIENCE) -> Found:
    """The condition's first value that is not None; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found is not None:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.2)


@dataclass(frozen=True)
class Execution:
    """An execution that has ended; ``seconds`` is how long it took."""

    arn: str
    status: str
    error: str
    cause: str
    output: dict[str, Any]
    seconds: float

    @property
    def name(self) -> str:
        """The execution's name, which is the deployment's."""
        return self.arn.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class Snapshot:
    """What a deployment may change. Weights are (blue, green); None: no production rule."""

    weights: Weights | None
    desired: dict[str, int]
    releases: list[str]
    tasks: list[str]
    journal: list[str]
    holder: str | None


class Cloud(Shell):
    """AWS on this machine, with the stack `crossfade` in it."""

    def delete_stack(self, arn: str) -> None:
        """Delete a stack and wait until it is gone."""
        self.aws("cloudformation", "delete-stack", "--stack-name", arn)

        def look() -> bool | None:
            try:
                found = self.client("cloudformation").describe_stacks(StackName=arn)["Stacks"][0]
            except ClientError:  # by its name, a deleted stack is unknown
                return True
            assert found["StackStatus"] != "DELETE_FAILED", found.get("StackStatusReason")
            return True if found["StackStatus"] == "DELETE_COMPLETE" else None

        until(look, f"the end of stack {arn}")

    # ---- executions ------------------------------------------------------------------------------------

    def executions(self, machine: str) -> list[str]:
        """The ARNs of a state machine's executions, the newest first."""
        pages = self.client("stepfunctions").get_paginator("list_executions")
        found = [
            execution
            for page in pages.paginate(stateMachineArn=machine_arn(machine))
            for execution in page["executions"]
        ]
        found.sort(key=lambda execution: execution["startDate"], reverse=True)
        return [execution["executionArn"] for execution in found]

    def started_by_push(self, repository: str, tag: str) -> str:
        """The execution that the push of a tag has started, once it is there."""

        def look() -> str | None:
            for arn in self.executions("deploy"):
                asked = self.input_of(arn)
                detail = asked.get("detail", {}) if isinstance(asked, dict) else {}
                if (detail.get("repository-name"), detail.get("image-tag")) == (repository, tag):
                    return arn
            return None

        return until(look, f"an execution for the push of {repository}:{tag}")

    def input_of(self, arn: str) -> Any:
        """An execution's input."""
        return json.loads(self.client("stepfunctions").describe_execution(executionArn=arn)["input"])

    def ended(self, arn: str) -> Execution:
        """The execution, once it has ended."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
            return found if found["status"] != "RUNNING" else None

        found = until(look, f"the end of {arn}")
        return Execution(
            arn=arn,
            status=found["status"],
            error=found.get("error", ""),
            cause=found.get("cause", ""),
            output=json.loads(found.get("output") or "{}"),
            seconds=(found["stopDate"] - found["startDate"]).total_seconds(),
        )

    def settled(self) -> None:
        """Wait until no execution runs: every failed one starts a rollback that looks what there is to do."""

        def look() -> bool | None:
            states, names = self.client("stepfunctions"), ("deploy", "rollback")
            asked = [{"stateMachineArn": machine_arn(name), "statusFilter": "RUNNING"} for name in names]
            return None if any(states.list_executions(**each)["executions"] for each in asked) else True

        until(look, "all executions to end")

    # ---- what is live ----------------------------------------------------------------------------------

    def client(self, service: str) -> Any:
        """A boto3 client of the sandbox."""
        if service not in self._clients:
            self._clients[service] = self.client_of(self.session(), service)
        return self._clients[service]

    def client_of(self, session: Any, service: str) -> Any:
        """A boto3 client of the sandbox with a session's credentials."""
        return session.client(service, endpoint_url=self.endpoint)

    def session(self, key: str = "test", secret: str = "test", token: str | None = None) -> boto3.Session:
        """A boto3 session with these credentials."""
        return boto3.Session(key, secret, token, region_name="us-east-1")

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The sample service's spec, as its stack wrote it."""
        found = self.client("ssm").get_parameter(Name=f"/crossfade/services/{SERVICE}")["Parameter"]["Value"]
        return dict(json.loads(found))

    def rule(self) -> dict[str, Any] | None:
        """The production rule; None when there is none."""
        rules = self.client("elbv2").describe_rules(ListenerArn=self.spec["listener"])["Rules"]
        priority = str(self.spec["rule_priority"])
        return next((rule for rule in rules if rule["Priority"] == priority), None)

    def weights(self) -> Weights | None:
        """The live weights of blue and green; None when there is no production rule."""
        rule = self.rule()
        if rule is None:
            return None
        groups = rule["Actions"][-1]["ForwardConfig"]["TargetGroups"]
        found = {group["TargetGroupArn"]: group["Weight"] for group in groups}
        return found[self.spec["target_groups"]["blue"]], found[self.spec["target_groups"]["green"]]

    def slots(self) -> dict[str, dict[str, Any]]:
        """The ECS services of the slots that have one, by slot."""
        names = {f"{SERVICE}-{slot}": slot for slot in ("blue", "green")}
        found = self.client("ecs").describe_services(cluster=self.spec["cluster"], services=list(names))
        return {
            names[service["serviceName"]]: service
            for service in found["services"]
            if service["status"] == "ACTIVE"
        }

    def desired(self) -> Counts:
        """How many tasks blue and green are to run."""
        slots = self.slots()
        blue, green = (slots.get(slot, {}).get("desiredCount", 0) for slot in ("blue", "green"))
        return blue, green

    def running(self) -> Counts:
        """How many tasks blue and green run."""
        slots = self.slots()
        blue, green = (slots.get(slot, {}).get("runningCount", 0) for slot in ("blue", "green"))
        return blue, green

    def image_of(self, slot: str) -> str:
        """The image that a slot's task definition names."""
        arn = self.slots()[slot]["taskDefinition"]
        found = self.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        return str(found["containerDefinitions"][0]["image"])

    def journal(self) -> dict[str, dict[str, Any]]:
        """The journal's items of the sample service, by their key."""
        items = self.client("dynamodb").scan(TableName=self.outputs["Journal"], ConsistentRead=True)["Items"]
        return {item["item"]["S"]: item for item in items if item["service"]["S"] == SERVICE}

    def holder(self) -> str | None:
        """Who holds the sample service; None when it is free."""
        found = self.journal().get("state", {}).get("holder")
        return str(found["S"]) if found else None

    def snapshot(self) -> Snapshot:
        """Everything that a deployment may change, to be compared."""
        ecs = self.client("ecs")
        return Snapshot(
            weights=self.weights(),
            desired={slot: service["desiredCount"] for slot, service in self.slots().items()},
            releases=ecs.list_task_definitions(familyPrefix=SERVICE, status="ACTIVE")["taskDefinitionArns"],
            tasks=sorted(ecs.list_tasks(cluster=self.spec["cluster"])["taskArns"]),
            journal=sorted(self.journal()),
            holder=self.holder(),
        )

    # ---- evidence ---------------------------------------------------------------------------------------

    def evidence(self, deployment: str, name: str) -> bytes:
        """A document of a deployment in the evidence bucket."""
        key = f"{SERVICE}/{deployment}/{name}"
        answer = self.client("s3").get_object(Bucket=self.outputs["EvidenceBucket"], Key=key)
        return bytes(answer["Body"].read())

    def certificate(self, deployment: str) -> dict[str, Any] | None:
        """A deployment's certificate; None when it has none."""
        try:
            return dict(json.loads(self.evidence(deployment, "certificate.json")))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None

    def last_states(self, machine: str, count: int = 2) -> str:
        """How the newest executions of a state machine went, for a person who looks at a failure."""
        lines = []
        for arn in self.executions(machine)[:count]:
            found = self.client("stepfunctions").describe_execution(executionArn=arn)
            lines.append(f"{arn} {found['status']} {found.get('error', '')} {found.get('cause', '')}")
            lines.append(f"  input {found['input'][:200]}")
            lines += [f"  {line}" for line in self._states(arn)]
        return "\n".join(lines)

    def _states(self, arn: str) -> list[str]:
        history = self.client("stepfunctions").get_execution_history(
            executionArn=arn, reverseOrder=True, maxResults=40
        )
        lines = []
        for event in reversed(history["events"]):
            detail: dict[str, str] = next(
                (value for key, value in event.items() if key.endswith("EventDetails")), {}
            )
            if event["type"].endswith(("StateEntered", "Failed", "TimedOut", "Aborted")):
                text = detail.get("name") or f"{detail.get('error', '')} {detail.get('cause', '')[:600]}"
                lines.append(f"{event['timestamp']:%H:%M:%S} {event['type']} {text}")
        return lines
