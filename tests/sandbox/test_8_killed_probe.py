"""`kill -9` of the probe in the middle of a shift: it is started once more, and the ledger tells the gap."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.ending import PutBack, WithoutFailure
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]


PATIENT_SECONDS = 60
"""The deadline of the stage in which probes are killed: time enough to start another on a slow machine."""


def patient_stages(stage: Stage) -> list[dict[str, Any]]:
    """The spec's stages; the one in which probes are killed has a later deadline."""
    stages: list[dict[str, Any]] = stage.cloud.spec["stages"]
    return [{**each, "max_seconds": PATIENT_SECONDS} if each["weight"] == 10 else each for each in stages]


def opened(stage: Stage, execution: str, count: int) -> None:
    """Wait until so many probes have begun to write a deployment's ledger."""

    def look() -> bool:
        records = stage.cloud.ledger(execution.rsplit(":", 1)[-1])
        return sum(record["type"] == "opened" for record in records) >= count

    until(look, f"the beginning of probe {count}")


@pytest.fixture(scope="module")
def once(scaled_stage: Stage) -> Rehearsal:
    """The probe is killed at weight 10."""
    stage = scaled_stage

    def kill(execution: str) -> dict[str, Any]:
        stage.reach(10)
        return {"killed": stage.tasks.kill_probe()}

    with stage.spec(stages=patient_stages(stage)):
        return stage.rehearse("probe killed once", stage.push("0.6.1"), kill)


@pytest.fixture(scope="module")
def twice(scaled_stage: Stage) -> Rehearsal:
    """The probe is killed at weight 10, and so is the one that takes its place."""
    stage = scaled_stage

    def kill(execution: str) -> dict[str, Any]:
        stage.reach(10)
        first = stage.tasks.kill_probe()
        opened(stage, execution, 2)
        return {"killed": [first, stage.tasks.kill_probe()]}

    with stage.spec(stages=patient_stages(stage)):
        return stage.rehearse("probe killed twice", stage.push("0.6.2"), kill)


class TestOnce(WithoutFailure):
    """One probe may die."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, once: Rehearsal) -> Rehearsal:
        """The one whose probe was killed once."""
        return once

    def test_the_deployment_went_on(self, once: Rehearsal) -> None:
        """From where it was, and to its end."""
        assert once.execution.status == "SUCCEEDED"
        assert once.shares_seen == [0, 10, 50, 100]

    def test_the_certificate_tells_of_the_gap(self, once: Rehearsal) -> None:
        """Nothing was seen in it, and a ledger with a probe that was never closed is not called complete."""
        ledger = once.certificate["ledger"]
        (gap,) = ledger["gaps"]
        began, ended = (datetime.fromisoformat(gap[end]) for end in ("began", "ended"))

        assert 0 < (ended - began).total_seconds() < 60
        assert not ledger["complete"]
        assert once.certificate["requests"]["production"]["failed"] == 0


class TestTwice(PutBack):
    """A second one may not: without evidence nothing goes on."""

    @pytest.fixture
    def rehearsal(self, twice: Rehearsal) -> Rehearsal:
        """The one whose probe was killed twice."""
        return twice

    def test_it_held_and_was_taken_back_at_the_deadline(self, twice: Rehearsal) -> None:
        """Silence is not success: the weight never rose again."""
        assert (twice.execution.status, twice.execution.error) == ("FAILED", "EvidenceMissing")
        assert twice.shares_seen == [0, 10, 0]
        assert twice.certificate["reported"]["stages"][-1]["verdict"] == "roll_back"

    def test_the_rollback_was_proved_by_a_probe_of_its_own(self, twice: Rehearsal) -> None:
        """The third: two gaps."""
        assert len(twice.certificate["ledger"]["gaps"]) == 2
        assert "not proved" not in twice.certificate["reason"]
