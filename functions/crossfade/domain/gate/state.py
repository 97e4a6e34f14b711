"""The gate's memory, which travels through the workflow, and what a stage gives it."""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field

from crossfade.domain.answers import Versions, right_versions
from crossfade.domain.gate.blocks.block import Block
from crossfade.domain.gate.blocks.from_ledger import Lanes
from crossfade.domain.gate.blocks.from_metrics import Glance, ProbeMinutes
from crossfade.domain.gate.evidence.failure_limit import FailureLimit
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.gate.past import Caution
from crossfade.domain.ledger import Lane
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.slots import Slot, other
from crossfade.domain.spec.service import Stage

PROBE, USERS, SLOW = 0.30, 0.45, 0.25
"""The weight of each kind of stream: a weighted mean of e-processes is an e-process, dependent or not."""
SIGNS = 0.1
"""The part of the evidence that is bet on who has more spells of failures."""


class GateState(Model):
    """All that the gate remembers of a deployment; a few kilobytes of JSON.

    Nothing is reset between stages: α holds for the whole deployment. ``production`` and ``stable`` are the
    failure limits of those two lanes of the probe. ``caution`` is what happened to the candidate's weight.
    ``feed_counted`` and ``minutes_seen`` are what the next reading of the users' outcomes needs from the last
    one.
    """

    lanes: Lanes = Field(default_factory=Lanes)
    probe: Streams = Streams()
    users: Streams = Streams()
    production: FailureLimit = FailureLimit()
    stable: FailureLimit = FailureLimit()
    probe_minutes: ProbeMinutes = ()
    feed_counted: tuple[Block, ...] = ()
    minutes_seen: Glance = Glance()
    caution: Caution = Caution()

    @property
    def evidence(self) -> float:
        """The evidence of all streams that the candidate is worse."""
        return evidence(self.probe, self.users)

    @property
    def of_probe(self) -> float:
        """The same as the probe alone sees it."""
        return evidence(self.probe, Streams())

    @property
    def more_spells(self) -> float:
        """The evidence of the one source or the other that the candidate has more spells of failures."""
        return max(self.probe.spells.sign.evidence, self.users.spells.sign.evidence)


def evidence(probe: Streams, users: Streams) -> float:
    """The evidence of all streams that the candidate is worse: on average at most 1 while it is not.

    A stream that has not begun stands at 1: the weights are fixed before anything is reported. The more
    spells the stable side has, the less is known of how often they come: so the bets are divided. A part is
    bet on who has more of them.
    """
    slow = [stream.evidence for stream in (*probe.slow, *users.slow)]
    bets = PROBE * probe.failing.evidence + USERS * users.failing.evidence + SLOW * sum(slow) / len(slow)
    spells = max(source.spells.stable - source.spells.earlier for source in (probe, users))
    signs = (probe.spells.sign.evidence + users.spells.sign.evidence) / 2
    return (1 - SIGNS) * bets / (1 + spells) ** 2 + SIGNS * signs


NEWS_SECONDS = 10
"""How long a probe's answer counts as recent: two blocks. CloudWatch Logs shows it at most 5 s late."""


class Rates(NamedTuple):
    """How often the probe asks, in requests per second."""

    production: float = 10
    slot: float = 10

    def news_seconds(self, lane: Lane) -> float:
        """How old a lane's last answer may be; a low rate adds the time of two requests."""
        return NEWS_SECONDS + 2 / (self.production if lane == "production" else self.slot)


class Watch(NamedTuple):
    """What stays the same while a stage is watched.

    ``next_weight``: of the stage after this one; None after the last. ``candidate_since``: since when all
    targets of the candidate are healthy. ``previous``: the stable slot's version, empty if it is not known;
    None in a service's first deployment, which has no stable slot to compare with. ``expected`` is the
    candidate's, empty where answers name none. The probe sends requests to ``url``, and awaits
    ``good_status``. ``emergency``: the stable slot serves nothing now, so the
    candidate is judged by itself.

    ``place`` is the stage's in the plan, ``weights`` are those of all the plan's stages. ``shown`` is when
    the load balancer showed the stage's weights; None: as ``began``. In a retry ``stage`` is a copy of the
    plan's first stage with users, with the retry's weight and seconds.
    """

    stage: Stage
    next_weight: int | None
    began: Timestamp
    deadline: Timestamp
    candidate: Slot
    candidate_since: Timestamp
    expected: str
    previous: str | None
    rates: Rates = Rates()
    url: str = ""
    good_status: str = "200"
    emergency: bool = False
    place: int = 0
    weights: tuple[int, ...] = ()
    shown: Timestamp | None = None

    @property
    def weights_at(self) -> float:
        """When the load balancer showed the stage's weights, in seconds since 1970."""
        return (self.shown or self.began).timestamp()

    @property
    def first(self) -> bool:
        """Whether there is no stable slot."""
        return self.previous is None

    @property
    def alone(self) -> bool:
        """Whether there is nothing to compare the candidate with."""
        return self.first or self.emergency

    @property
    def versions(self) -> dict[str, Slot]:
        """Which slot answers with which version; empty if the versions do not differ, or are not named."""
        if not self.expected or not self.previous or self.previous == self.expected:
            return {}
        return {self.expected: self.candidate, self.previous: other(self.candidate)}

    @property
    def right(self) -> Mapping[Lane, Versions]:
        """Which versions a lane may answer with; a lane without an entry may answer with any."""
        return right_versions(self.candidate, self.expected, self.previous)

    @property
    def shared(self) -> bool:
        """Whether both slots get users' requests, so that their outcomes can be compared."""
        return 0 < self.stage.weight < 100 and not self.alone
