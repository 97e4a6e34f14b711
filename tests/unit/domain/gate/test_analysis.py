"""One look of the gate: what it decides, and on what."""

from datetime import timedelta

import pytest

from crossfade.domain.gate.blocks.block import Block
from crossfade.domain.ledger import Opened, Record, Request
from crossfade.domain.spec.gate import GateSettings
from tests.unit.domain.gate.watching import SETTINGS, glance, ledger, users, watch
from tests.unit.examples import at, lane_event, request

GOOD = "." * 1400
"""70 s at 20 requests a second; ``LONG``: 120 s."""
LONG = "." * 2400


def _verdict(*args: object, **kwargs: object) -> tuple[str, str]:
    verdict = glance(*args, **kwargs)[1]  # type: ignore[arg-type]
    return verdict.action, verdict.reason


HEALTHY = users(*[(500, 0, 4500, 4)] * 14)


def test_a_healthy_candidate_goes_on() -> None:
    """With the probe's and the users' proof, after the minimum time."""
    assert _verdict(ledger(GOOD, GOOD), HEALTHY) == (
        "advance",
        "candidate (green) fails 0 of 1,399, stable (blue) 0 of 1,399; users: candidate (green) "
        "fails 0 of 7,000, stable (blue) 56 of 63,000",
    )


def test_never_before_the_minimum_time() -> None:
    """Going on says that the excess is small now; a stage has a minimum for what comes later."""
    shown = watch(max_seconds=120)._replace(began=at(0))
    assert _verdict(ledger(GOOD, GOOD), HEALTHY, seconds=9, shown=shown) == (
        "hold",
        "no problem; the stage lasts 10 s at least",
    )


def test_a_worse_candidate_goes_back() -> None:
    """At weight 0 there is time to be sure; the reason counts what the evidence rests on."""
    records, shown = ledger(("." * 9 + "x") * 400, "." * 4000), watch(0, 10, max_seconds=600)
    assert _verdict(records[:2400], seconds=40, shown=shown)[0] == "hold"
    state, verdict = glance(records, seconds=200, shown=shown)
    assert (verdict.action, verdict.error) == ("roll_back", "CandidateWorse")
    assert verdict.reason.startswith(
        "candidate (green) fails 399 of 3,999, stable (blue) 0 of 3,999 (evidence 1 :"
    )
    assert verdict.reason.endswith(
        "400 of 4,000: HTTP 500, expected 200. The application failed: read its log"
    )
    assert state.evidence >= 1000


def test_users_alone_can_tell() -> None:
    """A version that answers well on the probe's path and fails real users."""
    blocks = users(*[(50, 2, 450, 0)] * 9)
    action, reason = _verdict(ledger("." * 1000, "." * 1000), blocks, seconds=50)
    assert (action, reason[:87]) == (
        "roll_back",
        "candidate (green) fails 18 of 450, stable (blue) 0 of 4,050 of the users' requests (evi",
    )


def test_a_slower_candidate_goes_back() -> None:
    """Three times as slow, and never failing."""
    slow = [record.model_copy(update={"ms": 9.0}) for record in ledger("." * 2000)]
    records = sorted([*slow, *ledger("", "." * 2000)], key=lambda record: record.at)
    assert _verdict(records[:2000], seconds=50)[0] == "hold"
    action, reason = _verdict(records, seconds=100)
    assert action == "roll_back"
    assert reason.startswith("candidate (green) takes more than 3.")


@pytest.mark.parametrize(
    ("green", "blue", "action"),
    [
        pytest.param("x" * 61, "." * 61, "step_back", id="three-seconds-of-failures"),
        pytest.param("x" * 60, "." * 60, "hold", id="not-yet-three-seconds"),
        pytest.param("x" * 60 + ".", "." * 61, "hold", id="one-right-answer-ends-a-run"),
        pytest.param("v" * 61, "." * 61, "step_back", id="a-wrong-version-is-a-failure"),
        pytest.param("x" * 61, "x" * 61, "hold", id="a-shared-outage"),
        pytest.param("x" * 70, "." * 58 + "x" * 12, "hold", id="the-stable-side-follows"),
        pytest.param("x" * 61, "", "hold", id="the-stable-lane-is-silent"),
    ],
)
def test_fail_fast(green: str, blue: str, action: str) -> None:
    """No client is left on a candidate that seems dead; when both seem so, it is not the candidate."""
    assert _verdict(ledger(green, blue), seconds=4)[0] == action


def test_fail_fast_says_what_it_saw() -> None:
    """The wrong version is named."""
    assert _verdict(ledger("v" * 61, "." * 61), seconds=4)[1] == (
        "candidate (green) failed the last 61 requests in a row, for 3.0 s, while stable (blue) answers; "
        '61 of 61: version "0.0.1", expected "0.0.2". What the application answers must be what '
        "version.expect makes of the image's tag; look also at whether another service answers at that "
        "address"
    )


def test_suspicion_holds() -> None:
    """Evidence that is not enough to go back on is enough not to go on."""
    blocks = users((50, 1, 450, 0), (50, 2, 450, 0), (50, 1, 450, 0))
    state, verdict = glance(ledger("." * 1000, "." * 1000), blocks, seconds=52)
    assert SETTINGS.suspicion < state.evidence < 5 * SETTINGS.suspicion
    assert verdict.action == "hold"
    assert verdict.reason.startswith(
        "candidate (green) fails 4 of 150, stable (blue) 0 of 1,350 of the users' requests (evidence 1 : "
    )


def test_a_shared_sickness_holds() -> None:
    """Both fail 30 %: not the candidate's fault, and no moment to go on."""
    sick = "..x..x.x.." * 80
    assert _verdict(ledger(sick, sick), HEALTHY, seconds=50) == (
        "hold",
        "candidate (green) fails more than 5% of its requests; stable (blue) may be failing too "
        "(a shared outage?); 240 of 800: HTTP 500, expected 200. The application failed: read its log",
    )


def test_sick_with_nothing_to_compare() -> None:
    """At weight 100 no user meets the stable side any more: the failure limit remains."""
    blocks = users(*[(500, 100, 0, 0)] * 8)
    shown = watch(100, None)
    assert _verdict(ledger(GOOD, GOOD), blocks, shown=shown)[1].startswith(
        "candidate (green) fails more than 5% of the users' requests, and stable (blue) has none to "
        "compare with (evidence "
    )


@pytest.mark.parametrize(
    ("lanes", "rate", "blocks", "action", "reason"),
    [
        pytest.param(
            ("", "", ""),
            20,
            HEALTHY,
            "roll_back",
            "after 120 s at weight 10: probe evidence missing: "
            "no answer from candidate (green), stable (blue) and production for 120 s",
            id="the-probe-is-silent",
        ),
        pytest.param(
            (LONG, ""),
            20,
            HEALTHY,
            "roll_back",
            "after 120 s at weight 10: probe evidence missing: no answer from stable (blue) for 120 s",
            id="the-stable-lane-is-silent",
        ),
        pytest.param(
            (GOOD[:150], GOOD[:150]),
            1.25,
            HEALTHY,
            "roll_back",
            "after 120 s at weight 10: probe evidence insufficient: candidate (green) fails 0 of "
            "149, stable (blue) 0 of 149 "
            "(evidence to advance 1 : 2, needs 1 : 20)",
            id="the-probe-says-too-little",
        ),
        pytest.param(
            (LONG, LONG),
            20,
            [],
            "roll_back",
            "after 120 s at weight 10: user evidence missing: no outcomes of the candidate's users in "
            "its outcome feed",
            id="the-feed-is-silent",
        ),
        pytest.param(
            (LONG, LONG),
            20,
            users(*[(1, 0, 9, 0)] * 13, began=50),
            "advance",
            "candidate (green) fails 0 of 2,399, stable (blue) 0 of 2,399; users: candidate (green) "
            "fails 0 of 13, stable (blue) 0 of 117; "
            "user evidence insufficient: candidate (green) fails 0 of 13, stable (blue) 0 of 117 in 65 s "
            "(evidence to advance 1 : 1, needs 1 : 20)",
            id="little-traffic-goes-on",
        ),
        pytest.param(
            (LONG, LONG),
            20,
            users(*[(0, 0, 0, 0)] * 13, began=50),
            "advance",
            "candidate (green) fails 0 of 2,399, stable (blue) 0 of 2,399; "
            "user evidence insufficient: candidate (green) fails 0 of 0, stable (blue) 0 of 0 in 65 s "
            "(evidence to advance 1 : 1, needs 1 : 20)",
            id="no-traffic-but-a-feed-that-says-so",
        ),
        pytest.param(
            (LONG, LONG),
            20,
            users(*[(1, 0, 9, 0)] * 11, began=60),
            "roll_back",
            "after 120 s at weight 10: user evidence insufficient: candidate (green) fails 0 of 11, "
            "stable (blue) 0 of 99 in 55 s "
            "(evidence to advance 1 : 1, needs 1 : 20)",
            id="less-than-a-minute-of-it",
        ),
    ],
)
def test_missing_evidence(
    lanes: tuple[str, ...], rate: float, blocks: list[Block], action: str, reason: str
) -> None:
    """It holds until the deadline; then it goes on or back, and says which evidence was missing."""
    records = ledger(*lanes, rate=rate)
    assert _verdict(records, blocks, seconds=119.9)[0] == "hold"
    assert _verdict(records, blocks, seconds=120) == (action, reason)


def test_few_users_are_not_waited_for_as_long_as_the_probe() -> None:
    """After ``users_seconds`` a stage goes on without their proof, long before its deadline."""
    gate = SETTINGS.model_copy(update={"users_seconds": 90})
    records, blocks = ledger(LONG, LONG), users(*[(1, 0, 9, 0)] * 13, began=25)
    assert _verdict(records, blocks, seconds=89.9, gate=gate)[0] == "hold"
    assert _verdict(records, blocks, seconds=90, gate=gate)[0] == "advance"
    assert _verdict(records, blocks[:11], seconds=90, gate=gate)[0] == "hold"


def test_who_waits_longer_for_few_users_waits_once() -> None:
    """Two requests a second are few, however long the most even stage is to wait for them."""
    gate = SETTINGS.model_copy(update={"users_seconds": 600})
    records, blocks = ledger(LONG, LONG), users(*[(1, 0, 9, 0)] * 13, began=25)
    shown = {weight: watch(weight, weights=(0, 10, 50, 100), max_seconds=900) for weight in (10, 50)}
    assert _verdict(records, blocks, seconds=90, gate=gate, shown=shown[10])[0] == "advance"
    assert _verdict(records, blocks, seconds=90, gate=gate, shown=shown[50])[0] == "hold"


@pytest.mark.parametrize(
    ("weight", "next_weight"),
    [pytest.param(0, 2, id="nobody-yet"), pytest.param(100, None, id="nobody-else")],
)
def test_where_users_cannot_be_compared(weight: int, next_weight: int | None) -> None:
    """Only the probe's proof is asked for."""
    shown = watch(weight, next_weight)
    assert _verdict(ledger(GOOD, GOOD), shown=shown)[0] == "advance"


def test_the_first_deployment_is_measured_by_itself() -> None:
    """There is no stable slot; the candidate must prove less than 1 % of failures."""
    shown = watch(100, None, previous=None)
    assert _verdict(ledger(GOOD), shown=shown) == ("advance", "candidate (green) fails 0 of 1,399")
    assert _verdict(ledger(".x" * 300), shown=shown)[0] == "roll_back"
    assert _verdict(ledger("x" * 61), shown=shown, seconds=4)[0] == "roll_back"


def test_targets_that_are_gone() -> None:
    """A candidate without targets goes back. Of a stable side without them nothing is known yet."""
    assert _verdict([lane_event("paused")])[1] == "candidate (green) has no target left"
    assert glance([lane_event("paused", "blue")])[1].action == "hold"
    assert glance([lane_event("paused", "blue")], shown=watch(100, None))[1].action == "hold"
    assert glance([lane_event("paused"), lane_event("resumed", seconds=1)])[1].action == "hold"


def test_the_warm_up_is_left_out() -> None:
    """A cold cache is truly worse, by no fault: the first seconds of the candidate's life do not count."""
    cold = ledger("x.." * 67, "." * 201)
    assert glance(cold, gate=GateSettings(warm_up_seconds=10))[0].evidence == 1
    assert glance(cold)[0].evidence > 1.1


def test_going_on_is_proven_anew_in_each_stage() -> None:
    """Evidence to go back is kept, evidence to go on is not."""
    state, _ = glance(ledger(GOOD, GOOD), HEALTHY)
    after, verdict = glance([], state=state, shown=watch(50, 90, began=80), seconds=120)
    assert verdict.action == "hold"
    assert after.probe.proof.evidence == after.users.proof.evidence == 1
    assert after.evidence == state.evidence


def test_a_new_probe_counts_from_one() -> None:
    """Its ledger begins with an opened record; the old one's records may come once more."""
    old, again = ledger("." * 300, "." * 300), ledger("." * 300, "." * 300)
    new: list[Record] = [_opened(20), *[_later(record, 20) for record in again]]
    state, _ = glance([*old, *new])
    assert state.probe.failing.rate.requests + state.lanes.stable.open.requests == 2 * 300
    assert state == glance([*old, *new], state=state)[0]


def _opened(seconds: float) -> Record:
    return Opened(type="opened", deployment="d1", at=at(seconds), lanes=("blue", "green"))


def _later(record: Record, seconds: float) -> Record:
    return record.model_copy(update={"at": record.at + timedelta(seconds=seconds)})


def test_a_late_answer_is_counted_with_the_next() -> None:
    """A request that took five seconds is written when others of a later block are there already."""
    records = [*ledger("." * 40, "." * 140)]
    late = request("green", 41, 1.9, status=None, version=None, error="no answer within 5 s", ms=5000.0)
    state, _ = glance([*records, late, request("green", 42, 10.5), request("blue", 141, 10.5)])
    assert state.probe.failing.rate.requests == 140
    assert state.probe.proof.counts.x_c == 1


def test_before_users_come_the_stable_side_is_learned() -> None:
    """At weight 0 its users tell its rate; they are not kept to be compared with later ones."""
    state, _ = glance([], users(*[(0, 0, 500, 5)] * 10), shown=watch(0, 2))
    assert state.users.failing.rate == (5000, 50)
    assert not any(state.users.failing.pending)
    assert state.evidence == 1


def test_the_last_outcomes_of_a_stage_are_compared_in_the_next() -> None:
    """They come late; what both sides met before all the traffic went to one of them still counts."""
    shown = watch(100, None, began=30)
    state, _ = glance([], users(*[(450, 60, 50, 0)] * 6), seconds=35, shown=shown)
    assert state.users.failing.counts == (2700, 360, 300, 0)


NAMELESS = {"expected": "", "previous": ""}


def _without_versions(records: list[Record]) -> list[Record]:
    """The same answers, of an application that says no version."""
    return [
        record.model_copy(update={"version": None}) if isinstance(record, Request) else record
        for record in records
    ]


@pytest.mark.parametrize(
    ("green", "seconds", "action"),
    [(GOOD, 80, "advance"), (("." * 9 + "x") * 60, 30, "step_back")],
    ids=["good", "bad"],
)
def test_without_a_version_the_status_decides(green: str, seconds: float, action: str) -> None:
    """On the slots' lanes the rule says who answers; an answer of production may be anybody's."""
    records = _without_versions(ledger(green, "." * len(green)))
    state, verdict = glance(records, HEALTHY, seconds=seconds, shown=watch(**NAMELESS))
    assert verdict.action == action
    assert not state.lanes.wrong
    assert watch(**NAMELESS).versions == {}


def test_what_is_not_an_expected_status_is_said_so() -> None:
    """By the name that the spec gives it."""
    records = [
        record.model_copy(update={"accepted": record.lane != "green"})
        if isinstance(record, Request)
        else record
        for record in ledger("." * 61, "." * 61)
    ]
    _, verdict = glance(records, seconds=4, shown=watch(good_status="204"))
    assert "61 of 61: HTTP 200, expected 204. version.path must answer with" in verdict.reason


def test_a_version_from_outside_cannot_forge_a_cause() -> None:
    """What is not seen is written out, and one that changes with each answer is cut off somewhere."""
    odd = [
        record.model_copy(update={"version": f"0.1.{record.n}\n\x1b[31m" + "x" * 999})
        for record in ledger("v" * 80, "." * 80)
        if isinstance(record, Request) and record.lane == "green"
    ]
    good = [record for record in ledger("v" * 80, "." * 80) if record not in odd and record.lane == "blue"]
    _, verdict = glance(sorted([*odd, *good], key=lambda record: record.at))
    assert verdict.action == "step_back"
    assert verdict.reason.isprintable()
    assert "0.1.1\\n\\x1b[31m" in verdict.reason
    assert len(verdict.reason) < 1000
