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
from tests.sandbox.shell import SERVICE

SANDBOX = pytest.StashKey[Sandbox]()
CLOUD = pytest.StashKey[Cloud]()


WARM = {"SANDBOX_IDLE_SECONDS": "300"}
"""Functions stay warm from one rehearsal to the next, as on AWS. Starting them anew would take most of the
processor's time."""


@contextmanager
def started(state: Path, config: pytest.Config, **delays: str) -> Iterator[Sandbox]:
    """A running sandbox; at the end nothing is left of it. A failure has a note of what it was doing."""
    running = Sandbox(state, **WARM, **delays)
    config.stash[SANDBOX] = running
    try:
        running.wait_until_ready()
        yield running
    except AssertionError as failure:
        if CLOUD in config.stash:
            failure.add_note(config.stash[CLOUD].last_states("deploy"))
        raise
    finally:
        left = running.stop()
        if CLOUD in config.stash:
            del config.stash[CLOUD]  # nobody is to wait for its answers
    assert left == []


def deployed(sandbox: Sandbox, home: Path, config: pytest.Config) -> Cloud:
    """The stack, deployed by `sam deploy`, the probe's image, neighbours; no release of the service yet."""
    ready = _deployed(sandbox, home, config, SERVICE)
    settle(ready)
    _push_probe(ready)
    return ready


def deployed_alone(sandbox: Sandbox, home: Path, config: pytest.Config, service: str) -> Cloud:
    """The same without the sample service: an owner's ``service`` is to be adopted, on the sandbox's port."""
    ready = _deployed(sandbox, home, config, service)
    _push_probe(ready)
    return ready


def deployed_beside(first: Cloud, port: int, home: Path, stack: str) -> Cloud:
    """A second Crossfade in the same account, for a service of the same name on another port."""
    ready = Cloud(first.endpoint, port, home, first.service, stack)
    ready.sam_deploy()
    _push_probe(ready)
    return ready


def _deployed(sandbox: Sandbox, home: Path, config: pytest.Config, service: str) -> Cloud:
    ready = Cloud(f"http://127.0.0.1:{sandbox.port}", sandbox.production_port, home, service)
    ready.sam_deploy()
    config.stash[CLOUD] = ready
    return ready


def _push_probe(ready: Cloud) -> None:
    repository = ready.repository("ProbeRepository")
    ready.push("probe", pinned_tag(), repository=repository)
    ready.ended(ready.started_by_push(repository, pinned_tag()))
