"""Blocks of the ledger: what the probe saw on its lanes, and whether the candidate is plainly dead.

Records are taken in one by one, in the ledger's order, so it does not matter how they are split over
invocations. A request belongs to the block that is open when its answer is written: a slow one counts later,
on both sides alike, and is never lost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from crossfade.domain.answers import VERSION, Kinds, Versions, fault, is_good
from crossfade.domain.gate.blocks.block import SECONDS, Block, Tally
from crossfade.domain.gate.blocks.latency import bucket
from crossfade.domain.ledger import Lane, LaneEvent, Opened, Record, Request, Unanswered
from crossfade.domain.slots import Slot, other
from crossfade.domain.spec.gate import GateSettings

RECENT = 10
"""How many of a lane's last answers are kept: most must be right for the other lane to be dead."""
FEW_WRONG = 2
"""With more wrong answers than this among them, the other side's failures may be a shared outage."""
SERVER_ERROR = 500
"""From this status on a client is not served. A redirect, a login or an unknown path is an answer."""


class Run(NamedTuple):
    """Failures in a row on a slot's lane; the times in seconds since 1970."""

    length: int = 0
    began: float = 0
    last: float = 0

    def lasts(self, settings: GateSettings) -> bool:
        """Whether the run is as long, in requests and in seconds, as that of a dead side."""
        return self.length >= settings.dead_requests and self.last - self.began >= settings.dead_seconds

    def longer(self, at: float) -> "Run":
        """The run with one more failure."""
        return (
            Run(self.length + 1, min(at, self.began), max(at, self.last)) if self.length else Run(1, at, at)
        )


class Seen(NamedTuple):
    """What a lane has shown: how many ``requests``, and by ``kinds`` those that failed.

    ``answered_at`` is when its last answer came, and ``good_at`` its last good one (seconds since 1970). Of a
    lane that polls, ``unanswered_at`` is its last report, ``polls`` the requests up to it, and ``met`` what
    they met.
    """

    requests: int = 0
    kinds: Kinds = Kinds()
    answered_at: float = 0
    good_at: float = 0
    unanswered_at: float = 0
    polls: int = 0
    met: str = ""

    @property
    def polling(self) -> bool:
        """Whether the lane polls: no application answers."""
        return self.unanswered_at > self.answered_at


class Lanes(NamedTuple):
    """What the ledger has said so far, as far as it is not yet in a closed block.

    ``numbers`` are the last request numbers of three lanes: candidate, stable, production. A record that is
    not newer is a repetition. ``alone``: the open block began while the stable side served nothing.
    ``recent`` are the stable lane's last outcomes, ``.`` right and ``x`` failed; ``candidate_recent`` the
    candidate's. ``stable_failed_at`` is when too many of the stable ones last failed. ``run`` counts the
    candidate's failures while the stable lane answers, ``stable_run`` the stable lane's requests that were
    not served while the candidate's lane answers. ``seen`` are the same three lanes.
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
        """Whether a new probe gets no answer from the candidate's slot, which had answered the last probe.

        If the stable lane does not answer either, the probe itself may be at fault.
        """
        seen = self.seen[0]
        if not 0 < seen.answered_at < self.opened < seen.unanswered_at:
            return False
        answering = len(self.recent) == RECENT and self.recent.count("x") <= FEW_WRONG
        until = seen.unanswered_at if alone else self.stable_at if answering else 0
        return until - self.opened >= settings.dead_seconds

    def stable_serves_nothing(self, settings: GateSettings) -> bool:
        """Whether the stable slot has served nothing for long enough, while the candidate's lane answers.

        Its requests only fail, or it has no target. If both lanes fail, it is a shared outage.
        """
        run = self.stable_run
        if not (run.length and _answers(self.candidate_recent, self.candidate_at, run, settings)):
            return False
        unanswered = self.stable_gone or self.seen[1].polling
        # A polling lane sends few requests: the candidate's answers measure how long it has polled.
        since = max(self.candidate_at - run.began, run.last - run.began)
        return since >= settings.dead_seconds if unanswered else run.lasts(settings)


def _answers(recent: str, at: float, run: Run, settings: GateSettings) -> bool:
    """Whether a lane, which answered last ``at``, answers well while the other lane's run lasts."""
    return len(recent) == RECENT and recent.count("x") <= FEW_WRONG and at >= run.last - settings.dead_seconds


class LedgerBlocks(NamedTuple):
    """The lanes after new records, the blocks that these closed, and the requests that are new.

    ``blocks`` hold the slots' lanes, ``production`` the production lane's counts of the same spans.
    """

    lanes: Lanes
    blocks: list[Block]
    production: list[Tally]
    requests: list[Request]


def ledger_blocks(
    lanes: Lanes,
    records: Iterable[Record],
    *,
    candidate: Slot,
    since: datetime,
    right: Mapping[Lane, Versions],
    settings: GateSettings,
) -> LedgerBlocks:
    """Take in new records of the ledger; the candidate's requests before ``since`` do not count.

    ``right`` has the versions that a lane may answer with; a lane without an entry may answer with any.
    """
    counting = _Counting(lanes, candidate, since.timestamp(), right, settings)
    for record in records:
        if isinstance(record, Opened):
            counting.open(record)
        elif isinstance(record, LaneEvent):
            counting.notice(record)
        elif isinstance(record, Unanswered):
            counting.meet_nobody(record)
        elif isinstance(record, Request):
            counting.take(record)
    return LedgerBlocks(counting.lanes(), counting.blocks, counting.production, counting.requests)


class _Side:
    """The open block's counts of one side."""

    def __init__(self, tally: Tally) -> None:
        self.requests, self.failures, latencies = tally
        self.latencies = Counter(dict(latencies))

    def tally(self) -> Tally:
        return Tally(self.requests, self.failures, tuple(sorted(self.latencies.items())))


class _Counting:
    """Counts records into the open block, and closes it when the next one begins."""

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
        # Lists, because a new tuple for each request would take a quarter of the gate's time.
        self._requests, self._kinds, self._answered_at, self._good_at = map(
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
        """A new probe counts from 1 again, and reports again which lanes are paused."""
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

    def meet_nobody(self, record: Unanswered) -> None:
        place, at = self._places[record.lane], record.at.timestamp()
        if at > self._seen[place].unanswered_at:
            self._seen[place] = self._seen[place]._replace(
                unanswered_at=at, polls=record.asked, met=fault(record)
            )
            if place == 1:
                self._meet(at, served=_served(record))

    def _meet(self, at: float, *, served: bool) -> None:
        """What the stable lane met: ``served`` by an answer of any kind, or not."""
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
        self._close_before(int(at) // SECONDS * SECONDS)
        failed = not is_good(record, self._right[place])
        answered = at + record.ms / 1000
        self._requests[place] += 1
        self._answered_at[place] = max(answered, self._answered_at[place])
        if failed:
            self._kinds[place] = self._kinds[place].plus(fault(record))
        else:
            self._good_at[place] = max(answered, self._good_at[place])
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

    def _close_before(self, block: int) -> None:
        """Close the open block when a request of a later one comes."""
        if block <= self._block:
            return
        if self._block:
            candidate, stable, production = (side.tally() for side in self._sides)
            self.blocks.append(Block(self._block, SECONDS, candidate, stable, self._alone))
            self.production.append(production)
        # By what was known before it: a bet on a block must not depend on that block's outcomes.
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
            answered_at=self._answered_at[place],
            good_at=self._good_at[place],
        )


def _served(record: Request | Unanswered) -> bool:
    """Whether a client would have got an answer, even one that the probe does not expect."""
    return record.status is not None and record.status < SERVER_ERROR
