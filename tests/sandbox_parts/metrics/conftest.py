"""The emulator's CloudWatch, logs and load balancer in this process, at a time that the test sets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from ministack.services import alb, cloudwatch, cloudwatch_logs

from sandbox import load_balancer, patching
from sandbox.cloudwatch import alarms, metric_data
from sandbox.load_balancer import targets
from sandbox.logs import events

Call = Callable[..., dict[str, Any]]

_SERVICES = {
    "cloudwatch": (cloudwatch, "json"),
    "elbv2": (alb, "query"),
    "logs": (cloudwatch_logs, "json"),
}


class Clock:
    """The time of day in seconds, as the test says."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def caller(service: str) -> Call:
    """Calls operations of a service as boto3 would; a refusal raises ValueError with the error's code."""
    model = ServiceModel(Loader().load_service_model(service, "service-2"))
    module, protocol = _SERVICES[service]

    def call(operation: str, **parameters: Any) -> dict[str, Any]:
        shape = model.operation_model(operation)
        request = create_serializer(protocol).serialize_to_request(parameters, shape)
        given = request["body"]
        body = urlencode(given).encode() if isinstance(given, dict) else given
        sent = {name.lower(): value for name, value in request["headers"].items()}
        status, headers, answer = asyncio.run(module.handle_request("POST", "/", sent, body, {}))
        response = {"status_code": status, "headers": headers, "body": answer}
        parsed: dict[str, Any] = create_parser(protocol).parse(response, shape.output_shape)
        if status >= 400:
            raise ValueError(parsed["Error"]["Code"])
        return parsed

    return call


@pytest.fixture
def clock() -> Clock:
    """The beginning of a minute an hour ago: CloudWatch forgets what is older than two weeks."""
    return Clock(time.time() // 60 * 60 - 3600)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Callable[[str], Call]]:
    """`caller`, of an emulator that starts and ends empty."""
    for module, names in {
        cloudwatch: (
            "_alarms", "_evaluate_alarm", "_evaluate_all_alarms", "_dispatch_alarm_actions",
            "_evict_old_metrics", "_get_metric_data",
        ),
        cloudwatch_logs: ("_filter_log_events",),
    }.items():  # fmt: skip
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    load_balancer.patch()
    monkeypatch.setattr(alarms, "evaluation", alarms.Evaluation(clock))
    patching.install(events, metric_data, alarms)
    yield caller
    for service, _ in _SERVICES.values():
        service.reset()
    targets.table.sync_all()
