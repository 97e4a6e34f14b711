"""Processes that stand for containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.host.processes import LocalProcess, stop_all
from tests.sandbox_parts.containers.conftest import PROJECT, until

ENV = {"PATH": os.environ["PATH"]}
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = """\
import os, signal, sys, time
def leave(*_):
    os.write(1, b'leaving\\n')  # print may be interrupted by itself
    sys.exit(3)
signal.signal(signal.SIGTERM, leave)
print('up', flush=True)
time.sleep(60)
"""

Start = Callable[..., LocalProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Python programs and ends them after the test."""
    started: list[LocalProcess] = []

    def start(program: str, **options: object) -> LocalProcess:
        started.append(LocalProcess([sys.executable, "-c", program], ENV, tmp_path, **options))
        return started[-1]

    yield start
    stop_all(started, 0)


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def up(process: LocalProcess) -> LocalProcess:
    """The process, once it has said that it is up."""
    assert next(process.lines()) == b"up\n"
    return process


def test_output_and_exit_code(start: Start):
    """Both streams are read to the end, and the exit code is the program's."""
    process = start("import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(7)")

    assert list(process.lines()) == [b"out\n", b"err\n"]
    assert process.wait(60) == 7


def test_only_the_given_environment(start: Start, monkeypatch: pytest.MonkeyPatch):
    """A container inherits nothing: above all no credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    process = start("import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))")

    assert list(process.lines()) == [b"['PATH']\n"]


def test_output_is_kept_within_bounds(start: Start):
    """A talkative program does not fill the memory: the oldest lines go."""
    process = start("for number in range(5000): print(number)")
    process.wait(60)
    lines = until(lambda: (found := list(process.lines(follow=False)))[-1] == b"4999\n" and found)

    assert len(lines) == 2000


def test_late_lines_reach_a_follower(start: Start):
    """What a program says after SIGTERM is still read."""
    process = up(start(POLITE))
    process.stop(grace=60)

    assert list(process.lines()) == [b"up\n", b"leaving\n"]
    assert process.wait(60) == 3


def test_sigterm_waits_for_the_drain(start: Start):
    """The order of AWS: drained first, SIGTERM after that; stop itself returns at once."""
    drained = threading.Event()
    process = up(start(POLITE))

    process.stop(grace=60, when=drained.is_set)

    assert process.wait(0.4) is None
    assert not process.terminating
    drained.set()
    assert process.wait(60) == 3


def test_sigkill_after_the_grace_time(start: Start):
    """A program that ignores SIGTERM is killed when its time is over, not before."""
    process = up(start(STUBBORN))
    began = time.monotonic()

    process.stop(grace=0.5)

    assert process.wait(60) == 128 + signal.SIGKILL
    assert time.monotonic() - began >= 0.5


def test_what_it_started_ends_with_it(start: Start):
    """No grandchild outlives its container."""
    process = start(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)"
    )
    child = int(next(process.lines()))

    process.wait(60)

    until(lambda: not is_alive(child))


def test_the_end_is_announced_once(start: Start):
    """Whoever asked is told of the end."""
    ends: list[int] = []
    start("pass", on_end=lambda: ends.append(1)).wait(60)

    until(lambda: ends)
    assert ends == [1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_nothing_survives_a_killed_parent(tmp_path: Path):
    """SIGKILL to the sandbox takes the containers along, though nothing of it can run any more."""
    program = (
        "import os, pathlib, sys, time; from sandbox.host.processes import LocalProcess\n"
        "p = LocalProcess([sys.executable, '-c', 'import time; time.sleep(60)'], dict(os.environ), "
        "pathlib.Path('.'))\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE)
    with parent:
        child = int(parent.stdout.readline())
        until(lambda: "sleep" in Path(f"/proc/{child}/cmdline").read_text())
        parent.kill()

    until(lambda: not is_alive(child))


def test_stop_all_does_not_wait_for_each(start: Start):
    """Ten stubborn processes cost one grace time."""
    processes = [up(start(STUBBORN)) for _ in range(5)]
    began = time.monotonic()

    stop_all(processes, 2)

    assert all(process.exit_code is not None for process in processes)
    assert time.monotonic() - began < 9
