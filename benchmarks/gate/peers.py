"""What others decide by, with the settings of their samples. Each sees only the users' requests.

All read their metrics without any delay but the alarm, whose minutes are complete a minute later.
"""

from collections.abc import Iterable
from statistics import median

from benchmarks.gate.traffic import Span
from crossfade.domain.gate.blocks.block import Tally
from crossfade.domain.gate.blocks.latency import BOUNDS

MINUTE = 60.0
LEAST_SUCCESS = 0.99
FLAGGER_THRESHOLD = 5
ARGO_FAILURE_LIMIT = 3
ALARM_RATE, ALARM_DELAY = 0.01, 60.0
JUDGED_AFTER = (600.0, 1200.0, 1800.0)
CONFIDENCE_Z = 2.326
"""Of a 98 % interval, the default of Kayenta's Mann-Whitney classifier."""
TOLERANCE = 0.25


class Peer:
    """Sees spans, and decides once."""

    decided: float | None = None

    def see(self, span: Span) -> None:
        """Take in a span; ``decided`` is set when it is enough to roll back."""
        raise NotImplementedError


class Checks(Peer):
    """A check of the last minute's success rate every minute; so many failed ones are too many.

    Neither Flagger nor an Argo analysis forgets a failed check. Flagger acts at the interval after the one
    that reached its threshold.
    """

    def __init__(self, too_many: int, acts_after: float) -> None:
        self._too_many, self._acts_after = too_many, acts_after
        self._failed_checks, self._next = 0, MINUTE
        self._requests = self._failures = 0

    def see(self, span: Span) -> None:
        """Spans that reach over the check count into the minute that they end in."""
        green = span.users[0]
        self._requests += green.requests
        self._failures += green.failures
        if span.ended >= self._next and self.decided is None:
            if self._requests and 1 - self._failures / self._requests < LEAST_SUCCESS:
                self._failed_checks += 1
            if self._failed_checks >= self._too_many:
                self.decided = self._next + self._acts_after
            self._next += MINUTE
            self._requests = self._failures = 0


def flagger() -> Peer:
    """``interval: 1m, threshold: 5, request-success-rate min: 99``."""
    return Checks(FLAGGER_THRESHOLD, acts_after=MINUTE)


def argo() -> Peer:
    """``interval: 1m, failureLimit: 3, successCondition: result >= 0.99``: the fourth failure fails it."""
    return Checks(ARGO_FAILURE_LIMIT + 1, acts_after=0.0)


class Alarm(Peer):
    """A CloudWatch alarm on the share of 5xx answers, minutes of the clock, M of the last N."""

    def __init__(self, needed: int, of: int, phase: int) -> None:
        self._needed, self._of, self._ends = needed, of, MINUTE - phase
        self._breaches: list[bool] = []
        self._requests = self._failures = 0

    def see(self, span: Span) -> None:
        """Minutes end with spans."""
        green = span.users[0]
        self._requests += green.requests
        self._failures += green.failures
        if span.ended >= self._ends and self.decided is None:
            rate = self._failures / self._requests if self._requests else 0.0
            self._breaches = [*self._breaches, rate > ALARM_RATE][-self._of :]
            if sum(self._breaches) >= self._needed:
                self.decided = self._ends + ALARM_DELAY
            self._ends += MINUTE
            self._requests = self._failures = 0


class Judge(Peer):
    """Kayenta-like: one point a minute and side, compared by Mann-Whitney after 10, 20 and 30 minutes.

    The metrics are the failure rate and the median latency; one that is classified High fails the canary.
    """

    def __init__(self) -> None:
        self._rates: tuple[list[float], list[float]] = ([], [])
        self._medians: tuple[list[float], list[float]] = ([], [])
        self._minute: list[Span] = []

    def see(self, span: Span) -> None:
        """A point is made of the spans of a minute."""
        self._minute.append(span)
        if span.ended < MINUTE * (len(self._rates[0]) + 1) or self.decided is not None:
            return
        for side in (0, 1):
            tallies = [seen.users[side] for seen in self._minute]
            requests = sum(tally.requests for tally in tallies)
            self._rates[side].append(sum(tally.failures for tally in tallies) / max(requests, 1))
            self._medians[side].append(_median(tallies))
        self._minute = []
        now = MINUTE * len(self._rates[0])
        if now in JUDGED_AFTER and any(high(*metric) for metric in (self._rates, self._medians)):
            self.decided = now


def _median(tallies: Iterable[Tally]) -> float:
    counts: dict[int, int] = {}
    for tally in tallies:
        for place, count in tally.latencies:
            counts[place] = counts.get(place, 0) + count
    half, seen = sum(counts.values()) / 2, 0
    for place, count in sorted(counts.items()):
        seen += count
        if seen >= half:
            # Within the bucket, as a monitoring system interpolates.
            share = 1 - (seen - half) / count
            return BOUNDS[place - 1] + share * (BOUNDS[place] - BOUNDS[place - 1])
    return 0.0


def high(candidate: list[float], stable: list[float]) -> bool:
    """Whether the shift's lower confidence bound is above the tolerance, as Kayenta's classifier asks."""
    differences = sorted(green - blue for green in candidate for blue in stable)
    n, m = len(candidate), len(stable)
    place = int(n * m / 2 - CONFIDENCE_Z * (n * m * (n + m + 1) / 12) ** 0.5)
    return place >= 0 and differences[place] > TOLERANCE * abs(median(differences))
