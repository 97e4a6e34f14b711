"""`aws stepfunctions stop-execution` in each phase: no Catch runs, and the service is put back anyhow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from tests.sandbox.ending import PutBack
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

LONG_SECONDS = 60
"""A stage is made so long that the execution is stopped in it however slow the machine is."""


@dataclass(frozen=True)
class Phase:
    """When an execution is stopped: the states it may be in then, the weights by then, and the release.

    ``specless``: the service's spec is deleted before, and comes back when the service is free.
    """

    version: str
    states: set[str]
    shares: list[int]
    reached: Callable[[Stage, str], None]
    faults: dict[str, str]
    specless: bool = False


def entered(state: str) -> Callable[[Stage, str], None]:
    """Waits for a state to be entered."""
    return lambda stage, execution: stage.enter(execution, state)


LAUNCHING, WATCHING = {"CheckCandidate", "CandidateReady", "WaitForCandidate"}, {"WatchStage", "StageWatched"}


def shifted(share: int) -> Callable[[Stage, str], None]:
    """Waits until a weight is watched: it is set some time before the load balancer shows it."""

    def reached(stage: Stage, execution: str) -> None:
        stage.reach(share)
        until(lambda: stage.cloud.entered(execution)[-1] in WATCHING, f"a watch at weight {share}")

    return reached


PHASES = {
    "launch": Phase("0.1.1", LAUNCHING, [0], entered("WaitForCandidate"), {"FAULT_NEVER_HEALTHY": "1"}),
    "preview": Phase("0.1.2", {"VerifyCandidate", "CandidateVerified"}, [0], entered("VerifyCandidate"), {}),
    "at 10": Phase("0.1.3", WATCHING, [0, 10, 0], shifted(10), {}),
    "at 50": Phase("0.1.4", WATCHING, [0, 10, 50, 0], shifted(50), {}, specless=True),
    "at 100": Phase("0.1.5", WATCHING, [0, 10, 50, 100, 0], shifted(100), {}),
}


def stages_with_a_long(phase: str, stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spec's stages; the one in which the execution is stopped takes long."""
    weight = PHASES[phase].shares[-2:][0]
    long = {"weight": weight, "min_seconds": LONG_SECONDS, "max_seconds": 2 * LONG_SECONDS}
    return [long if stage["weight"] == weight else stage for stage in stages]


@pytest.fixture(scope="module", params=list(PHASES))
def phase(request: pytest.FixtureRequest) -> str:
    """In which phase the execution is stopped."""
    return str(request.param)


@pytest.fixture(scope="module")
def rehearsal(scaled_stage: Stage, phase: str) -> Rehearsal:
    """A deployment that is stopped in that phase."""
    stage, asked = scaled_stage, PHASES[phase]

    def stop(execution: str) -> dict[str, Any]:
        asked.reached(stage, execution)
        with stage.without_spec() if asked.specless else nullcontext():
            stage.cloud.stop(execution)
            state = stage.cloud.entered(execution)[-1]
            if asked.specless:
                until(lambda: stage.cloud.holder() is None, "the rollback of a service without a spec")
        return {"state": state}

    with stage.spec(stages=stages_with_a_long(phase, stage.cloud.spec["stages"])):
        return stage.rehearse(f"stopped {phase}", stage.push(asked.version, **asked.faults), stop)


class TestStopped(PutBack):
    """What holds of every deployment that somebody has stopped."""


def test_it_was_stopped_in_that_phase(rehearsal: Rehearsal, phase: str) -> None:
    """And not a moment before or after it."""
    assert rehearsal.execution.status == "ABORTED"
    assert rehearsal.seen["state"] in PHASES[phase].states
    assert PHASES[phase].shares == rehearsal.shares_seen


def test_the_reason_names_the_execution_that_was_stopped(rehearsal: Rehearsal) -> None:
    """Nobody had to notice: the event that it had ended started the rollback."""
    assert rehearsal.certificate["reason"] == f"{rehearsal.execution.name} ended ABORTED"


def test_the_ledger_is_complete(rehearsal: Rehearsal) -> None:
    """A rollback is proved like a promotion, from a ledger that was closed."""
    assert rehearsal.certificate["ledger"]["complete"]
    assert rehearsal.certificate["requests"]["production"]["failed"] == 0
