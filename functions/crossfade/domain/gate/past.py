"""The past of the candidate's weight: what the gate must know of it to be cautious."""

from crossfade.domain.model import Model, Timestamp
from crossfade.domain.verdict import Cause


class Caution(Model):
    """What happened to the candidate's weight so far.

    ``step_backs`` counts them; of the last one ``cause``, ``at`` (when it was decided) and ``place`` (of the
    stage that the candidate had, to which it climbs again). ``passed`` is how many of the plan's stages it
    has passed: they need no proof again. ``evidence`` is what spoke against it when it last climbed.
    ``alarmed``: whether it was ever stepped back for an alarm.
    """

    step_backs: int = 0
    cause: Cause | None = None
    at: Timestamp | None = None
    place: int = 0
    passed: int = 0
    evidence: float = 0
    alarmed: bool = False
