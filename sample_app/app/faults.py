"""Faults for rehearsals, each a small ASGI middleware around the pages.

All but NeverHealthy and CrashAfter leave the health check alone: a version that fails its health check gets
no traffic, and what has to be rehearsed is the one that looks healthy and is not.
"""

import asyncio
import math
import os
import random
import time
from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .pages import HEALTH_PATH
from .settings import Faults

PROBED_PATHS = frozenset({HEALTH_PATH, "/version"})
"""What the load balancer and the probe ask for."""
PREVIEW_HEADER = b"x-crossfade-slot"
"""What the preview rules ask for, and nobody in production sends."""


class ErrorRate:
    """Answer 500 to a share (0 to 1) of the requests, picked by chance, save on the paths that are spared."""

    def __init__(
        self,
        app: ASGIApp,
        share: float,
        chance: Callable[[], float] = random.random,
        spared: frozenset[str] = frozenset(),
    ) -> None:
        self._app, self._share, self._chance, self._spared = app, share, chance, spared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hit = _is_client_request(scope) and scope["path"] not in self._spared
        if hit and self._chance() < self._share:
            await _fail(scope, receive, send, "error rate")
        else:
            await self._app(scope, receive, send)


class Latency:
    """Wait before every answer, save on the paths that are spared.

    In a warm-up it waits three times as long at first, 1.2 times at its end.
    """

    def __init__(
        self,
        app: ASGIApp,
        milliseconds: float,
        warm_up_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
        spared: frozenset[str] = frozenset(),
    ) -> None:
        self._app, self._seconds, self._clock = app, milliseconds / 1000, clock
        self._spared = spared
        self._warm_up_seconds, self._began = warm_up_seconds, clock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_client_request(scope) and scope["path"] not in self._spared:
            await asyncio.sleep(self.seconds)
        await self._app(scope, receive, send)

    @property
    def seconds(self) -> float:
        """How long an answer waits now. What is still to warm up falls to a tenth in each warm-up time."""
        if not self._warm_up_seconds:
            return self._seconds
        age = self._clock() - self._began
        return self._seconds * (1 + 2 * 0.1 ** (age / self._warm_up_seconds))


class FailAfter:
    """Be fine at first; answer 500 to everything from a given age on."""

    def __init__(self, app: ASGIApp, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._clock = app, clock
        self._turns_at = clock() + seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_client_request(scope) and self._clock() >= self._turns_at:
            await _fail(scope, receive, send, "age")
        else:
            await self._app(scope, receive, send)


class BreakOnCall:
    """Be fine until a path is called; answer 500 to everything else from then on, or for some seconds.

    So a rehearsal chooses the moment. The call itself is answered with the task that it has reached; while
    the task is broken it changes nothing. ``preview_only``: who comes to production is answered well.
    """

    def __init__(
        self,
        app: ASGIApp,
        path: str,
        task: str,
        seconds: float = math.inf,
        preview_only: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._path, self._task = app, path, task
        self._seconds, self._preview_only, self._clock = seconds, preview_only, clock
        self._broken_until = -math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        broken = self._clock() < self._broken_until
        if _is_client_request(scope) and scope["path"] == self._path:
            if not broken:
                self._broken_until = self._clock() + self._seconds
            await JSONResponse({"task": self._task})(scope, receive, send)
        elif _is_client_request(scope) and broken and (_by_preview(scope) or not self._preview_only):
            await _fail(scope, receive, send, "broken by a call")
        else:
            await self._app(scope, receive, send)


class Spells:
    """Be fine but for spells, in which the answer to everything is 500: one at each multiple of an age."""

    def __init__(
        self, app: ASGIApp, seconds: float, every: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._seconds, self._every, self._clock = app, seconds, every, clock
        self._began = clock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        age = self._clock() - self._began
        if _is_client_request(scope) and age >= self._every and age % self._every < self._seconds:
            await _fail(scope, receive, send, "spell")
        else:
            await self._app(scope, receive, send)


class NeverHealthy:
    """Answer 503 to every health check."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == HEALTH_PATH:
            await JSONResponse({"status": "unhealthy"}, status_code=503)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class CrashAfter:
    """Kill the process, without cleaning up, at a given age counted from the start of the server."""

    def __init__(self, app: ASGIApp, seconds: float, crash: Callable[[int], object] = os._exit) -> None:
        self._app, self._seconds, self._crash = app, seconds, crash

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            asyncio.get_running_loop().call_later(self._seconds, self._crash, 1)
        await self._app(scope, receive, send)


def with_faults(app: ASGIApp, faults: Faults, task: str) -> ASGIApp:
    """Wrap the application in those faults that are set; none is set in an ordinary image."""
    if faults.error_rate:
        app = ErrorRate(app, faults.error_rate)
    if faults.users_error_rate:
        app = ErrorRate(app, faults.users_error_rate, spared=PROBED_PATHS)
    if faults.fail_after_seconds:
        app = FailAfter(app, faults.fail_after_seconds)
    if faults.spell_seconds:
        app = Spells(app, faults.spell_seconds, faults.spell_every_seconds)
    # Around what fails, so that the call that breaks it is answered.
    if faults.break_path:
        seconds = faults.break_seconds or math.inf
        app = BreakOnCall(app, faults.break_path, task, seconds, faults.break_preview)
    if faults.never_healthy:
        app = NeverHealthy(app)
    if faults.latency_ms:
        app = Latency(app, faults.latency_ms, faults.warm_up_seconds)
    if faults.users_latency_ms:
        app = Latency(app, faults.users_latency_ms, spared=PROBED_PATHS)
    if faults.crash_after_seconds:
        app = CrashAfter(app, faults.crash_after_seconds)
    return app


def _is_client_request(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["path"] != HEALTH_PATH)


def _by_preview(scope: Scope) -> bool:
    return any(name == PREVIEW_HEADER for name, _ in scope["headers"])


async def _fail(scope: Scope, receive: Receive, send: Send, cause: str) -> None:
    await JSONResponse({"error": f"injected fault: {cause}"}, status_code=500)(scope, receive, send)
