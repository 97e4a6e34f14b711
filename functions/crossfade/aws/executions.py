"""Executions of the state machines."""

import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.admission import ENDED

GONE = {"ExecutionDoesNotExist", "InvalidArn"}
ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}


class Executions:
    """Starts, reads and stops executions through a boto3 ``stepfunctions`` client."""

    def __init__(self, stepfunctions: Any) -> None:
        self._stepfunctions = stepfunctions

    def transitions(self, executions: Iterable[str]) -> int | None:
        """How many states the executions have entered so far, which is what AWS bills.

        None where Step Functions does not know one of them any more: it forgets them after 90 days.
        """
        pager = self._stepfunctions.get_paginator("get_execution_history")
        count = 0
        try:
            for execution in executions:
                for page in pager.paginate(executionArn=execution, includeExecutionData=False):
                    count += sum(event["type"].endswith("StateEntered") for event in page["events"])
        except ClientError as error:
            if error_code(error) not in GONE:
                raise
            return None
        return count

    def runs(self, execution: str) -> bool | None:
        """Whether an execution runs; None where Step Functions does not know it.

        The answer may be some seconds old: what has ended may still be said to run, and what has just begun
        may be unknown.
        """
        try:
            found = self._stepfunctions.describe_execution(executionArn=execution)
        except ClientError as error:
            if error_code(error) in GONE:
                return None
            raise
        return str(found["status"]) == "RUNNING"

    def entered(self, execution: str) -> str | None:
        """The state that an execution has entered last, ``ENDED`` when it has ended.

        None where Step Functions does not know it. The answer may be some seconds old.
        """
        try:
            found = self._stepfunctions.get_execution_history(
                executionArn=execution, reverseOrder=True, maxResults=100, includeExecutionData=False
            )
        except ClientError as error:
            if error_code(error) in GONE:
                return None
            raise
        for event in found["events"]:
            if event["type"] in ENDS:
                return ENDED
            if "stateEnteredEventDetails" in event:
                return str(event["stateEnteredEventDetails"]["name"])
        return None

    def start(self, machine: str, name: str, asked: dict[str, Any]) -> bool:
        """Start an execution; False where one of that name was started before, as long as AWS knows it."""
        try:
            self._stepfunctions.start_execution(
                stateMachineArn=machine, name=name, input=json.dumps(asked, sort_keys=True)
            )
        except ClientError as error:
            if error_code(error) != "ExecutionAlreadyExists":
                raise
            return False
        return True

    def stop(self, execution: str, cause: str) -> None:
        """Stop an execution; harmless when it has ended."""
        try:
            self._stepfunctions.stop_execution(executionArn=execution, error="Stopped", cause=cause)
        except ClientError as error:
            if error_code(error) not in GONE | {"ValidationException"}:
                raise
