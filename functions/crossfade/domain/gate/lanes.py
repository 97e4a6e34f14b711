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
from crossfade.domain.gate.blocks import SECONDS, Block, Tally
from crossfade.domain.gate.latency import bucket
from crossfade.domain.gate.settings import GateSettings
from crossfade.domain.records import Knock, Lane, LaneEvent, Opened, Record, Request
from crossfade.domain.spec import Slot, other

RECENT = 10
"""Of so many last answers of the stable lane most must be right, for the candidate alone to be dead."""
FEW_WRONG = 2
"""Where there are more, nothing that the candidate failed so far was its own fault alone."""


class Run(NamedTuple):
    """Failures in a row on the candidate's lane; the times in seconds since 1970."""

    length: int = 0
    began: float = 0
    last: float = 0


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
    not newer is a repetition. ``recent`` are the stable lane's last outcomes, ``.`` right and ``x`` failed;
    ``stable_failed_at`` is when too many of them were last failed. ``seen`` are the same three lanes.
    """

    opened: float = 0
    numbers: tuple[int, int, int] = (0, 0, 0)
    block: int = 0
    candidate: Tally = Tally()
    stable: Tally = Tally()
    production: Tally = Tally()
    run: Run = Run()
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
        run = self.run
        if run.length < settings.dead_requests or run.last - run.began < settings.dead_seconds:
            return False
        answering = (
            len(self.recent) == RECENT
            and self.recent.count("x") <= FEW_WRONG
            and self.stable_at >= run.last - settings.dead_seconds
        )
        return alone or answering


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
) -> Folded:
    """Take in new records of the ledger; what the candidate's lane met before ``since`` is not judged.

    ``right`` are the versions that a lane may answer with: any where it has none.
    """
    folding = _Folding(lanes, candidate, since.timestamp(), right)
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
    def __init__(self, lanes: Lanes, candidate: Slot, since: float, right: Mapping[Lane, Versions]) -> None:
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
        self._run, self._recent = lanes.run, lanes.recent
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

    def notice(self, record: LaneEvent) -> None:
        if record.lane != "production":
            self._gone[self._places[record.lane]] = record.event == "paused"

    def knock(self, record: Knock) -> None:
        place, at = self._places[record.lane], record.at.timestamp()
        if at > self._seen[place].knocked:
            self._seen[place] = self._seen[place]._replace(knocked=at, knocks=record.asked, met=fault(record))

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
            self._run = _longer(self._run, at) if failed else Run()
        elif place == 1:
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
            self.blocks.append(Block(self._block, SECONDS, candidate, stable))
            self.production.append(production)
        self._block, self._sides = block, (_Side(Tally()), _Side(Tally()), _Side(Tally()))

    def lanes(self) -> Lanes:
        candidate, stable, production = (side.tally() for side in self._sides)
        return Lanes(
            opened=self._opened,
            numbers=(self._numbers[0], self._numbers[1], self._numbers[2]),
            block=self._block,
            candidate=candidate,
            stable=stable,
            production=production,
            run=self._run,
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


def _longer(run: Run, at: float) -> Run:
    if not run.length:
        return Run(1, at, at)
    return Run(run.length + 1, min(at, run.began), max(at, run.last))
