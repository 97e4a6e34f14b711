"""On Linux, Lambda's workers are forked from a process that has loaded their libraries.

MiniStack starts Python anew for each execution environment, a quarter of a second of a core to load botocore,
pydantic and Powertools. What a worker runs, where, and for how long is MiniStack's as before. What the fork
server has loaded counts as memory of each function, as on AWS that of each function that loads it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

from sandbox.patching import changes

_PROGRAM = Path(__file__).with_name("fork_server.py")
_ANSWER_BYTES = 20


class Forked:
    """A process of the fork server, with as much of `subprocess.Popen` as MiniStack uses."""

    def __init__(self, pid: int, handle: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdin = os.fdopen(stdin, "w", buffering=1)
        self.stdout, self.stderr = os.fdopen(stdout), os.fdopen(stderr)
        self._handle = os.fdopen(handle, "rb", buffering=0)  # closed with this object

    def poll(self) -> int | None:
        """None while it runs, 0 when it has ended: only its parent knows how."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def terminate(self) -> None:
        """Ask it to end; nothing happens once it has."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it; nothing happens once it has ended."""
        self._signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        looking = select.poll()  # pidfd_open(2): there is something to read once the process has ended
        looking.register(self._handle, select.POLLIN)
        return 0 if looking.poll(None if timeout is None else timeout * 1000) else None

    def _signal(self, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self._handle.fileno(), number)
        except ProcessLookupError:
            return


class ForkServer:
    """Started when it is asked first; ended with the sandbox, whichever way that ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, script: str, folder: str, environment: Mapping[str, str]) -> Forked:
        """`python script` in a folder and an environment, with pipes for its input and output."""
        request = {"script": script, "folder": folder, "environment": dict(environment)}
        (their_in, stdin), (stdout, their_out), (stderr, their_err) = os.pipe(), os.pipe(), os.pipe()
        theirs = (their_in, their_out, their_err)
        try:
            pid, handle = self._ask(json.dumps(request).encode(), theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return Forked(pid, handle, stdin, stdout, stderr)

    def end(self) -> None:
        """End it; what it has forked runs on."""
        with self._lock:
            if self._requests and self._process:
                self._requests.close()
                self._process.wait()

    def _ask(self, request: bytes, descriptors: Sequence[int]) -> tuple[int, int]:
        with self._lock:
            requests = self._requests = self._requests or self._begin()
            socket.send_fds(requests, [request], descriptors)
            answer, (handle,), _, _ = socket.recv_fds(requests, _ANSWER_BYTES, 1)
            return int(answer), handle

    def _begin(self) -> socket.socket:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen([sys.executable, str(_PROGRAM)], stdin=its.fileno())
        return ours


fork_server = ForkServer()
"""That of this process."""


@changes(lambda_runtime, "subprocess", version="1.5.33")
def fork_workers(emulator: ModuleType) -> SimpleNamespace:
    """MiniStack: a new Python for each worker. Workers of other runtimes are started as before."""
    return SimpleNamespace(**{**vars(emulator), "Popen": _start})


def _start(command: Sequence[str], **options: Any) -> Any:
    if sys.platform != "linux" or command[0] != sys.executable:
        return subprocess.Popen(command, **options)
    return fork_server.start(command[1], options["cwd"], options["env"])
