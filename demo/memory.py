"""Peak memory of processes and everything below them, as Linux counts it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_SECONDS = 1.0


@dataclass(frozen=True)
class Usage:
    """Resident and proportional set size in bytes, and of how many processes."""

    rss: int = 0
    pss: int = 0
    processes: int = 0


class MemorySampler:
    """Looks every second at the processes that `roots` names; `peak` stays empty where there is no Linux."""

    def __init__(self, roots: Callable[[], Iterable[int]]) -> None:
        self._roots = roots
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self.peak = Usage()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._end.wait(_SECONDS):
            now, peak = usage_of(with_descendants(self._roots())), self.peak
            self.peak = Usage(
                max(peak.rss, now.rss), max(peak.pss, now.pss), max(peak.processes, now.processes)
            )


def with_descendants(roots: Iterable[int]) -> set[int]:
    """The processes and all that they started, also where those are sessions of their own."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything; the parent's id is the second field after it.
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue  # it ended while it was looked at
        children.setdefault(parent, []).append(int(stat.parent.name))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def usage_of(pids: Iterable[int]) -> Usage:
    """The memory of the processes together; those that ended count nothing."""
    rss = pss = processes = 0
    for pid in pids:
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
        rss += int(sizes.get("Rss", 0)) * 1024
        pss += int(sizes.get("Pss", 0)) * 1024
        processes += 1
    return Usage(rss, pss, processes)
