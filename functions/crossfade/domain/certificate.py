"""The certificate: what the ledger proves about a deployment."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from pydantic import Field

from crossfade.domain.message import Message, Moment
from crossfade.domain.plan import Plan
from crossfade.domain.records import LANES, Closed, Lane, LaneTotals, Opened, Record, Request
from crossfade.domain.scaling import Suspension

Outcome = Literal["promoted", "rolled_back", "failed"]


class StageRecord(Message):
    """A stage as it went. ``ended`` and the verdict are missing where a stage was cut off."""

    weight: int
    began: Moment
    ended: Moment | None = None
    verdict: str | None = None
    reason: str | None = None


class History(Message):
    """A deployment's milestones, as the journal holds them.

    ``launched`` and ``healthy`` are the candidate's; ``judged`` is the verdict to roll back; from
    ``promoted`` on the old slot may be gone, so there is no way back by weights; ``restored`` is when the
    stable slot's weights were read back. ``probe`` is its newest task, ``cursor`` how far the ledger was
    read, ``scaling`` how the live slot's automatic scaling stood before the deployment suspended it.
    ``outcome`` is there when the report has been written.
    """

    plan: Plan
    launched: Moment | None = None
    healthy: Moment | None = None
    judged: Moment | None = None
    promoted: Moment | None = None
    restored: Moment | None = None
    probe: str | None = None
    cursor: str | None = None
    scaling: Suspension | None = None
    outcome: Outcome | None = None
    stages: tuple[StageRecord, ...] = ()


class Version(Message):
    """A release: its version and digest; both null before a service's first release."""

    version: str | None
    digest: str | None


class LaneCount(Message):
    """Requests of a lane. ``missing`` were sent, and are not in the ledger."""

    sent: int
    ok: int
    failed: int
    missing: int


class Sighted(Message):
    """A version that a lane answered with: when first and last, and how often."""

    version: str
    first: Moment
    last: Moment
    count: int


class Timing(Message):
    """Seconds. ``bake`` is the stages' minimum times, ``evidence`` what they took beyond those, and
    ``overhead`` what Crossfade itself takes: total − bake − evidence − container_start.

    ``detected`` and ``restored`` count from the first bad answer in the ledger to the verdict, and to the
    stable slot's weights read back; null where there was no bad answer.
    """

    total: float
    bake: float
    evidence: float
    container_start: float
    overhead: float
    detected: float | None
    restored: float | None


class Gap(Message):
    """A time in which no probe was there: from the last record of one to the first of the next."""

    began: Moment
    ended: Moment


class LedgerCount(Message):
    """The ledger itself: how many records, whether none is missing, and the SHA-256 of ``ledger.jsonl``.

    A probe that died has left a gap, and what it had sent last may be missing.
    """

    records: int
    complete: bool
    gaps: tuple[Gap, ...]
    sha256: str


class _Run:
    """The records of one probe task, in their order."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.requests: dict[tuple[Lane, int], Request] = {}
        self.closed: Closed | None = None

    def take(self, record: Record) -> None:
        """A record that was written twice (a resent batch) counts once."""
        self.records.append(record)
        if isinstance(record, Request):
            self.requests[record.lane, record.n] = record
        if isinstance(record, Closed):
            self.closed = record

    def of(self, lane: Lane) -> list[Request]:
        """A lane's requests."""
        return [request for request in self.requests.values() if request.lane == lane]


def _runs(records: Iterable[Record]) -> list[_Run]:
    """Each ``opened`` begins the run of a new task, whose numbers begin at 1 again; it too may come twice."""
    runs = [_Run()]
    opened: Opened | None = None
    for record in records:
        if isinstance(record, Opened) and record != opened:
            opened = record
            if runs[-1].records:
                runs.append(_Run())
        runs[-1].take(record)
    return runs


class Certificate(Message):
    """The document ``certificate.json``."""

    service: str
    deployment: str
    outcome: Outcome
    reason: str
    from_: Version = Field(serialization_alias="from")
    to: Version
    requests: dict[Lane, LaneCount]
    versions: dict[Lane, tuple[Sighted, ...]]
    stages: tuple[StageRecord, ...]
    timing: Timing
    transitions: int
    ledger: LedgerCount


def certify(
    history: History,
    records: Sequence[Record],
    *,
    sha256: str,
    outcome: Outcome,
    reason: str,
    ended: datetime,
    transitions: int,
) -> Certificate:
    """Draw the certificate up from a deployment's history and its ledger."""
    runs = _runs(records)
    requests = [request for run in runs for request in run.requests.values()]
    lanes = {lane: _count(runs, lane) for lane in LANES}
    plan = history.plan
    previous = plan.previous
    return Certificate(
        service=plan.service,
        deployment=plan.deployment,
        outcome=outcome,
        reason=reason,
        from_=Version(
            version=previous.version if previous else None, digest=previous.digest if previous else None
        ),
        to=Version(version=plan.release.version, digest=plan.release.digest),
        requests=lanes,
        versions={lane: _versions(record for record in requests if record.lane == lane) for lane in LANES},
        stages=history.stages,
        timing=_timing(history, requests, ended),
        transitions=transitions,
        ledger=LedgerCount(
            records=len(requests),
            complete=all(run.closed is not None and run.closed.rejected == 0 for run in runs)
            and not any(count.missing for count in lanes.values()),
            gaps=tuple(Gap(began=_last(before), ended=_first(after)) for before, after in pairwise(runs)),
            sha256=sha256,
        ),
    )


def _count(runs: Iterable[_Run], lane: Lane) -> LaneCount:
    counts = [_count_run(run.of(lane), run.closed.lanes.get(lane) if run.closed else None) for run in runs]
    return LaneCount(
        sent=sum(count.sent for count in counts),
        ok=sum(count.ok for count in counts),
        failed=sum(count.failed for count in counts),
        missing=sum(count.missing for count in counts),
    )


def _count_run(requests: list[Request], totals: LaneTotals | None) -> LaneCount:
    ok = sum(request.ok for request in requests)
    numbers = {request.n for request in requests}
    sent = max(max(numbers, default=0), totals.sent if totals else 0)
    return LaneCount(sent=sent, ok=ok, failed=len(requests) - ok, missing=sent - len(numbers))


def _last(run: _Run) -> datetime:
    return max(record.at for record in run.records)


def _first(run: _Run) -> datetime:
    return min(record.at for record in run.records)


def _versions(requests: Iterable[Request]) -> tuple[Sighted, ...]:
    moments: dict[str, list[datetime]] = {}
    for request in requests:
        if request.ok and request.version is not None:
            moments.setdefault(request.version, []).append(request.at)
    seen = [
        Sighted(version=version, first=min(times), last=max(times), count=len(times))
        for version, times in moments.items()
    ]
    return tuple(sorted(seen, key=lambda sighted: sighted.first))


def _timing(history: History, requests: Iterable[Request], ended: datetime) -> Timing:
    plan = history.plan
    total = (ended - plan.began).total_seconds()
    minimum = {stage.weight: stage.min_seconds for stage in plan.stages}
    bake = sum(min(minimum[record.weight], _lasted(record, ended)) for record in history.stages)
    evidence = sum(_lasted(record, ended) for record in history.stages) - bake
    start = (
        (history.healthy - history.launched).total_seconds() if history.launched and history.healthy else 0.0
    )
    bad = min((request.at for request in requests if _bad(request, history)), default=None)

    def since_bad(moment: datetime | None) -> float | None:
        return None if bad is None or moment is None else round((moment - bad).total_seconds(), 3)

    return Timing(
        total=round(total, 3),
        bake=round(bake, 3),
        evidence=round(evidence, 3),
        container_start=round(start, 3),
        overhead=round(total - bake - evidence - start, 3),
        detected=since_bad(history.judged),
        restored=since_bad(history.restored),
    )


def _lasted(record: StageRecord, ended: datetime) -> float:
    """Seconds; a stage that was cut off has baked less than its minimum."""
    return ((record.ended or ended) - record.began).total_seconds()


def _bad(request: Request, history: History) -> bool:
    """A failed production request, or a candidate's answer that is failed or of the wrong version."""
    plan = history.plan
    if request.lane == "production":
        return not request.ok
    if request.lane != plan.candidate or history.healthy is None or request.at < history.healthy:
        return False
    return not request.ok or request.version != plan.release.version
