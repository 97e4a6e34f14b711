"""The outcome feed: what the middleware counts and writes, and that the gate reads just that."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from crossfade.domain.gate.blocks import latency
from crossfade.domain.gate.blocks.block import SECONDS
from crossfade.domain.gate.blocks.from_feed import Outcomes, read_outcomes
from probe.asking import USER_AGENT
from sample_app.app import outcomes
from sample_app.app.faults import Spells
from sample_app.app.outcomes import BOUNDS, App, Message, OutcomeFeed, Receive, Send
from tests.unit.examples import histogram

FOLDER = Path(__file__).parents[3] / "sample_app"
EXAMPLE = Path(__file__).parents[3] / "docs" / "outcome-feed.md"
PATIENCE_SECONDS = 30.0
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


class Watched:
    """A feed around an application, with clocks that stand still until a test sets them."""

    def __init__(self, app: App, began: float = 0) -> None:
        self.now = NOON + began
        self.stopwatch = 0.0
        self.lines: list[Outcomes] = []
        self.feed = OutcomeFeed(
            app,
            write=lambda line: self.lines.append(read_outcomes(line)),
            clock=lambda: self.now,
            stopwatch=lambda: self.stopwatch,
        )
        self._from_server: asyncio.Queue[Message] = asyncio.Queue()
        self._to_server: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> "Watched":
        self._life = asyncio.create_task(self.feed(LIFESPAN, self._from_server.get, self._to_server.put))
        await self._from_server.put({"type": "lifespan.startup"})
        assert (await self._to_server.get())["type"] == "lifespan.startup.complete"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._from_server.put({"type": "lifespan.shutdown"})
        assert (await self._to_server.get())["type"] == "lifespan.shutdown.complete"
        await self._life

    async def ask(self, agent: str = "Mozilla/5.0", receive: Receive | None = None) -> list[Message]:
        """Send a request; return what was answered."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self.feed(_request(agent), receive or _nothing_more, send)
        return sent

    async def wait_for(self, lines: int) -> None:
        """Wait until so many lines are written."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.lines) < lines:
                await asyncio.sleep(0.005)


LIFESPAN: Message = {"type": "lifespan", "asgi": {"version": "3.0"}}


def _request(agent: str) -> Message:
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"x"), (b"user-agent", agent.encode())],
    }


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _gone() -> Message:
    return {"type": "http.disconnect"}


def answering(page: Callable[[Request], Awaitable[Response]]) -> Starlette:
    """An application with one page."""
    return Starlette(routes=[Route("/", page)])


def saying(*messages: Message, then: BaseException | None = None) -> App:
    """An application that lives on, and sends these messages to every request."""
    alive = Starlette()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await alive(scope, receive, send)
            return
        for message in messages:
            await send(message)
        if then:
            raise then

    return app


def start(status: int = 200) -> Message:
    """The beginning of an answer."""
    return {"type": "http.response.start", "status": status, "headers": []}


def body(*, more: bool = False) -> Message:
    """A part of an answer."""
    return {"type": "http.response.body", "body": b"x", "more_body": more}


def counted(line: Outcomes) -> tuple[int, int]:
    """Requests and failures."""
    return line.requests, line.failures


async def asked_once(app: App, **how: Any) -> tuple[int, int]:
    """What is counted of one request, whatever becomes of it."""
    async with Watched(app, began=1) as watched:
        with suppress(RuntimeError, OSError, asyncio.CancelledError, ClientDisconnect):
            await watched.ask(**how)
    (line,) = watched.lines
    return counted(line)


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        pytest.param(saying(start(), body()), (1, 0), id="answered"),
        pytest.param(saying(start(), body(more=True), body()), (1, 0), id="answered-in-parts"),
        pytest.param(saying(start(404), body()), (1, 0), id="the-client's-mistake"),
        pytest.param(saying(start(500), body()), (1, 1), id="500"),
        pytest.param(saying(start(503), body()), (1, 1), id="503"),
        pytest.param(saying(then=RuntimeError()), (1, 1), id="raised"),
        pytest.param(saying(start(), body(more=True), then=RuntimeError()), (1, 1), id="raised-half-way"),
        pytest.param(saying(start(), body(more=True)), (1, 1), id="broke-off"),
        pytest.param(saying(), (1, 1), id="no-answer"),
        pytest.param(saying(start(), then=asyncio.CancelledError()), (1, 1), id="cancelled-by-the-server"),
        pytest.param(saying(start(), body(), then=RuntimeError()), (1, 0), id="raised-after-the-answer"),
        pytest.param(
            saying(start(), {"type": "http.response.pathsend", "path": "/x"}), (1, 0), id="a-file-by-its-path"
        ),
    ],
)
def test_what_is_a_failure(app: App, expected: tuple[int, int]) -> None:
    """A failure is a 5xx, and an answer that the application did not complete."""
    assert asyncio.run(asked_once(app)) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(None, (0, 0), id="before-the-answer-left-out"),
        pytest.param(200, (1, 0), id="in-a-good-answer"),
        pytest.param(502, (1, 1), id="in-a-bad-answer"),
    ],
)
@pytest.mark.parametrize("then", [None, RuntimeError()], ids=["returns", "raises"])
def test_a_client_that_leaves(status: int | None, then: Exception | None, expected: tuple[int, int]) -> None:
    """Who goes away is no failure of the application; what it had begun to answer counts by its status."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await saying()(scope, receive, send)
            return
        if status:
            await send(start(status))
        assert await receive() == {"type": "http.disconnect"}
        if then:
            raise then

    assert asyncio.run(asked_once(app, receive=_gone)) == expected


def test_a_client_that_leaves_while_it_is_read() -> None:
    """Starlette raises when the client goes before all of its request has come, and answers 500 to nobody."""

    async def page(request: Request) -> Response:
        return Response(await request.body())

    assert asyncio.run(asked_once(answering(page), receive=_gone)) == (0, 0)


@pytest.mark.parametrize(
    ("fails_at", "expected"), [("http.response.start", (0, 0)), ("http.response.body", (1, 0))]
)
def test_a_client_that_leaves_while_it_is_answered(fails_at: str, expected: tuple[int, int]) -> None:
    """Some servers tell the application by an OSError that there is nobody to send to."""

    async def ask() -> tuple[int, int]:
        async def send(message: Message) -> None:
            if message["type"] == fails_at:
                raise ConnectionResetError

        async with Watched(saying(start(), body(more=True), body()), began=1) as watched:
            with pytest.raises(ConnectionResetError):
                await watched.feed(_request("x"), _nothing_more, send)
        return counted(watched.lines[0])

    assert asyncio.run(ask()) == expected


def test_who_is_left_out() -> None:
    """The load balancer's health checks and the probe are answered, and not counted."""

    async def ask() -> tuple[int, int]:
        async with Watched(saying(start(500), body()), began=1) as watched:
            for agent in ("ELB-HealthChecker/2.0", USER_AGENT, "curl/8.5 crossfade-probe", "", "Mozilla/5.0"):
                assert len(await watched.ask(agent)) == 2
        return counted(watched.lines[0])

    assert asyncio.run(ask()) == (3, 3)


def test_a_spell_is_counted_as_users_meet_it() -> None:
    """What a rehearsal injects is among the users' failures while it lasts; what the probe meets is not."""
    age = 0.0
    spells = Spells(saying(start(), body()), 3, 60, clock=lambda: age)  # type: ignore[arg-type]

    async def ask() -> tuple[int, int]:
        nonlocal age
        async with Watched(spells, began=1) as watched:  # type: ignore[arg-type]
            for moment in (59, 60, 62, 63):
                age = moment
                for agent in (USER_AGENT, "Mozilla/5.0"):
                    await watched.ask(agent)
        return counted(watched.lines[0])

    assert asyncio.run(ask()) == (4, 2)


def test_a_request_without_user_agent_counts() -> None:
    """Not every client says who it is."""

    async def ask() -> tuple[int, int]:
        async def send(message: Message) -> None:
            pass

        async with Watched(saying(start(), body()), began=1) as watched:
            await watched.feed({"type": "http", "headers": []}, _nothing_more, send)
        return counted(watched.lines[0])

    assert asyncio.run(ask()) == (1, 0)


def test_latency_is_until_the_end_of_the_answer() -> None:
    """From the request's arrival to its last part, not to its first; failed requests count too."""

    async def ask() -> list[Outcomes]:
        async def app(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await saying()(scope, receive, send)
                return
            watched.stopwatch += 0.010
            await send(start(500))
            watched.stopwatch += 0.030
            await send(body(more=True))
            watched.stopwatch += 0.050
            await send(body())
            watched.stopwatch += 7

        watched = Watched(app, began=1)
        async with watched:
            await watched.ask()
            await watched.ask()
        return watched.lines

    (line,) = asyncio.run(ask())
    assert (line.requests, line.latencies) == (2, histogram([90, 90]))


def test_bounds_are_the_gates() -> None:
    """Both count by the same bounds, to the last bit."""
    assert (BOUNDS, outcomes.SPAN_MS) == (latency.BOUNDS, SECONDS * 1000)


@given(st.lists(st.one_of(st.floats(0, 100_000), st.sampled_from(latency.BOUNDS)), min_size=1, max_size=50))
def test_buckets_are_the_gates(milliseconds: list[float]) -> None:
    """Application and gate are deployed apart; a latency falls into the same bucket here and there."""

    async def ask() -> tuple[Outcomes, list[float]]:
        met: list[float] = []

        async def app(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await saying()(scope, receive, send)
                return
            # 0 + x - 0 is x: the feed meets the very number.
            watched.stopwatch = milliseconds[len(met)] / 1000
            met.append(watched.stopwatch * 1000)
            await send(start())
            await send(body())

        watched = Watched(app, began=1)
        async with watched:
            for _ in milliseconds:
                watched.stopwatch = 0
                await watched.ask()
        return watched.lines[0], met

    line, met = asyncio.run(ask())
    assert line.latencies == histogram(met)


def test_spans_end_with_the_clock() -> None:
    """The first and the last are shorter; one follows on the other; a request counts where it ended."""

    async def run() -> list[Outcomes]:
        async with Watched(saying(start(), body()), began=4.98) as watched:
            await watched.ask()
            watched.now = NOON + 9.98
            await watched.wait_for(1)
            await watched.ask()
            await watched.ask()
            watched.now = NOON + 10.001
            await watched.wait_for(2)
            await watched.ask()
            watched.now = NOON + 12.345
        return watched.lines

    lines = asyncio.run(run())
    assert [line.requests for line in lines] == [1, 2, 1]
    assert [
        (line.began.timestamp() - NOON, round(line.ended.timestamp() - NOON, 3)) for line in lines[1:]
    ] == [(5, 10), (10, 12.345)]
    assert {line.process for line in lines} == {os.getpid()}


def test_an_answer_when_the_timer_is_late() -> None:
    """A busy event loop comes late to the end of a span; what ended after it is of the next all the same."""

    async def run() -> list[Outcomes]:
        async with Watched(saying(start(), body()), began=1) as watched:
            await watched.ask()
            watched.now = NOON + 5.2
            await watched.ask()
            assert [line.requests for line in watched.lines] == [1]
        return watched.lines

    first, last = asyncio.run(run())
    assert (first.ended.timestamp() - NOON, first.requests) == (5, 1)
    assert (last.began.timestamp() - NOON, last.requests) == (5, 1)


def test_a_standstill_is_one_span() -> None:
    """A process that was held up for longer says so in one line, instead of one for each span missed."""

    async def run() -> list[Outcomes]:
        async with Watched(saying(), began=1) as watched:
            watched.now = NOON + 3601
        return watched.lines

    spans = [(line.began.timestamp() - NOON, line.ended.timestamp() - NOON) for line in asyncio.run(run())]
    assert spans == [(1, 3600), (3600, 3601)]


def test_the_last_span_ends_later_than_the_one_before() -> None:
    """A process that leaves just when a span is over: two lines with the same end would count as one."""

    async def run() -> list[Outcomes]:
        async with Watched(saying(start(), body()), began=1) as watched:
            await watched.ask()
            watched.now = NOON + 5
        return watched.lines

    first, last = asyncio.run(run())
    assert first.ended < last.ended
    assert (counted(first), counted(last)) == ((1, 0), (0, 0))


def test_an_idle_task_is_not_silent() -> None:
    """A line is written by the timer, without any request."""

    async def run() -> None:
        async with Watched(saying(), began=4.98) as watched:
            watched.now = NOON + 5
            await watched.wait_for(1)
            assert counted(watched.lines[0]) == (0, 0)

    asyncio.run(run())


def test_a_log_that_cannot_be_written() -> None:
    """The application answers, and the feed goes on when the log does."""
    lines: list[str] = []
    broken = [True]

    def write(line: str) -> None:
        if broken[0]:
            raise BrokenPipeError
        lines.append(line)

    async def run() -> None:
        async with Watched(saying(start(), body()), began=4.98) as watched:
            watched.feed._write = write
            watched.now = NOON + 5.1
            assert len(await watched.ask()) == 2
            broken[0] = False
            watched.now = NOON + 10.1
            assert len(await watched.ask()) == 2

    asyncio.run(run())
    assert [counted(read_outcomes(line)) for line in lines] == [(1, 0), (1, 0)]


def test_a_server_that_ends_at_once() -> None:
    """Ctrl-C: the server cancels the lifespan instead of asking it to end. The last line is written still."""

    async def run() -> list[Outcomes]:
        watched = await Watched(saying(start(), body()), began=1).__aenter__()
        await watched.ask()
        watched._life.cancel()
        with suppress(asyncio.CancelledError):
            await watched._life
        return watched.lines

    assert [counted(line) for line in asyncio.run(run())] == [(1, 0)]


def test_an_application_that_fails_to_start() -> None:
    """It never served: there is no span to tell of."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def run() -> tuple[list[Outcomes], list[Message]]:
        watched, sent = Watched(app), asyncio.Queue[Message]()
        await watched.feed(LIFESPAN, _nothing_more, sent.put)
        return watched.lines, [sent.get_nowait()]

    assert asyncio.run(run()) == ([], [{"type": "lifespan.startup.failed", "message": "no database"}])


def test_other_connections_pass_through() -> None:
    """A websocket is no request with an answer."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await saying()(scope, receive, send)
            return
        await send({"type": "websocket.close"})

    async def run() -> tuple[list[Outcomes], Message]:
        sent = asyncio.Queue[Message]()
        async with Watched(app, began=1) as watched:
            await watched.feed({"type": "websocket", "headers": []}, _nothing_more, sent.put)
        return watched.lines, sent.get_nowait()

    lines, message = asyncio.run(run())
    assert ([counted(line) for line in lines], message) == ([(0, 0)], {"type": "websocket.close"})


def test_the_longest_line_is_written_in_one_piece(capfd: pytest.CaptureFixture[str]) -> None:
    """Several workers share one pipe, which keeps 4096 bytes together."""
    feed = OutcomeFeed(saying(), clock=lambda: NOON)
    feed._requests = feed._failures = 10**9
    feed._latencies.update({bucket: 10**7 for bucket in range(len(BOUNDS) + 1)})

    feed._close(round(NOON * 1000) + 1)

    written = capfd.readouterr().out
    assert written.endswith("]]}\n")
    assert len(written) <= 4096


def test_the_published_example() -> None:
    """What docs/outcome-feed.md shows is what the gate reads, and names the fields that are written."""
    (example,) = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line.startswith('{"c')]
    read_outcomes(example)

    written: list[str] = []
    OutcomeFeed(saying(), write=written.append)._close(round(NOON * 1000))

    assert list(json.loads(example)) == list(json.loads(written[0]))


class Running:
    """The application as a process, and the lines of its log as they come."""

    def __init__(self, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=FOLDER,
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOST": "127.0.0.1",
                "PORT": str(port),
                **environment,
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        self.log: Queue[str | None] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.log.put(line)
        self.log.put(None)

    def status(self, path: str, agent: str) -> int:
        """The status of the answer to one request, on a new connection."""
        headers = {"User-Agent": agent}
        return requests.get(self.url + path, headers=headers, timeout=PATIENCE_SECONDS).status_code

    def wait_until_it_listens(self) -> None:
        """Ask as the load balancer does, until there is an answer."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends_at:
            with suppress(requests.ConnectionError):
                self.status("/healthz", "ELB-HealthChecker/2.0")
                return
            time.sleep(0.02)
        raise AssertionError("the application does not listen")


@pytest.fixture
def running() -> Iterator[Running]:
    """A release that fails its users and nobody else."""
    app = Running(FAULT_USERS_ERROR_RATE="1", SHUTDOWN_GRACE_SECONDS="0")
    yield app
    app.process.kill()
    app.process.wait()


@pytest.mark.enable_socket
def test_the_real_process(running: Running) -> None:
    """uvicorn, its lifespan and a pipe: spans follow on each other, end with the clock, miss no user."""
    running.wait_until_it_listens()
    assert [running.status("/version", "crossfade-probe") for _ in range(5)] == [200] * 5
    assert [running.status(path, "curl/8.5") for path in ("/", "/cart", "/version")] == [500, 500, 200]

    texts = [running.log.get(timeout=PATIENCE_SECONDS)]
    running.process.send_signal(signal.SIGTERM)
    while texts[-1] is not None:
        texts.append(running.log.get(timeout=PATIENCE_SECONDS))
    lines = [read_outcomes(text) for text in texts if text]

    assert running.process.wait(timeout=PATIENCE_SECONDS) == 0
    assert len(lines) >= 2
    assert [line.ended.timestamp() % SECONDS for line in lines[:-1]] == [0.0] * (len(lines) - 1)
    assert [line.began for line in lines[1:]] == [line.ended for line in lines[:-1]]
    assert {line.process for line in lines} == {running.process.pid}
    assert (sum(line.requests for line in lines), sum(line.failures for line in lines)) == (3, 2)
