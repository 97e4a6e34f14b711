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


class Verdict(Model):
    """What to do, and the reason in words for a person on call.

    ``emergency``: the stable slot serves nothing, so the next stage is the last one. ``error`` names the
    failure (see ``domain/errors.py``) if the verdict is ``roll_back``.
    """

    action: Literal["advance", "hold", "roll_back"]
    reason: str
    emergency: bool = False
    error: (
        Literal[
            "CandidateWorse", "AlarmRaised", "TargetsBelowFloor", "EvidenceMissing", "OldVersionStillSeen"
        ]
        | None
    ) = None

    @property
    def refuses(self) -> bool:
        """Whether the gate itself found the candidate worse."""
        return self.error == "CandidateWorse"
