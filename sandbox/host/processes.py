"""Local processes that stand for containers: started in their own group, read, and ended as ECS ends them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")
_KEPT_LINES = 2000
_POLL_SECONDS = 0.1

# Linux signals a child when the *thread* that started it ends, so one thread that never ends starts them all.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-start")


class LocalProcess:
    """A running program, its output so far, and the way to end it."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._lines: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self._dropped = 0
        self._output_ended = False
        self._news = threading.Condition()
        self._stopping = threading.Event()
        self.terminating = False  # SIGTERM was sent
        self._ended = threading.Event()
        self._on_end = on_end
        self._process = _starter.submit(self._start, command, env, cwd).result()
        threading.Thread(target=self._read, name=f"output-{self.pid}", daemon=True).start()
        threading.Thread(target=self._watch, name=f"watch-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id; also the id of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; as a shell says it otherwise: 128 + the signal that ended it."""
        if not self._ended.is_set():
            return None
        code = self._process.returncode
        return 128 - code if code < 0 else code

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end, at most `timeout` seconds, and return the exit code (None: it still runs)."""
        self._ended.wait(timeout)
        return self.exit_code

    def lines(self, follow: bool = True) -> Iterator[bytes]:
        """Lines of stdout and stderr from the first that is still kept, until the output ends."""
        position = 0
        while True:
            with self._news:
                while follow and not self._output_ended and position >= self._dropped + len(self._lines):
                    self._news.wait()
                position = max(position, self._dropped)
                fresh = list(self._lines)[position - self._dropped :]
                ended = self._output_ended or not follow
            yield from fresh
            position += len(fresh)
            if ended:
                return

    def stop(self, grace: float, when: Callable[[], bool] = lambda: True) -> None:
        """Return at once; then, in the background: wait until `when()`, SIGTERM, `grace` seconds, SIGKILL."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        name = f"stop-{self.pid}"
        threading.Thread(target=self._stop, args=(grace, when), name=name, daemon=True).start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and everything that it started; nothing happens once it ended."""
        if self._ended.is_set():
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _start(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), *command],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        with self._process.stdout as output:
            for line in output:
                with self._news:
                    self._dropped += len(self._lines) == _KEPT_LINES
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._output_ended = True
            self._news.notify_all()

    def _watch(self) -> None:
        self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what it started ends with it, as in a container
        self._ended.set()
        self._on_end()

    def _stop(self, grace: float, when: Callable[[], bool]) -> None:
        while not when() and self.wait(_POLL_SECONDS) is None:
            pass
        self.terminating = True
        self.signal(signal.SIGTERM)
        if self.wait(grace) is None:
            self.signal(signal.SIGKILL)


def stop_all(processes: Sequence[LocalProcess], grace: float) -> None:
    """End processes together: SIGTERM to all, at most `grace` seconds for all, SIGKILL to the rest."""
    for process in processes:
        process.signal(signal.SIGTERM)
    threads = [threading.Thread(target=process.wait, args=(grace,)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        process.signal(signal.SIGKILL)
        process.wait()
