"""The deployment that is reported on: its plan, its milestones, and its ledger, record by record."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan, Release, RunningRelease
from crossfade.domain.spec.placed import Placed

REQUESTS_A_SECOND = 300
"""Three lanes at the highest rate that a spec takes; 4 hours of it are 4.3 million requests."""
LANES = ("production", "blue", "green")
BEGAN = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
LAST_SECONDS = 20
"""So long before the ledger's end the candidate turns bad."""
_ARN = "arn:aws:{}:us-east-1:123456789012:{}"


def seconds(requests: int) -> float:
    """How long a probe takes for this number of requests."""
    return requests / REQUESTS_A_SECOND


def ended(requests: int) -> datetime:
    """When the deployment was over."""
    return BEGAN + timedelta(seconds=seconds(requests))


def plan() -> HeldPlan:
    """A deployment of 0.0.2 into green; blue is stable."""
    network = {"subnets": ["subnet-1"], "security_groups": ["sg-1"], "public_ip": False}
    load_balancer = _ARN.format("elasticloadbalancing", "{}")
    listener = load_balancer.format("listener/app/web/1/2")
    spec = Placed.model_validate(
        {
            "service": "web",
            "like": _ARN.format("ecs", "service/web/web"),
            "release": {"repository": "web", "push_tags": ".*"},
            "traffic": [{"listener": listener, "priority": 100}],
            "preview": {"listener": listener},
            "version": {"path": "/version"},
            "pattern": {
                "task_definition": _ARN.format("ecs", "task-definition/web-stack:1"),
                "target_group": load_balancer.format("targetgroup/web/3"),
                "container": "app",
                "port": 8080,
                "network": network,
                "desired": 0,
            },
            "listener": listener,
            "rule": load_balancer.format("listener-rule/app/web/1/2/3"),
            "target_groups": {
                "blue": load_balancer.format("targetgroup/blue/1"),
                "green": load_balancer.format("targetgroup/green/2"),
            },
            "preview_secret": "/crossfade/preview/web",
            "stages": [
                {"weight": 0, "min_seconds": 1, "max_seconds": 60},
                {"weight": 50, "min_seconds": 1, "max_seconds": 13_000},
                {"weight": 100, "min_seconds": 1, "max_seconds": 60},
            ],
            "launch": {"deadline_seconds": 60, "hold_seconds": 5},
            "retire": {"quiet_seconds": 5, "drain_seconds": 5, "deadline_seconds": 60},
            "probe": {"url": "http://web.example:80", "production_rate": 100, "slot_rate": 100},
        }
    )
    execution = _ARN.format("states", "execution:crossfade-deploy:bench")
    return HeldPlan(
        deployment="bench",
        execution=execution,
        holder=execution,
        began=BEGAN,
        spec=spec,
        release=Release(
            version="0.0.2",
            digest=f"sha256:{'2' * 64}",
            image=f"web@sha256:{'2' * 64}",
            pattern=spec.pattern.task_definition,
            pushed=None,
        ),
        stable="blue",
        candidate="green",
        previous=RunningRelease(
            version="0.0.1", digest=f"sha256:{'1' * 64}", pattern=spec.pattern.task_definition
        ),
        stages=spec.stages,
    )


def milestones(requests: int) -> dict[str, Any]:
    """The journal's item of a deployment that was rolled back from half of the traffic, near its end."""
    end = ended(requests)
    bad = end - timedelta(seconds=LAST_SECONDS)
    return {
        "plan": plan().model_dump_json(exclude={"holder"}),
        "launched": iso(BEGAN),
        "healthy": iso(BEGAN),
        "judged": iso(bad + timedelta(seconds=4)),
        "restored": iso(bad + timedelta(seconds=5)),
        "stages": {"50": {"weight": 50, "began": iso(BEGAN), "ended": iso(bad)}},
    }


def ledger(requests: int, failed: int = 0) -> Iterator[str]:
    """The lines as the probe writes them; the candidate answers half of production until it is rid of.

    Beside what fails at the end, ``failed`` requests fail all through, evenly.
    """
    at = iso(BEGAN)
    yield f'{{"type":"opened","deployment":"bench","at":"{at}","lanes":["production","blue","green"]}}'
    bad = seconds(requests) - LAST_SECONDS
    sent = dict.fromkeys(LANES, 0)
    for index in range(requests):
        lane = LANES[index % 3]
        sent[lane] += 1
        n, second = sent[lane], index / REQUESTS_A_SECOND
        green = lane == "green" or (lane == "production" and n % 2 == 0 and second < bad + 10)
        answer = '200,"version":"0.0.2"' if green else '200,"version":"0.0.1"'
        scattered = index * failed // requests < (index + 1) * failed // requests
        if scattered or (green and second >= bad):
            answer = '500,"version":null'
        if index % REQUESTS_A_SECOND == 0:
            whole = (BEGAN + timedelta(seconds=second)).isoformat(timespec="seconds").removesuffix("+00:00")
        milliseconds = index % REQUESTS_A_SECOND * 1000 // REQUESTS_A_SECOND
        yield (
            f'{{"type":"request","lane":"{lane}","n":{n},"at":"{whole}.{milliseconds:03}Z","status":{answer},'
            f'"ms":{2 + n % 97 / 10},"error":null}}'
        )
    totals = ",".join(
        f'"{lane}":{{"sent":{number},"ok":{number},"failed":0,"missed":0}}' for lane, number in sent.items()
    )
    at = iso(ended(requests))
    yield f'{{"type":"closed","at":"{at}","reason":"stopped","lanes":{{{totals}}},"rejected":0}}'


def pages(requests: int, failed: int = 0) -> Iterator[str]:
    """The answers of GetLogEvents: 1 MB or 10,000 events each; the last one's token comes back unchanged."""
    events: list[str] = []
    size, token = 0, count(1)
    for number, line in enumerate(ledger(requests, failed)):
        message = line.replace('"', '\\"')
        moment = int(BEGAN.timestamp() * 1000) + number * 1000 // REQUESTS_A_SECOND
        event = f'{{"timestamp":{moment},"message":"{message}","ingestionTime":{moment + 900}}}'
        if events and (size + len(event) > 1_000_000 or len(events) == 10_000):
            yield _page(events, next(token))
            events, size = [], 0
        events.append(event)
        size += len(event) + 1
    last = next(token)
    yield _page(events, last)
    yield _page([], last)


def _page(events: list[str], token: int) -> str:
    tokens = f'"nextForwardToken":"f/{token}","nextBackwardToken":"b/{token - 1}"'
    return f'{{"events":[{",".join(events)}],{tokens}}}'
