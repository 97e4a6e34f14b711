"""Step Functions of the sandbox: executions as they run, as they end, and what they went through."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3

from faults.law import READS
from tests.sandbox.patience import until
from tests.sandbox.shell import Shell, machine_arn
from tests.statemachine.definitions import strings


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


class Executions(Shell):
    """The shell with boto3 at hand, to look at executions."""

    def client(self, service: str) -> Any:
        """A boto3 client of the sandbox."""
        if service not in self._clients:
            self._clients[service] = self.client_of(self.session(), service)
            self._clients[service].meta.events.register("provide-client-params", self._hear)
        return self._clients[service]

    def _hear(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """What a test writes by itself is said by a person too."""
        if not model.name.startswith(READS):
            self.said += strings(params)

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
    def _inputs(self) -> dict[str, str]:
        return {}

    def executions(self, machine: str) -> list[str]:
        """The ARNs of a state machine's executions, the newest first."""
        pages = self.client("stepfunctions").get_paginator("list_executions")
        found = [
            execution
            for page in pages.paginate(stateMachineArn=machine_arn(machine, self.stack))
            for execution in page["executions"]
        ]
        found.sort(key=lambda execution: execution["startDate"], reverse=True)
        return [execution["executionArn"] for execution in found]

    def started_by_push(self, repository: str, tag: str) -> str:
        """The execution that the push of a tag has started, once it is there."""

        def pushed(asked: dict[str, Any]) -> bool:
            detail = asked.get("detail", {})
            return (detail.get("repository-name"), detail.get("image-tag")) == (repository, tag)

        return self.started("deploy", pushed, f"an execution for the push of {repository}:{tag}")

    def started(self, machine: str, fits: Callable[[dict[str, Any]], bool], what: str) -> str:
        """The newest execution of a state machine whose input fits, once it is there."""

        def look() -> str | None:
            inputs = ((arn, self.input_of(arn)) for arn in self.executions(machine))
            return next((arn for arn, asked in inputs if isinstance(asked, dict) and fits(asked)), None)

        return until(look, what)

    def entered(self, arn: str) -> list[str]:
        """The states that an execution has entered so far, in their order."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history")
        asked = {"executionArn": arn, "includeExecutionData": False, "maxResults": 1000}
        return [
            event["stateEnteredEventDetails"]["name"]
            for page in pages.paginate(**asked)
            for event in page["events"]
            if event["type"].endswith("StateEntered")
        ]

    def spans(self, arn: str, state: str) -> list[tuple[float, float]]:
        """When an execution that has ended was in a state, each time, in seconds since the epoch."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history")
        spans, entered = [], 0.0
        for page in pages.paginate(executionArn=arn):
            for event in page["events"]:
                at = event["timestamp"].timestamp()
                if event.get("stateEnteredEventDetails", {}).get("name") == state:
                    entered = at
                elif event.get("stateExitedEventDetails", {}).get("name") == state:
                    spans.append((entered, at))
        return spans

    def input_of(self, arn: str) -> Any:
        """An execution's input, which stays as it is: each is read once."""
        if arn not in self._inputs:
            self._inputs[arn] = self.client("stepfunctions").describe_execution(executionArn=arn)["input"]
        return json.loads(self._inputs[arn])

    def status(self, arn: str) -> str:
        """What Step Functions says of an execution now."""
        return str(self.client("stepfunctions").describe_execution(executionArn=arn)["status"])

    def ended(self, arn: str) -> Execution:
        """The execution, once it has ended."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
            return found if found["status"] != "RUNNING" else None

        found = until(look, f"the end of {arn}", every=0.5)
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

        def look() -> bool:
            states, names = self.client("stepfunctions"), ("deploy", "rollback")
            arns = [machine_arn(name, self.stack) for name in names]
            asked = [{"stateMachineArn": arn, "statusFilter": "RUNNING"} for arn in arns]
            return not any(states.list_executions(**each)["executions"] for each in asked)

        until(look, "all executions to end")

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
