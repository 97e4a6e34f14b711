"""One request and its answer. Whatever goes wrong is an answer too, never an exception.

Nothing is retried and no redirect is followed: either would hide a failure that a client has seen.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException

import requests
import urllib3

from probe.record import utc

IDLE_SECONDS = 4.0
"""A connection idle for longer is not used again. Common servers close theirs after 5 s at the earliest, and
a request that meets such a close would look like a failure of the service."""
AGE_SECONDS = 10.0
"""A connection is replaced at this age: a load balancer has several nodes, and a probe that stays on one
does not see what the others do."""
MOST_BYTES = 65_536
MOST_ERROR_CHARACTERS = 200
MOST_VERSION_CHARACTERS = 128

_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError)


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
class _Connection:
    session: requests.Session
    made_at: float
    used_at: float

    def usable(self, now: float) -> bool:
        return now - self.used_at <= IDLE_SECONDS and now - self.made_at <= AGE_SECONDS


class Asker:
    """Sends GET requests to one address over connections that are kept alive; safe for use by many threads.

    Parameters
    ----------
    url
        The address asked.
    headers
        Sent with each request.
    timeout
        Seconds that a request may take, from sending to the last byte.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._url = url
        self._headers = {"User-Agent": "crossfade-probe", "Accept-Encoding": "identity", **headers}
        self._timeout = timeout
        # The last one used is the next one taken, so that those not needed grow old at the left end.
        self._idle: deque[_Connection] = deque()
        self._lock = threading.Lock()

    def ask(self) -> Answer:
        """Send one request, now, and return what came of it."""
        connection = self._take_connection()
        at, began = utc(time.time()), time.monotonic()
        try:
            status, server, body = self._exchange(connection.session, began + self._timeout)
        except _FAULTS as error:
            connection.session.close()
            return Answer(at, None, None, _milliseconds_since(began), self._say(error))
        answer = Answer(at, status, _version_in(body), _milliseconds_since(began), None, server)
        self._give_back(connection)
        return answer

    def _exchange(self, session: requests.Session, ends_at: float) -> tuple[int, str, bytes]:
        with session.get(self._url, timeout=self._timeout, stream=True, allow_redirects=False) as response:
            body = b""
            # requests bounds the wait for each piece, not for the whole.
            while piece := response.raw.read1(MOST_BYTES):
                body += piece
                if len(body) > MOST_BYTES:
                    raise requests.RequestException(f"answer longer than {MOST_BYTES} bytes")
                if time.monotonic() > ends_at:
                    raise requests.Timeout
            return response.status_code, response.headers.get("Server", "").lower(), body

    def _take_connection(self) -> _Connection:
        now = time.monotonic()
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.usable(now):
                    return connection
                connection.session.close()
        return _Connection(self._new_session(), made_at=now, used_at=now)

    def _give_back(self, connection: _Connection) -> None:
        connection.used_at = now = time.monotonic()
        with self._lock:
            self._idle.append(connection)
            while not self._idle[0].usable(now) and len(self._idle) > 1:
                self._idle.popleft().session.close()

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        # Proxies and passwords from the environment are for other programs.
        session.trust_env = False
        session.headers.update(self._headers)
        return session

    def _say(self, error: Exception) -> str:
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {self._timeout:g} s"
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            return f"no answer within {self._timeout:g} s"
        return _brief(error)


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


def _brief(error: BaseException) -> str:
    """Return the innermost cause in a few words: the outer ones repeat the address and the library."""
    seen = {id(error)}
    while True:
        inner = [*(a for a in error.args if isinstance(a, BaseException)), getattr(error, "reason", None)]
        inner += [error.__cause__, error.__context__]
        deeper = next((e for e in inner if isinstance(e, BaseException) and id(e) not in seen), None)
        if deeper is None:
            break
        seen.add(id(deeper))
        error = deeper
    text = getattr(error, "strerror", None) or str(error)
    return _writable(" ".join(f"{type(error).__name__}: {text}".split()))[:MOST_ERROR_CHARACTERS]
