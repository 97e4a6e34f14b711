"""uvicorn with the ending that a task behind a load balancer needs.

uvicorn stops accepting connections as soon as SIGTERM comes. Requests may still be on their way then, because
the load balancer learns of a leaving target with a delay; so this server goes on as before for a grace time,
and only then closes. uvicorn also raises the signal once more when it has ended, which would show a clean end
as a killed task; here the status is 0.
"""

import signal
import time
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 75
"""Longer than the idle timeout of the load balancer (60 s): never close what it is about to use."""
LAST_ANSWERS_SECONDS = 5
"""How long answers under way may take once the grace time is over."""


class GracefulServer(uvicorn.Server):
    """A uvicorn server that serves on for `grace_seconds` after the first SIGTERM.

    SIGINT (Ctrl-C), and any second signal, ends it at once.
    """

    def __init__(self, config: uvicorn.Config, grace_seconds: float) -> None:
        super().__init__(config)
        self._grace_seconds = grace_seconds
        self._leaves_at: float | None = None

    def handle_exit(self, sig: int, _frame: FrameType | None) -> None:
        """Take SIGTERM or SIGINT; called by Python between two instructions of the main thread."""
        if sig == signal.SIGTERM and self._leaves_at is None:
            self._leaves_at = time.monotonic() + self._grace_seconds
            return
        self.should_exit = True
        self.force_exit = True
        self.config.timeout_graceful_shutdown = 0

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to leave; uvicorn asks ten times a second."""
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)


def make_server(app: ASGIApp, host: str, port: int, grace_seconds: float) -> GracefulServer:
    """Return a server for the application, ready to `run()`."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        # The one that is pinned: by default uvicorn takes whatever else happens to be installed.
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        # The load balancer and the probe already log every request.
        access_log=False,
    )
    return GracefulServer(config, grace_seconds)
