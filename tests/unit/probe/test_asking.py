"""One request and what may come of it."""

import socket
import threading
import time
from collections.abc import Callable

import pytest

from probe import asking
from probe.asking import Asker
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


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"7", b'{"version": 7}', b'{"version": ""}', b"\xff", b"[" * 60_000],
)
def test_body_without_version(web: StartWeb, body: bytes) -> None:
    """A body that names no version is an answer without version, not a fault."""
    answer = ask(web(lambda _: Reply(body=body)).url)
    assert (answer.status, answer.version, answer.error) == (200, None, None)


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
    assert "RemoteDisconnected" in answer.error
    assert len(server.seen) == 1


def test_body_cut_short(web: StartWeb) -> None:
    """An answer whose body ends early has failed, whatever its status was."""
    answer = ask(web(lambda _: Reply(headers={"Content-Length": "999"})).url)
    assert answer.status is None
    assert answer.error is not None
    assert "IncompleteRead" in answer.error


def test_no_answer_in_time(web: StartWeb) -> None:
    """A request that takes longer than its timeout fails with a sentence that says so."""
    hold = threading.Event()
    answer = ask(web(lambda _: Reply(hold=hold)).url, timeout=0.2)
    hold.set()
    assert (answer.status, answer.error) == (None, "no answer within 0.2 s")
    assert answer.ms >= 190


def test_drip() -> None:
    """An answer that comes byte by byte is cut off at the timeout, too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                try:
                    while True:
                        connection.sendall(b".")
                        time.sleep(0.05)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        answer = ask(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.3)
    assert (answer.status, answer.error) == (None, "no answer within 0.3 s")


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
    monkeypatch.setattr(asking, limit, -1.0)
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
