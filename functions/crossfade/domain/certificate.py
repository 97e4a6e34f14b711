"""The certificate: what the ledger proves about a deployment."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from crossfade.domain.message import Message, Moment
from crossfade.domain.plan import Plan
from crossfade.domain.records import LANES, Closed, Lane, Record, Request

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
    stable slot's weights were read back. ``probe`` is its task, ``cursor`` how far the ledger was read.
    """

    plan: Plan
    launched: Moment | None = None
    healthy: Moment | None = None
    judged: Moment | None = None
    promoted: Moment | None = None
    restored: Moment | None = None
    probe: str | None = None
    cursor: str | None = None
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
    """Seconds. ``overhead`` is what Crossfade itself takes: total − bake − container_start.

    ``detected`` and ``restored`` count from the first bad answer in the ledger to the verdict, and to the
    stable slot's weights read back; null where there was no bad answer.
    """

    total: float
    bake: float
    container_start: float
    overhead: float
    detected: float | None
    restored: float | None


class LedgerCount(Message):
    """The ledger itself: how many records, whether none is missing, and the SHA-256 of ``ledger.jsonl``."""

    records: int
    complete: bool
    sha256: str


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
    """Draw the certificate up from a deployment's history and its ledger.

    A record that was written twice (a resent batch) counts once.
    """
    requests = {(record.lane, record.n): record for record in records if isinstance(record, Request)}
    closed = next((record for record in records if isinstance(record, Closed)), None)
    lanes = {
        lane: _count([record for record in requests.values() if record.lane == lane], lane, closed)
        for lane in LANES
    }
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
        versions={
            lane: _versions(record for record in requests.values() if record.lane == lane) for lane in LANES
        },
        stages=history.stages,
        timing=_timing(history, requests.values(), ended),
        transitions=transitions,
        ledger=LedgerCount(
            records=len(requests),
            complete=closed is not None
            and closed.rejected == 0
            and not any(count.missing for count in lanes.values()),
            sha256=sha256,
        ),
    )


def _count(requests: list[Request], lane: Lane, closed: Closed | None) -> LaneCount:
    ok = sum(request.ok for request in requests)
    numbers = {request.n for request in requests}
    totals = closed.lanes.get(lane) if closed else None
    sent = max(max(numbers, default=0), totals.sent if totals else 0)
    return LaneCount(sent=sent, ok=ok, failed=len(requests) - ok, missing=sent - len(numbers))


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
    start = (
        (history.healthy - history.launched).total_seconds() if history.launched and history.healthy else 0.0
    )
    bad = min((request.at for request in requests if _bad(request, history)), default=None)

    def since_bad(moment: datetime | None) -> float | None:
        return None if bad is None or moment is None else round((moment - bad).total_seconds(), 3)

    return Timing(
        total=round(total, 3),
        bake=round(bake, 3),
        container_start=round(start, 3),
        overhead=round(total - bake - start, 3),
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
