"""What handlers get for a boto3 client: requests are checked against botocore's models, then simulated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from faults.aws.answer import AwsError
from faults.aws.functions import Invocation
from faults.aws.views import BOUNDS, HELD, Range, Resource
from faults.cases.fault import Call, Visit, struck_by
from faults.law import READS
from faults.workflow.query import Refused

if TYPE_CHECKING:
    from faults.world import World

CALL_SECONDS = 0.03
_known: set[str] = set()
MOST_KNOWN = 10_000
_TOKENS = {"nextToken", "NextToken", "NextMarker"}


@cache
def service_model(service: str) -> ServiceModel:
    """The model of a service, as botocore has it."""
    return botocore.session.get_session().get_service_model(service)


@cache
def operations(service: str) -> dict[str, str]:
    """The operations of a service by the name of boto3's method, e.g. ``describe_rules``."""
    return {xform_name(name): name for name in service_model(service).operation_names}


@dataclass
class Made:
    """A call that was made: when, for which execution, where; ``answer``: an error code, or that one came."""

    at: float
    execution: str
    visit: Visit
    answer: str = "no answer"


@cache
def _misfit(model: type, method: str, fields: frozenset[str]) -> str | None:
    """Why a method of a model cannot be called with these fields."""
    try:
        inspect.signature(getattr(model, method)).bind(model, **dict.fromkeys(fields))
    except TypeError as error:
        return str(error)
    return None


class Client:
    """A boto3 client of one service, as far as handlers use it."""

    # What the simulation answers is made by botocore's model: nothing of it is unknown.
    meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def __init__(self, world: World, service: str) -> None:
        self._world, self._service = world, service

    def __getattr__(self, method: str) -> Any:
        if method not in operations(self._service):
            raise AttributeError(method)
        return partial(self._call, method)

    def get_paginator(self, method: str) -> Pages:
        """A paginator; every answer of the simulation is one page."""
        return Pages(partial(self._call, method))

    def _call(self, method: str, **request: Any) -> Any:
        invocation = self._world.clock.strand
        assert isinstance(invocation, Invocation), "only handlers call AWS"
        operation = operations(self._service)[method]
        writes = not operation.startswith(READS)
        if writes:
            self._world.writes.asked(self._service, operation, request)
        self._check(operation, request, writes)
        invocation.sleep(CALL_SECONDS / 2)
        views = self._world.views
        resource = views.resource(self._service, request)
        read = partial(_read, method, request)
        of = self._world.balancer.half(operation, request)
        lasts = self._range(resource, writes, read)
        visit = self._world.faults.called(invocation, operation, writes, lasts, of)
        make = partial(self._make, method, operation, request, writes, resource)
        # What has no resource is never shown late: then neither of these two is called.
        lag, delay = partial(views.lag, resource), partial(views.delay, resource)  # type: ignore[arg-type]
        call = Call(invocation, make, lag, delay)
        made = Made(self._world.clock.now, invocation.execution.name, visit)
        self._world.calls.append(made)
        try:
            answer = struck_by(visit.fault, call) if visit.fault else call.make()
        except AwsError as error:
            made.answer = error.response["Error"]["Code"]
            raise ClientError(error.response, operation) from error  # type: ignore[arg-type]
        made.answer = "answered"
        invocation.sleep(CALL_SECONDS / 2)
        return answer

    def _check(self, operation: str, request: dict[str, Any], writes: bool) -> None:
        """Check a request; most are reads that were checked before, word for word."""
        words = "" if writes else f"{self._service} {operation} {request}"
        if words not in _known:
            check(self._service, operation, "input", request)
        if words and len(_known) < MOST_KNOWN:
            _known.add(words)

    def _range(self, resource: Resource | None, writes: bool, read: Callable[[Any], Any]) -> Range | None:
        """For how many seconds a read may be stale here, or the effect of a write late."""
        if resource is None:
            return None
        if not writes:
            return self._world.views.stale(resource, read)
        return Range(0.0, BOUNDS[self._service]) if self._service in HELD else None

    def _make(
        self, method: str, operation: str, request: dict[str, Any], writes: bool, resource: Resource | None
    ) -> Any:
        views = self._world.views
        model = self._world.models[self._service]
        if resource and writes:
            views.wrote(resource)
        elif resource:
            model = views.model(resource)
        simulated = getattr(model, method, None)
        if simulated is None:
            raise Refused(f"{self._service} {operation}")
        if misfit := _misfit(type(model), method, frozenset(request)):  # type: ignore[arg-type]
            raise Refused(f"{self._service} {operation}: {misfit}")
        act = partial(simulated, **request)
        answer = self._world.writes.done(self._service, operation, act) if writes else act()
        if writes and self._service == "dynamodb":
            self._world.watcher.journaled()
        if self._world.strict:
            check(self._service, operation, "output", answer)
        return answer


def _read(method: str, request: dict[str, Any], model: Any) -> Any:
    """The answer of a model to a read, or the error's code; equal answers are equal values."""
    try:
        return getattr(model, method)(**request)
    except AwsError as error:
        return error.response["Error"]["Code"]


class Pages:
    """What ``get_paginator`` gives."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        """The pages of an answer."""
        answer = self._call(**request)
        if _TOKENS & answer.keys():
            raise Refused("an answer of several pages")
        yield answer


def check(service: str, operation: str, side: str, given: dict[str, Any]) -> None:
    """Refuse what botocore would: an unknown field, a missing one, a wrong type."""
    model = service_model(service).operation_model(operation)
    shape = model.input_shape if side == "input" else model.output_shape
    if shape is None:
        return
    report = ParamValidator().validate(given, shape)
    if report.has_errors():
        raise Refused(f"{service} {operation} {side}: {report.generate_report()}")
