"""The records of an exercise that went well, for tests to doctor."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.claims import Claim, Deployment, claims
from demo.ledger import LANES
from probe.record import RequestRecord, utc

BEGAN = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
FULL_AT = 10.0
"""Seconds at which 0.0.2 has all traffic."""


def moment(seconds: float) -> datetime:
    """A time of the exercise."""
    return BEGAN + timedelta(seconds=seconds)


def at(seconds: float) -> str:
    """A time of the exercise as records have it."""
    return utc(moment(seconds).timestamp())


def request(lane: str, n: int, version: str, status: int = 200) -> dict[str, Any]:
    """A line of a ledger."""
    return {"type": "request", "lane": lane, "n": n, "at": at(n), "status": status, "version": version}


def closed(**sent: int) -> dict[str, Any]:
    """The last line of a ledger, with what was sent on each lane."""
    return {"type": "closed", "rejected": 0, "lanes": {lane: {"sent": sent.get(lane, 0)} for lane in LANES}}


def in_lines(records: list[dict[str, Any]]) -> bytes:
    """Records as a ledger has them."""
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@dataclass(frozen=True)
class Exercise:
    """The records that the claims are computed from."""

    client: list[RequestRecord]
    first: Deployment
    good: Deployment
    bad: Deployment

    def claims(self) -> list[Claim]:
        """All claims, where the load balancer follows its rule within two seconds."""
        return claims(self.client, self.first, self.good, self.bad, takes_effect=2)

    def broken(self) -> list[Claim]:
        """The claims that do not hold."""
        return [claim for claim in self.claims() if not claim.holds]

    def with_answer(self, n: int, **changes: Any) -> Exercise:
        """The same, with another answer to the client's request `n`."""
        return replace(self, client=[replace(r, **changes) if r.n == n else r for r in self.client])


def certified(deployment: Deployment, ledger: bytes) -> Deployment:
    """The deployment with another ledger, whose digest its certificate names."""
    said = dict(deployment.certificate)
    said["ledger"] = said["ledger"] | {"sha256": hashlib.sha256(ledger).hexdigest()}
    return replace(deployment, certificate=said, ledger=ledger)


def _deployment(
    version: str, outcome: str, status: str, live: str, pushed: float, ended: float
) -> Deployment:
    records = [request("production", n, live) for n in range(1, 11)]
    records += [request("green", n, version, 500 if version == "0.0.3" else 200) for n in range(1, 6)]
    ledger = in_lines([*records, closed(production=10, green=5)])
    bad = 5 if version == "0.0.3" else 0
    certificate = {
        "outcome": outcome,
        "reason": "because",
        "to": {"version": version},
        "requests": {
            "production": {"sent": 10, "ok": 10, "failed": 0, "missing": 0},
            "blue": {"sent": 0, "ok": 0, "failed": 0, "missing": 0},
            "green": {"sent": 5, "ok": 5 - bad, "failed": bad, "missing": 0},
        },
        "reported": {"stages": [{"weight": 0, "began": at(pushed)}, {"weight": 100, "began": at(FULL_AT)}]},
        "ledger": {"records": 15, "complete": True, "sha256": hashlib.sha256(ledger).hexdigest()},
    }
    return Deployment(version, moment(pushed), moment(ended), status, certificate, ledger)


def went_well() -> Exercise:
    """0.0.1 until second 5, both until second 10, then 0.0.2; a request every 0.1 s, 300 in all."""

    def version(n: int) -> str:
        if n <= 50 or (n <= 100 and n % 2):
            return "0.0.1"
        return "0.0.2"

    return Exercise(
        client=[
            RequestRecord("production", n, at(n / 10), 200, version(n), 3.0, None) for n in range(1, 301)
        ],
        first=_deployment("0.0.1", "promoted", "SUCCEEDED", "0.0.1", -20, -1),
        good=_deployment("0.0.2", "promoted", "SUCCEEDED", "0.0.1", 1, 15),
        bad=_deployment("0.0.3", "rolled_back", "FAILED", "0.0.2", 16, 28),
    )
