"""What `requests` is given so that a request is bounded as a whole and its final answer counts.

`requests` bounds each wait and not the whole: a header that trickles in byte by byte would hold a request up
for as long as the server likes. Its connections are urllib3's, and those read answers with `http.client`.
The classes here are theirs, with a deadline, and without their leniency towards an answer that is cut short.
"""

import io
import socket
import time
from functools import partial
from http import HTTPStatus
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NewConnectionError
from urllib3.util import Url, parse_url
from urllib3.util.connection import create_connection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

IDLE_SECONDS = 4.0
"""A connection idle for longer is not used again. Common servers close theirs after 5 s at the earliest, and
a request that meets such a close would look like a failure of the service."""
AGE_SECONDS = 10.0
"""A connection is replaced at this age: a load balancer has several nodes, and a probe that stays on one
does not see what the others do."""
MOST_KEPT = 64
"""As many as a lane has workers."""


class Fault(ConnectionError):
    """No whole answer came; the text says why."""


Endpoint = tuple[str, int | None]
"""A host, and a port unless it is the address's own."""


def endpoint(text: str) -> Endpoint:
    """Read `host` or `host:port`; raises ValueError."""
    try:
        parts = parse_url(f"http://{text}")
    except LocationParseError:
        parts = Url()
    # What else an address may have, parse_url would take for a part of its own.
    if not parts.host or parts.netloc != parts.url.removeprefix("http://") or parts.auth:
        raise ValueError(f"{text!r} is not a host, or host:port")
    return parts.host.strip("[]"), parts.port


def new_session(connect_to: Endpoint | None = None) -> requests.Session:
    """A session that shares nothing between requests but connections, and asks nobody but the address.

    With `connect_to` it is asked there, as if its name led there.
    """
    session = _Session()
    # Proxies and passwords from the environment are for other programs.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(pool_maxsize=MOST_KEPT)
    adapter.connect_to(connect_to)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere. Without this, `requests` reads a redirect's body and checks its address."""


class _Reader(io.RawIOBase):
    """Reads one answer from a socket; the time that the socket may wait is the time for the whole of it."""

    def __init__(self, raw: io.RawIOBase, link: socket.socket) -> None:
        self._raw, self._link = raw, link
        self._ends_at = time.monotonic() + (link.gettimeout() or 0)
        self._began = False
        self.until_close = False
        """Whether the end of the connection is the end of the answer."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        self._link.settimeout(_left(self._ends_at))
        count = self._raw.readinto(buffer)
        if not count and not self.until_close:
            raise Fault(f"connection closed {'in the middle of' if self._began else 'without'} an answer")
        self._began = True
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _FinalAnswer(HTTPResponse):
    """The answer that counts; interim ones (1xx) are passed over, as every client does."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._reader = _Reader(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        # http.client itself passes over 100 alone. 101 is final: it ends HTTP on this connection.
        while self.status < HTTPStatus.OK and self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first
            super().begin()
        self._reader.until_close = self.length is None and not self.chunked


class _Bounded(HTTPConnection):
    """A connection made within its timeout, and kept for other requests while it is young."""

    response_class = _FinalAnswer
    _made_at = _used_at = 0.0

    def __init__(self, *args: Any, connect_to: Endpoint | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connect_to = connect_to

    @property
    def is_connected(self) -> bool:
        """Whether another request may be sent on it; urllib3 asks this before each."""
        now = time.monotonic()
        young = now - self._used_at <= IDLE_SECONDS and now - self._made_at <= AGE_SECONDS
        return young and super().is_connected

    def connect(self) -> None:
        self._made_at = time.monotonic()
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "timed out") from error

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as in urllib3
        answer = super().getresponse()
        self._used_at = time.monotonic()
        return answer

    def _new_conn(self) -> socket.socket:
        """Try the addresses of the host one after the other; urllib3 would give each of them the whole time.

        How long the name takes to be resolved is up to the system; it counts, and leaves less for the rest.
        Only the socket leads elsewhere with an endpoint of its own: urllib3 gives TLS the name in `host`.
        """
        ends_at = time.monotonic() + (self.timeout or 0)
        last = OSError("the name has no address")
        host, own_port = self._connect_to or (self._dns_host, None)
        port = own_port or self.port
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                link = create_connection(
                    (str(address[0]), port), _left(ends_at), socket_options=self.socket_options
                )
                # What is left is for TLS; a moment, so that a wait that has no time fails as one.
                link.settimeout(max(0.001, ends_at - time.monotonic()))
                return link
            except TimeoutError:
                raise
            except OSError as error:
                last = error
        raise NewConnectionError(self, str(last)) from last


class _BoundedTls(_Bounded, HTTPSConnection):
    """The same with TLS; its handshake counts as a part of connecting."""


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Bounded


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _BoundedTls


class _Adapter(HTTPAdapter):
    def connect_to(self, where: Endpoint | None) -> None:
        """Have new connections lead there; a pool hands what it does not know itself to its connections."""
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_HttpPool, connect_to=where),
            "https": partial(_HttpsPool, connect_to=where),
        }


def _left(ends_at: float) -> float:
    """The seconds that are left; raises TimeoutError when there are none."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
