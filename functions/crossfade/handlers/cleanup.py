"""The custom resource of a service's stack: removes what Crossfade made for the service with the stack.

The journal's plans say what that is. The spec in SSM may be gone by then, malformed, or changed.

Not a state of the workflow: CloudFormation calls it, and waits for the answer at the URL it gives.
"""

import json
import os
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecs_services import Slots
from crossfade.aws.errors import error_code
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain.errors import ResourceGone, ServiceChanged
from crossfade.domain.journal import DELETION, State, deployed_unknown, not_removed
from crossfade.domain.slots import SLOTS
from crossfade.domain.spec.service import ServiceSpec, is_service_name
from crossfade.domain.tasks.launch import ECS_LAG
from crossfade.step import logger, utc_now

SEIZING_TRIES = 10
RESERVE_MS = 20_000
"""Time kept for the answer: without one CloudFormation waits for the resource's ServiceTimeout."""
SETTLING = timedelta(seconds=4)
"""One answer of ECS about what is left may be stale: look for this long at least."""
REASON_CHARACTERS = 1_000
"""An answer has 4,096 bytes at most."""
GONE = "ClusterNotFoundException"
"""With the cluster everything in it is gone."""


class Removal:
    """Removes one thing after the other; what cannot be removed is named, and the rest is still removed."""

    def __init__(self) -> None:
        self._left: dict[str, str] = {}

    def tries(self, what: str, remove: Callable[[], object]) -> bool:
        """Remove something, or remember why not; True where it is gone."""
        try:
            remove()
        except ClientError as error:
            if error_code(error) != GONE:
                self._left[what] = str(error)
        except ResourceGone:
            pass
        except (BotoCoreError, TimeoutError) as error:
            self._left[what] = str(error)
        return what not in self._left

    def refuse_left(self, service: str) -> None:
        """See that nothing was left.

        Raises
        ------
        NotRemoved
            Something was; it is named, with AWS's word on it.
        """
        if self._left:
            raise not_removed(service, self._left)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Answer CloudFormation: created and updated at once, deleted when everything is gone."""
    service = event["ResourceProperties"]["Service"]
    reason = ""
    try:
        if event["RequestType"] == "Delete":
            _remove(service, context)
        if event["RequestType"] == "Create":
            _begin_anew(service)
    except Exception as error:  # CloudFormation needs an answer in any case
        logger.exception("cleanup failed")
        reason = f"{type(error).__name__}: {error}"
    _answer(event, service, reason)


def _remove(service: str, context: LambdaContext) -> None:
    if not is_service_name(service):
        return  # nothing can have been deployed under it
    journal, removal = stack.journal(), Removal()
    settled = _stop_deployment(service, journal, removal)
    state = journal.state(service)
    if state.was_deployed:
        spec = _deployed_spec(service, journal)
        traffic = Traffic(client("elbv2"), spec)
        removal.tries("the production rule", partial(_remove_rule, traffic, state, context))
        _remove_tasks(spec, settled, context, removal)
        _deregister(spec, removal)
    removal.refuse_left(service)
    journal.holding.forget(service)


def _begin_anew(service: str) -> None:
    """Forget a service that a failed deletion of its stack still holds."""
    if is_service_name(service):
        journal = stack.journal()
        if journal.state(service).holder == DELETION:
            journal.holding.forget(service)


def _deployed_spec(service: str, journal: Journal) -> ServiceSpec:
    """The spec by which the service was deployed last.

    Raises
    ------
    DeployedUnknown
        The journal has no plan any more, and there is no spec that can be read either.
    """
    plan = journal.history.last_plan(service)
    if plan:
        return plan.spec
    document = stack.specs().get(service)
    try:
        return ServiceSpec.model_validate_json(document or "")
    except ValidationError as error:
        raise deployed_unknown(service, f"{os.environ['SPECS_PATH']}{service}") from error


def _remove_tasks(spec: ServiceSpec, settled: datetime, context: LambdaContext, removal: Removal) -> None:
    """Delete both slots and stop the probes, and see every task end; until ``settled`` some may be unseen.

    What AWS refuses to delete is not waited for.
    """
    slots, probes = Slots(client("ecs"), spec), ProbeTasks(client("ecs"), spec)
    going = [slot for slot in SLOTS if removal.tries(spec.slot_service(slot), partial(slots.delete, slot))]
    staying: set[str] = set()

    def end_tasks() -> None:
        while True:
            for task in probes.left():
                if task not in staying and not removal.tries(task, partial(probes.stop, task)):
                    staying.add(task)
            for slot in going:
                if slots.describe(slot):  # too new for the first try to find it
                    slots.delete(slot)
            left = [*slots.left(going), *(task for task in probes.left() if task not in staying)]
            if not left and utc_now() >= settled:
                return
            if context.get_remaining_time_in_millis() < RESERVE_MS:
                raise TimeoutError(f"{left or 'ECS'} did not settle in time")
            time.sleep(2)

    removal.tries(f"the tasks in {spec.cluster}", end_tasks)


def _deregister(spec: ServiceSpec, removal: Removal) -> None:
    """Deregister every release."""
    definitions = TaskDefinitions(client("ecs"))

    def each() -> None:
        for release in definitions.releases(spec):
            removal.tries(release, partial(definitions.deregister, release))

    removal.tries(f"the task definitions of {spec.service}", each)


def _remove_rule(traffic: Traffic, state: State, context: LambdaContext) -> None:
    """Remove the rule, also one that is too new for the load balancer to show it yet."""
    known = state.live_rule.arn if state.live_rule else None
    while not traffic.remove(known) and state.may_hide_a_rule(utc_now()):
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            raise TimeoutError("the load balancer did not show it in time")
        time.sleep(2)


def _stop_deployment(service: str, journal: Journal, removal: Removal) -> datetime:
    """Take the service from its holder and stop that execution; returns when ECS shows all that it started.

    Without the service the execution can write nothing more, even if it cannot be stopped.
    """
    state = _seize(service, journal)
    why = f"the stack of {service} is deleted"
    if state.waiting:
        line = stack.release_queue()
        line.drop(service, state.waiting, f"{state.waiting.version} waited, and {why}", utc_now())
    if state.warm:
        # It would wait for hours to stop the old slot, and keep its state machine from being deleted.
        _stop(state.warm.execution, why, removal)
    written = [utc_now() + SETTLING, *([state.freed + ECS_LAG] if state.freed else [])]
    if state.deployment is None:
        return max(written)
    history = journal.history.of(service, state.deployment)
    deployment = history.plan.execution
    for execution in dict.fromkeys((deployment, state.holder or deployment)):
        if execution != DELETION:
            _stop(execution, why, removal)
    journal.history.abandon(service, state.deployment, why, utc_now())
    return max(written + [at + ECS_LAG for at in (history.launched, history.probe_asked) if at])


def _stop(execution: str, why: str, removal: Removal) -> None:
    removal.tries(execution, partial(Executions(client("stepfunctions")).stop, execution, why))


def _seize(service: str, journal: Journal) -> State:
    for _ in range(SEIZING_TRIES):
        try:
            return journal.holding.seize(service, DELETION)
        except ServiceChanged:
            time.sleep(1)  # it was freed or claimed at the same time
    return journal.holding.seize(service, DELETION)


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
