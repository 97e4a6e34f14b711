"""Small, valid examples of what Crossfade's parts hand to each other; tests change what they are about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from crossfade.domain.plan import Plan, Release, RunningRelease
from crossfade.domain.records import LaneEvent, Request
from crossfade.domain.spec import ServiceSpec, Stage

START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
REGION, ACCOUNT = "us-east-1", "123456789012"
ECS = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:crossfade-deploy"
OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def at(seconds: float) -> datetime:
    """The moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def document(**changes: Any) -> dict[str, Any]:
    """A service spec as its stack writes it."""
    return {
        "service": "web",
        "cluster": f"{ECS}:cluster/web",
        "blueprint": f"{ECS}:task-definition/web-blueprint:1",
        "container": "app",
        "port": 8080,
        "repository": "web",
        "push_tags": "^[0-9]+[.][0-9]+[.][0-9]+$",
        "listener": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/web/1/2",
        "rule_priority": 100,
        "target_groups": {"blue": f"{GROUP}/blue/1", "green": f"{GROUP}/green/2"},
        "production_url": "http://web.example:80",
        "preview_url": "http://web.example:8081",
        "version_path": "/version",
        "network": {"subnets": ["subnet-1"], "security_groups": ["sg-1"], "public_ip": True},
        "desired_count": 2,
        "stages": [
            {"weight": 0, "min_seconds": 5, "max_seconds": 30},
            {"weight": 10, "min_seconds": 10, "max_seconds": 60},
            {"weight": 100, "min_seconds": 20, "max_seconds": 90},
        ],
        "launch": {"deadline_seconds": 60, "hold_seconds": 5},
        "retire": {"quiet_seconds": 10, "drain_seconds": 20, "deadline_seconds": 120},
        "probe": {
            "production_rate": 10,
            "slot_rate": 10,
            "network": {"subnets": ["subnet-2"], "security_groups": ["sg-2"], "public_ip": False},
        },
        **changes,
    }


def spec(**changes: Any) -> ServiceSpec:
    """A service spec."""
    return ServiceSpec.model_validate(document(**changes))


def stage(weight: int = 10, min_seconds: float = 10, max_seconds: float = 60) -> Stage:
    """A stage."""
    return Stage(weight=weight, min_seconds=min_seconds, max_seconds=max_seconds)


def release(version: str = "0.0.2", digest: str = NEW) -> Release:
    """The release that is deployed."""
    return Release(
        version=version,
        digest=digest,
        image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web@{digest}",
        blueprint=f"{ECS}:task-definition/web-blueprint:1",
    )


def running() -> RunningRelease:
    """The release that the stable slot runs."""
    return RunningRelease(version="0.0.1", digest=OLD, blueprint=f"{ECS}:task-definition/web-blueprint:1")


def plan(**changes: Any) -> Plan:
    """A deployment of 0.0.2 into green while blue is stable."""
    service = changes.get("spec", spec())
    values = {
        "deployment": "d1",
        "execution": f"{EXECUTION}:d1",
        "began": START,
        "spec": service,
        "release": release(),
        "stable": "blue",
        "candidate": "green",
        "previous": running(),
        "stages": service.stages,
        **changes,
    }
    return Plan.model_validate(values)


def first_plan(**changes: Any) -> Plan:
    """A service's first deployment."""
    values: dict[str, Any] = {"stable": None, "candidate": "blue", "previous": None}
    return plan(**values | changes)


def request(lane: str = "green", n: int = 1, seconds: float = 0, **changes: Any) -> Request:
    """A request of the ledger, answered well with 0.0.2."""
    values = {"status": 200, "version": "0.0.2", "ms": 3.0, "error": None, **changes}
    return Request.model_validate({"type": "request", "lane": lane, "n": n, "at": at(seconds), **values})


def requests(lane: str, outcomes: str, *, seconds: float = 0, version: str = "0.0.2") -> list[Request]:
    """One request each tenth of a second: `.` answered well, `x` answered 500."""
    return [
        request(lane, n, seconds + n / 10, **({"version": version} if mark == "." else _FAILED))
        for n, mark in enumerate(outcomes, start=1)
    ]


_FAILED: dict[str, Any] = {"status": 500, "version": None}


def lane_event(event: str, lane: str = "green", seconds: float = 0) -> LaneEvent:
    """A slot's lane was paused or resumed."""
    return LaneEvent.model_validate({"type": "lane", "lane": lane, "event": event, "at": at(seconds)})
