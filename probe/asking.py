"""One request and its answer. Whatever goes wrong is an answer too, never an exception.

Nothing is retried and no redirect is followed: either would hide a failure that a client has seen.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from probe.connection import Fault, endpoint, new_session
from probe.record import utc
from probe.shown import visible, without_password
from probe.version import BY_DEFAULT, UNNAMED, VersionFrom, note

USER_AGENT = "crossfade-probe"
"""Applications leave such requests out of what they tell of their users."""
MOST_ERROR_CHARACTERS = 200
BALANCER = "awselb"
"""How the Server header begins where the load balancer itself has answered."""

_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request; all but `server` as in a RequestRecord."""

    at: str
    status: int | None
    version: str | None
    ms: float
    error: str | None
    note: str | None = None
    server: str = ""
    """The Server header, in lower case."""

    @property
    def by_load_balancer(self) -> bool:
        """Whether the load balancer gave this answer itself, without asking a target."""
        return self.server.startswith(BALANCER)

    @property
    def by_application(self) -> bool:
        """Whether there is an answer, and a target gave it."""
        return self.status is not None and not self.by_load_balancer

    @property
    def no_target(self) -> bool:
        """Whether the load balancer says that it has nobody to send the request to."""
        return self.status == 503 and self.by_load_balancer


class Asker:
    """Sends GET requests to one service over connections that are kept alive; safe for use by many threads.

    Parameters
    ----------
    url
        The address asked.
    headers
        Sent with each request.
    timeout
        Seconds that a request may take, from looking the name up to the last byte of the answer.
    version_from
        Where an answer names its version.
    connect_to
        `host` or `host:port` to connect to in place of the address's own. What is said there stays the
        address's: the Host header, the name in the TLS handshake, and the name that the certificate is for.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        version_from: VersionFrom = BY_DEFAULT,
        connect_to: str | None = None,
    ) -> None:
        self._url, self._version_from = url, version_from
        # A total, unlike a number, leaves for the answer what connecting has not used. The types of requests
        # do not know of it; its documentation does.
        self._timeout: Any = urllib3.Timeout(total=timeout)
        self._timeout_text = f"{timeout:g} s"
        self._session = new_session(endpoint(connect_to) if connect_to else None)
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers})
        self._prepared: dict[str, requests.PreparedRequest] = {}

    def ask(self, other: str | None = None) -> Answer:
        """Send one request, now, and return what came of it.

        With `other` it goes to that address in place of the own; what is answered there names no version.
        """
        at, began = utc(time.time()), time.monotonic()
        version_from = self._version_from if other is None else UNNAMED
        try:
            status, headers, body = self._exchange(other or self._url, version_from.most_bytes)
        except _FAULTS as error:
            return Answer(at, None, None, _milliseconds_since(began), self._say(error))
        ms, server = _milliseconds_since(began), headers.get("Server", "").lower()
        version, remark = version_from.read(body, headers)
        if 300 <= status < 400:
            remark = _redirect(headers.get("Location", ""))
        elif not 200 <= status < 300:
            remark = "by the load balancer" if server.startswith(BALANCER) else None
        return Answer(at, status, version, ms, None, remark, server)

    def _exchange(self, url: str, most: int) -> tuple[int, Mapping[str, str], bytes]:
        # Once for each address: to prepare the same request anew was a fifth of its cost.
        prepared = self._prepared.get(url)
        if prepared is None:
            prepared = self._prepared[url] = self._session.prepare_request(requests.Request("GET", url))
        with self._session.send(
            prepared, timeout=self._timeout, stream=True, allow_redirects=False, proxies={}
        ) as response:
            body: bytes = response.raw.read(most + 1)
            if len(body) > most:
                raise Fault(f"answer longer than {most} bytes")
            return response.status_code, response.headers, body

    def _say(self, error: Exception) -> str:
        cause = _innermost(error)
        if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
            missing = "connection" if isinstance(error, requests.ConnectTimeout) else "answer"
            text = f"no {missing} within {self._timeout_text}"
        elif isinstance(cause, Fault):
            text = str(cause)
        else:
            text = f"{type(cause).__name__}: {getattr(cause, 'strerror', None) or cause}"
        return visible(" ".join(text.split()))[:MOST_ERROR_CHARACTERS]


def _milliseconds_since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _redirect(location: str) -> str | None:
    """Where to, without the query, which may hold a login's secrets."""
    return note(f"to {without_password(location).partition('?')[0].partition('#')[0]}") if location else None


def _innermost(error: BaseException) -> BaseException:
    """Return the first cause: the errors around it repeat the address and the library."""
    seen = {id(error)}
    while True:
        inner = [*error.args, getattr(error, "reason", None), error.__cause__]
        deeper = next((e for e in inner if isinstance(e, BaseException) and id(e) not in seen), None)
        if deeper is None:
            return error
        seen.add(id(deeper))
        error = deeper
