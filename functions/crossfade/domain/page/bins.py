"""Requests by time, in a bounded number of bins: how long a deployment lasts is not known beforehand.

A bin's number is its time divided by its width, so two bins become one of twice the width without a rest.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from crossfade.domain.gate.blocks.latency import BOUNDS, bucket
from crossfade.domain.ledger import LANES, Lane, Request

MOST_BINS = 240
SECONDS = 0.25
"""The width of a bin at first."""
FEWEST_BINS, LEAST_REQUESTS = 60, 10
"""What is shown is widened until a lane has ``LEAST_REQUESTS`` in a bin, while ``FEWEST_BINS`` are left."""
MOST_VERSIONS = 6
"""Further ones are counted together."""
OTHERS = "other versions"
NAMELESS = ""
"""A good answer that names no version."""


class Cell:
    """The requests of a lane in a bin, all counted: ``versions`` has None for failures that name none."""

    __slots__ = ("failed", "latencies", "sent", "versions")

    def __init__(self) -> None:
        self.sent = self.failed = 0
        self.versions: Counter[str | None] = Counter()
        self.latencies: Counter[int] = Counter()

    def add(self, other: "Cell") -> None:
        """Take another bin's in."""
        self.sent += other.sent
        self.failed += other.failed
        self.versions.update(other.versions)
        self.latencies.update(other.latencies)

    @property
    def share(self) -> float:
        """The share that failed."""
        return self.failed / max(self.sent, 1)

    def quantile(self, share: float) -> float | None:
        """Milliseconds that this share of the answers did not exceed, to a tenth; None without answers."""
        wanted, seen = share * self.latencies.total(), 0
        for place in sorted(self.latencies):
            seen += self.latencies[place]
            if seen >= wanted:
                return float(BOUNDS[min(place, len(BOUNDS) - 1)])
        return None


class Bin:
    """All lanes' requests in ``seconds`` from ``began`` on (seconds since 1970)."""

    __slots__ = ("began", "lanes", "seconds")

    def __init__(self, number: int, seconds: float) -> None:
        self.began, self.seconds = number * seconds, seconds
        self.lanes: dict[Lane, Cell] = {lane: Cell() for lane in LANES}

    @property
    def ended(self) -> float:
        """When the next one begins."""
        return self.began + self.seconds

    @property
    def failed(self) -> int:
        """The failures of all lanes."""
        return sum(cell.failed for cell in self.lanes.values())

    def add(self, other: "Bin") -> None:
        """Take another bin's requests in."""
        for lane, cell in self.lanes.items():
            cell.add(other.lanes[lane])


class Bins:
    """The bins; they double in width whenever they would become too many."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._bins: dict[int, Bin] = {}
        self._named: dict[str, None] = {}

    def take(self, request: Request, *, good: bool) -> None:
        """Count a request."""
        cell = self._at(request.at).lanes[request.lane]
        cell.sent += 1
        cell.failed += not good
        if request.status is not None:
            cell.latencies[bucket(request.ms)] += 1
        if request.lane == "production" and (request.path is None or not good):
            cell.versions[self._name(request.version) if request.version or not good else NAMELESS] += 1

    def __iter__(self) -> Iterator[Bin]:
        """In the order of time; those without requests are left out."""
        return iter([self._bins[number] for number in sorted(self._bins)])

    @property
    def named(self) -> list[str]:
        """The versions that production named, in the order in which they came; further ones have no name."""
        return list(self._named)

    def widened(self, most: int) -> "Bins":
        """A copy with ``most`` bins at most."""
        copy = Bins(self.seconds)
        while _count(self._bins, copy.seconds / self.seconds) > most:
            copy.seconds *= 2
        copy._bins = _merged(self, copy.seconds)
        return copy

    def readable(self) -> "Bins":
        """A copy with bins wide enough that most have some requests of each lane that asked."""
        shown = self
        while len(shown._bins) > FEWEST_BINS and _sparse(shown):
            shown = shown.widened(max(len(shown._bins) // 2 + 1, 1))
        return shown

    def _at(self, moment: datetime) -> Bin:
        at = moment.timestamp()
        number = int(at // self.seconds)
        found = self._bins.get(number)
        if found is None:
            found = self._bins[number] = Bin(number, self.seconds)
            while _count(self._bins, 1) > MOST_BINS:
                self.seconds *= 2
                self._bins = _merged(self, self.seconds)
                found = self._bins[int(at // self.seconds)]
        return found

    def _name(self, version: str | None) -> str | None:
        if version is None or version in self._named:
            return version
        if len(self._named) >= MOST_VERSIONS:
            return OTHERS
        self._named[version] = None
        return version


def _count(bins: dict[int, Bin], times: float) -> int:
    """How many there are from the first to the last, those without requests included, ``times`` as wide."""
    return int(max(bins) // times - min(bins) // times) + 1 if bins else 0


def _merged(bins: Bins, seconds: float) -> dict[int, Bin]:
    merged: dict[int, Bin] = {}
    for old in bins:
        number = int(old.began // seconds)
        if number not in merged:
            merged[number] = Bin(number, seconds)
        merged[number].add(old)
    return merged


def _sparse(bins: Bins) -> bool:
    """Whether a lane that asked has few requests in a bin."""
    cells = [cell for one in bins for cell in one.lanes.values() if cell.sent]
    return bool(cells) and sum(cell.sent for cell in cells) < LEAST_REQUESTS * len(cells)
