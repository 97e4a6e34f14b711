"""The gate in the wild: a healthy release that warms up or fails for a moment is held, and then promoted."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.client import failed, moments
from tests.sandbox.ending import Ending
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import live, other
from tests.sandbox.stage import Stage
from tests.sandbox.users import Users

pytestmark = pytest.mark.enable_socket

BREAK_PATH = "/break"
CLUMP_SECONDS = 5
"""A block of the gate's: what is shorter it cannot tell apart."""
SPELL_SECONDS = 8
"""Longer than it takes to step back, and shorter than what makes the candidate dead at weight 0."""
HALF_SECONDS = 25
"""The stage in which the spell comes does not end before it, however slow the machine is."""
PATIENT = 150
MANY = 40
USUAL_MS, SLOWER_MS = 25, 38
WARM_UP_SECONDS = 40


def in_the_wild(stage: Stage, **gate: Any) -> dict[str, Any]:
    """What of the spec differs: later deadlines, and a spell that is as long as the gate's blocks."""
    stages = [{**each, "max_seconds": PATIENT} for each in stage.cloud.spec["stages"]]
    for each in stages:
        if each["weight"] == 50:
            each["min_seconds"] = HALF_SECONDS
    return {"stages": stages, "gate": {"clump_seconds": CLUMP_SECONDS, **gate}}


def spell_at_half(stage: Stage, name: str, version: str, **faults: str) -> Rehearsal:
    """A healthy release that has one spell of failures while half of the clients have it."""

    def begin_spell(execution: str) -> dict[str, Any]:
        stage.reach(50)
        time.sleep(CLUMP_SECONDS)
        began = time.time()
        stable = live(stage.cloud)
        assert stable
        stage.tasks.break_all(other(stable.slot), BREAK_PATH)
        return {"began": began}

    breaks = {"FAULT_BREAK_PATH": BREAK_PATH, "FAULT_BREAK_SECONDS": str(SPELL_SECONDS)}
    with stage.spec(**in_the_wild(stage)), Users(stage.cloud.url, MANY):
        return stage.rehearse(name, stage.push(version, **breaks, **faults), begin_spell)


@pytest.fixture(scope="module")
def spell(stage: Stage, first_release: Rehearsal) -> Rehearsal:
    """All requests of the candidate fail, the probe's and the clients', for some seconds."""
    return spell_at_half(stage, "spell at weight 50", "0.6.0")


@pytest.fixture(scope="module")
def lane_outage(stage: Stage, spell: Rehearsal) -> Rehearsal:
    """The probe meets failures by the preview rule, and clients meet none."""
    return spell_at_half(stage, "outage of the candidate's lane", "0.6.1", FAULT_BREAK_PREVIEW="1")


class TestSpell(Ending):
    """A spell at weight 50 costs what clients meet until weight 0 is live, and some time."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, spell: Rehearsal) -> Rehearsal:
        """The one with a spell of everything."""
        return spell

    def test_it_steps_back_climbs_and_is_promoted(self, spell: Rehearsal) -> None:
        """Once; what it climbs by is not more than it had."""
        before, after = spell.shares_seen[:4], spell.shares_seen[4:]

        assert before == [0, 10, 50, 0]
        assert after[-2:] == [50, 100]
        assert after == sorted(after)
        assert [each["weight"] for each in spell.certificate["step_backs"]] == [50]

    def test_the_reason_says_why_it_was_held(self, spell: Rehearsal) -> None:
        """In counts, since when, and what lets it climb."""
        (stepped,) = spell.certificate["step_backs"]
        held = next(each for each in spell.certificate["stages"] if each["step_backs"])

        assert "requests failed" in stepped["reason"], stepped
        assert held["weight"] == 0
        assert held["verdict"] == "advance"

    def test_clients_failures_end_with_the_step_back(self, spell: Rehearsal, stage: Stage) -> None:
        """Within a second of the moment in which weight 0 was read back, while the spell still goes on."""
        (stepped,) = spell.certificate["step_backs"]
        restored = datetime.fromisoformat(stepped["restored"]).timestamp()
        began, bad = spell.seen["began"], moments(failed(spell.requests))
        stage.note(
            f"spell: {len(bad)} of the client's requests failed, the last {bad[-1] - restored:+.1f} s from "
            f"weight 0, which was read back {restored - began:.1f} s after the spell's beginning"
        )

        assert restored < began + SPELL_SECONDS
        assert began <= bad[0]
        assert bad[-1] <= restored + 1


@pytest.mark.long
class TestLaneOutage(Ending):
    """The probe's way to the candidate fails for a moment, and production is well."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, lane_outage: Rehearsal) -> Rehearsal:
        """The one with failures that the probe alone meets."""
        return lane_outage

    def test_the_probe_met_it_and_clients_did_not(self, lane_outage: Rehearsal) -> None:
        """It is promoted by what both see."""
        assert lane_outage.before
        lane = other(lane_outage.before.slot)

        assert lane_outage.certificate["requests"][lane]["failed"] > 20
        assert failed(lane_outage.requests) == []


@pytest.fixture(scope="module")
def as_usual(stage: Stage, lane_outage: Rehearsal) -> Rehearsal:
    """A version whose own time is most of what an answer takes, whatever else the machine does."""
    with stage.spec(gate={"slower_by": 10}):
        return stage.rehearse("as usual", stage.push("0.6.2", FAULT_LATENCY_MS=str(USUAL_MS)))


@pytest.fixture(scope="module")
def stays_slower(stage: Stage, as_usual: Rehearsal) -> Rehearsal:
    """A version that takes half as long again, and goes on doing so."""
    with stage.spec(**in_the_wild(stage, slower_by=0.2)):
        return stage.rehearse("stays 1.5 x slower", stage.push("0.6.3", FAULT_LATENCY_MS=str(SLOWER_MS)))


@pytest.fixture(scope="module")
def warms_up(stage: Stage, stays_slower: Rehearsal) -> Rehearsal:
    """A version that takes three times as long when it begins, and ever less."""
    slow = {"FAULT_LATENCY_MS": str(USUAL_MS), "FAULT_WARM_UP_SECONDS": str(WARM_UP_SECONDS)}
    with stage.spec(**in_the_wild(stage, slower_by=0.2)):
        return stage.rehearse("warms up", stage.push("0.6.4", **slow))


@pytest.mark.long
def test_what_stays_slower_goes_back(stays_slower: Rehearsal) -> None:
    """It meets no client: at weight 0 it is waited for, and it does not become faster."""
    assert (stays_slower.execution.status, stays_slower.execution.error) == ("FAILED", "CandidateWorse")
    assert " ms in " in stays_slower.execution.cause
    assert stays_slower.shares_seen == [0]
    assert stays_slower.unrest == []


@pytest.mark.long
def test_what_warms_up_is_promoted(warms_up: Rehearsal) -> None:
    """Stage 0 waits for it, so clients meet it warm."""
    assert warms_up.certificate["outcome"] == "promoted"
    first = warms_up.certificate["stages"][0]
    lasted = datetime.fromisoformat(first["ended"]) - datetime.fromisoformat(first["began"])

    assert lasted.total_seconds() > WARM_UP_SECONDS / 2, first["reason"]
    assert warms_up.shares_seen == [0, 10, 50, 100]
    assert failed(warms_up.requests) == []
