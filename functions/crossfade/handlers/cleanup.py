"""The custom resource of a service's stack: prepares the service, and removes what Crossfade made for it.

It prepares when the resource is created or updated, and removes when it is deleted. The journal's plans say
what is to be removed: the spec in SSM may be gone by then, malformed, or changed. ``crossfade leave`` invokes
it as well, with ``{"service": "web", "leave": true}``, and is answered what was removed. Where that says
``"gone": true`` too, clients may still be sent to a slot: the owner's service was deleted, and cannot have
them back. Terraform's ``aws_lambda_invocation`` with ``lifecycle_scope = "CRUD"`` adds ``"tf": {"action"}``
to its input: ``create`` and ``update`` prepare, ``delete`` is a leave. It stops where a function fails, so
errors are raised.

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
from crossfade.aws.ecs_services import OwnServices, unfinished_tasks
from crossfade.aws.errors import error_code
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.preparation import Preparation
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.aws.scaling_copies import OwnScaling
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain.errors import (
    NotPrepared,
    NotYetVisible,
    ResourceGone,
    ServiceBusy,
    ServiceChanged,
    UnknownService,
)
from crossfade.domain.journal import DELETION, State, deployed_unknown, not_removed, refuse_just_written
from crossfade.domain.planning.plan import Plan
from crossfade.domain.preparation import Names, Step, handing_back, refuse_live, removal
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.placed import Placed
from crossfade.domain.spec.service import ServiceSpec, is_service_name, read_spec
from crossfade.domain.tasks.launch import ECS_LAG
from crossfade.domain.tasks.scaling_copy import alarm_prefix
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
IN_USE = "ResourceInUse"
IN_USE_TRIES = 10


class Removal:
    """Removes one thing after the other; what cannot be removed is named, and the rest is still removed."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self._left: dict[str, str] = {}

    def tries(self, what: str, remove: Callable[[], object]) -> bool:
        """Remove something, or remember why not; True where it is gone."""
        gone = self.sees_to(what, remove)
        if gone and what not in self.removed:
            self.removed.append(what)
        return gone

    def sees_to(self, what: str, act: Callable[[], object]) -> bool:
        """Do what removes nothing by itself, or remember why not; True where it was done."""
        try:
            act()
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
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[str]] | None:
    """Answer CloudFormation, Terraform or a person when the service is prepared, or everything is gone."""
    action = event.get("tf", {}).get("action")
    if event.get("leave") is True or action == "delete":
        return {"removed": _leave(str(event["service"]), context, gone=event.get("gone") is True)}
    if action in {"create", "update"}:
        _prepare(str(event["service"]), context, anew=action == "create")
        return None
    service = event["ResourceProperties"]["Service"]
    reason = ""
    try:
        if event["RequestType"] == "Delete":
            _remove(service, context)
        else:
            _prepare(service, context, anew=event["RequestType"] == "Create")
    except Exception as error:  # CloudFormation needs an answer in any case
        logger.exception("cleanup failed")
        reason = f"{type(error).__name__}: {error}"
    _answer(event, service, reason)
    return None


def _preparation(service: str) -> Preparation:
    return Preparation(
        client("ecs"), client("elbv2"), client("ssm"), service, specs_path=os.environ["SPECS_PATH"]
    )


def _prepare(service: str, context: LambdaContext, *, anew: bool) -> None:
    """Make what is missing of target groups, rules and secret; nothing of it moves traffic.

    It ends when AWS shows all of it: an image may be pushed as soon as the stack is there. ``anew``: forget
    a service that a failed deletion still holds.

    Raises
    ------
    UnknownService
        The parameter of its spec is not there.
    """
    if anew:
        _begin_anew(service)
    document = stack.specs().get(service) if is_service_name(service) else None
    if document is None:
        raise UnknownService(
            f"There is no spec of {service}: the parameter {os.environ['SPECS_PATH']}{service} must be there "
            "before this, so let its Custom::CrossfadeService or aws_lambda_invocation depend on it."
        )
    spec, preparation = read_spec(service, document), _preparation(service)
    believed = utc_now() + ECS_LAG  # the pattern may be as new as this resource, and not be shown yet
    while True:
        try:
            done = preparation.prepare(spec)
        except (NotYetVisible, NotPrepared) as unseen:
            late = isinstance(unseen, NotPrepared) and utc_now() >= believed
            if late or context.get_remaining_time_in_millis() < RESERVE_MS:
                raise
            time.sleep(2)
        else:
            break
    logger.info("prepared", service=service, done=[step.what for step in done])
    while preparation.missing(spec) and context.get_remaining_time_in_millis() >= RESERVE_MS:
        time.sleep(2)


def _leave(service: str, context: LambdaContext, *, gone: bool) -> list[str]:
    """Remove what Crossfade made for a service that its owner has back; returns what was removed.

    Raises
    ------
    ServiceBusy
        A deployment holds it.
    StillLive
        Clients are sent to a slot.
    """
    state = stack.journal().state(service)
    if state.holder not in (None, DELETION):
        raise ServiceBusy(f"{state.holder} holds {service}. Wait until it ends, then leave again.")
    if not gone:
        refuse_just_written(service, state, utc_now())
        refuse_live(service, _preparation(service).beside(None))
    return _remove(service, context)


def _remove(service: str, context: LambdaContext) -> list[str]:
    if not is_service_name(service):
        return []  # nothing can have been deployed under it
    journal, removed = stack.journal(), Removal()
    if journal.state(service).was_deployed:  # else its deployments are those of one that was deleted
        journal.history.last_plan(service)  # raises PlanOutdated while nothing is changed yet
    settled = _stop_deployment(service, journal, removed)
    state = journal.state(service)
    plan = journal.history.last_plan(service) if state.was_deployed else None
    spec = plan.spec if plan else _spec(service)
    if state.was_deployed and spec is None:
        raise deployed_unknown(service, f"{os.environ['SPECS_PATH']}{service}")
    preparation = _preparation(service)
    removed.sees_to("the weights of the owner's rules", partial(_hand_back, preparation, spec, plan))
    # Before the tasks go, no client is sent to them any more.
    removed.sees_to("the rules", partial(_undo, preparation, spec, context, removed, rules=True))
    if plan:
        _remove_scaling(plan.spec, preparation, removed)
    if state.was_deployed and spec:
        _remove_tasks(spec, preparation.names, settled, context, removed)
        _deregister(spec, preparation.names.spec, removed)
    removed.sees_to("the target groups", partial(_undo, preparation, spec, context, removed, rules=False))
    removed.refuse_left(service)
    journal.holding.forget(service)
    return removed.removed


def _hand_back(preparation: Preparation, spec: ServiceSpec | None, plan: Plan | None) -> None:
    """Let each of the owner's rules lead to the pattern alone; nobody needs the slots any more."""
    routes = plan.spec.routes if plan else ()
    patterns = {
        group: groups.pattern
        for groups in (route.target_groups for route in routes)
        for group in (groups.blue, groups.green, groups.replaced)
    }
    for step in handing_back(preparation.beside(spec), patterns):
        preparation.take(step)


def _undo(
    preparation: Preparation,
    spec: ServiceSpec | None,
    context: LambdaContext,
    removed: Removal,
    *,
    rules: bool,
) -> None:
    """Remove the rules, or else the target groups and the secret, each by itself."""
    for step in removal(preparation.names, preparation.beside(spec)):
        if _is_of_a_rule(step) is rules:
            removed.tries(step.what, partial(_take, preparation, spec, step, context))


def _take(preparation: Preparation, spec: ServiceSpec | None, step: Step, context: LambdaContext) -> None:
    """Remove one thing; a group is in use while a rule names it that may be too new to be shown yet."""
    for _ in range(IN_USE_TRIES):
        try:
            return preparation.take(step)
        except ClientError as error:
            if error_code(error) != IN_USE or context.get_remaining_time_in_millis() < RESERVE_MS:
                raise
        time.sleep(2)
        for rule in filter(_is_of_a_rule, removal(preparation.names, preparation.beside(spec))):
            preparation.take(rule)
    return preparation.take(step)


def _is_of_a_rule(step: Step) -> bool:
    return step.call.operation == "delete_rule"


def _begin_anew(service: str) -> None:
    """Forget a service that a failed deletion of its stack still holds."""
    if is_service_name(service):
        journal = stack.journal()
        if journal.state(service).holder == DELETION:
            journal.holding.forget(service)


def _spec(service: str) -> ServiceSpec | None:
    """The spec in SSM, also one that no release can be deployed by; None where it cannot be read."""
    try:
        return ServiceSpec.model_validate_json(stack.specs().get(service) or "")
    except ValidationError:
        return None


def _remove_scaling(spec: Placed, preparation: Preparation, removal: Removal) -> None:
    """Remove what scales Crossfade's two services; their alarms are named after the port that is asked."""
    own = OwnScaling(client("application-autoscaling"), client("cloudwatch"), spec, preparation.names.spec)
    port, *_ = spec.pattern.port_names
    for slot in SLOTS:
        name, alarms = spec.own_service(slot), alarm_prefix(preparation.names.group(slot, port))
        removal.sees_to(f"the scaling of {name}", partial(own.remove, name, alarms))


def _remove_tasks(
    spec: ServiceSpec, names: Names, settled: datetime, context: LambdaContext, removal: Removal
) -> None:
    """Delete Crossfade's two services and stop the probes, and see every task end.

    Until ``settled`` some may be unseen. What AWS refuses to delete is not waited for.
    """
    ecs = client("ecs")
    slots, probes = OwnServices(ecs, spec, names.spec), ProbeTasks(ecs, spec)
    made: list[Slot] = []
    removal.sees_to(f"the services in {spec.cluster}", lambda: made.extend(slots.made()))
    going = [slot for slot in made if removal.tries(spec.own_service(slot), partial(slots.delete, slot))]
    staying: set[str] = set()

    def end_tasks() -> None:
        while True:
            tasks = list(unfinished_tasks(ecs, spec.cluster))
            of_probes = [task for task in probes.among(tasks, names.secret) if task not in staying]
            staying.update(task for task in of_probes if not removal.tries(task, partial(probes.stop, task)))
            of_slots = slots.left(tasks, going)
            for slot in going:
                if spec.own_service(slot) in of_slots:  # too new for the first try to find it
                    slots.delete(slot)
            left = [*of_slots, *(task for task in of_probes if task not in staying)]
            if not left and utc_now() >= settled:
                return
            if context.get_remaining_time_in_millis() < RESERVE_MS:
                raise TimeoutError(f"{left or 'ECS'} did not settle in time")
            time.sleep(2)

    removal.sees_to(f"the tasks in {spec.cluster}", end_tasks)


def _deregister(spec: ServiceSpec, parameter: str, removal: Removal) -> None:
    """Deregister every release."""
    definitions = TaskDefinitions(client("ecs"))

    def each() -> None:
        for release in definitions.releases(spec, parameter):
            removal.tries(release, partial(definitions.deregister, release))

    removal.sees_to(f"the task definitions of {spec.service}", each)


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
    removal.sees_to(execution, partial(Executions(client("stepfunctions")).stop, execution, why))


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
