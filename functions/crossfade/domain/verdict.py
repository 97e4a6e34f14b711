"""What a look ends in. A stage's rule is the gate's, see ``gate/``; the old version's is ``drain.py``."""

from datetime import datetime, timedelta
from typing import Literal

from crossfade.domain.model import Model, Timestamp
from crossfade.domain.spec.service import Stage

EMERGENCY = "stable serves nothing: candidate judged by itself"
"""How every reason begins while the stable slot answers nobody; the plan tells of it as well."""


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

    ``emergency``: the stable slot served nothing at this look, so to advance is to go straight to the last
    stage. ``error`` names the failure (see ``domain/errors.py``) when the verdict is ``roll_back``.
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
        """Whether it is the gate's own word that the candidate is worse."""
        return self.error == "CandidateWorse"
