"""One request and its answer. Whatever goes wrong is an answer too, never an exception.

Nothing is retried and no redirect is followed: either would hide a failure that a client has seen.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import h11

from probe.connection import Connection, Fault, target_of
from probe.record import utc
from probe.shown import visible

IDLE_SECONDS = 4.0
"""A connection idle for longer is not used again. Common servers close theirs after 5 s at the earliest, and
a request that meets such a close would look like a failure of the service."""
AGE_SECONDS = 10.0
"""A connection is replaced at this age: a load balancer has several nodes, and a probe that stays on one
does not see what the others do."""
MOST_ERROR_CHARACTERS = 200
MOST_VERSION_CHARACTERS = 128

_FAULTS = (Fault, h11.ProtocolError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request; `at`, `status`, `version`, `ms` and `error` as in a RequestRecord."""

    at: str
    status: int | None
    version: str | None
    ms: float
    error: str | None
    server: str = ""
    """The Server header, in lower case."""

    @property
    def by_load_balancer(self) -> bool:
        """Whether the load balancer gave this answer itself, without asking a target."""
        return self.server.startswith("awselb")

    @property
    def by_application(self) -> bool:
        """Whether there is an answer, and a target gave it."""
        return self.status is not None and not self.by_load_balancer

    @property
    def no_target(self) -> bool:
        """Whether the load balancer says that it has nobody to send the request to."""
        return self.status == 503 and self.by_load_balancer


@dataclass(slots=True)
class _Kept:
    """A connection that is kept for another request. Nothing else is: every request is a new client."""

    connection: Connection
    made_at: float
    used_at: float

    def usable(self, now: float) -> bool:
        young = now - self.used_at <= IDLE_SECONDS and now - self.made_at <= AGE_SECONDS
        return young and self.connection.reusable


class Asker:
    """Sends GET requests to one address over connections that are kept alive; safe for use by many threads.

    Parameters
    ----------
    url
        The address asked.
    headers
        Sent with each request.
    timeout
        Seconds that a request may take, from looking the name up to the last byte of the answer.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._target = target_of(url, {"User-Agent": "crossfade-probe", **headers})
        self._timeout = timeout
        # The last one used is the next one taken, so that those not needed grow old at the left end.
        self._idle: deque[_Kept] = deque()
        self._lock = threading.Lock()

    def ask(self) -> Answer:
        """Send one request, now, and return what came of it."""
        kept = self._take()
        at, began = utc(time.time()), time.monotonic()
        try:
            status, server, body = kept.connection.get(self._timeout)
        except _FAULTS as error:
            kept.connection.close()
            return Answer(at, None, None, _milliseconds_since(began), _say(error))
        answer = Answer(at, status, _version_in(body), _milliseconds_since(began), None, server)
        self._give_back(kept)
        return answer

    def _take(self) -> _Kept:
        now = time.monotonic()
        with self._lock:
            while self._idle:
                kept = self._idle.pop()
                if kept.usable(now):
                    return kept
                kept.connection.close()
        return _Kept(Connection(self._target), made_at=now, used_at=now)

    def _give_back(self, kept: _Kept) -> None:
        kept.used_at = now = time.monotonic()
        with self._lock:
            self._idle.append(kept)
            while not self._idle[0].usable(now) and len(self._idle) > 1:
                self._idle.popleft().connection.close()


def _milliseconds_since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _version_in(body: bytes) -> str | None:
    try:
        version = json.loads(body)["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _writable(version)[:MOST_VERSION_CHARACTERS] if isinstance(version, str) and version else None


def _writable(text: str) -> str:
    """Replace what UTF-8 cannot hold (JSON can name half of a surrogate pair)."""
    return text.encode("utf-8", "replace").decode()


def _say(error: Exception) -> str:
    if isinstance(error, Fault):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
    return visible(" ".join(text.split()))[:MOST_ERROR_CHARACTERS]
