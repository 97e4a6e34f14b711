"""Slowness that passes and slowness that stays: the first is waited for, the second goes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.figures import FIGURES
from tests.sandbox.beginning import deployed, started
from tests.sandbox.client import failed
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

USUAL_MS, SLOWER_MS = "60", "90"
"""Most of what an answer takes, whatever else the machine does."""
WARM_UP_SECONDS = 40
GATE = {"slower_by": 0.2, "clump_seconds": 15}
"""As in production: such a warm-up is one of production's."""
PATIENT = 200
"""The evidence decides here and not a deadline: what may be warming up is not judged at first."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stage]:
    """A stage in a sandbox of its own, where a service is live that takes its time."""
    state, home, clients = (tmp_path_factory.mktemp(name) for name in ("slow", "home", "clients"))
    with started(state, pytestconfig) as sandbox:
        stage = Stage(deployed(sandbox, home, pytestconfig), sandbox, clients, pytestconfig.stash[FIGURES])
        stage.rehearse("first release, slow", stage.push("0.0.1", FAULT_LATENCY_MS=USUAL_MS))
        yield stage


def rehearsed(slow: Stage, name: str, version: str, **faults: str) -> Rehearsal:
    """A release beside it, with the margin of production and more patience."""
    stages = [{**each, "max_seconds": PATIENT} for each in slow.cloud.spec["stages"]]
    with slow.spec(stages=stages, gate=GATE):
        return slow.rehearse(name, slow.push(version, **faults))


@pytest.fixture(scope="module")
def stays_slower(slow: Stage) -> Rehearsal:
    """A version that takes half as long again, and goes on doing so."""
    return rehearsed(slow, "stays 1.5 x slower", "0.0.2", FAULT_LATENCY_MS=SLOWER_MS)


@pytest.fixture(scope="module")
def warms_up(slow: Stage, stays_slower: Rehearsal) -> Rehearsal:
    """A version that takes three times as long when it begins, and ever less."""
    faults = {"FAULT_LATENCY_MS": USUAL_MS, "FAULT_WARM_UP_SECONDS": str(WARM_UP_SECONDS)}
    return rehearsed(slow, "warms up", "0.0.3", **faults)


def test_what_stays_slower_goes_back(stays_slower: Rehearsal) -> None:
    """It meets no client: at weight 0 it is waited for, and it does not become faster."""
    assert (stays_slower.execution.status, stays_slower.execution.error) == ("FAILED", "CandidateWorse")
    assert " ms in " in stays_slower.execution.cause
    assert stays_slower.shares_seen == [0]
    assert stays_slower.unrest == []


def test_what_warms_up_is_promoted(warms_up: Rehearsal) -> None:
    """The first stage waits for it, so clients meet it warm."""
    assert warms_up.certificate["outcome"] == "promoted"
    first = warms_up.certificate["reported"]["stages"][0]
    lasted = datetime.fromisoformat(first["ended"]) - datetime.fromisoformat(first["began"])

    assert lasted.total_seconds() > WARM_UP_SECONDS / 2, first["reason"]
    assert warms_up.shares_seen == [0, 10, 50, 100]
    assert failed(warms_up.requests) == []
    assert warms_up.unrest == []
