"""Records `crossfade watch` in a terminal, over a good and a bad release in the sandbox: `make watch-cast`.

The file has the form of asciinema, version 2: a header, then one line for each piece of output with its time
(https://docs.asciinema.org/manual/asciicast/v2/).
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from demo.cloud import ROOT, Cloud, DemoFailed, module
from demo.exercise import BAD, FAULT, FIRST, GOOD
from demo.laptop import Laptop
from demo.workflow import Workflow

FILE = ROOT / "docs/watch.cast"
SERVICE = "sample-app"
_START_SECONDS = 60.0

Piece = tuple[float, str]
"""Seconds since the recording began, and what was printed."""


class Recording:
    """One terminal of a width and a height, in which commands are typed one after the other."""

    def __init__(self, title: str, columns: int, rows: int) -> None:
        self.pieces: list[Piece] = []
        self._title, self._columns, self._rows = title, columns, rows
        self._began = time.monotonic()

    def run(self, typed: str, command: list[str], environment: Mapping[str, str]) -> int:
        """Run a command as if it was typed, to its end; its exit status."""
        self.say(f"$ {typed}\r\n")
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (self._rows, self._columns))
        environment = {**environment, "TERM": "xterm-256color"}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        for text in _printed(ours):
            self.say(text)
        os.close(ours)
        return process.wait()

    def say(self, text: str) -> None:
        """Add what the terminal shows now."""
        self.pieces.append((time.monotonic() - self._began, text))

    def write(self, file: Path) -> None:
        """Write what was recorded."""
        header = {
            "version": 2,
            "width": self._columns,
            "height": self._rows,
            "idle_time_limit": 2,
            "title": self._title,
        }
        lines = [json.dumps(header), *(json.dumps([round(at, 2), "o", text]) for at, text in self.pieces)]
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _printed(terminal: int) -> Iterator[str]:
    while True:
        try:
            printed = os.read(terminal, 65_536)
        except OSError:  # Linux says so when the last program has closed the other end
            return
        if not printed:
            return
        yield printed.decode(errors="replace")


def record(cloud: Cloud, file: Path) -> None:
    """Deploy a first release unseen, then watch a good one and a bad one. Raises DemoFailed."""
    recording = Recording("crossfade watch", columns=110, rows=14)
    with cloud:
        cloud.deploy()
        workflow = Workflow(cloud)
        cloud.push_probe()
        cloud.push(FIRST)
        first = [*module("cli"), "deploy", SERVICE, FIRST, "--wait"]
        cloud.run("first", *first, seconds=cloud.patience.deployment)
        for version, faults, expected in ((GOOD, [], 0), (BAD, [FAULT], 1)):
            cloud.push(version, *faults)
            name = _execution(workflow, version).rsplit(":", 1)[-1]
            command = [*module("cli"), "watch", SERVICE, name]
            status = recording.run(f"crossfade watch {SERVICE} {name}", command, cloud.environment())
            recording.say(f"$ echo $?\r\n{status}\r\n")
            if status != expected:
                raise DemoFailed(f"crossfade watch of {version} ended with {status}, not with {expected}.")
    recording.write(file)


def _execution(workflow: Workflow, version: str) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while (execution := workflow.execution(version)) is None:
        if time.monotonic() > deadline:
            raise DemoFailed(f"The push of {version} started no deployment.")
        time.sleep(0.5)
    return execution


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="crossfade-watch-"))
    try:
        record(Laptop(folder), FILE)
    except DemoFailed as failure:
        sys.exit(f"Nothing was recorded. {failure} Logs: {folder}")
    shutil.rmtree(folder, ignore_errors=True)
