"""The ledger as blocks: what the probe saw on its lanes, and whether the candidate is plainly dead.

The records are folded one by one in the ledger's order, so that it does not matter how they are split over
looks. A request belongs to the block that is open when its answer is written: one that took long counts
later, on both sides alike, and is never lost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from crossfade.domain.answers import VERSION, Kinds, Versions, fault, well
from crossfade.domain.gate.blocks.block import SECONDS, Block, Tally
from crossfade.domain.gate.blocks.latency import bucket
from crossfade.domain.ledger import Knock, Lane, LaneEvent, Opened, Record, Request
from crossfade.domain.slots import Slot, other
from crossfade.domain.spec.gate import GateSettings

RECENT = 10
"""How many last answers of a lane are looked at: most must be right, for the other lane alone to be dead."""
FEW_WRONG = 2
"""Where there are more, nothing that the other side failed so far was its own fault alone."""
SERVER_ERROR = 500
"""From this status on nobody is served. A redirect, a login or a path that is not there is an answer."""


class Run(NamedTuple):
    """Failures in a row on a slot's lane; the times in seconds since 1970."""

    length: int = 0
    began: float = 0
    last: float = 0

    def lasts(self, settings: GateSettings) -> bool:
        """Whether these are as many, over as long, as of a side that is dead."""
        return self.length >= settings.dead_requests and self.last - self.began >= settings.dead_seconds

    def longer(self, at: float) -> "Run":
        """The run with one more failure."""
        return (
            Run(self.length + 1, min(at, self.began), max(at, self.last)) if self.length else Run(1, at, at)
        )


class Seen(NamedTuple):
    """What a lane has shown: how many ``requests``, and by ``kinds`` those that failed.

    ``heard`` is when its last answer came, and ``well`` its last good one (seconds since 1970). Where it asks
    and nobody answers, ``knocked`` is when it last told so, ``knocks`` how often it had asked, and ``met``
    what it met.
    """

    requests: int = 0
    kinds: Kinds = Kinds()
    heard: float = 0
    well: float = 0
    knocked: float = 0
    knocks: int = 0
    met: str = ""

    @property
    def knocking(self) -> bool:
        """Whether nobody answers there."""
        return self.knocked > self.heard


class Lanes(NamedTuple):
    """What the ledger has said so far, as far as it is not yet in a closed block.

    ``numbers`` are those of the last records of the candidate's, the stable and the production lane: what is
    not newer is a repetition. ``alone``: the open block began while the stable side served nothing.
    ``recent`` are the stable lane's last outcomes, ``.`` right and ``x`` failed; ``stable_failed_at`` is when
    too many of them were last failed. ``candidate_recent`` are the candidate's. ``run`` are the candidate's
    failures while the stable lane answers, ``stable_run`` what the stable lane gave nobody an answer to
    while the candidate's answers. ``seen`` are the same three lanes.
    """

    opened: float = 0
    numbers: tuple[int, int, int] = (0, 0, 0)
    block: int = 0
    candidate: Tally = Tally()
    stable: Tally = Tally()
    production: Tally = Tally()
    alone: bool = False
    run: Run = Run()
    candidate_recent: str = ""
    candidate_at: float = 0
    stable_run: Run = Run()
    recent: str = ""
    stable_at: float = 0
    stable_failed_at: float = 0
    gone: bool = False
    stable_gone: bool = False
    seen: tuple[Seen, Seen, Seen] = (Seen(), Seen(), Seen())

    @property
    def wrong(self) -> bool:
        """Whether the candidate has answered with a version that was not expected."""
        return any(kind.startswith(VERSION) for kind, _ in self.seen[0].kinds.counts)

    def dead(self, settings: GateSettings, *, alone: bool) -> bool:
        """Whether the candidate only fails, for long enough, while the stable lane answers."""
        if not self.run.lasts(settings):
            return False
        return alone or _answers(self.recent, self.stable_at, self.run, settings)

    def unanswered(self, settings: GateSettings, *, alone: bool) -> bool:
        """Whether a new probe finds nobody in the candidate's slot, which had answered the one before it.

        Where the stable lane does not answer either it may be the probe's own trouble.
        """
        seen = self.seen[0]
        if not 0 < seen.heard < self.opened < seen.knocked:
            return False
        answering = len(self.recent) == RECENT and self.recent.count("x") <= FEW_WRONG
        until = seen.knocked if alone else self.stable_at if answering else 0
        return until - self.opened >= settings.dead_seconds

    def stable_serves_nothing(self, settings: GateSettings) -> bool:
        """Whether nobody is served in the stable slot, for long enough, while the candidate's lane answers.

        Its requests only fail, or there is no target to send them to. Where both lanes fail it is an outage
        that they share.
        """
        run = self.stable_run
        if not (run.length and _answers(self.candidate_recent, self.candidate_at, run, settings)):
            return False
        unanswered = self.stable_gone or self.seen[1].knocking
        # A lane that nobody answers asks seldom: the candidate's answers tell how long that has been so.
        since = max(self.candidate_at - run.began, run.last - run.began)
        return since >= settings.dead_seconds if unanswered else run.lasts(settings)


def _answers(recent: str, at: float, run: Run, settings: GateSettings) -> bool:
    """Whether one lane, which was last heard at a moment, answers well while the other one's run lasts."""
    return len(recent) == RECENT and recent.count("x") <= FEW_WRONG and at >= run.last - settings.dead_seconds


class Folded(NamedTuple):
    """The lanes after new records, what these closed, and the requests that were not known yet.

    ``blocks`` are of the slots' lanes, ``production`` are the production lane's counts of the same spans.
    """

    lanes: Lanes
    blocks: list[Block]
    production: list[Tally]
    requests: list[Request]


def fold(
    lanes: Lanes,
    records: Iterable[Record],
    *,
    candidate: Slot,
    since: datetime,
    right: Mapping[Lane, Versions],
    settings: GateSettings,
) -> Folded:
    """Take in new records of the ledger; what the candidate's lane met before ``since`` is not judged.

    ``right`` are the versions that a lane may answer with: any where it has none.
    """
    folding = _Folding(lanes, candidate, since.timestamp(), right, settings)
    for record in records:
        if isinstance(record, Opened):
            folding.open(record)
        elif isinstance(record, LaneEvent):
            folding.notice(record)
        elif isinstance(record, Knock):
            folding.knock(record)
        elif isinstance(record, Request):
            folding.take(record)
    return Folded(folding.lanes(), folding.blocks, folding.production, folding.requests)


class _Side:
    """The open block's counts of one side."""

    def __init__(self, tally: Tally) -> None:
        self.requests, self.failures, latencies = tally
        self.latencies = Counter(dict(latencies))

    def tally(self) -> Tally:
        return Tally(self.requests, self.failures, tuple(sorted(self.latencies.items())))


class _Folding:
    def __init__(
        self,
        lanes: Lanes,
        candidate: Slot,
        since: float,
        right: Mapping[Lane, Versions],
        settings: GateSettings,
    ) -> None:
        self._settings = settings
        self._places: dict[Lane, int] = {candidate: 0, other(candidate): 1, "production": 2}
        self._since = since
        self._right = [right.get(lane) for lane in self._places]
        self._seen = list(lanes.seen)
        # As lists while records come in: a tuple for each request would take a quarter of a look's time.
        self._requests, self._kinds, self._heard, self._well = map(
            list, zip(*[seen[:4] for seen in lanes.seen], strict=True)
        )
        self._opened, self._block = lanes.opened, lanes.block
        self._numbers = list(lanes.numbers)
        self._sides = (_Side(lanes.candidate), _Side(lanes.stable), _Side(lanes.production))
        self._alone = lanes.alone
        self._run, self._stable_run = lanes.run, lanes.stable_run
        self._candidate_recent, self._candidate_at = lanes.candidate_recent, lanes.candidate_at
        self._recent = lanes.recent
        self._stable_at, self._stable_failed_at = lanes.stable_at, lanes.stable_failed_at
        self._gone = [lanes.gone, lanes.stable_gone]
        self.blocks: list[Block] = []
        self.production: list[Tally] = []
        self.requests: list[Request] = []

    def open(self, record: Opened) -> None:
        """A new probe counts from 1 again, and says anew which lanes are paused."""
        opened = record.at.timestamp()
        if opened > self._opened:
            self._opened, self._numbers, self._gone = opened, [0, 0, 0], [False, False]
            self._stable_run = Run()

    def notice(self, record: LaneEvent) -> None:
        if record.lane == "production":
            return
        place = self._places[record.lane]
        self._gone[place] = record.event == "paused"
        if place == 1 and record.event == "paused":
            self._meet(record.at.timestamp(), served=False)

    def knock(self, record: Knock) -> None:
        place, at = self._places[record.lane], record.at.timestamp()
        if at > self._seen[place].knocked:
            self._seen[place] = self._seen[place]._replace(knocked=at, knocks=record.asked, met=fault(record))
            if place == 1:
                self._meet(at, served=_served(record))

    def _meet(self, at: float, *, served: bool) -> None:
        """What the stable lane met: an answer of whatever kind, or none."""
        self._stable_run = Run() if served else self._stable_run.longer(at)

    def take(self, record: Request) -> None:
        at = record.at.timestamp()
        place = self._places[record.lane]
        if record.n <= self._numbers[place] or at < self._opened:
            return
        self._numbers[place] = record.n
        self.requests.append(record)
        if place == 0 and at < self._since:
            return
        self._turn_to(int(at) // SECONDS * SECONDS)
        failed = not well(record, self._right[place])
        answered = at + record.ms / 1000
        self._requests[place] += 1
        self._heard[place] = max(answered, self._heard[place])
        if failed:
            self._kinds[place] = self._kinds[place].plus(fault(record))
        else:
            self._well[place] = max(answered, self._well[place])
        side = self._sides[place]
        side.requests += 1
        side.failures += failed
        side.latencies[bucket(record.ms)] += 1
        if place == 0:
            self._run = self._run.longer(at) if failed else Run()
            self._candidate_recent = (self._candidate_recent + ("x" if failed else "."))[-RECENT:]
            self._candidate_at = max(at, self._candidate_at)
            if self._candidate_recent.count("x") > FEW_WRONG:
                self._stable_run = Run()
        elif place == 1:
            self._meet(at, served=_served(record))
            self._recent = (self._recent + ("x" if failed else "."))[-RECENT:]
            self._stable_at = max(at, self._stable_at)
            if self._recent.count("x") > FEW_WRONG:
                self._run, self._stable_failed_at = Run(), max(at, self._stable_failed_at)

    def _turn_to(self, block: int) -> None:
        """Close the open block when a request of a later one comes."""
        if block <= self._block:
            return
        if self._block:
            candidate, stable, production = (side.tally() for side in self._sides)
            self.blocks.append(Block(self._block, SECONDS, candidate, stable, self._alone))
            self.production.append(production)
        # By what was known before it: a block that its own outcomes chose would be no fair bet.
        self._alone = self.lanes().stable_serves_nothing(self._settings)
        self._block, self._sides = block, (_Side(Tally()), _Side(Tally()), _Side(Tally()))

    def lanes(self) -> Lanes:
        """What has been seen up to now."""
        candidate, stable, production = (side.tally() for side in self._sides)
        return Lanes(
            opened=self._opened,
            numbers=(self._numbers[0], self._numbers[1], self._numbers[2]),
            block=self._block,
            candidate=candidate,
            stable=stable,
            production=production,
            alone=self._alone,
            run=self._run,
            candidate_recent=self._candidate_recent,
            candidate_at=self._candidate_at,
            stable_run=self._stable_run,
            recent=self._recent,
            stable_at=self._stable_at,
            stable_failed_at=self._stable_failed_at,
            gone=self._gone[0],
            stable_gone=self._gone[1],
            seen=(self._shown(0), self._shown(1), self._shown(2)),
        )

    def _shown(self, place: int) -> Seen:
        return self._seen[place]._replace(
            requests=self._requests[place],
            kinds=self._kinds[place],
            heard=self._heard[place],
            well=self._well[place],
        )


def _served(record: Request | Knock) -> bool:
    """Whether a client would have met somebody, be it with an answer that the probe does not expect."""
    return record.status is not None and record.status < SERVER_ERROR
