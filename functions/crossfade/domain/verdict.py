"""A verdict on a stage, made by ``gate/``, and the stage's window. The drain's verdict is in ``drain.py``."""

from datetime import datetime, timedelta
from typing import Literal

from crossfade.domain.model import Model, Timestamp
from crossfade.domain.spec.service import Stage

EMERGENCY = "stable serves nothing: candidate judged by itself"
"""How every reason begins while the stable slot serves nothing; the plan's reason has it as well."""


class Window(Model):
    """When a stage began and when it must have ended."""

    began: Timestamp
    deadline: Timestamp

    @classmethod
    def of(cls, stage: Stage, began: datetime) -> "Window":
        """The window of a stage that begins now."""
        return cls(began=began, deadline=began + timedelta(seconds=stage.max_seconds))


Cause = Literal["dead", "strike", "suspicion", "spells", "alarm"]
"""Why the weight goes back to 0: the candidate's lane only fails; users' requests fail in a spell; the
evidence grows; the candidate has more spells of failures than the stable side; an alarm."""


class Climb(Model):
    """Where a candidate that was held at weight 0 goes on: a stage, by its place in the plan.

    ``weight`` is that of a retry, in place of the stage's own, for a short while.
    """

    stage: int
    weight: int | None = None


class Verdict(Model):
    """What to do, and the reason in words for a person on call.

    ``step_back``: the weight goes to 0, and the candidate is watched on there; ``cause`` says why. ``climb``
    says where to go on with ``advance``, if not to the next stage. ``emergency``: the stable slot serves
    nothing, so the next stage is the last one. ``error`` names the failure (see ``domain/errors.py``) if the
    verdict is ``roll_back``.
    """

    action: Literal["advance", "hold", "step_back", "roll_back"]
    reason: str
    emergency: bool = False
    error: (
        Literal[
            "CandidateWorse", "AlarmRaised", "TargetsBelowFloor", "EvidenceMissing", "OldVersionStillSeen"
        ]
        | None
    ) = None
    cause: Cause | None = None
    climb: Climb | None = None

    @property
    def refuses(self) -> bool:
        """Whether the gate itself found the candidate worse."""
        return self.error == "CandidateWorse"
