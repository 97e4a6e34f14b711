"""One request and what may come of it."""

import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from probe import asking, connection
from probe.asking import Asker
from probe.version import MOST_NOTE_CHARACTERS, version_from
from tests.unit.probe.raw_server import raw_server
from tests.unit.probe.scripted_servers import Reply, Seen, WebServer

pytestmark = pytest.mark.enable_socket
StartWeb = Callable[[Callable[[Seen], Reply]], WebServer]


def ask(url: str, timeout: float = 5.0, headers: dict[str, str] | None = None) -> asking.Answer:
    """Ask once."""
    return Asker(url, headers or {}, timeout).ask()


def test_answer(web: StartWeb) -> None:
    """An ordinary answer has a status, a version, a time and no error, and the headers were sent."""
    server = web(lambda _: Reply())
    answer = ask(f"{server.url}/version", headers={"x-crossfade-slot": "green"})
    assert (answer.status, answer.version, answer.error) == (200, "0.0.1", None)
    assert answer.ms > 0
    assert answer.by_application
    assert answer.at.endswith("Z")
    assert server.seen[0].path == "/version"
    assert server.seen[0].headers["x-crossfade-slot"] == "green"
    assert server.seen[0].headers["User-Agent"] == asking.USER_AGENT


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (b"", "not JSON but text/html"),
        (b"<html>", "not JSON but text/html"),
        (b"[]", "JSON, but no object"),
        (b"7", "JSON, but no object"),
        (b"{}", 'no "version" in the JSON'),
        (b'{"version": 7}', '"version" is 7, not a text'),
        (b'{"version": null}', '"version" is null, not a text'),
        (b'{"version": [1]}', '"version" is a list, not a text'),
        (b'{"version": {"a": "secret"}}', '"version" is an object, not a text'),
        (b'{"version": ""}', '"version" is empty, not a text'),
        (b"\xff", "not JSON but text/html"),
        (b"[" * 60_000, "not JSON but text/html"),
    ],
)
def test_body_without_version(web: StartWeb, body: bytes, note: str) -> None:
    """A body that names no version is an answer without version, and what there is instead is told."""
    answer = ask(web(lambda _: Reply(body=body, headers={"Content-Type": "text/html; charset=x"})).url)
    assert (answer.status, answer.version, answer.error, answer.note) == (200, None, None, note)


def test_a_long_number_is_cut(web: StartWeb) -> None:
    """What an answer holds is bounded wherever it goes."""
    body = b'{"version": ' + b"7" * 999 + b"}"
    assert len(ask(web(lambda _: Reply(body=body)).url).note or "") == MOST_NOTE_CHARACTERS


@pytest.mark.parametrize(
    ("location", "note"),
    [
        ("https://web/version", "to https://web/version"),
        ("https://user:pw@login/start?state=secret#token", "to https://***@login/start"),
        ("/elsewhere", "to /elsewhere"),
        ("", None),
    ],
)
def test_where_a_redirect_leads(web: StartWeb, location: str, note: str | None) -> None:
    """Without a login's secrets."""
    answer = ask(web(lambda _: Reply(status=302, headers={"Location": location})).url)
    assert (answer.status, answer.note) == (302, note)


def test_version_that_cannot_be_written(web: StartWeb) -> None:
    """Half a surrogate pair in the version is replaced."""
    assert ask(web(lambda _: Reply(body=b'{"version": "a\\ud800"}')).url).version == "a?"


@pytest.mark.parametrize("status", [301, 404, 500, 503])
def test_status_is_passed_on(web: StartWeb, status: int) -> None:
    """Redirects are not followed and nothing is asked twice."""
    server = web(lambda _: Reply(status=status, headers={"Location": "/elsewhere"}))
    assert ask(server.url).status == status
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "name", "no_target"),
    [
        pytest.param(503, "awselb/2.0", True, id="load-balancer-503"),
        pytest.param(502, "awselb/2.0", False, id="load-balancer-502"),
        pytest.param(503, "uvicorn", False, id="application-503"),
    ],
)
def test_who_answered(web: StartWeb, status: int, name: str, no_target: bool) -> None:
    """An answer of the load balancer itself is told from one of the application by its Server header."""
    answer = ask(web(lambda _: Reply(status=status, server=name)).url)
    assert answer.note == ("by the load balancer" if name.startswith("awselb") else None)
    assert answer.no_target == no_target
    assert answer.by_application == (name == "uvicorn")


def test_nobody_listens() -> None:
    """A refused connection is an answer with a short error and no status."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        answer = ask(f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert answer.status is None
    assert answer.error == "ConnectionRefusedError: Connection refused"


def test_connection_dropped(web: StartWeb) -> None:
    """A connection that ends without an answer is an error, and is not tried again."""
    server = web(lambda _: Reply(drop=True))
    answer = ask(server.url)
    assert answer.status is None
    assert answer.error is not None
    assert answer.error == "connection closed without an answer"
    assert len(server.seen) == 1


def test_body_cut_short(web: StartWeb) -> None:
    """An answer whose body ends early has failed, whatever its status was."""
    answer = ask(web(lambda _: Reply(headers={"Content-Length": "999"})).url)
    assert answer.status is None
    assert answer.error == "connection closed in the middle of an answer"


def test_no_answer_in_time(web: StartWeb) -> None:
    """A request that takes longer than its timeout fails with a sentence that says so."""
    hold = threading.Event()
    answer = ask(web(lambda _: Reply(hold=hold)).url, timeout=0.2)
    hold.set()
    assert (answer.status, answer.error) == (None, "no answer within 0.2 s")
    assert answer.ms >= 190


@contextmanager
def _black_hole() -> Iterator[int]:
    """Yield the port of a listener whose queue is full, so that a connection to it is never made."""
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        for _ in range(8):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def _resolve_localhost(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    resolve = socket.getaddrinfo

    def found(host: str, *args: Any, **kwargs: Any) -> list[Any]:
        hosts = addresses if host == "localhost" else [host]
        return [each for host in hosts for each in resolve(host, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def test_no_connection_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses a name has, they share the time of the request."""
    _resolve_localhost(monkeypatch, ["127.0.0.1"] * 4)
    with _black_hole() as port:
        began = time.monotonic()
        answer = ask(f"http://localhost:{port}/", timeout=0.5)
        took = time.monotonic() - began
    assert (answer.status, answer.error) == (None, "no connection within 0.5 s")
    assert 0.5 <= took < 1.5


def test_second_address(web: StartWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one address of a name refuses, the next is tried."""
    _resolve_localhost(monkeypatch, ["::1", "127.0.0.1"])
    assert ask(web(lambda _: Reply()).url.replace("127.0.0.1", "localhost")).status == 200


def test_name_that_is_slow(web: StartWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time in which a name is resolved counts."""
    resolve = socket.getaddrinfo

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.3)
        return resolve(*args, **kwargs)

    server = web(lambda _: Reply())
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert ask(server.url, timeout=0.2).error == "no connection within 0.2 s"
    assert server.seen == []


def test_handshake_without_end() -> None:
    """Connecting ends with TLS's handshake; a server that does not take part in it is not connected to."""
    with raw_server(lambda _: time.sleep(1)) as url:
        answer = ask(url.replace("http:", "https:"), timeout=0.5)
    assert (answer.status, answer.error) == (None, "no connection within 0.5 s")


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param(b"", "connection closed without an answer", id="nothing"),
        pytest.param(b"HTTP/1.1 20", "connection closed in the middle of an answer", id="status"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nServer: a", "connection closed in the middle of an answer", id="header"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nServer: a\r\n",
            "connection closed in the middle of an answer",
            id="no-body-yet",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "connection closed in the middle of an answer",
            id="chunks",
        ),
        pytest.param(
            b"HTTP/1.1 103 Early Hints\r\n\r\n", "connection closed in the middle of an answer", id="hint"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nabc", None, id="ends-with-the-connection"),
    ],
)
def test_answer_cut_short(sent: bytes, error: str | None) -> None:
    """Half an answer is none, wherever it is cut; one without a length is whole when the connection ends."""
    with raw_server(lambda connection: connection.sendall(sent)) as url:
        answer = ask(url)
    assert (answer.status, answer.error) == (None if error else 200, error)


def test_answer_too_long(web: StartWeb) -> None:
    """`/version` is a few words; a longer answer is not read to its end."""
    answer = ask(web(lambda _: Reply(body=b"x" * 65_537)).url)
    assert (answer.status, answer.error) == (None, "answer longer than 65536 bytes")


@pytest.mark.parametrize("where", ["none", "header:X-Version", "regex:v([0-9.]+)"])
def test_a_page_may_be_longer_than_a_document(web: StartWeb, where: str) -> None:
    """It is read to its end, as a client reads it: one that is cut short has failed."""
    page = b"v0.0.1" + b" " * 200_000
    server = web(lambda _: Reply(body=page, headers={"X-Version": "0.0.1"}))
    answer = Asker(server.url, {}, 5.0, version_from(where)).ask()
    assert (answer.status, answer.error) == (200, None)
    assert answer.version == (None if where == "none" else "0.0.1")


def test_a_page_without_end_is_a_fault(web: StartWeb) -> None:
    """A probe is not there to load a service."""
    server = web(lambda _: Reply(body=b" " * 1_048_577))
    answer = Asker(server.url, {}, 5.0, version_from("none")).ask()
    assert answer.error == "answer longer than 1048576 bytes"


def test_redirect_to_nowhere(web: StartWeb) -> None:
    """Where a redirect leads is not looked at."""
    assert ask(web(lambda _: Reply(status=302, headers={"Location": "http://["})).url).status == 302


def _drip(connection: socket.socket) -> None:
    for _ in range(60):
        connection.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize(
    "begins",
    [
        pytest.param(b"HTTP/1.1 ", id="status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Slow: ", id="header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", id="body"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX-Slow: ", id="after-a-hint"),
    ],
)
def test_drip(begins: bytes) -> None:
    """An answer that comes byte by byte is cut off at the timeout, whichever part of it is slow."""

    def talk(connection: socket.socket) -> None:
        for byte in begins:
            connection.sendall(bytes([byte]))
        _drip(connection)

    with raw_server(talk) as url:
        began = time.monotonic()
        answer = ask(url, timeout=0.5)
        took = time.monotonic() - began
    assert (answer.status, answer.error) == (None, "no answer within 0.5 s")
    assert 0.5 <= took < 2.0


@pytest.mark.parametrize("pieces", [1, 4], ids=["at-once", "in-pieces"])
def test_interim_answers_are_passed_over(pieces: int) -> None:
    """Every client waits for the final answer; it counts, and the connection can be used again."""
    body = b'{"version": "0.0.1"}'
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" * 2
    final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def talk(connection: socket.socket) -> None:
        for _ in range(2):
            whole = hints + final
            size = len(whole) // pieces + 1
            for start in range(0, len(whole), size):
                connection.sendall(whole[start : start + size])
                time.sleep(0.02)
            connection.recv(65536)

    with raw_server(talk) as url:
        asker = Asker(url, {}, 5.0)
        answers = [asker.ask() for _ in range(2)]
    assert [(answer.status, answer.version, answer.error) for answer in answers] == [(200, "0.0.1", None)] * 2


def test_no_cookie_is_kept(web: StartWeb) -> None:
    """Every request is a new client, also where they share a connection: stickiness would hide a side."""
    server = web(lambda _: Reply(headers={"Set-Cookie": "AWSALB=abc; Path=/"}))
    asker = Asker(server.url, {}, 5.0)
    for _ in range(5):
        asker.ask()
    assert [seen.headers.get("Cookie") for seen in server.seen] == [None] * 5
    assert len({seen.client_port for seen in server.seen}) == 1


def test_password_in_the_address(web: StartWeb) -> None:
    """It is sent as HTTP asks for it, and is no part of the address asked."""
    server = web(lambda _: Reply())
    ask(server.url.replace("//", "//us%40er:p%3Aw@") + "/version?a=b")
    assert server.seen[0].path == "/version?a=b"
    assert server.seen[0].headers["Authorization"] == "Basic " + b64encode(b"us@er:p:w").decode()
    assert "@" not in server.seen[0].headers["Host"]


def test_connection_is_kept(web: StartWeb) -> None:
    """Requests one after the other share a connection."""
    server = web(lambda _: Reply())
    asker = Asker(server.url, {}, 5.0)
    for _ in range(5):
        asker.ask()
    assert len({seen.client_port for seen in server.seen}) == 1


@pytest.mark.parametrize("limit", ["AGE_SECONDS", "IDLE_SECONDS"])
def test_old_connection_is_replaced(web: StartWeb, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """A connection that is too old, or was idle too long, is not used again."""
    monkeypatch.setattr(connection, limit, -1.0)
    server = web(lambda _: Reply())
    asker = Asker(server.url, {}, 5.0)
    for _ in range(3):
        asker.ask()
    assert len({seen.client_port for seen in server.seen}) == 3


def test_environment_is_not_asked_for_a_proxy(web: StartWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is not used: the probe asks the service itself."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert ask(web(lambda _: Reply()).url).status == 200
