"""Executions of the state machines."""

from collections.abc import Iterable
from typing import Any


class Executions:
    """Reads executions through a boto3 ``stepfunctions`` client."""

    def __init__(self, stepfunctions: Any) -> None:
        self._stepfunctions = stepfunctions

    def transitions(self, executions: Iterable[str]) -> int:
        """How many states the executions have entered so far, which is what AWS bills."""
        pager = self._stepfunctions.get_paginator("get_execution_history")
        return sum(
            event["type"].endswith("StateEntered")
            for execution in executions
            for page in pager.paginate(executionArn=execution, includeExecutionData=False)
            for event in page["events"]
        )
