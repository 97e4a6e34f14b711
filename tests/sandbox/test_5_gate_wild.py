"""The gate in the wild: a healthy release that fails for a moment is held, climbs again and is promoted."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.client import failed, moments
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import live, other
from tests.sandbox.stage import Stage
from tests.sandbox.users import Users

pytestmark = pytest.mark.enable_socket

BREAK_PATH = "/break"
CLUMP_SECONDS = 8
SPELL_SECONDS = 10
"""Longer than it takes to step back, and shorter than twice CLUMP_SECONDS, which is no spell any more."""
WELL_SECONDS = 5
HALF_SECONDS = 25
"""The stage in which the spell comes does not end before it, however slow the machine is."""
PATIENT = 150
MANY = 40


def in_the_wild(stage: Stage) -> dict[str, Any]:
    """What of the spec differs: later deadlines, and spells that are longer."""
    stages = [{**each, "max_seconds": PATIENT} for each in stage.cloud.spec["stages"]]
    for each in stages:
        if each["weight"] == 50:
            each["min_seconds"] = HALF_SECONDS
    return {"stages": stages, "gate": {"clump_seconds": CLUMP_SECONDS}}


def spell_at_half(stage: Stage, name: str, version: str, **faults: str) -> Rehearsal:
    """A healthy release that has one spell of failures while half of the clients have it."""

    def begin_spell(execution: str) -> dict[str, Any]:
        stage.reach(50)
        time.sleep(WELL_SECONDS)
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


def test_a_spell_steps_back_climbs_and_is_promoted(spell: Rehearsal) -> None:
    """It steps back once, and what it climbs by is not more than it had."""
    before, after = spell.shares_seen[:4], spell.shares_seen[4:]

    assert spell.certificate["outcome"] == "promoted"
    assert spell.unrest == []
    assert before == [0, 10, 50, 0]
    assert after[-2:] == [50, 100]
    assert after == sorted(after)
    assert [each["weight"] for each in spell.certificate["reported"]["step_backs"]] == [50]


def test_the_record_says_why_it_was_held(spell: Rehearsal) -> None:
    """In counts; and what it climbed by again."""
    (stepped,) = spell.certificate["reported"]["step_backs"]
    held = next(each for each in spell.certificate["reported"]["stages"] if each["step_backs"])

    assert "requests" in stepped["reason"]
    assert (held["weight"], held["verdict"]) == (0, "advance")


def test_clients_failures_end_with_the_step_back(spell: Rehearsal, stage: Stage) -> None:
    """Within a second of the moment in which weight 0 was read back, while the spell still goes on."""
    (stepped,) = spell.certificate["reported"]["step_backs"]
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
def test_an_outage_of_the_lane_alone_is_no_rollback(lane_outage: Rehearsal) -> None:
    """The probe met it and clients did not; it is promoted by what both see."""
    assert lane_outage.before
    lane = other(lane_outage.before.slot)

    assert lane_outage.certificate["requests"][lane]["failed"] > 20
    assert failed(lane_outage.requests) == []
    assert lane_outage.certificate["outcome"] == "promoted"
    assert lane_outage.unrest == []
