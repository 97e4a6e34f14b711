"""One connection to an address, and one request after another on it, each bounded as a whole.

The protocol is h11's. The socket is ours, because a client library bounds each wait and not the whole: a
header that trickles in byte by byte would hold a request up for as long as the server likes.
"""

import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

import certifi
import h11
from urllib3.util import parse_url, wait_for_read

PIECE_BYTES = 65_536
MOST_BYTES = 65_536
"""A longer answer is a fault: `/version` is a few words."""
PORTS = {"http": 80, "https": 443}


class Target(NamedTuple):
    """An http or https address, taken apart."""

    tls: bool
    host: str
    port: int
    headers: tuple[tuple[str, str], ...]
    path: str


class FinalAnswer(NamedTuple):
    """The answer that counts; interim ones (1xx) are passed over, as every client does."""

    status: int
    server: str
    body: bytes


class Fault(Exception):
    """No whole answer came; the text says why."""


def target_of(url: str, headers: Mapping[str, str]) -> Target:
    """Take an address apart; a name and password in it are sent as HTTP's own header."""
    parts = parse_url(url)
    scheme, host = parts.scheme or "http", parts.host or ""
    port = parts.port or PORTS[scheme]
    named = host if port == PORTS[scheme] else f"{host}:{port}"
    sent = {"Host": named, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
    if parts.auth:
        sent["Authorization"] = "Basic " + b64encode(unquote(parts.auth).encode()).decode()
    return Target(scheme == "https", host.strip("[]"), port, tuple(sent.items()), parts.request_uri)


class Connection:
    """A connection that is made with the first request and kept as long as both sides want it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._socket: socket.socket | None = None
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_BYTES)

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: the last one is over, and the server has not closed."""
        return (
            self._socket is not None
            and self._http.our_state is h11.IDLE
            and not wait_for_read(self._socket, timeout=0)
        )

    def get(self, timeout: float) -> FinalAnswer:
        """Send a GET request; the whole of it may take so many seconds.

        Raises
        ------
        Fault
            No connection or no answer in time, or no whole answer at all.
        OSError, h11.ProtocolError, UnicodeError
            The network's, the server's, the address's own faults.
        """
        ends_at = time.monotonic() + timeout
        try:
            link = self._socket = self._socket or self._connect(ends_at)
        except TimeoutError as error:
            raise Fault(f"no connection within {timeout:g} s") from error
        try:
            answer = self._exchange(link, ends_at)
        except TimeoutError as error:
            raise Fault(f"no answer within {timeout:g} s") from error
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return answer

    def close(self) -> None:
        """Close the socket, if there is one."""
        if self._socket is not None:
            self._socket.close()

    def _connect(self, ends_at: float) -> socket.socket:
        """Try the addresses of the host one after the other.

        How long the name takes to be resolved is up to the system; it counts, and leaves less for the rest.
        """
        target, last = self._target, OSError("the name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        ):
            link = socket.socket(family, kind, protocol)
            try:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link.settimeout(_left(ends_at))
                link.connect(address)
                return _TLS.wrap_socket(link, server_hostname=target.host) if target.tls else link
            except TimeoutError:
                link.close()
                raise
            except OSError as error:
                link.close()
                last = error
        raise last

    def _exchange(self, link: socket.socket, ends_at: float) -> FinalAnswer:
        request = h11.Request(method="GET", target=self._target.path, headers=list(self._target.headers))
        link.settimeout(_left(ends_at))
        link.sendall(self._http.send(request) + self._http.send(h11.EndOfMessage()))
        status, server, body, heard = 0, "", b"", False
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                link.settimeout(_left(ends_at))
                piece = link.recv(PIECE_BYTES)
                if not piece and not status:
                    raise Fault(f"connection closed {'in the middle of' if heard else 'without'} an answer")
                heard = True
                self._http.receive_data(piece)
            elif isinstance(event, h11.Response):
                status = event.status_code
                server = dict(event.headers).get(b"server", b"").decode("latin-1").lower()
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MOST_BYTES:
                    raise Fault(f"answer longer than {MOST_BYTES} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return FinalAnswer(status, server, body)


def _left(ends_at: float) -> float:
    """The seconds that are left; raises TimeoutError when there are none."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


_TLS = ssl.create_default_context(cafile=certifi.where())
