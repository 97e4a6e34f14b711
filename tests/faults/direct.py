"""Clients of the simulated AWS for what no function of the workflow does: asked at once, it never fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.preparation import Preparation
from faults.aws.answer import AwsError
from faults.aws.stack import environment
from faults.client import Pages, check, operations
from faults.world import World


class Direct:
    """A boto3 client of one service; requests and answers are checked against botocore's models."""

    def __init__(self, world: World, service: str) -> None:
        self._model, self._service = world.models[service], service

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return partial(self._call, method)

    def get_paginator(self, method: str) -> Pages:
        """A paginator; every answer is one page."""
        return Pages(partial(self._call, method))

    def _call(self, method: str, **request: Any) -> Any:
        operation = operations(self._service)[method]
        check(self._service, operation, "input", request)
        try:
            answer = getattr(self._model, method)(**request)
        except AwsError as error:
            raise ClientError(error.response, operation) from error  # type: ignore[arg-type]
        check(self._service, operation, "output", answer)
        return answer


def preparation(world: World) -> Preparation:
    """The preparation of the simulated service, as its owner's stack or the command runs it."""
    ecs, elbv2, ssm = (Direct(world, service) for service in ("ecs", "elbv2", "ssm"))
    return Preparation(ecs, elbv2, ssm, world.own.service, environment()["SPECS_PATH"])
