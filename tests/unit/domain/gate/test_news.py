"""No weight goes up on a silent probe: proof that was reached says nothing about the present."""

from typing import Any

import pytest

from crossfade.domain.gate.state import Rates, Watch
from crossfade.domain.ledger import Opened, Record, Request, Unanswered
from crossfade.domain.spec.gate import GateSettings
from tests.unit.domain.gate.watching import SETTINGS, glance, ledger, users, watch
from tests.unit.examples import at, lane_event

GOOD = "." * 800
"""40 s at 20 requests a second."""
RATES = Rates(production=20, slot=20)


def _stage(weight: int = 50, **changes: Any) -> Watch:
    """A stage in which proof is reached long before its minimum of 55 s is over."""
    shown = watch(weight, changes.pop("next_weight", 90), rates=RATES, **changes)
    return shown._replace(stage=shown.stage.model_copy(update={"min_seconds": 55}))


def _unanswered(lane: str, seconds: float, asked: int, **met: Any) -> Unanswered:
    values = {"status": None, "version": None, "error": None, "note": None} | met
    return Unanswered.model_validate(
        {"type": "unanswered", "lane": lane, "at": at(seconds), "asked": asked} | values
    )


def _later(records: list[Record], seconds: float) -> list[Record]:
    """The same records, with production's so many seconds later."""
    moved = [
        record.model_copy(update={"at": record.at + (at(seconds) - at(0))})
        if isinstance(record, Request) and record.lane == "production"
        else record
        for record in records
    ]
    return sorted(moved, key=lambda record: record.at)


def _production(records: list[Record], **changes: Any) -> list[Record]:
    """The same records; production answered otherwise."""
    return [
        record.model_copy(update=changes)
        if isinstance(record, Request) and record.lane == "production"
        else record
        for record in records
    ]


REFUSED = {"error": "ConnectionRefusedError: Connection refused"}


def test_the_probe_falls_silent_after_its_proof() -> None:
    """Both probe tasks die at 40 s; at 56 s, when the stage could end, nobody has seen anything for 16 s."""
    blocks = users(*[(500, 0, 500, 0)] * 10)
    state, verdict = glance(ledger(GOOD, GOOD), blocks, seconds=40, shown=_stage())
    assert (verdict.action, verdict.reason) == ("hold", "no problem; the stage lasts 55 s at least")
    for seconds, action in ((56, "hold"), (119, "hold"), (120, "roll_back")):
        verdict = glance([], state=state, seconds=seconds, shown=_stage())[1]
        assert verdict.action == action
        assert (
            f"probe evidence missing: no answer from candidate (green), stable (blue) and production "
            f"for {seconds - 40} s" in verdict.reason
        )
    assert verdict.error == "EvidenceMissing"


def test_a_new_probe_ends_the_silence() -> None:
    """Then the stage goes on from where it was."""
    blocks = users(*[(500, 0, 500, 0)] * 10)
    later = [
        record.model_copy(update={"at": record.at + (at(50) - at(0))})
        for record in ledger("." * 99, "." * 99)
    ]
    opened = {"type": "opened", "deployment": "d1", "at": at(50), "lanes": ("production", "blue", "green")}
    state, _ = glance(ledger(GOOD, GOOD), blocks, seconds=40, shown=_stage())
    records = [Opened.model_validate(opened), *later]
    assert glance(records, state=state, seconds=56, shown=_stage())[1].action == "advance"


@pytest.mark.parametrize(
    ("records", "missing"),
    [
        pytest.param(
            ledger(GOOD, "." * 1120), "no answer from candidate (green) for 16 s", id="the-candidates-lane"
        ),
        pytest.param(ledger("." * 1120, GOOD), "no answer from stable (blue) for 16 s", id="the-stable-lane"),
        pytest.param(
            ledger("." * 1120, "." * 1120, GOOD), "no answer from production for 16 s", id="production"
        ),
    ],
)
def test_each_lane_must_have_answered_lately(records: list[Record], missing: str) -> None:
    """One that is silent says nothing, however well the others answer."""
    _, verdict = glance(records, users(*[(500, 0, 500, 0)] * 10), seconds=56, shown=_stage())
    assert (verdict.action, verdict.reason) == ("hold", f"probe evidence missing: {missing}")


def test_a_slow_rate_is_no_silence() -> None:
    """A lane that is asked every 20 s has news every 20 s."""
    shown = _stage(0, next_weight=10)._replace(rates=Rates(production=0.05, slot=0.05), deadline=at(9999))
    records = ledger("." * 100, "." * 100, rate=0.05)
    gate = SETTINGS.model_copy(update={"probe_margin": 0.2})
    assert glance(records, seconds=2019, shown=shown, gate=gate)[1].action == "advance"
    assert glance(records, seconds=2051, shown=shown, gate=gate)[1].action == "hold"


def test_a_stable_slot_that_no_client_is_sent_to_may_go() -> None:
    """At weight 100 its lane pauses with its last task; below, the lane is needed."""
    gone: list[Record] = [*ledger("." * 1120, GOOD), lane_event("paused", "blue", seconds=41)]
    assert glance(gone, seconds=56, shown=_stage(100, next_weight=None))[1].action == "advance"
    assert glance(gone, seconds=56, shown=_stage(0))[1].action == "hold"


@pytest.mark.parametrize("users_seen_seconds", [60, 0])
def test_what_was_heard_of_users_long_ago_is_no_news(users_seen_seconds: int) -> None:
    """The feed fell silent at 20 s, after the users' proof."""
    gate = GateSettings(warm_up_seconds=0, users="feed", users_seen_seconds=users_seen_seconds)
    records, blocks = ledger("." * 1120, "." * 1120), users(*[(5000, 0, 5000, 0)] * 4)
    state, verdict = glance(records, blocks, seconds=56, shown=_stage(), gate=gate)
    assert state.users.proof.evidence > 20
    assert (verdict.action, verdict.reason) == (
        "hold",
        "user evidence missing: the last outcomes of the candidate's users are 36 s old",
    )


def test_users_who_are_not_asked_for_are_not_waited_for() -> None:
    """A spec that waits for no users, and has no proof of them, rests on the probe."""
    gate = GateSettings(warm_up_seconds=0, users="feed", users_seconds=0, users_seen_seconds=0)
    verdict = glance(ledger("." * 1120, "." * 1120), seconds=56, shown=_stage(), gate=gate)[1]
    assert verdict.action == "advance"


# ---- a first release ------------------------------------------------------------------------------------

FIRST = {
    "previous": None,
    "next_weight": None,
    "url": "http://web:81/version",
}


def test_a_first_release_needs_production_answers_of_its_own() -> None:
    """Nobody listens at probe.url: the slot's own lane answers well all the while."""
    records = [*ledger("." * 1120, "", ""), _unanswered("production", 55, 60, **REFUSED)]
    _, verdict = glance(records, seconds=56, shown=_stage(100, **FIRST))
    assert (verdict.action, verdict.reason) == (
        "hold",
        "probe evidence missing: production does not answer, 60 of 60 requests: ConnectionRefusedError: "
        "Connection refused (http://web:81/version). Nobody listens there: look at the address and port of "
        "probe.url, or of probe.connect_to",
    )
    _, late = glance(records, seconds=120, shown=_stage(100, **FIRST))
    assert (late.action, late.error) == ("roll_back", "EvidenceMissing")
    assert "Connection refused (http://web:81/version)" in late.reason


def test_nor_are_another_services_answers_its_own() -> None:
    """240 answers of production, and none of this version."""
    good = ledger("." * 1120, "", "." * 1120)
    assert glance(good, seconds=56, shown=_stage(100, **FIRST))[1].action == "advance"
    records = _later(ledger("." * 1120, "", "v" * 240), 43)
    _, verdict = glance(records, seconds=56, shown=_stage(100, **FIRST))
    assert verdict.action == "hold"
    assert '240 of 240: version "0.0.1", expected "0.0.2"' in verdict.reason


def test_before_its_rule_is_made_production_need_not_answer() -> None:
    """At weight 0 a service's first release has no production rule."""
    records = [
        *ledger("." * 1120, "", ""),
        _unanswered("production", 55, 60, status=503, note="by the load balancer"),
    ]
    assert glance(records, seconds=56, shown=_stage(0, **FIRST | {"next_weight": 100}))[1].action == "advance"


def test_a_few_good_production_answers_are_not_enough() -> None:
    """That production fails less than `gate.failing` must be shown, and is soon."""
    late = _later(ledger("." * 1120, "", "." * 30), 54)
    _, verdict = glance(late, seconds=56, shown=_stage(100, **FIRST))
    assert verdict.action == "hold"
    assert verdict.reason.startswith(
        "probe evidence insufficient: production fails 0 of 30 (evidence to advance"
    )


# ---- later releases -------------------------------------------------------------------------------------


def test_a_url_that_is_dead_holds_from_the_first_stage_on() -> None:
    """The stable slot's own lane answers, and production does not: no client is sent to the candidate."""
    dead = _production(ledger("." * 1120, "." * 1120), status=None, version=None, **REFUSED)
    for seconds in (15, 56):
        shown = _stage(0)._replace(stage=watch(0).stage)
        known = [record for record in dead if getattr(record, "at", at(0)) <= at(seconds)]
        verdict = glance(known, seconds=seconds, shown=shown)[1]
        assert verdict.action == "hold"
        assert "ConnectionRefusedError: Connection refused. Nobody listens there" in verdict.reason


def test_production_that_gives_neither_version_holds() -> None:
    """Another service answers at probe.url."""
    odd = _production(ledger("." * 1120, "." * 1120), version="9.9.9")
    verdict = glance(odd, seconds=56, shown=_stage(0))[1]
    assert verdict.action == "hold"
    assert '1,120 of 1,120: version "9.9.9", expected "0.0.1" or "0.0.2"' in verdict.reason
