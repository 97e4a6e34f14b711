"""Counts of one run of the command, kept while it goes on."""

import math
from dataclasses import dataclass, field

from probe.record import RequestRecord
from probe.shown import visible


@dataclass(slots=True)
class Span:
    """When a version was seen first and last (by the time the request was sent), and how often."""

    first: str
    last: str
    count: int = 0


@dataclass(slots=True)
class Failures:
    """A kind of failure: how often, and its first case."""

    example: RequestRecord
    count: int = 0


@dataclass(slots=True)
class PathCount:
    """What one of several paths was asked, and how fast it answered."""

    requests: int = 0
    failures: int = 0
    latencies: list[float] = field(default_factory=list)

    def add(self, record: RequestRecord) -> None:
        """Count one request."""
        self.requests += 1
        self.failures += not record.ok
        if record.status is not None:
            self.latencies.append(record.ms)

    def __str__(self) -> str:
        ordered = sorted(self.latencies)
        p50, p99 = (percentile(ordered, 50), percentile(ordered, 99)) if ordered else (math.nan, math.nan)
        return f"{self.requests} requests, {self.failures} failed, p50 {p50:.1f} ms, p99 {p99:.1f} ms"


MOST_KINDS = 10
"""The most kinds of failure that are listed; the others are only counted."""


class Tally:
    """Takes records one by one; numbers for the progress line and for the summary.

    `path` is what records of the first path are called where several are asked; else None.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._paths: dict[str, PathCount] = {}
        self.requests = 0
        self.failures = 0
        self.versions: dict[str, Span] = {}
        self.newest_version: str | None = None
        self.kinds: dict[str, Failures] = {}
        self._latencies: list[float] = []

    def add(self, record: RequestRecord) -> None:
        """Count one request."""
        self.requests += 1
        if not record.ok:
            self.failures += 1
            self.kinds.setdefault(_kind(record), Failures(record)).count += 1
        if self._path is not None:
            self._paths.setdefault(record.path or self._path, PathCount()).add(record)
        if record.status is not None:
            self._latencies.append(record.ms)
        if record.version is not None:
            self.newest_version = record.version
            span = self.versions.setdefault(record.version, Span(record.at, record.at))
            span.first, span.last = min(span.first, record.at), max(span.last, record.at)
            span.count += 1

    def summary(self, missed: int) -> list[str]:
        """Return the closing summary, one line each; `missed` is the count of ticks not sent in time."""
        lines = [
            f"requests      {self.requests}",
            f"failures      {self.failures}",
            f"missed ticks  {missed}",
        ]
        for version, span in sorted(self.versions.items(), key=lambda item: item[1].first):
            lines.append(
                f"version       {visible(version)}: {span.count} answers, "
                f"first {span.first}, last {span.last}"
            )
        if self._latencies:
            ordered = sorted(self._latencies)
            p50, p99 = percentile(ordered, 50), percentile(ordered, 99)
            lines.append(f"latency       p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {ordered[-1]:.1f} ms")
        lines += [f"path          {path}: {count}" for path, count in sorted(self._paths.items())]
        return lines + self._failure_lines()

    def _failure_lines(self) -> list[str]:
        """The kinds of failure, the commonest first, each with one example."""
        kinds = sorted(self.kinds.items(), key=lambda item: -item[1].count)
        lines = [
            f"failure       {visible(kind)}: {found.count}, "
            f"for example request {found.example.n}, sent {found.example.at}"
            for kind, found in kinds[:MOST_KINDS]
        ]
        if others := kinds[MOST_KINDS:]:
            count = sum(found.count for _, found in others)
            lines.append(f"failure       of {len(others)} other kinds: {count}")
        return lines


def _kind(record: RequestRecord) -> str:
    what = f"HTTP {record.status}" if record.status is not None else record.error or "no answer"
    return what if record.path is None else f"{what} at {record.path}"


def percentile(ordered: list[float], percent: int) -> float:
    """Return the nearest-rank percentile of a sorted list that is not empty."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]
