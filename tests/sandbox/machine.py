"""The sandbox as a child process: started on free ports, ended with everything that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.sandbox.patience import until
from tests.sandbox.shell import PROJECT

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as caller:
        caller.settimeout(2)
        return caller.connect_ex((HOST, port)) == 0


class Sandbox:
    """`python -m sandbox` in a session of its own, so that a Ctrl-C to the tests does not reach it twice.

    `settings` are those of its environment variables: how late it is, and for how long functions stay warm.
    """

    def __init__(self, state: Path, **settings: str) -> None:
        self.port, self.production_port = free_ports(2)
        self.log = state / "sandbox.log"
        self._state = state
        self._seen: dict[int, str] = {}
        command = [sys.executable, "-m", "sandbox", "--port", str(self.port), "--state", str(state)]
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=os.environ | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        """Wait until the endpoint answers; AssertionError when the sandbox ended instead."""

        def look() -> bool:
            assert self._process.poll() is None, f"the sandbox did not start:\n{self.log_tail()}"
            return answers(self.port)

        until(look, "the sandbox to answer")

    def children(self) -> dict[int, str]:
        """The processes that the sandbox and its children have started, and what they are."""
        listed = _processes()
        family = {self._process.pid}
        while True:
            grown = family | {pid for pid, (parent, _) in listed.items() if parent in family}
            if grown == family:
                break
            family = grown
        return {pid: listed[pid][1] for pid in family - {self._process.pid} if pid in listed}

    def stop(self) -> list[str]:
        """End the sandbox with SIGTERM; returns what is left of it: processes and ports. May run twice."""
        if self._process.poll() is None:
            self._seen = self.children()
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                return [f"the sandbox itself, 60 s after SIGTERM; its log ends:\n{self.log_tail()}"]
        listed = _processes()
        left = [
            f"process {pid}: {command}"
            for pid, (_, command) in listed.items()
            if self._seen.get(pid) == command or str(self._state) in command
        ]
        ports = (self.port, self.production_port)
        return left + [f"port {port}" for port in ports if answers(port)]

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the sandbox's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _processes() -> dict[int, tuple[int, str]]:
    """Every process by its id: parent, command."""
    printed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    found = {}
    for line in printed.splitlines():
        pid, parent, *command = line.split(maxsplit=2)
        found[int(pid)] = (int(parent), command[0] if command else "")
    return found
