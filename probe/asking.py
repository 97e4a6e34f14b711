"""One request and its answer. Whatever goes wrong is an answer too, never an exception.

Nothing is retried and no redirect is followed: either would hide a failure that a client has seen.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from probe.connection import Fault, new_session
from probe.record import utc
from probe.shown import visible, without_password

USER_AGENT = "crossfade-probe"
"""Applications leave such requests out of what they tell of their users."""
MOST_BYTES = 65_536
"""A longer answer is a fault: `/version` is a few words."""
MOST_ERROR_CHARACTERS = 200
MOST_VERSION_CHARACTERS = 128
MOST_NOTE_CHARACTERS = 80
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
        self._url = url
        # A total, unlike a number, leaves for the answer what connecting has not used. The types of requests
        # do not know of it; its documentation does.
        self._timeout: Any = urllib3.Timeout(total=timeout)
        self._timeout_text = f"{timeout:g} s"
        self._session = new_session()
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers})

    def ask(self) -> Answer:
        """Send one request, now, and return what came of it."""
        at, began = utc(time.time()), time.monotonic()
        try:
            status, headers, body = self._exchange()
        except _FAULTS as error:
            return Answer(at, None, None, _milliseconds_since(began), self._say(error))
        ms, server = _milliseconds_since(began), headers.get("Server", "").lower()
        version, note = _version_in(body, headers.get("Content-Type", ""))
        if 300 <= status < 400:
            note = _redirect(headers.get("Location", ""))
        elif not 200 <= status < 300:
            note = "by the load balancer" if server.startswith(BALANCER) else None
        return Answer(at, status, version, ms, None, note, server)

    def _exchange(self) -> tuple[int, Mapping[str, str], bytes]:
        with self._session.get(
            self._url, timeout=self._timeout, stream=True, allow_redirects=False
        ) as response:
            body: bytes = response.raw.read(MOST_BYTES + 1)
            if len(body) > MOST_BYTES:
                raise Fault(f"answer longer than {MOST_BYTES} bytes")
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


def _version_in(body: bytes, content_type: str) -> tuple[str | None, str | None]:
    """The version, or what there is instead: never more of the body than that, as it may hold anything."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None, _note(f"not JSON but {content_type.partition(';')[0].strip() or 'of no content type'}")
    if not isinstance(document, dict):
        return None, "JSON, but no object"
    if "version" not in document:
        return None, 'no "version" in the JSON'
    version = document["version"]
    if isinstance(version, str) and version:
        return _writable(version)[:MOST_VERSION_CHARACTERS], None
    return None, _note(f'"version" is {_kind(version)}, not a text')


def _kind(value: Any) -> str:
    if isinstance(value, str | list | dict):
        return "empty" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
    return json.dumps(value)


def _redirect(location: str) -> str | None:
    """Where to, without the query, which may hold a login's secrets."""
    return _note(f"to {without_password(location).partition('?')[0].partition('#')[0]}") if location else None


def _note(text: str) -> str:
    return visible(_writable(text[:MOST_NOTE_CHARACTERS]))[:MOST_NOTE_CHARACTERS]


def _writable(text: str) -> str:
    """Replace what UTF-8 cannot hold (JSON can name half of a surrogate pair)."""
    return text.encode("utf-8", "replace").decode()


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
