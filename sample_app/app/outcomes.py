"""The outcome feed: what users met, as a line in the log for every 5 s, which Crossfade's gate reads.

It needs nothing but Python 3.11: take the file as it is, and wrap an ASGI application in it, outermost, so
that what other middleware answers is counted too. docs/outcome-feed.md tells the format.
"""

import asyncio
import json
import os
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

SPAN_MS = 5000
BOUNDS = tuple(1.2 ** (i / 2) for i in range(121))  # ms; bucket i is above bound i - 1, up to bound i
NOT_USERS = (b"ELB-HealthChecker/", b"crossfade-probe")  # User-Agents that Crossfade itself accounts for
ANSWER_PARTS = ("http.response.body", "http.response.pathsend", "http.response.zerocopysend")


def write_to_stdout(line: str) -> None:
    """Write a line in one piece, because workers share the stream (a pipe keeps 4 kB together)."""
    sys.stdout.write(line)
    sys.stdout.flush()


class OutcomeFeed:
    """Counts an application's answers; begins and ends with its lifespan, so it must take part in that.

    The event loop itself calls ``write`` with a line: a thread could cut one of the application's own lines
    in two. ``clock`` gives seconds since 1970, ``stopwatch`` seconds by a clock that nobody sets.
    """

    def __init__(
        self,
        app: App,
        write: Callable[[str], object] = write_to_stdout,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app, self._write, self._clock, self._stopwatch = app, write, clock, stopwatch
        self._begin(self._now())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http" and _is_of_a_user(scope):
            await self._answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, scope: Message, receive: Receive, send: Send) -> None:
        timer: asyncio.Task[None] | None = None

        async def pass_on(message: Message) -> None:
            nonlocal timer
            if message["type"] == "lifespan.startup.complete":
                self._begin(self._now())
                timer = asyncio.create_task(self._keep_time())
            await send(message)

        try:
            await self._app(scope, receive, pass_on)
        finally:
            if timer:
                timer.cancel()
                self._turn()
                self._close(max(self._now(), self._began + 1))  # two with one end would count as one

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        arrived, status, ended = self._stopwatch(), 0, False
        left_at: int | None = None  # the status when the client left, 0 for none yet; None if it stayed

        async def take() -> Message:
            nonlocal left_at
            message = await receive()
            if message["type"] == "http.disconnect" and left_at is None:
                left_at = status
            return message

        async def pass_on(message: Message) -> None:
            nonlocal status, ended, left_at
            try:
                await send(message)
            except OSError:  # how a server says that there is nobody to send to
                left_at = status if left_at is None else left_at
                raise
            status = message["status"] if message["type"] == "http.response.start" else status
            if message["type"] in ANSWER_PARTS and not message.get("more_body", False) and not ended:
                ended = True
                self._count(arrived, status >= 500, left_at)

        try:
            await self._app(scope, take, pass_on)
        finally:
            if not ended:
                self._count(arrived, status >= 500 or left_at is None, left_at)

    def _count(self, arrived: float, failed: bool, left_at: int | None) -> None:
        if left_at == 0:  # What is said to nobody is no outcome.
            return
        bucket = bisect_left(BOUNDS, (self._stopwatch() - arrived) * 1000)
        self._turn()  # the timer may be late
        self._requests += 1
        self._failures += failed
        self._latencies[bucket] += 1

    async def _keep_time(self) -> None:
        while True:
            # Anew from the clock each time, so that delays do not add up.
            await asyncio.sleep((SPAN_MS - self._now() % SPAN_MS) / 1000)
            self._turn()

    def _turn(self) -> None:
        """Close the span if it is over. After a standstill that is the last multiple, not the next."""
        if (ended := self._now() // SPAN_MS * SPAN_MS) > self._began:
            self._close(ended)

    def _close(self, ended: int) -> None:
        span = {"crossfade": "outcomes/1", "began": _utc(self._began), "ended": _utc(ended)}
        counts = {"process": os.getpid(), "requests": self._requests, "failures": self._failures}
        line = json.dumps({**span, **counts, "latencies": sorted(self._latencies.items())})
        self._begin(ended)
        # A log that cannot be written must end neither the application nor the feed.
        with suppress(OSError, ValueError):
            self._write(line + "\n")

    def _begin(self, began: int) -> None:
        self._began, self._requests, self._failures, self._latencies = began, 0, 0, Counter[int]()

    def _now(self) -> int:
        return round(self._clock() * 1000)  # in ms, as the line gives it


def _is_of_a_user(scope: Message) -> bool:
    return not any(name == b"user-agent" and value.startswith(NOT_USERS) for name, value in scope["headers"])


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
