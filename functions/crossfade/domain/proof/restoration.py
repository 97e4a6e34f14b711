"""When clients were rid of a losing version: by the answers that they got, not by what the rule says.

The load balancer follows its rule some seconds late. So the moment at which the weights were read back is not
yet the one from which clients get the winner alone.
"""

from collections.abc import Mapping
from datetime import datetime

from crossfade.domain.answers import Versions, is_good
from crossfade.domain.ledger import Lane, Opened, Record, Request
from crossfade.domain.rollout.drain import DrainProgress


class LoserSeen:
    """Takes a ledger in record by record, and finds the loser's last answer on the production lane.

    ``winner`` is the version that clients are to get; ``weights`` is when its weights were read back;
    ``met`` is from when on clients may have met the loser. A good answer of a path that names no version says
    nothing. A failed request that names none may have been anybody's. It counts as the loser's until
    production has given the winner alone for ``quiet_seconds``, with no more than the share ``failing`` of
    failures: whatever fails later is the winner's own.
    """

    def __init__(
        self, *, winner: str, met: datetime, weights: datetime, quiet_seconds: float, failing: float
    ) -> None:
        self._winner, self._met, self._weights = winner, met, weights
        self._quiet_seconds, self._failing = quiet_seconds, failing
        self._quiet = DrainProgress()
        self._last: datetime | None = None
        self._proved = False

    @property
    def last(self) -> datetime | None:
        """When the last request was sent whose answer was, or may have been, the loser's.

        None where there was none, or where it was not seen that clients get the winner alone.
        """
        return self._last if self._proved else None

    def take(self, record: Record) -> None:
        """Take in one more record."""
        if isinstance(record, Opened) and record.at >= self._weights:
            self._proved = False
            self._quiet = self._quiet.gap(record.at)
        if isinstance(record, Request) and record.lane == "production" and record.at >= self._met:
            self._answer(record)

    def _answer(self, request: Request) -> None:
        at, silent = request.at, request.ok and request.path is not None
        named = request.version is not None or (request.ok and not silent)
        if named and request.version != self._winner:
            self._last, self._proved = max(at, self._last or at), False
            self._quiet = self._quiet.gap(at)
        elif self._proved:
            return
        elif not named and not silent:
            self._last = max(at, self._last or at)
        if at >= self._weights:
            self._quiet = self._quiet.answer(
                request,
                self._quiet_seconds,
                awaited=None if silent else request.version == self._winner,
            )
            self._proved = self._quiet.alone(self._weights, self._quiet_seconds, self._failing)


class FirstBad:
    """Takes a ledger in record by record, and finds the first bad answer that came before ``until``, if any.

    A production request is bad when it failed after ``met``, from when on clients may have met the candidate.
    An answer on the candidate's own lane is bad when it failed after the candidate was ``healthy``. An answer
    of a version that is not ``right`` has failed.
    """

    def __init__(
        self,
        candidate: Lane,
        right: Mapping[Lane, Versions],
        *,
        healthy: datetime | None,
        met: datetime | None,
        until: datetime | None,
    ) -> None:
        self._candidate, self._right = candidate, right
        self._healthy, self._met, self._until = healthy, met, until
        self.at: datetime | None = None

    def take(self, record: Record) -> None:
        """Take in one more record."""
        if isinstance(record, Request) and self._bad(record):
            self.at = min(record.at, self.at or record.at)

    def _bad(self, request: Request) -> bool:
        if self._until is None or request.at > self._until:
            return False
        since = {"production": self._met, self._candidate: self._healthy}.get(request.lane)
        if since is None or request.at < since:
            return False
        return not is_good(request, self._right.get(request.lane))
