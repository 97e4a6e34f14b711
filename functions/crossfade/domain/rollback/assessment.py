"""What a rollback is asked to do, and what it finds to do."""

import json
import re
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError

from crossfade.domain.errors import InvalidInput, LiveServesNothing
from crossfade.domain.journal import Hold, State, machine_of
from crossfade.domain.model import Model, faults, iso, unknown_keys
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.planning.request import STARTED_BY
from crossfade.domain.proof.certificate import History
from crossfade.domain.slots import Slot
from crossfade.domain.spec.service import ServiceName
from crossfade.domain.text import visible

EXAMPLE = '{"service": "web"}'


_ERROR_MESSAGE = re.compile(
    r'"errorMessage": ?("[^"\x5c\x00-\x1f]*(?:\x5c(?:["\x5c\x2fbfnrt]|u[0-9a-fA-F]{4})[^"\x5c\x00-\x1f]*)*")'
)
"""The message in a Lambda's cause, as a JSON string; the definitions look for the same."""


class Failure(Model):
    """What a Catch says: the error's name, and its cause.

    A Lambda's cause is a JSON document, or a sentence that ends with one, and may be cut off anywhere.
    """

    Error: str
    Cause: str = ""

    @property
    def sentence(self) -> str:
        """The failure in one line, for a person."""
        found = _ERROR_MESSAGE.search(self.Cause)
        cause = json.loads(found[1]) if found else self.Cause
        return f"{self.Error}: {cause}" if cause else self.Error


class RollbackRequest(Model):
    """A person, or a deployment's own Catch, asks to roll a service back.

    A deployment names itself, so that it never takes back what another one is doing. ``warm`` is the
    deployment whose promotion alone is to be taken back. ``asked_by`` is the execution of a workflow that
    starts the rollback for a person.
    """

    service: ServiceName
    deployment: str | None = None
    warm: str | None = None
    failure: Failure | None = None
    asked_by: str | None = Field(default=None, validation_alias=AliasChoices("asked_by", STARTED_BY))

    @property
    def by_hand(self) -> bool:
        """Whether a person asks."""
        return self.deployment is None

    def takes_promotion_back(self, state: State) -> bool:
        """Whether a deployment found that its promoted release serves nothing, while its old slot is warm."""
        dead = self.failure is not None and self.failure.Error == LiveServesNothing.__name__
        return dead and state.warm is not None and state.warm.deployment == self.deployment

    @property
    def reason(self) -> str:
        """Why."""
        if self.failure:
            return self.failure.sentence
        if self.asked_by:
            return f"rolled back by hand, by {visible(self.asked_by.rpartition(':execution:')[2])}"
        return "rolled back by hand"


class ExecutionEnded(Model):
    """A deployment or a rollback ended without having put things right itself; ``ended`` is its ARN.

    ``again``: it was a rollback, so that the next one waits for a while before it tries.
    """

    ended: str
    status: str
    again: bool = False

    @property
    def by_hand(self) -> bool:
        """No person asks."""
        return False

    def may_have_left_functions(self, holder: str) -> bool:
        """Whether a function of ``holder`` may still be at work: not where it failed by itself, just now."""
        return self.status != "FAILED" or self.again or self.ended != holder

    @property
    def reason(self) -> str:
        """Why."""
        return f"{self.ended.rsplit(':', 1)[-1]} ended {self.status}"


def read_input(raw: Any) -> RollbackRequest | ExecutionEnded:
    """Read the input: a request to roll back, or the event that an execution has ended.

    Raises
    ------
    InvalidInput
        It is neither.
    """
    if not isinstance(raw, dict):
        raise InvalidInput(f"The input must be a JSON object. Start again with {EXAMPLE}.")
    try:
        order = ExecutionEnded.model_validate(raw) if "ended" in raw else RollbackRequest.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput(
            f"The input is malformed. {'; '.join(faults(error, 'input'))}. Start again with {EXAMPLE}."
        ) from error
    # A deployment, or an event rule, may be of another version of Crossfade than this rollback.
    given = {key: value for key, value in raw.items() if key != STARTED_BY}
    if order.by_hand and (unknown := unknown_keys(given, order)):
        raise InvalidInput(
            f"The input is malformed. There is no key {', '.join(unknown)}. Start again with {EXAMPLE}."
        )
    return order


class Assessment(Model):
    """What there is to do.

    ``roll_back``: restore the slot that was stable before the plan. ``back_out``: the same, after the plan's
    own deployment has promoted it and while the old slot is warm. ``finish``: the candidate was promoted and
    the old slot may be stopped, so only what was left undone is done. ``stop_old_slot``: only the old slot is
    left to stop. ``nothing``: there is nothing to put right. ``wait``: there is, but other rollbacks have
    failed at it; nothing was taken over, and Assess is to be called again in ``seconds``.

    ``loser`` is the slot to stop. ``executions`` are those that worked on the deployment. ``settle``: one of
    them was stopped, so that a function of it may still be at work.
    """

    action: Literal["roll_back", "back_out", "finish", "stop_old_slot", "nothing", "wait"]
    reason: str
    service: str | None = None
    plan: HeldPlan | None = None
    loser: Slot | None = None
    probe: str | None = None
    cursor: str | None = None
    executions: tuple[str, ...] = ()
    settle: bool = False
    seconds: int = 0


def nothing(reason: str) -> Assessment:
    """There is nothing to put right."""
    return Assessment(action="nothing", reason=reason)


def too_early(
    state: State, order: RollbackRequest | ExecutionEnded, own: str, now: datetime
) -> Assessment | None:
    """Let an automatic rollback wait if earlier ones have failed; None when it may begin.

    What made them fail may last for hours. The wait comes before the service is taken over, because a running
    rollback would keep one that is started by hand from beginning.
    """
    if (
        isinstance(order, RollbackRequest)
        or state.tried is None
        or state.holder == own
        or now >= state.tried.next_at
    ):
        return None
    times, next_at = state.tried.times, state.tried.next_at
    return Assessment(
        action="wait",
        reason=(
            f"{times} rollback{'' if times == 1 else 's'} of {state.deployment} did not succeed; the next "
            f"one may begin at {iso(next_at)}. Read the last one, {state.holder}, and put right what it "
            "says; then start a rollback by hand, which does not wait"
        ),
        seconds=ceil((next_at - now).total_seconds()),
    )


def tried_since(state: State, ended: ExecutionEnded, own: str, began: datetime) -> str | None:
    """Why an automatic rollback leaves the service to another one; None if it may continue.

    ``began`` is when it was started. A rollback that has tried since then starts the next one when it ends.
    If this one continued as well, there would be two chains of rollbacks, and one more for each try by hand.
    """
    if state.tried is None or state.holder in {own, ended.ended} or state.tried.at <= began:
        return None
    return f"{state.holder} has tried since this rollback began, and its own end starts the next one"


def why(order: RollbackRequest | ExecutionEnded, holder: str, deployed_by: str) -> str:
    """The reason in words for taking a deployment over from ``holder``."""
    if isinstance(order, ExecutionEnded) and order.ended not in {holder, deployed_by}:
        # Another execution's end started the rollback, and found this holder dead.
        return f"{deployed_by.rsplit(':', 1)[-1]} was left half-way"
    return order.reason


def left_undone(history: History, hold: Hold, before: str, reason: str, *, settle: bool) -> Assessment:
    """Say what to do for a deployment that was taken over from the holder ``before``.

    ``hold`` is the rollback's own.
    """
    plan = history.plan.held_by(hold)
    promoted = history.promoted is not None
    finished = history.outcome == "promoted"
    undone: Literal["finish", "stop_old_slot"] = "stop_old_slot" if finished else "finish"
    return Assessment(
        action=undone if promoted else "roll_back",
        reason=reason,
        service=plan.service,
        plan=plan,
        loser=plan.stable if promoted else plan.candidate,
        probe=history.probe,
        cursor=history.cursor,
        executions=tuple(dict.fromkeys((plan.execution, before, plan.holder))),
        settle=settle,
    )


def back_out_plan(promoted: Plan, *, execution: str, now: datetime) -> HeldPlan:
    """The plan of a promoted deployment, to be taken back under a name of its own."""
    name = execution.rsplit(":", 1)[-1]
    own = promoted.model_copy(update={"deployment": name, "execution": execution, "began": now})
    return own.held_by(Hold(own.service, name, execution))


def backing_out(plan: HeldPlan, reason: str) -> Assessment:
    """What to do to roll a promoted release back to the one before it, which is still warm."""
    return Assessment(
        action="back_out",
        reason=f"{plan.release.version} was backed out: {reason}",
        service=plan.service,
        plan=plan,
        loser=plan.candidate,
        executions=(plan.holder,),
    )


EXECUTION_LAG = timedelta(seconds=60)
"""How long Step Functions may not know an execution that has begun."""


def stands_back(
    state: State, order: RollbackRequest | ExecutionEnded, own: str, holder_runs: bool | None, now: datetime
) -> str | None:
    """Why a rollback leaves a held service to its holder; None when it may take the service over.

    ``own`` is the rollback's execution. ``holder_runs`` may be out of date, as Step Functions' answers are:
    where an execution's end is what started this rollback, that word counts. None: Step Functions does not
    know the holder, which has just begun or ended long ago; then only a person takes over, and not from a
    rollback that took over a moment ago.
    """
    holder = state.holder or ""
    if holder == own or (isinstance(order, ExecutionEnded) and order.ended == holder):
        return None
    if not machine_of(holder):
        return f"{holder} holds {state.deployment}"
    just_begun = holder_runs is None and state.tried is not None and now < state.tried.at + EXECUTION_LAG
    if (holder_runs or just_begun) and machine_of(holder) == machine_of(own):
        return f"the rollback {holder} is at work already"
    if holder_runs is not False and isinstance(order, ExecutionEnded):
        return f"{holder} holds the service"
    if isinstance(order, RollbackRequest) and order.deployment not in {None, state.deployment}:
        return f"{order.deployment} does not hold the service any more"
    return None
