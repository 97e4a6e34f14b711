"""The emulator's ELBv2 API in this process, spoken to in botocore's shapes and without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from ministack.services import alb

from sandbox import load_balancer
from sandbox.load_balancer import listeners, targets
from tests.sandbox_parts.load_balancer.running import Balancer, listening, running

Call = Callable[..., dict[str, Any]]

_MODEL = ServiceModel(Loader().load_service_model("elbv2", "service-2"))


class Refused(Exception):
    """An error answer; its text is the AWS error code."""


def _call(operation: str, **parameters: Any) -> dict[str, Any]:
    shape = _MODEL.operation_model(operation)
    request = create_serializer("query").serialize_to_request(parameters, shape)
    status, headers, body = asyncio.run(
        alb.handle_request("POST", "/", {}, urlencode(request["body"]).encode(), {})
    )
    answer = {"status_code": status, "headers": headers, "body": body}
    parsed: dict[str, Any] = create_parser("query").parse(answer, shape.output_shape)
    if status >= 400:
        raise Refused(parsed["Error"]["Code"])
    return parsed


@pytest.fixture
def elbv2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Calls one operation, as boto3 would; raises Refused with the error code. Starts and ends empty."""
    load_balancer.patch()
    monkeypatch.setattr(listeners, "_listen", lambda port: SimpleNamespace(close=lambda: None))
    alb.reset()
    yield _call
    alb.reset()
    targets.table.sync_all()
    listeners.data_plane._sockets.clear()


@pytest.fixture
def balancer(elbv2: Call) -> str:
    """ARN of a load balancer."""
    return str(elbv2("CreateLoadBalancer", Name="lb")["LoadBalancers"][0]["LoadBalancerArn"])


@pytest.fixture
def listener(elbv2: Call, balancer: str) -> str:
    """ARN of a listener on port 8080 that answers 503 by default."""
    fixed = {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "no <rule> & no target"}
    created = elbv2(
        "CreateListener",
        LoadBalancerArn=balancer,
        Port=8080,
        Protocol="HTTP",
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    )
    return str(created["Listeners"][0]["ListenerArn"])


@pytest.fixture
def groups(elbv2: Call) -> list[str]:
    """ARNs of the target groups blue and green."""
    return [
        elbv2("CreateTargetGroup", Name=name, Port=8080, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
        for name in ("blue", "green")
    ]


@pytest.fixture
def refused() -> type[Refused]:
    """The exception of an error answer."""
    return Refused


@pytest.fixture(scope="session")
def process() -> Iterator[Balancer]:
    """The emulator in a process of its own."""
    with running() as balancer:
        yield balancer


@pytest.fixture
def lb(process: Balancer) -> Iterator[Balancer]:
    """A fresh listener on its load balancer."""
    with listening(process) as balancer:
        yield balancer
