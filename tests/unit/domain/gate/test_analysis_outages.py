"""Outages of whatever is not the candidate, and what of the ledger is judged at all."""

from bisect import bisect
from typing import Any

import pytest

from crossfade.domain.gate.blocks.block import Block
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.ledger import Record
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.spec.service import PROOF_ANSWERS, PROOF_SECONDS
from crossfade.domain.verdict import Verdict
from tests.unit.domain.gate.watching import SETTINGS, glance, ledger, users, watch
from tests.unit.examples import at, lane_event, opened, request, stage

GOOD = "." * 1400
"""70 s at 20 requests a second; ``LONG``: 120 s."""
LONG = "." * 2400
RATE = 20


def _follow(
    records: list[Record], blocks: list[Block], shown: Watch, gate: GateSettings = SETTINGS
) -> tuple[float, Verdict]:
    """Look every second until there is a verdict; users' blocks come 6 s after their end."""
    state, taken, second = GateState(), 0, shown.began.timestamp() - at(0).timestamp()
    times = [record.at for record in records if hasattr(record, "at")]
    assert times == sorted(times)
    while True:
        second += 1
        known = bisect(times, at(second))
        came = [block for block in blocks if block.end + 6 <= at(second).timestamp()]
        state, verdict = glance(
            records[taken:known], came, seconds=second, state=state, shown=shown, gate=gate
        )
        taken = known
        if verdict.action != "hold":
            return second, verdict


def _production(marks: str, *, version: str = "0.0.1") -> list[Record]:
    values: dict[str, dict[str, Any]] = {
        "x": {"status": 500, "version": None},
        ".": {"version": version},
    }
    return [request("production", n, n / RATE, **values[mark]) for n, mark in enumerate(marks, start=1)]


def _merge(*lanes: list[Record]) -> list[Record]:
    return sorted([record for lane in lanes for record in lane], key=lambda record: record.at)


# ---- the production lane --------------------------------------------------------------------------------


def test_a_sick_production_lane_holds() -> None:
    """It is no lane of the candidate's alone, so it never goes back for it before the deadline."""
    records = _merge(ledger(LONG, LONG, ""), _production("x...." * 480))
    reason = (
        "more than 5% of the production lane's requests fail; 480 of 2,400: HTTP 500, expected 200. "
        "The application failed: read its log"
    )
    shown = watch(0, 10)
    assert glance(records, seconds=119, shown=shown)[1] == Verdict(action="hold", reason=reason)
    assert glance(records, seconds=120, shown=shown)[1] == Verdict(
        action="roll_back", reason=f"after 120 s at weight 0: {reason}", error="EvidenceMissing"
    )


@pytest.mark.parametrize("weight", [0, 10])
def test_what_mends_a_sick_stable_version_goes_on(weight: int) -> None:
    """The production lane fails as the stable slot does, and waits for just this candidate."""
    sick = "x...." * 280
    shares = (500 * weight // 100, 0, 500 - 500 * weight // 100, 100 - weight)
    second, verdict = _follow(
        _merge(ledger(GOOD, sick, ""), _production(sick)), users(*[shares] * 14), watch(weight, 50)
    )
    assert verdict.action == "advance", verdict.reason
    assert second < 60


def test_a_production_lane_that_is_well_again_holds_no_longer() -> None:
    """Its evidence, too, is that it is over."""
    records = _merge(ledger(GOOD, GOOD, ""), _production("x" * 200 + "." * 1200))
    assert glance(records, shown=watch(0, 10))[1].action == "advance"


def test_production_may_give_either_version() -> None:
    """While both slots have a share of it."""
    records = _merge(ledger(GOOD, GOOD, ""), _production(GOOD))
    late = [
        record.model_copy(update={"version": "0.0.2", "n": 1400 + n})
        for n, record in enumerate(records[-9:], 1)
    ]
    assert glance([*records, *late], shown=watch(0, 10))[1].action == "advance"


# ---- outages of both slots ------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0, 10])
def test_an_outage_that_both_share_and_that_ends(weight: int) -> None:
    """A minute in which nobody answers: it is held, and goes on before the deadline, with word of users."""
    lane = "." * 200 + "x" * 1200 + "." * 2600
    shares = (500 * weight // 100, 500 - 500 * weight // 100)
    ok, out = (shares[0], 0, shares[1], 0), (shares[0], shares[0], shares[1], shares[1])
    blocks = users(*[ok] * 2, *[out] * 12, *[ok] * 26)
    shown = watch(weight, 50, max_seconds=300)
    records = _merge(ledger(lane, lane, ""), _production(lane))
    second, verdict = _follow(records, blocks, shown)
    assert verdict.action == "advance", verdict.reason
    assert 70 < second < 200


def _dead(seconds: float, lane_seconds: float = 60) -> str:
    """A lane that is well for 10 s, dead for so many, and well again."""
    dead = round(seconds * RATE)
    return "." * 200 + "x" * dead + "." * round(lane_seconds * RATE - 200 - dead)


@pytest.mark.parametrize("later", [0, 1, 2])
def test_a_candidate_that_recovers_just_after_the_stable_slot_stays(later: float) -> None:
    """What both failed is not its fault, and it may take a moment longer to get well."""
    records = ledger(_dead(20 + later, 100), _dead(20, 100))
    second, verdict = _follow(records, [], watch(0, 10, max_seconds=100))
    assert verdict.action == "advance", verdict.reason
    assert second > 30 + later


def test_a_candidate_that_does_not_recover_with_the_stable_slot_goes_back() -> None:
    """Once the stable lane is well again it alone is dead: for so long that it is no spell."""
    records = ledger(_dead(90, 100), _dead(20, 100))
    second, verdict = _follow(records, [], watch(0, 10, max_seconds=100))
    assert (verdict.action, verdict.error) == ("roll_back", "CandidateWorse")
    assert "while stable (blue) answers; 1,020 of 1,220: HTTP 500" in verdict.reason
    assert 60 <= second <= 62


# ---- what is judged -------------------------------------------------------------------------------------


def test_what_failed_before_the_candidate_was_healthy_is_not_judged() -> None:
    """Nor does a wrong version of that time count: its old tasks answered then."""
    cold = ledger("x" * 100 + "v" * 100 + "." * 1200, GOOD)
    shown = watch(0, 10, candidate_since=at(10.01))
    state, verdict = glance(cold, shown=shown)
    assert (verdict.action, verdict.reason) == (
        "advance",
        "candidate (green) fails 0 of 1,100, stable (blue) 0 of 1,100",
    )
    assert (state.evidence <= 1, state.lanes.candidate.kinds.total) == (True, 0)
    assert glance(cold, shown=watch(0, 10))[0].lanes.candidate.kinds.counts == (
        ("HTTP 500", 100),
        ('version "0.0.1"', 100),
    )


@pytest.mark.parametrize("seconds", [4, 30, 64], ids=["at-once", "later", "for-long"])
def test_a_new_probe_finds_a_dead_candidate_as_the_old_one_would(seconds: float) -> None:
    """It counts from 1 again, and what it says is news."""
    settings = SETTINGS.model_copy(update={"clump_seconds": 1.5})
    old = [opened(0), *ledger(GOOD, GOOD)]
    new = [
        record.model_copy(update={"at": at(70 + (record.at - at(0)).total_seconds())})
        for record in ledger("x" * RATE * 4, "." * RATE * 4)
    ]
    state, _ = glance(old, seconds=70, shown=watch(0, 10, max_seconds=600))
    for records in ([opened(70), *new], [*old, opened(70), *new]):
        shown = watch(0, 10, max_seconds=600)
        _, verdict = glance(records, seconds=75, state=state, shown=shown, gate=settings)
        assert (verdict.action, verdict.error) == ("roll_back", "CandidateWorse")
        assert "in a row" in verdict.reason


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"version": None}, id="no-version-is-a-wrong-one"),
        pytest.param({"status": None, "version": None, "error": "timeout"}, id="no-answer"),
        pytest.param({"status": 301}, id="not-2xx"),
    ],
)
def test_other_failures_of_the_candidate(answer: dict[str, object]) -> None:
    """Each of them is one."""
    records = [
        record.model_copy(update=answer) if getattr(record, "lane", "") == "green" else record
        for record in ledger("." * 61, "." * 61)
    ]
    assert glance(records, seconds=4)[1].cause == "dead"


def test_a_bad_candidate_is_told_first() -> None:
    """Both slots are gone: the candidate is why."""
    assert glance([lane_event("paused", "blue"), lane_event("paused")])[1].error == "CandidateWorse"


# ---- what a spec promises -------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("offset", [0, 1, 2.5, 4.9])
@pytest.mark.parametrize("seconds", [PROOF_SECONDS, 60, 300])
def test_a_spec_that_is_accepted_leaves_room_for_the_probes_proof(
    margin: float, offset: float, seconds: float
) -> None:
    """With the fewest answers, and in the shortest time, wherever in a block the stage begins."""
    rate = PROOF_ANSWERS / margin / seconds
    count = round(rate * (offset + seconds))
    records = ledger("." * count, "." * count, rate=rate)
    gate = SETTINGS.model_copy(update={"probe_margin": margin, "clump_seconds": 3})
    shown = watch(0, 10, began=offset, max_seconds=seconds)
    _, verdict = _follow(records, [], shown, gate)
    assert verdict.action == "advance", verdict.reason


@pytest.mark.parametrize("ends", [15, 60, 100], ids=["short", "a-minute", "longer"])
def test_an_outage_at_weight_100_is_shared_though_blue_has_no_users(ends: int) -> None:
    """The probe's blue lane fails as well, so the candidate's users are no reason to go back."""
    lane = "." * 200 + "x" * (ends * RATE) + "." * 4000
    met = [(500, 500 if 10 <= 5 * block < 10 + ends else 0, 0, 0) for block in range(60)]
    shown = watch(100, None, max_seconds=280)
    second, verdict = _follow(ledger(lane, lane), users(*met), shown)
    assert verdict.action == "advance", verdict.reason
    assert second > ends


def test_users_who_fail_at_weight_100_while_blue_is_well_go_back() -> None:
    """Then nothing says that the outage is shared."""
    met = [(500, 200 if block > 20 else 0, 0, 0) for block in range(60)]
    shown = watch(100, None, max_seconds=280)._replace(stage=stage(100, 250, 280))
    lane = "." * 5000
    second, verdict = _follow(ledger(lane, lane), users(*met), shown)
    assert verdict.error == "CandidateWorse"
    assert "stable (blue) has none to compare with" in verdict.reason
    assert 105 < second < 160
