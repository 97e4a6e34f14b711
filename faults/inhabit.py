"""Puts the real handlers into a simulated world: their clients, their clock, their environment."""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any
from unittest import mock

import boto3

from crossfade import metrics, step
from crossfade.aws import clients
from faults.aws.functions import Invocation
from faults.aws.names import REGION
from faults.aws.stack import environment
from faults.files import ROOT
from faults.world import World


class _Time:
    """The module ``time``, as handlers use it."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock

    def monotonic(self) -> float:
        """Seconds."""
        return self._clock.now

    def sleep(self, seconds: float) -> None:
        """Let time pass for the handler whose turn it is."""
        strand = self._clock.strand
        assert isinstance(strand, Invocation)
        strand.sleep(seconds)


class _Unmeasured:
    """Powertools' metrics, which would be printed."""

    def __getattr__(self, name: str) -> Any:
        return lambda **given: None


@contextmanager
def inhabited(world: World) -> Iterator[World]:
    """Let every handler live in this world for a while."""
    clients.client.cache_clear()
    level = step.logger.log_level
    with (
        mock.patch.dict(os.environ, environment() | {"AWS_DEFAULT_REGION": REGION}),
        mock.patch.object(boto3, "client", world.client),
    ):
        try:
            _set(utc_now=world.clock.time, time=_Time(world), metrics=_Unmeasured())
            step.logger.setLevel(logging.CRITICAL)
            yield world
        finally:
            _set(**_REAL)
            step.logger.setLevel(level)
            clients.client.cache_clear()


_REAL: dict[str, Any] = {"utc_now": step.utc_now, "time": time, "metrics": metrics.metrics}


def _set(**instead: Any) -> None:
    for module in _modules():
        for name in instead.keys() & vars(module).keys():
            setattr(module, name, instead[name])


@cache
def _modules() -> list[ModuleType]:
    """All that may look at the time, or print metrics: the handlers, and what they share."""
    product = ROOT / "functions/crossfade"
    found = [path for folder in ("handlers", "watching") for path in (product / folder).glob("*.py")]
    return [
        step,
        metrics,
        *(importlib.import_module(f"crossfade.{path.parent.name}.{path.stem}") for path in found),
    ]
