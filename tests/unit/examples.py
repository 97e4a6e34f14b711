"""Small, valid examples of what Crossfade's parts hand to each other; tests change what they are about."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from crossfade.domain.gate.blocks.latency import Latencies, bucket
from crossfade.domain.journal import Candidate, Tried, Waiting
from crossfade.domain.ledger import Closed, LaneEvent, LaneTotals, Opened, Request
from crossfade.domain.planning.plan import HeldPlan, Release, RunningRelease
from crossfade.domain.slots import Slot, TargetGroups
from crossfade.domain.spec.placed import Pattern, Placed, Route, Target
from crossfade.domain.spec.service import ServiceSpec, Stage
from crossfade.domain.traffic.rule import LiveRule
from faults.aws.names import ACCOUNT, GROUP, REGION, STATES
from faults.cases.service import RULE, document, found

START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
DEPLOY, ROLLBACK = "crossfade-deploy", "crossfade-rollback"
EXECUTION = f"{STATES}:execution:{DEPLOY}"
ROLLBACKS = f"{STATES}:execution:{ROLLBACK}"
OLD, NEW, NEWER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}", f"sha256:{'3' * 64}"


def at(seconds: float) -> datetime:
    """The moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


ENDED: dict[str, Any] = {
    "crossfade": "event/1",
    "id": "web/d1/ended",
    "kind": "ended",
    "at": "2026-11-23T04:10:00.000Z",
    "service": "web",
    "deployment": "d1",
    "execution": f"{EXECUTION}:d1",
    "from": {"version": "0.0.1", "digest": OLD},
    "to": {"version": "0.0.2", "digest": NEW},
    "stage": None,
    "verdict": None,
    "reason": "candidate (green) fails 98 of 98: HTTP 500, expected 200",
    "outcome": "rolled_back",
    "certificate": {"bucket": "evidence", "key": "web/d1/certificate.json"},
    "report": None,
    "console": "https://eu-central-1.console.aws.amazon.com/states/home",
    "title": "web: 0.0.2 was rolled back",
    "text": (
        "web: 0.0.2 was rolled back, and 0.0.1 has all traffic. "
        "candidate (green) fails 98 of 98: HTTP 500, expected 200. Correct the release, push again."
    ),
}
"""The detail of an event, as docs/event.schema.json describes it."""

FIRST_TRY = Tried(times=1, at=at(60))
"""The first rollback of a deployment has taken it over."""


def forward(*, sticky: bool | None = None, **weights: int) -> dict[str, Any]:
    """A forward action as DescribeRules tells it; a slot's name stands for its target group."""
    groups = found()["target_groups"]
    tuples = [
        {"TargetGroupArn": groups.get(name, name), "Weight": weight} for name, weight in weights.items()
    ]
    config: dict[str, Any] = {"TargetGroups": tuples}
    if sticky is not None:
        config["TargetGroupStickinessConfig"] = {"Enabled": sticky, "DurationSeconds": 60}
    return {"Type": "forward", "ForwardConfig": config}


def live_rule(*actions: dict[str, Any], **changes: Any) -> LiveRule:
    """The production rule as it is read; it gives blue all the traffic where no actions are given."""
    everything = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    values = {"arn": RULE, "priority": "100", "conditions": (everything,)}
    return LiveRule.model_validate(values | {"actions": actions or (forward(blue=100, green=0),)} | changes)


def spec(**changes: Any) -> ServiceSpec:
    """A service spec, as its owner writes it."""
    return ServiceSpec.model_validate(document(**changes))


def placed(**changes: Any) -> Placed:
    """A service spec with all that it names looked up; changes are of what is written or of what is found."""
    return Placed.model_validate(document() | found() | changes)


def of_two_ports(spec: Placed | None = None) -> Placed:
    """The same service with one more port, of another container, to which two more rules lead."""
    spec = spec or placed()
    groups = {name: f"{GROUP}/{name}-admin/9" for name in ("blue", "green", "pattern")}
    admin = Target(target_group=groups["pattern"], container="proxy", port=9090)
    routes = tuple(
        Route(rule=f"{spec.rule}{n}", listener=spec.listener, target_groups=TargetGroups(**groups))
        for n in range(2)
    )
    pattern = spec.pattern.model_copy(update={"also": (admin,)})
    return spec.model_copy(update={"pattern": pattern, "also": routes})


def pattern(**changes: Any) -> Pattern:
    """The owner's ECS service."""
    return Pattern.model_validate(found()["pattern"] | changes)


def nameless(**changes: Any) -> Placed:
    """The spec of a service whose answers name no version."""
    return placed(version={"path": "/", "from": "none"}, **changes)


def stage(weight: int = 10, min_seconds: float = 10, max_seconds: float = 60) -> Stage:
    """A stage."""
    return Stage(weight=weight, min_seconds=min_seconds, max_seconds=max_seconds)


def warm_spec(**changes: Any) -> Placed:
    """A service spec that keeps the old version warm for ten minutes."""
    return placed(retire=document()["retire"] | {"warm_seconds": 600}, **changes)


_OF_THE_PATTERN: dict[str, Any] = {
    "pattern": pattern().task_definition,
    "settings": pattern().fingerprint,
}


def release(version: str = "0.0.2", digest: str = NEW, pushed: datetime | None = None) -> Release:
    """The release that is deployed."""
    return Release(
        version=version,
        digest=digest,
        image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web@{digest}",
        **_OF_THE_PATTERN,
        pushed=pushed,
    )


def candidate(slot: Slot = "green", digest: str = NEW, version: str = "0.0.2") -> Candidate:
    """The release that is deployed, as the journal tells of it."""
    return Candidate(slot=slot, version=version, digest=digest, **_OF_THE_PATTERN)


def waiting(version: str = "0.0.3", digest: str = NEWER, seconds: float = 30, **changes: Any) -> Waiting:
    """A release that waits for the service."""
    values = {"version": version, "digest": digest, "at": at(seconds), "execution": f"{EXECUTION}:w1"}
    return Waiting.model_validate(values | changes)


def running() -> RunningRelease:
    """The release that the stable slot runs."""
    return RunningRelease(version="0.0.1", digest=OLD, **_OF_THE_PATTERN)


def plan(**changes: Any) -> HeldPlan:
    """A deployment of 0.0.2 into green while blue is stable; who has decided it holds the service."""
    service, execution = changes.get("spec", placed()), changes.get("execution", f"{EXECUTION}:d1")
    values = {
        "deployment": "d1",
        "execution": execution,
        "holder": execution,
        "began": START,
        "spec": service,
        "release": release(),
        "stable": "blue",
        "candidate": "green",
        "previous": running(),
        "stages": service.stages,
        **changes,
    }
    return HeldPlan.model_validate(values)


def origin_placed(**changes: Any) -> Placed:
    """The same before a first release: the owner's service takes the place of green."""
    groups = found()["target_groups"]
    return placed(
        origin="green",
        target_groups=groups | {"green": groups["pattern"], "replaced": groups["green"]},
        **changes,
    )


def first_plan(**changes: Any) -> HeldPlan:
    """A service's first deployment, where nothing runs."""
    values: dict[str, Any] = {
        "spec": origin_placed(),
        "stable": None,
        "candidate": "blue",
        "previous": None,
    }
    return plan(**values | changes)


def request(lane: str = "green", n: int = 1, seconds: float = 0, **changes: Any) -> Request:
    """A request of the ledger, answered well with 0.0.2."""
    values = {"status": 200, "version": "0.0.2", "ms": 3.0, "error": None, **changes}
    return Request.model_validate({"type": "request", "lane": lane, "n": n, "at": at(seconds), **values})


def requests(
    lane: str, outcomes: str, *, seconds: float = 0, version: str = "0.0.2", first: int = 1
) -> list[Request]:
    """One request each tenth of a second: `.` answered well, `x` answered 500; numbered from `first` on."""
    return [
        request(lane, n, seconds + n / 10, **({"version": version} if mark == "." else _FAILED))
        for n, mark in enumerate(outcomes, start=first)
    ]


def both_lanes(green: str, blue: str | None = None, *, seconds: float = 0, first: int = 1) -> list[Request]:
    """Both slots' lanes in order of time: green answers 0.0.2, and blue 0.0.1, well if nothing is said."""
    of_blue = "." * len(green) if blue is None else blue
    found = [
        *requests("green", green, seconds=seconds, first=first),
        *requests("blue", of_blue, seconds=seconds, first=first, version="0.0.1"),
    ]
    return sorted(found, key=lambda record: record.at)


def every_lane(green: str, blue: str | None = None, *, seconds: float = 0, first: int = 1) -> list[Request]:
    """``both_lanes`` and production, which answers 0.0.1 all the while."""
    found = [
        *both_lanes(green, blue, seconds=seconds, first=first),
        *requests("production", "." * len(green), seconds=seconds, first=first, version="0.0.1"),
    ]
    return sorted(found, key=lambda record: record.at)


_FAILED: dict[str, Any] = {"status": 500, "version": None}


def lane_event(event: str, lane: str = "green", seconds: float = 0) -> LaneEvent:
    """A slot's lane was paused or resumed."""
    return LaneEvent.model_validate({"type": "lane", "lane": lane, "event": event, "at": at(seconds)})


def opened(seconds: float = 0) -> Opened:
    """A probe task has begun to write."""
    return Opened(type="opened", deployment="d1", at=at(seconds), lanes=("production", "blue", "green"))


def closed(seconds: float = 99, *, rejected: int = 0, not_sent: int = 0, **sent: int) -> Closed:
    """A probe task has ended; it says how many requests it has sent on each lane, and not sent in time."""
    lanes = {
        lane: LaneTotals(sent=count, ok=count, failed=0, missed=not_sent) for lane, count in sent.items()
    }
    values = {"type": "closed", "at": at(seconds), "reason": "stopped", "lanes": lanes, "rejected": rejected}
    return Closed.model_validate(values)


def histogram(milliseconds: Iterable[float]) -> Latencies:
    """Latencies in milliseconds, counted by bucket."""
    return tuple(sorted(Counter(map(bucket, milliseconds)).items()))
