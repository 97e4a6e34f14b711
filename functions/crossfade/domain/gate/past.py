"""The past of the candidate's weight: what the gate must know of it to be cautious."""

from crossfade.domain.model import Model, Timestamp
from crossfade.domain.verdict import Cause


class Caution(Model):
    """What happened to the candidate's weight so far.

    ``step_backs`` counts them; of the last one ``cause``, ``why`` in words and ``at`` (when it was decided).
    ``place`` is that of the stage that the candidate had, to which it climbs again, and ``spent`` how many
    seconds it had that stage. ``retry`` is the weight that it is to try first, where the users' failures
    were the cause; ``retrying``: it does so now. ``evidence`` is what spoke against the candidate when it
    last climbed, and ``known`` until when all outcomes of its users were known then, in seconds since 1970
    (0: not all were). ``bar`` is how much evidence of more spells it
    takes to step back for them, and ``above`` since when there was so much. ``alarmed``: whether it was ever
    stepped back for an alarm.
    """

    step_backs: int = 0
    cause: Cause | None = None
    why: str = ""
    at: Timestamp | None = None
    place: int = 0
    spent: float = 0.0
    retry: int | None = None
    retrying: bool = False
    evidence: float = 0.0
    known: int = 0
    bar: float = 5
    above: Timestamp | None = None
    alarmed: bool = False
