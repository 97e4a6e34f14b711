"""Assess: find out from live state and the journal what there is to put right."""

from datetime import datetime

from pydantic import JsonValue

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.domain.errors import NothingToRollBack, ServiceChanged, ServiceLost
from crossfade.domain.journal import Hold, State, WarmSlot, machine_of
from crossfade.domain.model import Timestamp
from crossfade.domain.rollback.assessment import (
    Assessment,
    ExecutionEnded,
    RollbackRequest,
    back_out_plan,
    backing_out,
    left_undone,
    nothing,
    read_input,
    stands_back,
    too_early,
    tried_since,
    why,
)
from crossfade.step import step, utc_now


@step
def handler(input: JsonValue, execution: str, began: Timestamp) -> Assessment:
    """Find what is left undone, and take the service over from the execution that left it.

    ``input`` is the rollback's own, ``execution`` the rollback itself, which began at ``began``.
    """
    order = read_input(input)
    journal = stack.journal()
    try:
        if isinstance(order, ExecutionEnded):
            return _after_end(order, execution, began, journal)
        return _by_order(order, execution, journal)
    except (ServiceLost, ServiceChanged):
        return nothing("another execution took the service first")


def _after_end(ended: ExecutionEnded, own: str, began: datetime, journal: Journal) -> Assessment:
    """An execution has ended: it may be the one that held a service, or kept an old slot warm."""
    reason = "the execution that ended holds no service"
    states = {service: journal.state(service) for service in journal.services()}
    own_first = sorted(states, key=lambda service: states[service].holder != ended.ended)
    for service in own_first:
        state = states[service]
        if state.holder:
            left = _stands_back(state, ended, own) or tried_since(state, ended, own, began)
            if left is None:
                early = too_early(state, ended, own, utc_now())
                return early or _take_over(service, state, ended, own, journal)
            reason = left
        elif state.warm and _ended(state.warm.execution, ended):
            return _stop_old_slot(service, state.warm, ended, own, journal)
    return nothing(reason)


def _ended(execution: str, ended: ExecutionEnded) -> bool:
    """Whether an execution has ended, by the word that has come or by Step Functions' own."""
    return execution == ended.ended or Executions(client("stepfunctions")).runs(execution) is False


def _by_order(order: RollbackRequest, own: str, journal: Journal) -> Assessment:
    state = journal.state(order.service)
    warm = state.warm.deployment if state.warm and state.holder is None else None
    if order.warm and order.warm != warm and state.holder != own:
        return nothing(f"the old slot of {order.warm} is not warm any more, or the service is held")
    if state.holder:
        left = _stands_back(state, order, own)
        return nothing(left) if left else _take_over(order.service, state, order, own, journal)
    if not order.by_hand and not order.takes_promotion_back(state):
        return nothing(f"{order.deployment} does not hold the service any more")
    if state.warm is None:
        raise NothingToRollBack(
            f"No deployment holds {order.service} and no old version of it is warm, so there is nothing to "
            "go back to; nothing was changed. To go back to an older version, deploy it."
        )
    promoted = journal.history.of(order.service, state.warm.deployment)
    plan = back_out_plan(promoted.plan, execution=own, now=utc_now())
    journal.holding.back_out(plan, state.warm, promoted.scaling)
    return backing_out(plan, order.reason)


def _stands_back(state: State, order: RollbackRequest | ExecutionEnded, own: str) -> str | None:
    holder = state.holder or ""
    runs = Executions(client("stepfunctions")).runs(holder) if machine_of(holder) else False
    return stands_back(state, order, own, runs, utc_now())


def _take_over(
    service: str, state: State, order: RollbackRequest | ExecutionEnded, own: str, journal: Journal
) -> Assessment:
    holder, deployment = state.holder or "", state.deployment or ""
    before = journal.history.of(service, deployment).plan
    take_back = order.by_hand and state.warm is not None and state.warm.deployment == deployment
    tried = state.tried_by(own, utc_now())
    lost = Hold(service, deployment, holder)
    hold = journal.holding.take_over(lost, own, tried, take_back=take_back)
    if order.by_hand and before.execution != own:
        Executions(client("stepfunctions")).stop(before.execution, f"{own} rolls {service} back by hand")
    # From here on the deployment can write nothing more, so its history is final.
    reason = why(order, holder, before.execution)
    settle = order.by_hand or (isinstance(order, ExecutionEnded) and order.may_have_left_functions(holder))
    return left_undone(journal.history.of(service, deployment), hold, holder, reason, settle=settle)


def _stop_old_slot(
    service: str, warm: WarmSlot, ended: ExecutionEnded, own: str, journal: Journal
) -> Assessment:
    history = journal.history.of(service, warm.deployment)
    hold = Hold(service, warm.deployment, own)
    if not journal.holding.reclaim(hold):
        return nothing("the old slot has been used since")
    return left_undone(history, hold, ended.ended, ended.reason, settle=False)
