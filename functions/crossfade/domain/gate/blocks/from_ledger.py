"""Blocks of the ledger: what the probe saw on its lanes, and whether the candidate is plainly dead.

Records are taken in one by one, in the ledger's order, so it does not matter how they are split over
invocations. A request belongs to the block that is open when its answer is written: a slow one counts later,
on both sides alike, and is never lost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
    """Requests in a row with the same outcome: failures on a slot's lane; the times in seconds since 1970."""

    length: int = 0
    began: float = 0.0
    last: float = 0.0

    def lasts(self, settings: GateSettings) -> bool:
        """Whether the run is as long, in requests and in seconds, as that of a dead side."""
        return self.length >= settings.dead_requests and self.last - self.began >= settings.dead_seconds

    def longer(self, at: float) -> "Run":
        """The run with one more request."""
        return (
            Run(self.length + 1, min(at, self.began), max(at, self.last)) if self.length else Run(1, at, at)
        )


@dataclass(slots=True)
class OpenTally:
    """A lane's requests in the open block, as they are counted."""

    requests: int = 0
    failures: int = 0
    latencies: Counter[int] = field(default_factory=Counter)
    further: list[Counter[int]] = field(default_factory=list)

    def of_path(self, place: int) -> Counter[int]:
        """The latencies of a path, by its place: 0 is the version path."""
        while len(self.further) < place:
            self.further.append(Counter())
        return self.further[place - 1] if place else self.latencies

    def closed(self) -> Tally:
        """What they come to."""
        latencies, *further = (tuple(sorted(counts.items())) for counts in (self.latencies, *self.further))
        return Tally(self.requests, self.failures, latencies, tuple(further))

    def copied(self) -> "OpenTally":
        """One to count on in."""
        return replace(self, latencies=self.latencies.copy())


@dataclass(slots=True)
class Seen:
    """What a lane has shown: how many ``requests``, and by ``kinds`` those that failed.

    ``number`` is the last request's; a record that is not newer is a repetition. ``open`` is not yet in a
    closed block. ``answered_at`` is when its last answer came, and ``good_at`` its last good one (seconds
    since 1970). Of a lane that polls, ``unanswered_at`` is its last report, ``polls`` the requests up to it,
    and ``met`` what they met. ``gone``: its slot has no target.

    Of a slot's lane, ``recent`` are the last outcomes, ``.`` right and ``x`` failed, ``at`` is when the last
    of them was asked for, and ``failing_at`` when too many of them last failed. ``run`` counts the
    candidate's failures while the stable lane answers, and the stable lane's requests that were not served
    while the candidate's lane answers; of the production lane it counts good answers in a row.
    """

    number: int = 0
    open: OpenTally = field(default_factory=OpenTally)
    requests: int = 0
    kinds: Kinds = field(default_factory=Kinds)
    answered_at: float = 0
    good_at: float = 0
    unanswered_at: float = 0
    polls: int = 0
    met: str = ""
    gone: bool = False
    recent: str = ""
    at: float = 0
    failing_at: float = 0
    run: Run = field(default_factory=Run)

    @property
    def polling(self) -> bool:
        """Whether the lane polls: no application answers."""
        return self.unanswered_at > self.answered_at

    @property
    def answering(self) -> bool:
        """Whether of the last answers enough were right."""
        return len(self.recent) == RECENT and self.recent.count("x") <= FEW_WRONG

    def answers_during(self, run: Run, settings: GateSettings) -> bool:
        """Whether the lane answers well while the other lane's run lasts."""
        return self.answering and self.at >= run.last - settings.dead_seconds

    def copied(self) -> "Seen":
        """One to count on in: the open tally is all of it that changes in place."""
        return replace(self, open=self.open.copied())


@dataclass(slots=True)
class Lanes:
    """What the ledger has said so far, lane by lane.

    ``opened`` is when the probe began, and ``block`` the open block (seconds since 1970). ``alone``: that
    block began while the stable side served nothing. ``paths`` are those that were asked besides the version
    path, in the order of their first answers.
    """

    candidate: Seen = field(default_factory=Seen)
    stable: Seen = field(default_factory=Seen)
    production: Seen = field(default_factory=Seen)
    opened: float = 0
    block: int = 0
    alone: bool = False
    paths: list[str] = field(default_factory=list)

    def by_name(self, candidate: Slot) -> dict[Lane, Seen]:
        """The same three, by their names in the ledger."""
        return {candidate: self.candidate, other(candidate): self.stable, "production": self.production}

    def copied(self) -> "Lanes":
        """Lanes to count on in; these stay as they are."""
        return replace(
            self,
            candidate=self.candidate.copied(),
            stable=self.stable.copied(),
            production=self.production.copied(),
        )

    @property
    def wrong(self) -> bool:
        """Whether the candidate has answered with a version that was not expected."""
        return any(kind.startswith(VERSION) for kind, _ in self.candidate.kinds.counts)

    def place(self, path: str | None) -> int:
        """The place of a path among those that are asked: 0 for the version path, which is None."""
        if path is None:
            return 0
        if path not in self.paths:
            self.paths.append(path)
        return self.paths.index(path) + 1

    def dead(self, settings: GateSettings, *, alone: bool) -> bool:
        """Whether the candidate only fails, for long enough, while the stable lane answers."""
        run = self.candidate.run
        return run.lasts(settings) and (alone or self.stable.answers_during(run, settings))

    def unanswered(self, settings: GateSettings, *, alone: bool) -> bool:
        """Whether a new probe gets no answer from the candidate's slot, which had answered the last probe.

        If the stable lane does not answer either, the probe itself may be at fault.
        """
        seen = self.candidate
        if not 0 < seen.answered_at < self.opened < seen.unanswered_at:
            return False
        until = seen.unanswered_at if alone else self.stable.at if self.stable.answering else 0
        return until - self.opened >= settings.dead_seconds

    def stable_serves_nothing(self, settings: GateSettings) -> bool:
        """Whether the stable slot has served nothing for long enough, while the candidate's lane answers.

        Its requests only fail, or it has no target. If both lanes fail, it is a shared outage.
        """
        run = self.stable.run
        if not (run.length and self.candidate.answers_during(run, settings)):
            return False
        # A polling lane sends few requests: the candidate's answers measure how long it has polled.
        since = max(self.candidate.at - run.began, run.last - run.began)
        unanswered = self.stable.gone or self.stable.polling
        return since >= settings.dead_seconds if unanswered else run.lasts(settings)


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
    counting = _Counting(lanes.copied(), candidate, since.timestamp(), right, settings)
    for record in records:
        if isinstance(record, Opened):
            counting.open(record)
        elif isinstance(record, LaneEvent):
            counting.notice(record)
        elif isinstance(record, Unanswered):
            counting.meet_nobody(record)
        elif isinstance(record, Request):
            counting.take(record)
    return LedgerBlocks(counting.lanes, counting.blocks, counting.production, counting.requests)


class _Counting:
    """Counts records into the lanes that it is given, and closes the open block when the next one begins."""

    def __init__(
        self,
        lanes: Lanes,
        candidate: Slot,
        since: float,
        right: Mapping[Lane, Versions],
        settings: GateSettings,
    ) -> None:
        self.lanes = lanes
        self._seen, self._since, self._right = lanes.by_name(candidate), since, right
        self._settings = settings
        self.blocks: list[Block] = []
        self.production: list[Tally] = []
        self.requests: list[Request] = []

    def open(self, record: Opened) -> None:
        """A new probe counts from 1 again, and reports again which lanes are paused."""
        opened = record.at.timestamp()
        if opened > self.lanes.opened:
            self.lanes.opened = opened
            for seen in self._seen.values():
                seen.number, seen.gone = 0, False
            self.lanes.stable.run = Run()

    def notice(self, record: LaneEvent) -> None:
        if record.lane == "production":
            return
        seen = self._seen[record.lane]
        seen.gone = record.event == "paused"
        if seen is self.lanes.stable and seen.gone:
            seen.run = seen.run.longer(record.at.timestamp())

    def meet_nobody(self, record: Unanswered) -> None:
        seen, at = self._seen[record.lane], record.at.timestamp()
        if at > seen.unanswered_at:
            seen.unanswered_at, seen.polls, seen.met = at, record.asked, fault(record)
            if seen is self.lanes.stable:
                seen.run = Run() if _served(record) else seen.run.longer(at)

    def take(self, record: Request) -> None:
        at, lanes, seen = record.at.timestamp(), self.lanes, self._seen[record.lane]
        if record.n <= seen.number or at < lanes.opened:
            return
        seen.number = record.n
        self.requests.append(record)
        if seen is lanes.candidate and at < self._since:
            return
        self._close_before(int(at) // SECONDS * SECONDS)
        failed = not is_good(record, self._right.get(record.lane))
        answered = at + record.ms / 1000
        seen.requests += 1
        seen.answered_at = max(answered, seen.answered_at)
        if failed:
            seen.kinds = seen.kinds.plus(fault(record))
        else:
            seen.good_at = max(answered, seen.good_at)
        seen.open.requests += 1
        seen.open.failures += failed
        if seen is lanes.production:
            seen.run = Run() if failed else seen.run.longer(at)
            return
        seen.open.of_path(lanes.place(record.path))[bucket(record.ms)] += 1
        # An unexpected answer of the stable slot serves its clients all the same.
        dead = failed if seen is lanes.candidate else not _served(record)
        seen.run = seen.run.longer(at) if dead else Run()
        seen.recent = (seen.recent + ("x" if failed else "."))[-RECENT:]
        seen.at = max(at, seen.at)
        if seen.recent.count("x") > FEW_WRONG:
            seen.failing_at = max(at, seen.failing_at)
            opposite = lanes.stable if seen is lanes.candidate else lanes.candidate
            opposite.run = Run()

    def _close_before(self, block: int) -> None:
        """Close the open block when a request of a later one comes."""
        lanes = self.lanes
        if block <= lanes.block:
            return
        if lanes.block:
            candidate, stable, production = (seen.open.closed() for seen in self._seen.values())
            self.blocks.append(Block(lanes.block, SECONDS, candidate, stable, lanes.alone))
            self.production.append(production)
        # By what was known before it: a bet on a block must not depend on that block's outcomes.
        lanes.alone = lanes.stable_serves_nothing(self._settings)
        lanes.block = block
        for seen in self._seen.values():
            seen.open = OpenTally()


def _served(record: Request | Unanswered) -> bool:
    """Whether a client would have got an answer, even one that the probe does not expect."""
    return record.status is not None and record.status < SERVER_ERROR
