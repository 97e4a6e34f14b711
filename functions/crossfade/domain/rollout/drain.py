"""When a version may go: never because a rule says so, only because clients no longer meet it.

The same question is asked twice: of the old version before it is retired, and of the candidate after a
rollback before it is stopped.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from crossfade.domain.answers import Kinds, fault
from crossfade.domain.ledger import Opened, Record, Request
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.spec.service import Retire

SPANS = 20
"""The quiet time is counted in so many parts, so that its failures are known without every single answer."""


class DrainProgress(Model):
    """What production has shown since the last shift: the version's last good answer, another's last answer.

    Where nobody knows the version, every answer is its that is not the loser's. A failed request may be
    anybody's: ``spans`` counts them, by number, requests and failures of the quiet time's parts. The time in
    which no probe was there proves nothing: a new one's beginning counts like another version's answer.
    ``met`` is another version that was answered, and when last; ``kinds`` are all failures since the shift;
    ``requests`` counts all requests since then.
    """

    last_answer: Timestamp | None = None
    last_other: Timestamp | None = None
    spans: tuple[tuple[int, int, int], ...] = ()
    met: tuple[Timestamp, str] | None = None
    requests: int = 0
    kinds: Kinds = Kinds()

    def gap(self, at: datetime) -> "DrainProgress":
        """Nobody saw what production gave just before."""
        return self.model_copy(update={"last_other": max(at, self.last_other or at)})

    def answer(self, request: Request, seconds: float, *, awaited: bool) -> "DrainProgress":
        """With one more answer, ``awaited`` or not; only the last of ``seconds`` are kept."""
        at = request.at
        number = int(at.timestamp() * SPANS // max(seconds, 1))
        counts = {span: (requests, failures) for span, requests, failures in self.spans}
        requests, failures = counts.get(number, (0, 0))
        counts[number] = (requests + 1, failures + (not request.ok))
        first = max(counts) - SPANS
        update: dict[str, object] = {
            "spans": tuple((span, *counts[span]) for span in sorted(counts) if span >= first),
            "requests": self.requests + 1,
        }
        if request.ok and awaited:
            update["last_answer"] = max(at, self.last_answer or at)
        elif request.ok:
            update["last_other"] = max(at, self.last_other or at)
            met = (at, fault(request))
            update["met"] = max(met, self.met or met)
        else:
            update["kinds"] = self.kinds.plus(fault(request))
        return self.model_copy(update=update)

    def covers(self, since: datetime, seconds: float) -> bool:
        """Whether good answers of the version, and of no other, cover so many seconds after ``since``."""
        begins = max(since, self.last_other or since)
        return self.last_answer is not None and self.last_answer - begins >= timedelta(seconds=seconds)

    def failures(self) -> tuple[int, int]:
        """How many of how many requests failed in the last spans."""
        return sum(failures for _, _, failures in self.spans), sum(requests for _, requests, _ in self.spans)

    def found(self, now: datetime) -> str:
        """What was met since the shift that was not the version, to follow a reason."""
        told = []
        if self.met:
            at, what = self.met
            told.append(f"; {(now - at).total_seconds():,.0f} s ago it gave {what}")
        if self.kinds.total:
            told.append(f"; {self.kinds.told(self.requests)}")
        if not self.requests:
            told.append("; no request of the probe was seen")
        return "".join(told)

    def alone(self, since: datetime, seconds: float, failing: float) -> bool:
        """Whether clients have got the version alone for so long, and no more than a share of them failed."""
        failures, requests = self.failures()
        return self.covers(since, seconds) and failures <= failing * requests


class Awaited(NamedTuple):
    """What clients are to get: the winner's version, or, where nobody knows that, any but the loser's."""

    version: str | None
    loser: str | None

    def meets(self, request: Request) -> bool:
        """Whether a good answer is one of these."""
        return request.version == self.version if self.version else request.version != self.loser

    def __str__(self) -> str:
        return f"only {self.version}" if self.version else f"no {self.loser}"


class DrainVerdict(Model):
    """``drained``: the other slot may be stopped. ``late``: the deadline came before that."""

    action: Literal["wait", "drained", "late"]
    reason: str


def look(
    quiet: DrainProgress,
    records: Iterable[Record],
    *,
    retire: Retire,
    failing: float,
    shifted: datetime,
    shown: datetime,
    now: datetime,
    version: str | None,
    loser: str | None = None,
) -> tuple[DrainProgress, DrainVerdict]:
    """Take in new records and say whether clients get ``version`` only.

    ``shifted`` is when the weights were set from which on that is expected, ``shown`` when the load balancer
    showed them: the drain time and the deadline count from there. Silence is not proof: the quiet time must
    be covered by good answers, and no more than the share ``failing`` of its requests may fail. Where it is
    not known which ``version`` clients are to get, they must get no more of the ``loser``'s. Where there is
    none either nothing can be proved, and the drain time alone counts.
    """
    elapsed = (now - shown).total_seconds()
    undrained = f"the drain time of {retire.drain_seconds:g} s is not over"
    awaited = Awaited(version, loser)
    if version is None and loser is None:
        if elapsed < retire.drain_seconds:
            return quiet, DrainVerdict(action="wait", reason=undrained)
        return quiet, DrainVerdict(action="late", reason="there is no stable version")
    for record in records:
        if isinstance(record, Opened) and record.at >= shifted:
            quiet = quiet.gap(record.at)
        if isinstance(record, Request) and record.lane == "production" and record.at >= shifted:
            quiet = quiet.answer(record, retire.quiet_seconds, awaited=awaited.meets(record))
    failures, requests = quiet.failures()
    if not quiet.covers(shifted, retire.quiet_seconds):
        awaiting = f"{version} alone" if version else f"others than {loser} alone"
        reason = f"production has not given {awaiting} for {retire.quiet_seconds:g} s{quiet.found(now)}"
    elif failures > failing * requests:
        reason = f"{failures:,} of the last {requests:,} production requests failed{quiet.found(now)}"
    elif elapsed < retire.drain_seconds:
        reason = undrained
    else:
        return quiet, DrainVerdict(action="drained", reason=f"{awaited} for {retire.quiet_seconds:g} s")
    late = elapsed >= retire.deadline_seconds
    return quiet, DrainVerdict(action="late" if late else "wait", reason=reason)
