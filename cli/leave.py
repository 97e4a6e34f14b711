"""``crossfade leave``: hands a service back to its owner's ECS service, and removes what was made for it."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click
from botocore.exceptions import ClientError

from cli.account import Account
from cli.rights import NONE, Rights, deploy_line, owners_rules, parameters
from crossfade.aws.ecs_services import service_of
from crossfade.aws.errors import error_code
from crossfade.aws.executions import Executions
from crossfade.domain.errors import ServiceBusy
from crossfade.domain.journal import DELETION, State
from crossfade.domain.planning.plan import unknown_service
from crossfade.domain.spec.service import ServiceSpec, is_service_name, read_spec

POLL_SECONDS = 2.0
FREED = {"KeepWarm", "StopOldSlot", "StartNextAfterwards", "Reported"}
"""States in which the deployment is promoted and does not hold the service any more (deploy.asl.yaml)."""
BACK = {"NothingToLeave", "ReportNotWritten"}
"""Errors of a deployment after which the owner's service is live all the same."""

Say = Callable[[str], None]


class Left(NamedTuple):
    """What was removed, and what the owner has to do.

    ``image`` and ``tasks`` are what the owner's ECS service runs now, None where it is gone. ``parameters``
    are the values that Crossfade's stack is to have, ``command`` gives them.
    """

    removed: list[str]
    image: str | None
    tasks: int | None
    parameters: dict[str, str]
    command: str | None


def leave(account: Account, service: str, *, gone: bool, timeout: float, say: Say) -> Left:
    """Hand the service back and remove what was made for it; ``timeout`` in seconds is for the deployment.

    ``gone``: the owner's stack was deleted, so there is nothing to hand it back to.

    Raises
    ------
    click.ClickException
        The deployment failed, or took too long; or the removal failed. The text says what is live.
    ServiceBusy, UnknownService
        Another deployment holds the service; there is no such service.
    """
    if not is_service_name(service):
        raise click.BadParameter(f"{service!r} is not a service's name", param_hint="SERVICE")
    document, state = account.specs().get(service), account.journal().state(service)
    if document is None and not state.was_deployed and not gone:
        raise unknown_service(service, list(account.specs().all()), account.stack.specs_path)
    spec = read_spec(service, document) if document and not gone else None
    # A removal that has begun lets no deployment change anything any more.
    if spec and state.holder != DELETION:
        _hand_back(account, service, state, timeout, say)
    image, tasks = _running(account, spec) if spec else (None, None)
    say("Crossfade removes what it made")
    removed = _removed(account, service, gone=gone)
    _forget(account, service)
    values = parameters(account.stack, NONE, _given(spec)) if spec else {}
    return Left(removed, image, tasks, values, deploy_line(account.stack, values) if values else None)


def _hand_back(account: Account, service: str, state: State, timeout: float, say: Say) -> None:
    """Deploy what is live into the owner's service, and see it through."""
    execution = _under_way(account, service, state) or _started(account, service)
    say(f"The deployment that hands {service} back: {execution}")
    deadline, last = time.monotonic() + timeout, ""
    executions = Executions(account.client("stepfunctions"))
    while True:
        entered = executions.entered(execution) or last
        if entered != last:
            say(f"{datetime.now(UTC):%H:%M:%S}  {entered}")
            last = entered
        if entered in FREED or _ended(account, execution, say):
            return
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"The deployment is still at {last or 'its beginning'} after {timeout:g} s, and goes on: "
                f"{execution}. Call crossfade leave {service} again to wait for it and to go on."
            )
        time.sleep(POLL_SECONDS)


def _under_way(account: Account, service: str, state: State) -> str | None:
    """The execution that hands the service back already: an earlier wait for it was ended."""
    if state.holder is None:
        return None
    try:
        found = account.client("stepfunctions").describe_execution(executionArn=state.holder)
        asked = json.loads(found["input"])
    except ClientError as error:
        if error_code(error) != "ExecutionDoesNotExist":
            raise
        asked = {}
    if isinstance(asked, dict) and asked.get("leave") is True:
        return state.holder
    raise ServiceBusy(
        f"{state.holder} is at work on {service}. Wait until it ends, then call crossfade leave again."
    )


def _started(account: Account, service: str) -> str:
    answer = account.client("stepfunctions").start_execution(
        stateMachineArn=account.stack.deploy_machine, input=json.dumps({"service": service, "leave": True})
    )
    return str(answer["executionArn"])


def _ended(account: Account, execution: str, say: Say) -> bool:
    """Whether the deployment has ended, with the owner's service live.

    Raises
    ------
    click.ClickException
        It has ended in another way.
    """
    try:
        found = account.client("stepfunctions").describe_execution(executionArn=execution)
    except ClientError as error:
        # Step Functions may not show what has just begun (documentation of DescribeExecution).
        if error_code(error) != "ExecutionDoesNotExist":
            raise
        return False
    if found["status"] == "RUNNING":
        return False
    if found["status"] == "SUCCEEDED":
        output = json.loads(found.get("output") or "{}")
        if output.get("outcome") == "promoted":
            return True
        raise click.ClickException(f"The deployment handed nothing back: {output.get('reason', output)}")
    if found.get("error") in BACK:
        say(f"{found['error']}: {found.get('cause', '')}")
        return True
    raise click.ClickException(
        f"The deployment that was to hand the service back ended {found['status']}: {found.get('error', '')} "
        f"{found.get('cause', '')} Nothing was removed; what was live before is live."
    )


def _running(account: Account, spec: ServiceSpec) -> tuple[str | None, int | None]:
    """Image and count of the owner's service: of what is released among the containers that are reached."""
    ecs = account.client("ecs")
    service = service_of(ecs, spec, spec.pattern_service)
    if service is None or service["status"] != "ACTIVE":
        return None, None
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    images = {one["name"]: str(one["image"]) for one in definition["containerDefinitions"]}
    reached = [images.get(one["containerName"], "") for one in service["loadBalancers"]]
    released = [image for image in reached if f"/{spec.release.repository}" in image]
    image, tags = [*released, *reached][0], definition_tags(ecs, service["taskDefinition"])
    version = tags.get("crossfade:version")
    return f"{image.partition('@')[0]}:{version}" if version else image, service["desiredCount"]


def definition_tags(ecs: Any, definition: str) -> dict[str, str]:
    """The tags of a task definition; Crossfade's tell the release, whose image is named by its digest."""
    answer = ecs.describe_task_definition(taskDefinition=definition, include=["TAGS"])
    return {tag["key"]: tag.get("value", "") for tag in answer.get("tags", [])}


def _removed(account: Account, service: str, *, gone: bool) -> list[str]:
    asked = {"service": service, "leave": True, **({"gone": True} if gone else {})}
    answer = account.client("lambda").invoke(
        FunctionName=account.stack.cleanup_function, Payload=json.dumps(asked).encode()
    )
    said: dict[str, Any] = json.loads(answer["Payload"].read() or b"{}") or {}
    if answer.get("FunctionError"):
        raise click.ClickException(f"{said.get('errorType', 'Error')}: {said.get('errorMessage', said)}")
    return [str(one) for one in said.get("removed", [])]


def _forget(account: Account, service: str) -> None:
    try:
        account.client("ssm").delete_parameter(Name=f"{account.stack.specs_path}{service}")
    except ClientError as error:
        if error_code(error) != "ParameterNotFound":
            raise


def _given(spec: ServiceSpec) -> Rights:
    """What was given for this service alone; roles may be those of others as well."""
    return Rights((spec.like, *owners_rules(spec)), ())
