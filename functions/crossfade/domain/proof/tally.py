"""A ledger counted record by record: what is kept does not grow with the number of records."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from crossfade.domain.answers import Kinds, Versions, fault, is_good
from crossfade.domain.ledger import LANES, Closed, Lane, LaneTotals, Opened, Record, Request
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.proof.bound import at_most

MOST_VERSIONS = 50
"""A lane's further versions are counted together: an application may answer another one each time."""
OTHERS = "(others)"
MISSING = "not in the ledger"
"""The kind of failure of a request that was sent, and whose record is missing."""
_BLOCK = 8192


class LaneCount(Model):
    """Requests of a lane: ``ok`` are good statuses of a version that is right, ``failed`` all others.

    ``missing`` of those that failed were sent, and are not in the ledger: what is not known is no success.
    ``at_most`` bounds the share that fails, see ``bound.py``.
    """

    sent: int
    ok: int
    failed: int
    missing: int
    at_most: float | None


class PathCount(Model):
    """A path that was asked: how many requests of each lane, and how many of them failed."""

    path: str
    requests: dict[Lane, int]
    failed: dict[Lane, int]


class Failed(Model):
    """A kind of failure, in words, and how often."""

    what: str
    count: int


class VersionSeen(Model):
    """A version that a lane answered with: when first and last, and how often."""

    version: str
    first: Timestamp
    last: Timestamp
    count: int


class Gap(Model):
    """A time in which no probe was there: from the last record of one to the first of the next."""

    began: Timestamp
    ended: Timestamp


class Tally:
    """What is in a ledger: each probe task's requests, counted once however often they were written.

    ``right`` are the versions that a lane may answer with, any where it has none; ``since`` is from when on
    that counts, which it is not known to do before the candidate was healthy.
    """

    def __init__(self, right: Mapping[Lane, Versions], since: datetime | None) -> None:
        self._right, self._since = right, since
        self._kinds: dict[Lane, Kinds] = {lane: Kinds() for lane in LANES}
        self._paths: Counter[tuple[str | None, Lane, bool]] = Counter()
        self._runs = [_Run()]
        self._opened: Opened | None = None
        self._seen: dict[Lane, dict[str, _Sight]] = {lane: {} for lane in LANES}
        self.repeated = 0
        """How many records of requests came again: a batch that was written twice."""

    def take(self, record: Record) -> bool:
        """Take a record in; False for a request that was counted before.

        Each ``opened`` begins the run of a new task, whose numbers begin at 1 again; it too may come twice.
        """
        if isinstance(record, Opened) and record != self._opened:
            self._opened = record
            if self._runs[-1].first is not None:
                self._runs.append(_Run())
        run = self._runs[-1]
        run.saw(record.at)
        if isinstance(record, Request):
            good = self.good(record)
            if not run.lanes[record.lane].take(record, good=good):
                self.repeated += 1
                return False
            self._paths[record.path, record.lane, good] += 1
            if not good:
                self._kinds[record.lane] = self._kinds[record.lane].plus(fault(record))
            if record.ok and record.version is not None:
                self._sight(record.lane, record.version, record.at)
        elif isinstance(record, Closed):
            run.closed = record
        return True

    def good(self, request: Request) -> bool:
        """Whether a request counts as answered well."""
        return is_good(request, self._right.get(request.lane) if self._judged(request.at) else None)

    @property
    def records(self) -> int:
        """How many requests there are."""
        return sum(lane.ok + lane.failed for run in self._runs for lane in run.lanes.values())

    @property
    def late(self) -> int:
        """How many requests stand behind one with a higher number; the probe writes a lane's in order."""
        return sum(lane.late for run in self._runs for lane in run.lanes.values())

    @property
    def closed(self) -> bool:
        """Whether the last probe task has written its closing record."""
        return self._runs[-1].closed is not None

    @property
    def missing(self) -> int:
        """How many requests were sent, and are not there."""
        return sum(self._missing(lane) for lane in LANES)

    @property
    def not_sent(self) -> int:
        """How many requests of its schedule a probe could not send in time; no figure counts them."""
        closing = [run.closed for run in self._runs if run.closed]
        return sum(totals.missed for one in closing for totals in one.lanes.values())

    @property
    def complete(self) -> bool:
        """Whether every probe task has closed its part, and nothing is missing."""
        return not self.cut and not self.missing

    @property
    def cut(self) -> bool:
        """Whether a probe task has not closed its part, or could not write all of it."""
        return any(run.closed is None or run.closed.rejected > 0 for run in self._runs)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The times between one probe task and the next."""
        return tuple(
            Gap(began=before.last, ended=after.first)
            for before, after in pairwise(self._runs)
            if before.last and after.first
        )

    def counts(self) -> dict[Lane, LaneCount]:
        """The requests of each lane."""
        return {lane: self._count(lane) for lane in LANES}

    def paths(self, version_path: str, others: Iterable[str]) -> tuple[PathCount, ...]:
        """The requests by path: first of the version path, which records do not name."""
        found = self._paths
        return tuple(
            PathCount(
                path=name or version_path,
                requests={lane: found[name, lane, True] + found[name, lane, False] for lane in LANES},
                failed={lane: found[name, lane, False] for lane in LANES},
            )
            for name in (None, *others)
        )

    def failures(self) -> dict[Lane, tuple[Failed, ...]]:
        """What the failures of each lane were, the commonest first, and what is missing last."""
        return {
            lane: tuple(
                Failed(what=kind, count=count)
                for kind, count in (*kinds.commonest, (OTHERS, kinds.others), (MISSING, self._missing(lane)))
                if count
            )
            for lane, kinds in self._kinds.items()
        }

    def versions(self) -> dict[Lane, tuple[VersionSeen, ...]]:
        """The versions that each lane answered with, in the order of their first sight."""
        return {
            lane: tuple(
                VersionSeen(version=version, first=sight.first, last=sight.last, count=sight.count)
                for version, sight in sorted(sights.items(), key=lambda item: item[1].first)
            )
            for lane, sights in self._seen.items()
        }

    def _judged(self, at: datetime) -> bool:
        return self._since is not None and at >= self._since

    def _counted(self, lane: Lane) -> list["_Counted"]:
        return [
            run.lanes[lane].count(run.closed.lanes.get(lane) if run.closed else None) for run in self._runs
        ]

    def _missing(self, lane: Lane) -> int:
        return sum(count.missing for count in self._counted(lane))

    def _count(self, lane: Lane) -> LaneCount:
        counts = self._counted(lane)
        sent, ok = sum(count.sent for count in counts), sum(count.ok for count in counts)
        return LaneCount(
            sent=sent,
            ok=ok,
            failed=sent - ok,
            missing=self._missing(lane),
            at_most=at_most(sent - ok, sent),
        )

    def _sight(self, lane: Lane, version: str, at: datetime) -> None:
        seen = self._seen[lane]
        if version not in seen and len(seen) >= MOST_VERSIONS:
            version = OTHERS
        if version in seen:
            seen[version].saw(at)
        else:
            seen[version] = _Sight(at)


class _Run:
    """The records of one probe task."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.closed: Closed | None = None
        self.lanes = {lane: _LaneRun() for lane in LANES}

    def saw(self, at: datetime) -> None:
        if self.first is None or at < self.first:
            self.first = at
        if self.last is None or at > self.last:
            self.last = at


class _Counted(NamedTuple):
    sent: int
    ok: int
    missing: int


class _LaneRun:
    """The requests of one probe task on one lane."""

    def __init__(self) -> None:
        self.ok = self.failed = self.late = self.highest = 0
        self._numbers = _Numbers()

    def take(self, request: Request, *, good: bool) -> bool:
        """A request that was written twice (a resent batch) counts once."""
        if not self._numbers.add(request.n):
            return False
        self.late += request.n < self.highest
        self.highest = max(self.highest, request.n)
        if good:
            self.ok += 1
        else:
            self.failed += 1
        return True

    def count(self, totals: LaneTotals | None) -> _Counted:
        sent = max(self.highest, totals.sent if totals else 0)
        return _Counted(sent, self.ok, missing=sent - self.ok - self.failed)


class _Numbers:
    """The numbers that were seen, a bit for each: gaps cost nothing, and a stray number costs one block."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}

    def add(self, number: int) -> bool:
        """Whether it is new."""
        block, place = divmod(number, _BLOCK)
        bits = self._blocks.get(block)
        if bits is None:
            bits = self._blocks[block] = bytearray(_BLOCK // 8)
        byte, bit = place >> 3, 1 << (place & 7)
        if bits[byte] & bit:
            return False
        bits[byte] |= bit
        return True


class _Sight:
    """A version as it was seen so far."""

    def __init__(self, at: datetime) -> None:
        self.first = self.last = at
        self.count = 1

    def saw(self, at: datetime) -> None:
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.count += 1
