"""The custom resource of a service's stack: what Crossfade made for the service goes when the stack goes.

Not a state of the workflow: CloudFormation calls it, and waits for the answer at the URL it gives.
"""

import json
import os
import time
import urllib.request
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from crossfade.aws.clients import client
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.probe import ProbeTasks
from crossfade.aws.slots import Slots
from crossfade.aws.specs import Specs
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.aws.traffic import Traffic
from crossfade.domain.errors import ServiceChanged
from crossfade.domain.launch import ECS_LAG
from crossfade.domain.spec import SLOTS, ServiceSpec, read_spec
from crossfade.domain.state import DELETION, State
from crossfade.handlers.step import logger, utc_now

SEIZING_TRIES = 10
RESERVE_MS = 20_000
"""Time kept for the answer: without one CloudFormation waits for the resource's ServiceTimeout."""
SETTLING = timedelta(seconds=4)
"""One look at what is left may come between two of ECS's answers: another one has to agree with it."""
REASON_CHARACTERS = 1_000
"""An answer has 4,096 bytes at most."""


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Answer CloudFormation: created and updated at once, deleted when everything is gone."""
    service = event["ResourceProperties"]["Service"]
    reason = ""
    try:
        if event["RequestType"] == "Delete":
            _remove(service, context)
    except Exception as error:  # whatever it is, CloudFormation must be told
        logger.exception("cleanup failed")
        reason = f"{type(error).__name__}: {error}"
    _answer(event, service, reason)


def _remove(service: str, context: LambdaContext) -> None:
    document = Specs(client("ssm"), os.environ["SPECS_PATH"]).get(service)
    if document is None:
        return
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    spec = _spec(service, document, journal)
    if spec is None:
        return
    settled = _stop_deployment(service, journal)
    _remove_rule(Traffic(client("elbv2"), spec), journal.state(service), context)
    _remove_tasks(spec, settled, context)
    TaskDefinitions(client("ecs")).deregister(spec)
    journal.forget(service)


def _remove_tasks(spec: ServiceSpec, settled: datetime, context: LambdaContext) -> None:
    """Delete both slots and stop the probes, and see every task end; until ``settled`` some may be unseen."""
    slots, probes = Slots(client("ecs"), spec), ProbeTasks(client("ecs"), spec)
    for slot in SLOTS:
        slots.delete(slot)
    while True:
        for task in probes.left():
            probes.stop(task)
        for slot in SLOTS:
            if slots.describe(slot):  # made so lately that the first try did not find it
                slots.delete(slot)
        left = [*slots.left(), *probes.left()]
        if not left and utc_now() >= settled:
            return
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            raise TimeoutError(f"{left or 'ECS'} did not come to rest in time; delete the stack again")
        time.sleep(2)


def _spec(service: str, document: str, journal: Journal) -> ServiceSpec | None:
    """The spec, however little it suits a deployment; None where it cannot be read and was never deployed."""
    try:
        return ServiceSpec.model_validate_json(document)
    except ValidationError:
        if journal.state(service) == State():
            return None
        read_spec(service, document)  # says what is wrong with it
        raise


def _remove_rule(traffic: Traffic, state: State, context: LambdaContext) -> None:
    """Remove the rule, also one that was made so lately that the load balancer does not tell of it yet."""
    while not traffic.remove() and state.may_hide_a_rule(utc_now()):
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            raise TimeoutError("the production rule was not seen in time; delete the stack again")
        time.sleep(2)


def _stop_deployment(service: str, journal: Journal) -> datetime:
    """Fence off whoever holds the service, and stop it; returns when ECS shows all that it has started."""
    state = _seize(service, journal)
    why = f"the stack of {service} is deleted"
    if state.warm:
        # It waits for hours to stop the old slot, and a state machine is not deleted while an execution runs.
        Executions(client("stepfunctions")).stop(state.warm.execution, why)
    written = [utc_now() + SETTLING, *([state.freed + ECS_LAG] if state.freed else [])]
    if state.deployment is None:
        return max(written)
    history = journal.history(service, state.deployment)
    deployment = history.plan.execution
    for execution in dict.fromkeys((deployment, state.holder or deployment)):
        if execution != DELETION:
            Executions(client("stepfunctions")).stop(execution, why)
    journal.abandon(service, state.deployment, why, utc_now())
    return max(written + [at + ECS_LAG for at in (history.launched, history.probe_asked) if at])


def _seize(service: str, journal: Journal) -> State:
    for _ in range(SEIZING_TRIES):
        try:
            return journal.seize(service, DELETION)
        except ServiceChanged:
            time.sleep(1)  # it was freed or claimed just now; nobody does that for long
    return journal.seize(service, DELETION)


def _answer(event: dict[str, Any], service: str, reason: str) -> None:
    body = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason[:REASON_CHARACTERS],
        "PhysicalResourceId": f"crossfade-{service}",
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own presigned URL
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass
