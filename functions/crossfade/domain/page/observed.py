"""What the page keeps of a ledger, record by record: it does not grow with it."""

from collections import Counter
from heapq import heappush, heappushpop
from typing import NamedTuple

from crossfade.domain.answers import fault
from crossfade.domain.ledger import Lane, Request
from crossfade.domain.page.bins import Bins

MOST_MARKS = 1000
"""This number of failures is kept one by one; beyond that the bins have their counts."""
SLOWEST = 20


class Seen(NamedTuple):
    """A request that is listed; ``what`` is its fault in words, empty where it was answered well."""

    at: float
    lane: Lane
    n: int
    ms: float
    status: int | None
    version: str | None
    path: str | None
    what: str


class Observed:
    """The requests in bins, the slowest, and the failed: the first ones one by one, all of them counted."""

    def __init__(self) -> None:
        self.bins = Bins()
        self.failed: Counter[Lane] = Counter()
        self.sent: Counter[Lane] = Counter()
        self._failures: list[Seen] = []
        self._slowest: list[tuple[float, int, Seen]] = []

    def take(self, request: Request, *, good: bool) -> None:
        """Take a request in: ``good`` says whether it counts as answered well."""
        self.bins.take(request, good=good)
        self.sent[request.lane] += 1
        if not good:
            self.failed[request.lane] += 1
            if len(self._failures) < MOST_MARKS:
                self._failures.append(_seen(request, good=False))
        if len(self._slowest) < SLOWEST:
            heappush(self._slowest, (request.ms, self.requests, _seen(request, good=good)))
        elif request.ms > self._slowest[0][0]:
            heappushpop(self._slowest, (request.ms, self.requests, _seen(request, good=good)))

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return self.sent.total()

    @property
    def marked(self) -> bool:
        """Whether all failures were kept one by one."""
        return self.failed.total() <= MOST_MARKS

    @property
    def failures(self) -> list[Seen]:
        """The failures that were kept, in the order of time."""
        return sorted(self._failures, key=lambda seen: seen.at)

    @property
    def slowest(self) -> list[Seen]:
        """The slowest requests, the slowest first."""
        return [seen for _, _, seen in sorted(self._slowest, reverse=True)]

    def span(self) -> tuple[float, float] | None:
        """The first bin's beginning and the last one's end; None without requests."""
        bins = list(self.bins)
        return (bins[0].began, bins[-1].ended) if bins else None


def _seen(request: Request, *, good: bool) -> Seen:
    return Seen(
        at=request.at.timestamp(),
        lane=request.lane,
        n=request.n,
        ms=request.ms,
        status=request.status,
        version=request.version,
        path=request.path,
        what="" if good else fault(request),
    )
