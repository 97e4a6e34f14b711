"""What the deployed Crossfade says about itself, asked over the AWS API as anybody may ask it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from demo.cloud import Cloud, DemoFailed

EVIDENCE = ("certificate.json", "ledger.jsonl.gz", "report.html")
SLOTS = ("blue", "green")
# States that decide or wait for a moment say less than the work before them.
_SHOWN = ("TaskStateEntered", "SucceedStateEntered", "FailStateEntered")


@dataclass(frozen=True)
class Standing:
    """An execution at a moment: the state it is in; once it ended when, and with what error."""

    status: str
    state: str
    ended: datetime | None
    error: str | None
    cause: str | None


class Workflow:
    """The stack in a cloud: its executions, its live weights and its evidence."""

    def __init__(self, cloud: Cloud) -> None:
        self._stepfunctions = cloud.aws("stepfunctions")
        self._elbv2 = cloud.aws("elbv2")
        self._s3 = cloud.aws("s3")
        stack = cloud.aws("cloudformation").describe_stacks(StackName=cloud.stack)["Stacks"][0]
        self._outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        parameter = cloud.aws("ssm").get_parameter(Name=_spec_name(cloud))["Parameter"]
        self._spec: dict[str, Any] = json.loads(parameter["Value"])

    @property
    def url(self) -> str:
        """Where the service answers."""
        return str(self._outputs["ServiceUrl"])

    def execution(self, version: str) -> str | None:
        """The ARN of the execution that the push of this version started; None while there is none."""
        for arn, event in self._executions(self._outputs["DeployStateMachine"]):
            detail = event.get("detail", {})
            if (detail.get("repository-name"), detail.get("image-tag")) == (
                self._spec["release"]["repository"],
                version,
            ):
                return arn
        return None

    def standing(self, execution: str) -> Standing:
        """How the execution stands now."""
        found = self._stepfunctions.describe_execution(executionArn=execution)
        state = self._state(execution)
        if state == "RollBack" and found["status"] == "RUNNING":
            state = f"RollBack: {self._rollback_state(execution)}"
        return Standing(found["status"], state, found.get("stopDate"), found.get("error"), found.get("cause"))

    def trouble(self, execution: str) -> str | None:
        """The newest error in the execution's history; None when there is none."""
        for event in self._newest_events(execution):
            for details in event.values():
                if isinstance(details, dict) and "error" in details:
                    return f"{details['error']}: {details.get('cause', 'no cause given')}"
        return None

    def weights(self) -> dict[str, int] | None:
        """The live weights by slot, in percent; None while the production rule leads to the pattern alone."""
        shares = next(filter(None, map(self._shares, self._rules())), None)
        return {slot: shares.get(slot, 0) for slot in SLOTS} if shares else None

    def fetch_evidence(self, execution: str, folder: Path) -> None:
        """Copy what a deployment left to a folder. Raises DemoFailed when there are none."""
        deployment = execution.rsplit(":", 1)[-1]
        folder.mkdir(parents=True, exist_ok=True)
        for name in EVIDENCE:
            key = f"{self._spec['service']}/{deployment}/{name}"
            try:
                body = self._s3.get_object(Bucket=self._outputs["EvidenceBucket"], Key=key)["Body"].read()
            except ClientError as error:
                bucket = self._outputs["EvidenceBucket"]
                raise DemoFailed(f"There is no {key} in the evidence bucket {bucket}: {error}") from error
            (folder / name).write_bytes(body)

    def _rules(self) -> list[dict[str, Any]]:
        """The rules of the service's listener that clients come by, not those by a header."""
        (route,) = self._spec["traffic"]
        rules = self._elbv2.describe_rules(ListenerArn=route["listener"])["Rules"]
        return [
            rule
            for rule in rules
            if all(condition["Field"] != "http-header" for condition in rule["Conditions"])
        ]

    def _shares(self, rule: dict[str, Any]) -> dict[str, int]:
        """The weights of the slots in a rule; a slot's target group is named after it."""
        groups = rule["Actions"][-1].get("ForwardConfig", {}).get("TargetGroups", [])
        weights = {group["TargetGroupArn"]: group["Weight"] for group in groups}
        found = {arn: arn.split("/")[-2].rpartition("-")[2] for arn in weights}
        return {slot: weights[arn] for arn, slot in found.items() if slot in SLOTS}

    def _executions(self, state_machine: str) -> Iterator[tuple[str, dict[str, Any]]]:
        listed = self._stepfunctions.list_executions(stateMachineArn=state_machine)["executions"]
        for execution in sorted(listed, key=lambda each: each["startDate"], reverse=True):
            arn = execution["executionArn"]
            yield arn, json.loads(self._stepfunctions.describe_execution(executionArn=arn)["input"])

    def _rollback_state(self, execution: str) -> str:
        deployment = execution.rsplit(":", 1)[-1]
        for arn, asked in self._executions(self._outputs["RollbackStateMachine"]):
            if asked.get("deployment") == deployment:
                return self._state(arn)
        return "starting"

    def _state(self, execution: str) -> str:
        entered = (e for e in self._newest_events(execution, data=False) if e["type"] in _SHOWN)
        event = next(entered, None)
        return event["stateEnteredEventDetails"]["name"] if event else "starting"

    def _newest_events(self, execution: str, data: bool = True) -> list[dict[str, Any]]:
        history = self._stepfunctions.get_execution_history(
            executionArn=execution, reverseOrder=True, maxResults=50, includeExecutionData=data
        )
        events: list[dict[str, Any]] = history["events"]
        return events


def _spec_name(cloud: Cloud) -> str:
    """The SSM parameter that the sample service's stack has made."""
    cloudformation = cloud.aws("cloudformation")
    stack = cloud.stack
    for logical_id in ("Sample", "Spec"):
        found = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        stack = found["StackResourceDetail"]["PhysicalResourceId"]
    return str(stack)
