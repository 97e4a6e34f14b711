"""The stable slot serves nothing: what that is, how the candidate is judged, and what comes of it."""

from typing import Any

import pytest

from crossfade.domain.gate.evidence.comparison import Comparison, Proof
from crossfade.domain.gate.evidence.spells import Law
from crossfade.domain.gate.past import Caution
from crossfade.domain.gate.state import GateState
from crossfade.domain.ledger import Record, Request, Unanswered
from crossfade.domain.rollout.alarms import Alarm, with_alarms
from crossfade.domain.slots import Slot
from crossfade.domain.verdict import EMERGENCY, Verdict
from tests.unit.domain.gate.watching import glance, watch
from tests.unit.examples import at, lane_event, opened, request

WELL = "." * 800
"""40 s at 20 requests a second."""
DEAD = "x" * 800
FIRST_STAGE = watch(0, 10)


def _lane(lane: Slot, marks: str, **failed: Any) -> list[Record]:
    """One lane's answers at 20 a second; those marked ``x`` are as ``failed`` says."""
    answer: dict[str, Any] = {"status": 502, "version": None, "note": "by the load balancer"} | failed
    return [
        request(lane, n, n / 20, **(answer if mark == "x" else {"version": "0.0.2"}))
        for n, mark in enumerate(marks, 1)
    ]


def _unanswered(*seconds: float, lane: Slot = "blue", **met: Any) -> list[Record]:
    values: dict[str, Any] = {"status": 503, "version": None, "error": None, "note": "by the load balancer"}
    return [
        Unanswered(type="unanswered", lane=lane, at=at(second), asked=round(second) + 1, **values | met)
        for second in seconds
    ]


TOLD = _unanswered(0, 5, 10, 15, 20, 25, 30, 35)


def _merged(*lanes: list[Record]) -> list[Record]:
    known = [record for lane in lanes for record in lane]
    return sorted(known, key=lambda record: getattr(record, "at", at(0)))


def _emergency(records: list[Record], *, seconds: float = 40, **kwargs: Any) -> bool:
    return glance(records, seconds=seconds, **kwargs)[1].emergency


# ---- what it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blue", "found"),
    [
        pytest.param(_lane("blue", DEAD), True, id="502-each-time"),
        pytest.param(_lane("blue", DEAD, status=500), True, id="the-application-fails-each-time"),
        pytest.param(_lane("blue", DEAD, status=None, error="no answer within 5 s"), True, id="it-hangs"),
        pytest.param([lane_event("paused", "blue"), *TOLD], True, id="no-target-is-left"),
        pytest.param(_unanswered(0, 5, 10, 15, 20, 25, 30, 35), True, id="nobody-was-ever-there"),
        pytest.param(_lane("blue", "x" * 799 + "."), False, id="one-answer-ends-it"),
        pytest.param(_lane("blue", ("x" * 9 + ".") * 80), False, id="it-serves-some"),
        pytest.param(_lane("blue", "." * 760 + "x" * 40), False, id="two-seconds-are-a-blip"),
        pytest.param(_lane("blue", DEAD, status=404), False, id="a-path-that-is-not-there-is-an-answer"),
        pytest.param(_lane("blue", DEAD, status=403), False, id="a-login-is-an-answer"),
        pytest.param(_unanswered(0, 5, 10, 35, status=403), False, id="the-load-balancers-own-too"),
        pytest.param(_lane("blue", DEAD[:300]), False, id="what-is-not-heard-any-more-may-serve"),
        pytest.param([], False, id="silence-is-nothing"),
        pytest.param(
            [lane_event("paused", "blue"), *TOLD[:6], lane_event("resumed", "blue", 30)],
            False,
            id="it-is-back",
        ),
        pytest.param([lane_event("paused", "blue"), *TOLD, opened(39)], False, id="a-new-probe-says-anew"),
    ],
)
def test_what_serves_nothing(blue: list[Record], found: bool) -> None:
    """Nobody is answered there, for as long and as often as of a candidate that is dead."""
    assert _emergency(_merged(_lane("green", WELL), blue)) is found


@pytest.mark.parametrize(
    "green",
    [
        pytest.param("x" * 800, id="it-fails-as-well"),
        pytest.param("." * 790 + "x" * 10, id="it-has-begun-to-fail"),
        pytest.param("." * 400, id="it-is-silent"),
        pytest.param("", id="it-was-never-heard"),
    ],
)
def test_an_outage_of_both_is_none(green: str) -> None:
    """The candidate must answer meanwhile: else nothing says that it would serve anybody."""
    assert not _emergency(_merged(_lane("green", green), _lane("blue", DEAD)))


def test_a_candidate_that_recovers_first_answers_for_a_while_before_it_counts() -> None:
    """The stable slot may take a moment longer: only what it fails from then on is its own fault alone."""
    green = _lane("green", "x" * 400 + "." * 400)
    records = _merged(green, _lane("blue", DEAD))
    assert not _emergency([record for record in records if record.at <= at(22)], seconds=22)
    assert _emergency([record for record in records if record.at <= at(25)], seconds=25)


def test_a_first_release_has_no_stable_slot() -> None:
    """It is judged by itself anyway, and no reason tells of a slot that there is not."""
    assert not _emergency(
        _merged(_lane("green", WELL), _lane("blue", DEAD)), shown=watch(100, None, previous=None)
    )


# ---- how the candidate is judged ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blue", "met"),
    [
        (_lane("blue", DEAD), "stable (blue) failed the last 800 requests in a row, for 40.0 s"),
        ([lane_event("paused", "blue"), *TOLD], "stable (blue) has no target left"),
        (
            _unanswered(0, 5, 35),
            "stable (blue) does not answer, 36 of 36 requests: HTTP 503 by the load balancer",
        ),
    ],
    ids=["fails", "gone", "was-never-there"],
)
def test_before_it_has_clients_it_is_verified_by_itself(blue: list[Record], met: str) -> None:
    """The minimum time and the proof are those of a first release; production, which fails, is not asked."""
    records = _merged(_lane("green", WELL), blue)
    assert glance(records, seconds=40, shown=FIRST_STAGE)[1] == Verdict(
        action="advance", reason=f"{EMERGENCY} ({met}); candidate (green) fails 0 of 799", emergency=True
    )


def test_a_proof_that_is_not_there_yet_is_waited_for() -> None:
    """At weight 0: no client is sent to what nothing speaks for."""
    records = _merged(_lane("green", WELL[:150]), _lane("blue", DEAD[:150]))
    verdict = glance(records, seconds=7.5, shown=FIRST_STAGE)[1]
    assert (verdict.action, verdict.emergency) == ("hold", True)
    assert "; probe evidence insufficient: candidate (green) fails 0 of " in verdict.reason
    late = glance(records, seconds=8, shown=FIRST_STAGE._replace(deadline=at(8)))[1]
    assert (late.action, late.error) == ("roll_back", "EvidenceMissing")
    assert late.reason.startswith(EMERGENCY)


@pytest.mark.parametrize("weight", [1, 10, 50, 99])
def test_with_clients_on_it_the_candidate_takes_all_of_them_at_once(weight: int) -> None:
    """It was verified before: neither the minimum time nor a new proof is waited for, nor any user's word."""
    records = _merged(_lane("green", WELL[:80]), _lane("blue", DEAD[:80]))
    verdict = glance(records, seconds=4, shown=watch(weight, 100))[1]
    assert (verdict.action, verdict.emergency) == ("advance", True)


@pytest.mark.parametrize(
    ("weight", "action", "error"),
    [
        pytest.param(0, "roll_back", "CandidateWorse", id="as-in-a-first-release"),
        pytest.param(50, "hold", None, id="it-serves-more-than-the-other-one"),
        pytest.param(100, "hold", None, id="there-is-nothing-better-to-go-back-to"),
    ],
)
def test_a_candidate_that_fails_too_much(weight: int, action: str, error: str | None) -> None:
    """By itself it is bad. With clients on it, it is still the better side."""
    records = _merged(_lane("green", ("x" + "." * 9) * 80), _lane("blue", DEAD))
    verdict = glance(records, seconds=40, shown=watch(weight, 100))[1]
    assert (verdict.action, verdict.error, verdict.emergency) == (action, error, True)
    assert "candidate (green) fails more than 5%" in verdict.reason


@pytest.mark.parametrize(("weight", "error"), [(0, "CandidateWorse"), (10, "EvidenceMissing")])
def test_what_fails_until_the_deadline_is_refused_before_it_has_clients(weight: int, error: str) -> None:
    """Both slots may share an outage; still no rollback may send the clients to what never answered well."""
    records = _merged(_lane("green", DEAD), _lane("blue", DEAD))
    verdict = glance(records, seconds=40, shown=watch(weight, 100)._replace(deadline=at(40)))[1]
    assert (verdict.action, verdict.error, verdict.emergency) == ("roll_back", error, False)
    assert "stable (blue) may be failing too (a shared outage?)" in verdict.reason


def test_a_split_with_one_side_gone_and_the_other_sick_is_ended() -> None:
    """Its targets decide who gets all of it: half of the clients are sent to nobody."""
    records = _merged(_lane("green", ("x" + "." * 2) * 240), [lane_event("paused", "blue")])
    verdict = glance(records, seconds=36, shown=watch(50, 100))[1]
    assert (verdict.action, verdict.error) == ("roll_back", "TargetsBelowFloor")
    assert (
        "stable (blue) has no target left for its 50 % of the traffic, and candidate (green) fails "
        "more than 5%" in verdict.reason
    )


def test_at_the_last_weight_production_must_be_well() -> None:
    """Nothing that cannot come is waited for; that clients are served can."""
    slots = _lane("green", WELL), _lane("blue", DEAD)
    shown = watch(100, None)
    assert glance(_merged(*slots), seconds=40, shown=shown)[1].action == "hold"
    production = [request("production", n, n / 20, version="0.0.2") for n in range(1, 800)]
    verdict = glance(_merged(*slots, production), seconds=40, shown=shown)[1]
    assert (verdict.action, verdict.emergency) == ("advance", True)


def test_an_alarm_that_rises_meanwhile_is_told() -> None:
    """It tells of the outage; to go back would be to go back to that."""
    verdict = Verdict(action="advance", reason="all well", emergency=True)
    alarm = Alarm(name="errors", state="ALARM", since=at(5))
    told = with_alarms(
        verdict,
        ["errors"],
        {"errors": alarm},
        began=at(0),
        watch=watch(),
        caution=Caution(),
        clump_seconds=15,
        now=at(40),
    )
    assert told == Verdict(action="advance", reason="all well; errors is in ALARM", emergency=True)


# ---- when it comes and goes -----------------------------------------------------------------------------


def test_a_stable_slot_that_comes_back_is_compared_with_again() -> None:
    """What it failed meanwhile is nothing to expect of it later: it bought no room for a worse candidate."""
    blue = _lane("blue", "." * 400 + "x" * 1200 + "." * 400)
    green = _lane("green", "." * 2000)
    state, verdict = glance(_merged(green, blue, _production(2000)), seconds=100, shown=FIRST_STAGE)
    assert (verdict.action, verdict.emergency) == ("advance", False)
    assert state.probe.failing.rate.guess < 0.2
    calm, _ = glance(_merged(green, _lane("blue", DEAD * 2 + WELL[:400])), seconds=100, shown=FIRST_STAGE)
    assert calm.probe.failing.rate.failures < 200


def _production(count: int) -> list[Record]:
    return [request("production", n, n / 20, version="0.0.1") for n in range(1, count)]


def test_which_blocks_compare_is_known_before_they_begin() -> None:
    """The first ones of an outage compare, and the first one after it does not: no block chose itself."""
    blue = _lane("blue", "." * 400 + "x" * 1200 + "." * 400)
    state, _ = glance(_merged(_lane("green", "." * 2000), blue), seconds=100, shown=FIRST_STAGE)
    # It was dead from 20 to 80 s: the blocks from 25 on are alone, and so is the one that begins at 80.
    # The one from 20 on is a spell of the stable side: it compares, and is no part of the usual rate.
    assert state.probe.spells.blocks == 5 + 3
    assert state.probe.failing.rate.requests == 499 - 100 + 300


def test_a_failure_is_no_quick_answer() -> None:
    """Half of the stable slot's tasks fail in a millisecond; the others take as long as the candidate."""
    half = [
        record.model_copy(update={"ms": 1.0 if record.status == 502 else 20.0})
        for record in _lane("blue", "x." * 400)
        if isinstance(record, Request)
    ]
    green = [record.model_copy(update={"ms": 20.0}) for record in _lane("green", WELL)]
    state, verdict = glance(_merged(green, list(half)), seconds=40, shown=FIRST_STAGE)
    assert verdict.error is None, verdict.reason
    assert state.evidence <= 1


def test_a_proof_may_be_of_both_kinds() -> None:
    """Capital is dealt out anew when other bets are made, and none is made of that."""
    counts = glance(_merged(_lane("green", WELL), _lane("blue", WELL)), seconds=40)[0].probe.proof.counts
    law = Law(at=0, seconds=5, clump=15, excess=0, cap=2.5, first=2.5)
    compared = Proof().after(counts, Comparison(), law, margin=0.01)
    both = compared.alone(counts, margin=0.01, cap=2.5)
    assert both.counts == counts.plus(counts)
    assert compared.evidence < both.evidence <= compared.evidence * 2.72**2.5


@pytest.mark.parametrize("cut", [70, 71, 113, 500])
def test_splits_do_not_matter(cut: int) -> None:
    """Also while it begins, lasts and ends."""
    blue = _lane("blue", "." * 100 + "x" * 300 + "." * 400)
    records = _merged(
        _lane("green", WELL), blue, [lane_event("paused", "blue", 6), lane_event("resumed", "blue", 9)]
    )
    whole = glance(records, seconds=40, shown=FIRST_STAGE)
    state, _ = glance(records[:cut], seconds=40, shown=FIRST_STAGE)
    assert glance(records[cut:], seconds=40, state=state, shown=FIRST_STAGE) == whole
    assert GateState.model_validate_json(whole[0].model_dump_json()) == whole[0]


# ---- a candidate that a new probe does not find any more -------------------------------------------------


def _restarted(stable: str, *, heard: str = "." * 400) -> list[Record]:
    """The probe has died after 20 s, and a new one finds nobody in green; the marks are of blue then."""
    before = _merged(_lane("green", heard), _lane("blue", "." * 400))
    blue = [
        request("blue", n, 21 + n / 20, status=200 if mark == "." else 502, version="0.0.1")
        for n, mark in enumerate(stable, 1)
    ]
    return [*before, opened(20.5), *_merged(_unanswered(21, 26, 31, lane="green"), blue)]


def test_a_candidate_that_a_new_probe_does_not_find_goes_back() -> None:
    """It has answered the one before; its clients meet nobody."""
    verdict = glance(_restarted("." * 200), seconds=31)[1]
    assert (verdict.action, verdict.error) == ("roll_back", "CandidateWorse")
    assert verdict.reason.startswith("candidate (green) does not answer any more, 32 of 32 requests: ")


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(_restarted("." * 30), id="for-a-moment"),
        pytest.param(_restarted("x" * 200), id="blue-does-not-answer-either"),
        pytest.param(_restarted(""), id="nothing-is-heard-of-blue"),
        pytest.param(_restarted("." * 200, heard=""), id="it-has-never-answered"),
    ],
)
def test_what_else_a_new_probe_may_meet(records: list[Record]) -> None:
    """It may be the probe's own trouble, or that of both."""
    assert glance(records, seconds=31)[1].error != "CandidateWorse"
