"""What a rollback is asked to do, and what it finds to do."""

import json
from typing import Any, Literal

from pydantic import Field, ValidationError

from crossfade.domain.certificate import History
from crossfade.domain.errors import InvalidInput
from crossfade.domain.message import Message
from crossfade.domain.plan import Plan
from crossfade.domain.spec import Slot

EXAMPLE = '{"service": "web"}'


class Failure(Message):
    """What a Catch says: the error's name, and its cause (a Lambda's is a JSON document)."""

    Error: str
    Cause: str = ""

    @property
    def sentence(self) -> str:
        """The failure in one line, for a person."""
        try:
            cause = json.loads(self.Cause)["errorMessage"]
        except (ValueError, KeyError, TypeError):
            cause = self.Cause
        return f"{self.Error}: {cause}" if cause else self.Error


class Order(Message):
    """A person, or a deployment's own Catch, asks to roll a service back.

    A deployment names itself, so that it never takes back what another one is doing.
    """

    service: str = Field(min_length=1)
    deployment: str | None = None
    failure: Failure | None = None

    @property
    def reason(self) -> str:
        """Why."""
        return self.failure.sentence if self.failure else "rolled back by hand"


class Ended(Message):
    """A deployment ended without having put things right itself."""

    execution: str
    status: str

    @property
    def deployment(self) -> str:
        """The deployment's name."""
        return self.execution.rsplit(":", 1)[-1]

    @property
    def reason(self) -> str:
        """Why."""
        return f"the deployment ended {self.status}"


def read_input(raw: Any) -> Order | Ended:
    """Tell an order from Step Functions' status event.

    Raises
    ------
    InvalidInput
        It is neither.
    """
    if not isinstance(raw, dict):
        raise InvalidInput(f"The input must be a JSON object. Start again with {EXAMPLE}.")
    try:
        if raw.get("source") == "aws.states":
            detail = raw["detail"] if isinstance(raw.get("detail"), dict) else {}
            return Ended.model_validate(
                {"execution": detail.get("executionArn"), "status": detail.get("status")}
            )
        return Order.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput(f"The input is malformed: {error}. Start again with {EXAMPLE}.") from error


class Survey(Message):
    """What there is to do.

    ``roll_back``: restore the stable slot. ``finish``: the candidate was promoted already and the old slot
    may be gone, so only what was left undone is done. ``nothing``: no deployment holds the service.
    ``loser`` is the slot to stop; ``held_by`` the deployment's execution.
    """

    action: Literal["roll_back", "finish", "nothing"]
    reason: str
    plan: Plan | None = None
    loser: Slot | None = None
    probe: str | None = None
    cursor: str | None = None
    held_by: str | None = None


def survey(history: History, plan: Plan, reason: str) -> Survey:
    """Say what to do for a deployment that holds its service; ``plan`` is the rollback's own copy."""
    promoted = history.promoted is not None
    return Survey(
        action="finish" if promoted else "roll_back",
        reason=reason,
        plan=plan,
        loser=plan.stable if promoted else plan.candidate,
        probe=history.probe,
        cursor=history.cursor,
        held_by=history.plan.execution,
    )
