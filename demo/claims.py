"""What the demo claims, computed from the records: the client's file, the ledgers, the certificates.

Nothing here reads a file, a clock or the network. A claim carries what was found, whether it holds or not.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from demo.ledger import LANES, count
from probe.record import RequestRecord

LONGEST_PAUSE = timedelta(seconds=2)
"""More than this between two requests and the client was not asking without pause."""

OWN_FAULTS = frozenset(
    f"{kind.__name__}: {os.strerror(number)}"
    for number in (
        *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL),
        *(errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE),
    )
    for kind in {type(OSError(number, "")), OSError}
)
"""Faults of a request that never left this machine: no route, no network, no port, refused by this side."""


@dataclass(frozen=True)
class Deployment:
    """A deployment as it was recorded: when its image was pushed, how its execution ended, its evidence."""

    version: str
    pushed: datetime
    ended: datetime
    status: str
    certificate: Mapping[str, Any]
    ledger: bytes


@dataclass(frozen=True)
class Claim:
    """A statement, whether the records bear it out, and what was found in them."""

    statement: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Sighting:
    """A version that the client met: when first and last, and how often."""

    version: str
    first: datetime
    last: datetime
    count: int


def claims(
    client: Sequence[RequestRecord],
    first: Deployment,
    good: Deployment,
    bad: Deployment,
    *,
    takes_effect: float,
) -> list[Claim]:
    """All claims about the exercise: `first` went live, `good` replaced it, `bad` was put back.

    `takes_effect` is the time in seconds in which the load balancer follows its rule.
    """
    return [
        outcome(first, "promoted", "SUCCEEDED"),
        outcome(good, "promoted", "SUCCEEDED"),
        outcome(bad, "rolled_back", "FAILED"),
        no_request_failed(client),
        asked_all_the_time(client, good, bad),
        changed_version_once(client, first, good, timedelta(seconds=takes_effect)),
        never_met(client, bad.version),
        production_intact(good),
        production_intact(bad),
        kept_from_production(bad),
        evidence_holds(first),
        evidence_holds(good),
        evidence_holds(bad),
    ]


def outcome(deployment: Deployment, expected: str, status: str) -> Claim:
    """The deployment ended as expected, and its execution says the same."""
    said = deployment.certificate
    return Claim(
        f"{deployment.version} was {expected.replace('_', ' ')}",
        said["outcome"] == expected and deployment.status == status,
        f"{said['outcome']}, execution {deployment.status}: {said['reason']}",
    )


def no_request_failed(client: Sequence[RequestRecord]) -> Claim:
    """The client's file has every request, and all that reached the network were answered with 2xx."""
    failed = [record for record in client if not record.ok and left_this_machine(record)]
    own = sum(not left_this_machine(record) for record in client)
    gaps = len(client) - len({record.n for record in client} & set(range(1, len(client) + 1)))
    found = f"{len(client)} requests, {len(failed)} failed, {gaps} numbers missing"
    if failed:
        found += f"; the first at {failed[0].at}: {failed[0].error or failed[0].status}"
    if own:
        found += f"; {own} more never left this machine"
    return Claim("no request of the client failed", bool(client) and not failed and not gaps, found)


def asked_all_the_time(client: Sequence[RequestRecord], good: Deployment, bad: Deployment) -> Claim:
    """The client asked from before the push of the good version until after the end of the bad one."""
    statement = f"the client asked without pause from before {good.version} until after {bad.version}"
    if not client:
        return Claim(statement, False, "no request")
    asked = [record for record in client if left_this_machine(record)]
    if not asked:
        return Claim(statement, False, "no request left this machine")
    moments = sorted(sent(record) for record in asked)
    pause = longest_pause(asked)
    return Claim(
        statement,
        moments[0] <= good.pushed and moments[-1] >= bad.ended and pause <= LONGEST_PAUSE,
        f"{clock(moments[0])} to {clock(moments[-1])}, longest pause {pause.total_seconds():.2f} s",
    )


def changed_version_once(
    client: Sequence[RequestRecord], old: Deployment, new: Deployment, takes_effect: timedelta
) -> Claim:
    """The old version first, then the new one beside it, and that alone soon after it got all traffic."""
    statement = (
        f"the client saw {old.version}, then {new.version}, and only that soon after it was given all traffic"
    )
    seen = {sighting.version: sighting for sighting in sightings(client)}
    # The last time: a release that was stepped back has got all traffic more than once.
    given = [stage["began"] for stage in new.certificate["reported"]["stages"] if stage["weight"] == 100]
    full = given[-1] if given else None
    if set(seen) != {old.version, new.version} or full is None:
        return Claim(statement, False, f"saw {', '.join(seen) or 'nothing'}; 100 % {full or 'never'}")
    before, after, shifted = seen[old.version], seen[new.version], datetime.fromisoformat(full)
    return Claim(
        statement,
        before.first < after.first and before.last < after.last and before.last <= shifted + takes_effect,
        f"100 % from {clock(shifted)}, last {old.version} {clock(before.last)}",
    )


def never_met(client: Sequence[RequestRecord], version: str) -> Claim:
    """No answer that the client got was of this version."""
    met = sum(record.version == version for record in client)
    return Claim(
        f"the client never saw {version}", bool(client) and met == 0, f"{met} of {len(client)} answers"
    )


def production_intact(deployment: Deployment) -> Claim:
    """In the deployment's ledger, the production lane has all its requests and none failed."""
    ledger = count(deployment.ledger)
    lane = ledger.lanes["production"]
    return Claim(
        f"deploying {deployment.version} lost no request on the probe's production lane",
        ledger.closed and lane.sent > 0 and lane.failed == 0 and lane.missing == 0,
        f"{lane.sent} sent, {lane.failed} failed, {lane.missing} missing",
    )


def kept_from_production(deployment: Deployment) -> Claim:
    """In the deployment's ledger, no production request was answered by the version that was put back."""
    seen = count(deployment.ledger).lanes["production"].versions
    return Claim(
        f"no production request of the probe saw {deployment.version}",
        bool(seen) and deployment.version not in seen,
        f"production saw {', '.join(sorted(seen)) or 'nothing'}",
    )


def evidence_holds(deployment: Deployment) -> Claim:
    """The ledger is complete, it is the one that was certified, and the certificate counts what it holds."""
    ledger, said = count(deployment.ledger), deployment.certificate
    wrong = [
        f"{lane}: certified {said['requests'][lane]}, counted {counted}"
        for lane, counted in ((lane, _counted(ledger.lanes[lane])) for lane in LANES)
        if any(said["requests"][lane][name] != number for name, number in counted.items())
    ]
    if said["to"]["version"] != deployment.version:
        wrong.append(f"the certificate is of {said['to']['version']}")
    if not (ledger.complete and said["ledger"]["complete"]):
        wrong.append("the ledger is incomplete")
    sha256 = hashlib.sha256(deployment.ledger).hexdigest()
    if sha256 != said["ledger"]["sha256"]:
        wrong.append(f"sha256 of the ledger is {sha256}, certified {said['ledger']['sha256']}")
    return Claim(
        f"{deployment.version}'s ledger is complete and is the one that its certificate counts",
        not wrong,
        "; ".join(wrong) or f"{said['ledger']['records']} requests, sha256 {sha256[:12]}…",
    )


def sightings(client: Sequence[RequestRecord]) -> list[Sighting]:
    """The versions that the client met, in the order in which it met them."""
    moments: dict[str, list[datetime]] = {}
    for record in client:
        if record.ok and record.version is not None:
            moments.setdefault(record.version, []).append(sent(record))
    found = [Sighting(version, min(times), max(times), len(times)) for version, times in moments.items()]
    return sorted(found, key=lambda sighting: sighting.first)


def longest_pause(client: Sequence[RequestRecord]) -> timedelta:
    """The longest time between two requests that follow each other."""
    moments = sorted(sent(record) for record in client)
    return max((later - earlier for earlier, later in pairwise(moments)), default=timedelta())


def left_this_machine(record: RequestRecord) -> bool:
    """Whether the request got as far as the network; what did not says nothing about the service."""
    error = record.error or ""
    return not error.startswith(("gaierror:", "NameResolutionError:")) and error not in OWN_FAULTS


def sent(record: RequestRecord) -> datetime:
    """When the request was sent."""
    return datetime.fromisoformat(record.at)


def clock(moment: datetime) -> str:
    """A time of day in UTC with milliseconds."""
    return moment.strftime("%H:%M:%S.%f")[:-3]


def _counted(lane: Any) -> dict[str, int]:
    return {"sent": lane.sent, "ok": lane.ok, "failed": lane.failed, "missing": lane.missing}
