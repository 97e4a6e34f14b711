"""What a ledger says, counted again from its lines, so that a certificate can be held against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

LANES = ("production", "blue", "green")


@dataclass(frozen=True)
class LaneCount:
    """Requests of a lane: `missing` of those that failed were sent, and are not in the ledger."""

    sent: int
    ok: int
    failed: int
    missing: int
    versions: frozenset[str]


@dataclass(frozen=True)
class Ledger:
    """A ledger counted: each lane, and whether the probe closed it and no record was refused."""

    lanes: Mapping[str, LaneCount]
    closed: bool

    @property
    def complete(self) -> bool:
        """Whether every request that was sent is in it."""
        return self.closed and not any(lane.missing for lane in self.lanes.values())


def count(ledger: bytes) -> Ledger:
    """Count a ledger's lines; a record that is there twice (a batch that was resent) counts once."""
    records = list(_records(ledger))
    closing = next((record for record in records if record["type"] == "closed"), None)
    requests: dict[str, dict[int, dict[str, Any]]] = {lane: {} for lane in LANES}
    for record in records:
        if record["type"] == "request":
            requests[record["lane"]][record["n"]] = record
    totals = closing["lanes"] if closing else {}
    return Ledger(
        lanes={lane: _count(found, totals.get(lane, {}).get("sent", 0)) for lane, found in requests.items()},
        closed=closing is not None and closing["rejected"] == 0,
    )


def _records(ledger: bytes) -> Iterator[dict[str, Any]]:
    for line in ledger.splitlines():
        # What a line that cannot be read held shows as missing.
        with suppress(json.JSONDecodeError):
            yield json.loads(line)


def _count(requests: dict[int, dict[str, Any]], said: int) -> LaneCount:
    ok = sum(1 for request in requests.values() if request["status"] and 200 <= request["status"] <= 299)
    sent = max(said, max(requests, default=0))
    versions = frozenset(request["version"] for request in requests.values() if request["version"])
    return LaneCount(sent, ok, sent - ok, sent - len(requests), versions)
