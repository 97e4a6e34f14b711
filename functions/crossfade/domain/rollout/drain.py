"""When a slot may be stopped: once production answers with the other version only, whatever the weights say.

Where answers name no version, nothing shows that. Then time counts: the load balancer shows the weights, and
has had the drain time to follow them (ADR 40).

This is checked twice: for the old version before it is retired, and for the candidate after a rollback.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from crossfade.domain.answers import Kinds, fault
from crossfade.domain.ledger import Opened, Record, Request
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import Plan
from crossfade.domain.spec.service import Retire

SPANS = 20
"""The number of parts in which the quiet time is counted, so that no single answer has to be kept."""


class Awaited(NamedTuple):
    """What clients are to get: the winner's version, or any but the loser's if that is not known.

    ``alike``: answers name no version, so any of them may be the winner's.
    """

    version: str | None
    loser: str | None = None
    alike: bool = False

    def meets(self, request: Request) -> bool | None:
        """Whether a good answer is one of these; None where it names no version and others do."""
        if self.alike:
            return True
        if request.path is not None:
            return None
        return request.version == self.version if self.version else request.version != self.loser

    @property
    def missing(self) -> str:
        """What is missed, to follow ``production has not answered``."""
        if self.alike:
            return ""
        return f" with {self.version} only" if self.version else f" without {self.loser}"

    def __str__(self) -> str:
        return f"only {self.version}" if self.version else f"no {self.loser}"


def of_candidate(plan: Plan) -> Awaited:
    """What clients are to get of a deployment that goes well."""
    return Awaited(plan.answers or None, alike=not plan.answers)


class DrainProgress(Model):
    """What production has answered since the last shift.

    ``last_answer`` is the last good one of the awaited version, ``last_other`` the last one of another
    version. If the awaited version is not known, every version but the loser's is awaited. A failed request
    may belong to either: ``spans`` has, by number, requests and failures of the quiet time's parts. A time
    without a probe proves nothing, so a new probe's beginning counts like an answer of another version.
    ``met`` is the last answer of another version, and when; ``kinds`` are all failures since the shift, and
    ``requests`` all requests.
    """

    last_answer: Timestamp | None = None
    last_other: Timestamp | None = None
    spans: tuple[tuple[int, int, int], ...] = ()
    met: tuple[Timestamp, str] | None = None
    requests: int = 0
    kinds: Kinds = Kinds()

    def after(
        self, records: Iterable[Record], awaited: Awaited, *, shifted: datetime, seconds: float
    ) -> "DrainProgress":
        """With what these records say of the time from ``shifted`` on; ``seconds`` is the quiet time."""
        quiet = self
        for record in records:
            if isinstance(record, Opened) and record.at >= shifted:
                quiet = quiet.gap(record.at)
            if isinstance(record, Request) and record.lane == "production" and record.at >= shifted:
                quiet = quiet.answer(record, seconds, awaited=awaited.meets(record))
        return quiet

    def gap(self, at: datetime) -> "DrainProgress":
        """With a time without a probe, which ended ``at``."""
        return self.model_copy(update={"last_other": max(at, self.last_other or at)})

    def answer(self, request: Request, seconds: float, *, awaited: bool | None) -> "DrainProgress":
        """With one more answer, ``awaited`` or not, or None for neither; the last ``seconds`` count."""
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
        elif request.ok and awaited is not None:
            update["last_other"] = max(at, self.last_other or at)
            met = (at, fault(request))
            update["met"] = max(met, self.met or met)
        elif not request.ok:
            update["kinds"] = self.kinds.plus(fault(request))
        return self.model_copy(update=update)

    def covers(self, since: datetime, seconds: float) -> bool:
        """Whether good answers of the awaited version, and of no other, cover ``seconds`` after ``since``."""
        begins = max(since, self.last_other or since)
        return self.last_answer is not None and self.last_answer - begins >= timedelta(seconds=seconds)

    def failures(self) -> tuple[int, int]:
        """The failures and the requests of the last spans."""
        return sum(failures for _, _, failures in self.spans), sum(requests for _, requests, _ in self.spans)

    def found(self, now: datetime, status: str) -> str:
        """What else production has answered since the shift, to follow a reason."""
        found = []
        if self.met:
            at, what = self.met
            found.append(f"; {(now - at).total_seconds():,.0f} s ago it answered {what}")
        if self.kinds.total:
            found.append(f"; {self.kinds.summary(self.requests, status=status)}")
        if not self.requests:
            found.append("; the ledger has no request to production")
        return "".join(found)

    def alone(self, since: datetime, seconds: float, failing: float) -> bool:
        """Whether production answered with the version only for ``seconds``, failing ``failing`` at most."""
        failures, requests = self.failures()
        return self.covers(since, seconds) and failures <= failing * requests


class DrainVerdict(Model):
    """``drained``: the other slot may be stopped. ``late``: the deadline came before that."""

    action: Literal["wait", "drained", "late"]
    reason: str


def check(
    quiet: DrainProgress,
    awaited: Awaited,
    *,
    retire: Retire,
    failing: float,
    shifted: datetime,
    shown: datetime,
    now: datetime,
    good_status: str = "200",
) -> DrainVerdict:
    """Say whether clients get what is ``awaited`` only.

    ``shifted`` is when the weights were set, ``shown`` when the load balancer showed them: the drain time and
    the deadline count from there. Silence is not proof: the quiet time must be covered by good answers, and
    at most the share ``failing`` of its requests may fail. If it is known neither which version clients are
    to get nor which not, nothing can be proved, and the drain time alone counts. Where answers are alike,
    production must answer well, and it is the drain time that lets the other slot go.
    """
    elapsed = (now - shown).total_seconds()
    undrained = f"the drain time of {retire.drain_seconds:g} s is not over"
    if awaited == Awaited(None):
        if elapsed < retire.drain_seconds:
            return DrainVerdict(action="wait", reason=undrained)
        return DrainVerdict(action="late", reason="there is no stable version")
    failures, requests = quiet.failures()
    found = quiet.found(now, good_status)
    if not quiet.covers(shifted, retire.quiet_seconds):
        reason = f"production has not answered{awaited.missing} for {retire.quiet_seconds:g} s{found}"
    elif failures > failing * requests:
        reason = f"{failures:,} of the last {requests:,} production requests failed{found}"
    elif elapsed < retire.drain_seconds:
        reason = undrained
    elif awaited.alike:
        since = f"{retire.drain_seconds:g} s since the load balancer showed the weights"
        return DrainVerdict(action="drained", reason=f"{since}; answers name no version")
    else:
        return DrainVerdict(action="drained", reason=f"{awaited} for {retire.quiet_seconds:g} s")
    late = elapsed >= retire.deadline_seconds
    return DrainVerdict(action="late" if late else "wait", reason=reason)
