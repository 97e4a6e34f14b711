"""The data plane: a thread whose event loop serves every listener on its port of 127.0.0.1.

Ports follow the emulator's listeners, however they came to be: through the API, a stack, or restored state.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import sys
import threading
from collections.abc import Iterator

import aiohttp
from aiohttp import web
from ministack.services import alb

from sandbox.load_balancer.certificates import authority, names_of
from sandbox.load_balancer.health import HealthChecks
from sandbox.load_balancer.proxy import Proxy

logger = logging.getLogger("sandbox.load_balancer")

HOST = "127.0.0.1"
TICK_SECONDS = 0.1
IDLE_SECONDS = 60.0  # ALB's default, towards clients and targets
LONGEST_HEADER = 65_536  # bytes; ALB takes 64 KiB of headers

Names = tuple[str, ...] | None
"""What a port's certificate is for; None: it speaks plain HTTP."""


class PortTaken(Exception):
    """A listener's port cannot be had; `code` is the API's error, the message says what to do."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


class DataPlane:
    """`start`, then `claim` ports from any thread; `stop` closes all of them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._sockets: dict[int, socket.socket] = {}
        self._refused: set[int] = set()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._servers: dict[int, tuple[asyncio.Server, web.Server, Names]] = {}

    def start(self) -> None:
        """Begin serving; returns at once."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._serve, name="load-balancer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close every port and end the thread; may be called twice."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout=5)
        self._thread = None

    @contextlib.contextmanager
    def claim(self, port: int, balancer: str, listener: str = "") -> Iterator[None]:
        """Listen on the port at once, and keep it while the caller creates or changes a listener on it.

        Raises PortTaken. The port is served within a tick; until then, connections wait in its backlog.
        """
        with self._lock:
            _refuse_second_listener(port, balancer, listener)
            if port not in self._sockets:
                self._sockets[port] = _listen(port)
            yield

    def _serve(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
        session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )
        checking = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        async with session, checking:
            proxy, checks = Proxy(session), HealthChecks(checking)
            while not self._stopping.is_set():
                try:
                    await self._follow_listeners(proxy)
                    checks.tick()
                except Exception:  # one bad record must not end the service of all the others
                    logger.exception("load balancer: a tick failed, traffic goes on")
                await asyncio.sleep(TICK_SECONDS)
            for port in list(self._servers):
                await self._close(port)
        with self._lock:
            for each in self._sockets.values():
                each.close()
            self._sockets.clear()

    async def _follow_listeners(self, proxy: Proxy) -> None:
        with self._lock:
            wanted = _wanted_ports()
            self._refused &= wanted.keys()
            for port in wanted.keys() - self._sockets.keys() - self._refused:
                try:
                    self._sockets[port] = _listen(port)
                except PortTaken as error:
                    self._refused.add(port)
                    print(f"sandbox: {error}", file=sys.stderr, flush=True)
            gone = self._sockets.keys() - wanted
            for port in gone - self._servers.keys():
                self._sockets.pop(port).close()
        changed = {port for port, (*_, names) in self._servers.items() if names != wanted.get(port)}
        for port in (gone | changed) & self._servers.keys():  # a changed one is opened at the next tick
            await self._close(port)
        for port, names in wanted.items():  # not those that were claimed since: how they speak is not known
            if port not in self._servers and (bound := self._sockets.get(port)):
                await self._open(port, bound, proxy, names)

    async def _open(self, port: int, bound: socket.socket, proxy: Proxy, names: Names) -> None:
        server = web.Server(
            functools.partial(proxy.answer, port),
            handler_cancellation=True,
            keepalive_timeout=IDLE_SECONDS,
            access_log=None,
            auto_decompress=False,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )
        accepting = await asyncio.get_running_loop().create_server(
            server, sock=bound, backlog=1024, ssl=None if names is None else authority.context(names)
        )
        self._servers[port] = accepting, server, names

    async def _close(self, port: int) -> None:
        with self._lock:
            self._sockets.pop(port, None)
            accepting, server, _ = self._servers.pop(port)
            accepting.close()
        await server.shutdown(timeout=1.0)


def _wanted_ports() -> dict[int, Names]:
    return {listener["Port"]: names_of(listener) for listener in alb._listeners.values()}


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"listener port {port} cannot be opened on {HOST} ({error.strerror}). The sandbox serves "
            f"listeners on real ports: choose one that is free and above 1023."
        ) from None
    listening.setblocking(False)
    return listening


def _refuse_second_listener(port: int, balancer: str, listener: str) -> None:
    for arn, other in alb._listeners.items():
        if other["Port"] != port or arn == listener:
            continue
        if other["LoadBalancerArn"] == balancer:
            raise PortTaken(
                "A listener already exists on this port for this load balancer", "DuplicateListener"
            )
        raise PortTaken(
            f"listener port {port} already serves another load balancer ({arn}). All load balancers of the "
            f"sandbox share {HOST}: choose another port."
        )


data_plane = DataPlane()
