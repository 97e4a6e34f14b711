"""Faults for rehearsals, each a small ASGI middleware around the pages.

All but NeverHealthy and CrashAfter leave the health check alone: a version that fails its health check gets
no traffic, and what has to be rehearsed is the one that looks healthy and is not.
"""

import asyncio
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
    """Wait before every answer."""

    def __init__(self, app: ASGIApp, milliseconds: float) -> None:
        self._app, self._seconds = app, milliseconds / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_client_request(scope):
            await asyncio.sleep(self._seconds)
        await self._app(scope, receive, send)


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
    """Be fine until a path is called; answer 500 to everything else from then on.

    So a rehearsal chooses the moment. The call itself is answered with the task that it has reached.
    """

    def __init__(self, app: ASGIApp, path: str, task: str) -> None:
        self._app, self._path, self._task = app, path, task
        self._broken = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_client_request(scope) and scope["path"] == self._path:
            self._broken = True
            await JSONResponse({"task": self._task})(scope, receive, send)
        elif _is_client_request(scope) and self._broken:
            await _fail(scope, receive, send, "broken by a call")
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
    # Around what fails, so that the call that breaks it is answered.
    if faults.break_path:
        app = BreakOnCall(app, faults.break_path, task)
    if faults.never_healthy:
        app = NeverHealthy(app)
    if faults.latency_ms:
        app = Latency(app, faults.latency_ms)
    if faults.crash_after_seconds:
        app = CrashAfter(app, faults.crash_after_seconds)
    return app


def _is_client_request(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["path"] != HEALTH_PATH)


async def _fail(scope: Scope, receive: Receive, send: Send, cause: str) -> None:
    await JSONResponse({"error": f"injected fault: {cause}"}, status_code=500)(scope, receive, send)
