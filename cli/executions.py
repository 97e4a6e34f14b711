"""Executions of the state machine that deploys, as Step Functions shows them to a person."""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from cli.account import Account
from crossfade.aws.errors import error_code
from crossfade.aws.executions import GONE

MOST_LISTED, MOST_READ = 1_000, 100
"""Of the executions since a push: how many are listed, and how many of these are asked for their input."""


class Execution(NamedTuple):
    """An execution; ``status`` is Step Functions' word. ``output`` is empty while it runs."""

    arn: str
    status: str
    began: datetime
    ended: datetime | None
    asked: Any
    output: dict[str, Any]
    error: str
    cause: str

    @property
    def name(self) -> str:
        """Its name, which is the deployment's."""
        return name_of(self.arn)

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self.status == "RUNNING"


def name_of(arn: str) -> str:
    """The name of an execution, by its ARN."""
    return arn.rsplit(":", 1)[-1]


def execution_arn(machine: str, name: str) -> str:
    """The ARN of a state machine's execution of that name."""
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def described(account: Account, arn: str) -> Execution | None:
    """An execution; None where Step Functions does not know it: not yet, or not any more after 90 days."""
    try:
        found = account.client("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        if error_code(error) not in GONE:
            raise
        return None
    output = json.loads(found.get("output") or "{}")
    return Execution(
        arn=arn,
        status=str(found["status"]),
        began=found["startDate"],
        ended=found.get("stopDate"),
        asked=json.loads(found.get("input") or "{}"),
        output=output if isinstance(output, dict) else {},
        error=found.get("error", ""),
        cause=found.get("cause", ""),
    )


def since(account: Account, moment: datetime) -> Iterator[Execution]:
    """The executions of the state machine that deploys since then, the newest first, as far as ``MOST_READ``.

    Each push in the account starts one, for whatever service or for none.
    """
    pages = account.client("stepfunctions").get_paginator("list_executions")
    listed = pages.paginate(
        stateMachineArn=account.stack.deploy_machine, PaginationConfig={"MaxItems": MOST_LISTED}
    )
    found = [one for page in listed for one in page["executions"] if one["startDate"] >= moment]
    found.sort(key=lambda one: one["startDate"], reverse=True)
    for one in found[:MOST_READ]:
        if execution := described(account, one["executionArn"]):
            yield execution


def start(account: Account, asked: dict[str, Any]) -> str:
    """Start a deployment; its execution's ARN. Its name makes a call that is repeated start no second one."""
    answer = account.client("stepfunctions").start_execution(
        stateMachineArn=account.stack.deploy_machine, name=str(uuid.uuid4()), input=json.dumps(asked)
    )
    return str(answer["executionArn"])
