"""A sandbox with the stack in it, and where a failed test finds both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.probe_tag import pinned_tag
from tests.sandbox.account import settle
from tests.sandbox.cloud import Cloud
from tests.sandbox.machine import Sandbox

SANDBOX = pytest.StashKey[Sandbox]()
CLOUD = pytest.StashKey[Cloud]()


WARM = {"SANDBOX_IDLE_SECONDS": "300"}
"""Functions stay warm from one rehearsal to the next, as on AWS. Starting them anew would take most of the
processor's time."""


@contextmanager
def started(state: Path, config: pytest.Config, **delays: str) -> Iterator[Sandbox]:
    """A running sandbox; at the end nothing is left of it."""
    running = Sandbox(state, **WARM, **delays)
    config.stash[SANDBOX] = running
    try:
        running.wait_until_ready()
        yield running
    finally:
        left = running.stop()
    assert left == []


def deployed(sandbox: Sandbox, home: Path, config: pytest.Config) -> Cloud:
    """The stack, deployed by `sam deploy`, the probe's image, neighbours; no release of the service yet."""
    endpoint = f"http://127.0.0.1:{sandbox.port}"
    ready = Cloud(endpoint, sandbox.production_port, home)
    ready.sam_deploy()
    config.stash[CLOUD] = ready
    settle(ready)
    repository = ready.repository("ProbeRepository")
    ready.push("probe", pinned_tag(), repository=repository)
    ready.ended(ready.started_by_push(repository, pinned_tag()))
    return ready
