"""One look of the gate: what it decides, on what, and that it does not matter how it was shown the data."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.domain.gate.blocks import Block
from crossfade.domain.gate.look import look
from crossfade.domain.gate.settings import GateSettings
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.records import Record
from crossfade.domain.verdict import Verdict
from tests.unit.domain.gate.watching import SETTINGS, ledger, users, watch
from tests.unit.examples import at, lane_event, request

RANK = {"roll_back": 0, "hold": 1, "advance": 2}
GOOD = "." * 1400
"""70 s at 20 requests a second."""


def _look(
    records: list[Record],
    blocks: list[Block] | None = None,
    *,
    seconds: float = 80,
    state: GateState | None = None,
    shown: Watch | None = None,
    gate: GateSettings = SETTINGS,
) -> tuple[GateState, Verdict]:
    return look(
        state or GateState(),
        records,
        blocks or [],
        settings=gate,
        watch=shown or watch(),
        now=at(seconds),
    )


def _verdict(*args: object, **kwargs: object) -> tuple[str, str]:
    verdict = _look(*args, **kwargs)[1]  # type: ignore[arg-type]
    return verdict.action, verdict.reason


HEALTHY = users(*[(500, 0, 4500, 4)] * 14)


def test_a_healthy_candidate_goes_on() -> None:
    """With the probe's and the users' proof, after the minimum time."""
    assert _verdict(ledger(GOOD, GOOD), HEALTHY) == (
        "advance",
        "green fails 0 of 1,300, blue 0 of 1,300; users: green fails 0 of 7,000, blue 56 of 63,000",
    )


def test_never_before_the_minimum_time() -> None:
    """Going on says that the excess is small now; a stage has a minimum for what comes later."""
    shown = watch(max_seconds=120)._replace(began=at(0))
    assert _verdict(ledger(GOOD, GOOD), HEALTHY, seconds=9, shown=shown) == (
        "hold",
        "all well, watched for 10 s at least",
    )


def test_a_worse_candidate_goes_back() -> None:
    """The reason counts what the evidence rests on."""
    state, verdict = _look(ledger(("." * 9 + "x") * 60, "." * 600), seconds=30)
    assert verdict == Verdict(
        action="roll_back",
        reason="green fails 50 of 500, blue 0 of 500 (evidence 1 : 180,000)",
        error="CandidateWorse",
    )
    assert state.evidence >= 1000


def test_users_alone_can_tell() -> None:
    """A version that answers well on the probe's path and fails real users."""
    blocks = users(*[(50, 5, 450, 0)] * 5)
    action, reason = _verdict(ledger("." * 600, "." * 600), blocks, seconds=30)
    assert (action, reason[:66]) == (
        "roll_back",
        "green fails 25 of 250, blue 0 of 2,250 of the users' requests (evi",
    )


def test_a_slower_candidate_goes_back() -> None:
    """Three times as slow, and never failing."""
    slow = [record.model_copy(update={"ms": 9.0}) for record in ledger("." * 900)]
    records = sorted([*slow, *ledger("", "." * 900)], key=lambda record: record.at)
    action, reason = _verdict(records, seconds=50)
    assert action == "roll_back"
    assert reason.startswith("green takes more than 3.")


@pytest.mark.parametrize(
    ("green", "blue", "action"),
    [
        pytest.param("x" * 61, "." * 61, "roll_back", id="three-seconds-of-failures"),
        pytest.param("x" * 60, "." * 60, "hold", id="not-yet-three-seconds"),
        pytest.param("x" * 60 + ".", "." * 61, "hold", id="one-right-answer-ends-a-run"),
        pytest.param("v" * 61, "." * 61, "roll_back", id="a-wrong-version-is-a-failure"),
        pytest.param("x" * 61, "x" * 61, "hold", id="a-shared-outage"),
        pytest.param("x" * 70, "." * 58 + "x" * 12, "hold", id="the-stable-side-follows"),
        pytest.param("x" * 61, "", "hold", id="the-stable-lane-is-silent"),
    ],
)
def test_fail_fast(green: str, blue: str, action: str) -> None:
    """A candidate that is plainly dead needs no statistics; when both are, it is not the candidate."""
    assert _verdict(ledger(green, blue), seconds=4)[0] == action


def test_fail_fast_says_what_it_saw() -> None:
    """The wrong version is named."""
    assert _verdict(ledger("v" * 61, "." * 61), seconds=4)[1] == (
        "green failed the last 61 requests in a row, for 3.0 s, while blue answers (it answered version 0.0.1)"
    )


def test_suspicion_holds() -> None:
    """Evidence that is not enough to go back on is enough not to go on."""
    state, _ = _look(ledger(GOOD, GOOD), HEALTHY)
    later = users((50, 5, 450, 0), (50, 3, 450, 0), (50, 2, 450, 0), began=70)
    state, verdict = _look([], later, state=state, seconds=90)
    assert state.evidence > SETTINGS.suspicion
    assert verdict.action == "hold"
    assert verdict.reason.startswith(
        "green fails 10 of 150, blue 0 of 1,350 of the users' requests (evidence 1 : "
    )


def test_a_shared_sickness_holds() -> None:
    """Both fail 30 %: not the candidate's fault, and no moment to go on."""
    sick = "..x..x.x.." * 80
    assert _verdict(ledger(sick, sick), HEALTHY, seconds=50) == (
        "hold",
        "green fails more than 5%, blue may be as sick",
    )


def test_sick_with_nothing_to_compare() -> None:
    """At weight 100 no user meets the stable side any more: the absolute guard remains."""
    blocks = users(*[(500, 100, 0, 0)] * 8)
    shown = watch(100, None)
    assert _verdict(ledger(GOOD, GOOD), blocks, shown=shown)[1].startswith(
        "green fails more than 5% of the users' requests, and blue has none to compare with (evidence 1 : "
    )


@pytest.mark.parametrize(
    ("records", "blocks", "action", "reason"),
    [
        pytest.param(
            [],
            HEALTHY,
            "roll_back",
            "after 120 s at weight 10: probe evidence missing: no answers of green and blue compared in this stage",
            id="the-probe-is-silent",
        ),
        pytest.param(
            ledger(GOOD, ""),
            HEALTHY,
            "roll_back",
            "after 120 s at weight 10: probe evidence missing: no answers of green and blue compared in this stage",
            id="the-stable-lane-is-silent",
        ),
        pytest.param(
            ledger(GOOD[:150], GOOD[:150]),
            HEALTHY,
            "roll_back",
            "after 120 s at weight 10: probe evidence insufficient: green fails 0 of 99, blue 0 of 99 "
            "(evidence to go on 1 : 1 of 1 : 20)",
            id="the-probe-says-too-little",
        ),
        pytest.param(
            ledger(GOOD, GOOD),
            [],
            "roll_back",
            "after 120 s at weight 10: user evidence missing: no word of green's users (feed)",
            id="the-feed-is-silent",
        ),
        pytest.param(
            ledger(GOOD, GOOD),
            users(*[(1, 0, 9, 0)] * 13),
            "advance",
            "green fails 0 of 1,300, blue 0 of 1,300; users: green fails 0 of 13, blue 0 of 117; "
            "user evidence insufficient: green fails 0 of 13, blue 0 of 117 in 65 s "
            "(evidence to go on 1 : 1 of 1 : 20)",
            id="little-traffic-goes-on",
        ),
        pytest.param(
            ledger(GOOD, GOOD),
            users(*[(0, 0, 0, 0)] * 13),
            "advance",
            "green fails 0 of 1,300, blue 0 of 1,300; "
            "user evidence insufficient: green fails 0 of 0, blue 0 of 0 in 65 s "
            "(evidence to go on 1 : 1 of 1 : 20)",
            id="no-traffic-but-a-feed-that-says-so",
        ),
        pytest.param(
            ledger(GOOD, GOOD),
            users(*[(1, 0, 9, 0)] * 11),
            "roll_back",
            "after 120 s at weight 10: user evidence insufficient: green fails 0 of 11, blue 0 of 99 in 55 s "
            "(evidence to go on 1 : 1 of 1 : 20)",
            id="less-than-a-minute-of-it",
        ),
    ],
)
def test_missing_evidence(records: list[Record], blocks: list[Block], action: str, reason: str) -> None:
    """It holds until the deadline; then it goes on or back, and says which evidence was missing."""
    assert _verdict(records, blocks, seconds=119.9)[0] == "hold"
    assert _verdict(records, blocks, seconds=120) == (action, reason)


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
    assert _verdict(ledger(GOOD), shown=shown) == ("advance", "green fails 0 of 1,300")
    assert _verdict(ledger(".x" * 300), shown=shown)[0] == "roll_back"
    assert _verdict(ledger("x" * 61), shown=shown, seconds=4)[0] == "roll_back"


def test_targets_that_are_gone() -> None:
    """A candidate without targets, a stable side without targets for its share."""
    assert _verdict([lane_event("paused")])[1] == "green has no target left"
    assert _look([lane_event("paused", "blue")])[1].error == "TargetsBelowFloor"
    assert _look([lane_event("paused", "blue")], shown=watch(100, None))[1].action == "hold"
    assert _look([lane_event("paused"), lane_event("resumed", seconds=1)])[1].action == "hold"


def test_the_warm_up_is_left_out() -> None:
    """A cold cache is truly worse, by no fault: the first seconds of the candidate's life do not count."""
    cold = ledger("x.." * 66, "." * 198)
    assert _look(cold, gate=GateSettings(warm_up_seconds=10))[0].evidence == 1
    assert _look(cold)[0].evidence > 20


def test_going_on_is_proven_anew_in_each_stage() -> None:
    """Evidence to go back is kept, evidence to go on is not."""
    state, _ = _look(ledger(GOOD, GOOD), HEALTHY)
    after, verdict = _look([], state=state, shown=watch(50, 90, began=80), seconds=120)
    assert verdict.action == "hold"
    assert after.probe.proof.evidence == after.users.proof.evidence == 1
    assert after.evidence == state.evidence


def test_a_new_probe_counts_from_one() -> None:
    """Its ledger begins with an opened record; the old one's records may come once more."""
    old, again = ledger("." * 300, "." * 300), ledger("." * 300, "." * 300)
    new: list[Record] = [_opened(20), *[_later(record, 20) for record in again]]
    state, _ = _look([*old, *new])
    assert state.probe.failing.rate.requests == 2 * 300 - 2
    assert state == _look([*old, *new], state=state)[0]


def _opened(seconds: float) -> Record:
    from crossfade.domain.records import Opened

    return Opened(type="opened", deployment="d1", at=at(seconds), lanes=("blue", "green"))


def _later(record: Record, seconds: float) -> Record:
    from datetime import timedelta

    return record.model_copy(update={"at": record.at + timedelta(seconds=seconds)})


marks = st.text(alphabet="....xv", max_size=300)
counts = st.tuples(st.integers(0, 60), st.integers(0, 9), st.integers(0, 400), st.integers(0, 9)).map(
    lambda found: (found[0], min(found[:2]), found[2], min(found[2:]))
)
traffic = st.lists(counts, max_size=12).map(lambda found: users(*found))


@given(marks, marks, traffic, st.lists(st.tuples(st.integers(0, 600), st.integers(0, 12)), max_size=5))
@settings(max_examples=60)
def test_splits_do_not_matter(
    green: str, blue: str, blocks: list[Block], cuts: list[tuple[int, int]]
) -> None:
    """Law: the same data in any split over looks end in the same state and verdict."""
    records = ledger(green, blue, rate=7)
    whole = _look(records, blocks)
    state, first, second = GateState(), 0, 0
    for record_cut, block_cut in [*sorted(cuts), (len(records), len(blocks))]:
        state, verdict = _look(records[first:record_cut], blocks[second:block_cut], state=state)
        first, second = max(first, record_cut), max(second, block_cut)
    assert (state, verdict) == whole


@given(marks, marks, traffic, st.integers(0, 600), st.integers(0, 12))
@settings(max_examples=60)
def test_nothing_counts_twice(green: str, blue: str, blocks: list[Block], seen: int, known: int) -> None:
    """Law: a handler that runs again, with some or all of what it was shown before, changes nothing."""
    records = ledger(green, blue, rate=7)
    once = _look(records, blocks)
    assert once == _look(records[seen:] or records, blocks[known:], state=once[0])


@given(marks, marks, traffic)
@settings(max_examples=60)
def test_the_state_travels_as_json(green: str, blue: str, blocks: list[Block]) -> None:
    """Law: reading what was written gives the same state, and the next look the same verdict."""
    records = ledger(green, blue, rate=7)
    half = len(records) // 2
    state, _ = _look(records[:half], blocks[:6])
    read = GateState.model_validate_json(state.model_dump_json())
    assert read == state
    assert _look(records[half:], blocks, state=read) == _look(records[half:], blocks, state=state)
    assert len(state.model_dump_json()) < 12_000


@given(marks, marks, traffic, st.data(), st.floats(0, 130))
@settings(max_examples=100)
def test_more_failures_never_improve_the_verdict(
    green: str, blue: str, blocks: list[Block], data: st.DataObject, seconds: float
) -> None:
    """Law: turning right answers of the candidate into failures can only lower the verdict."""
    place = data.draw(st.integers(0, max(len(green) - 1, 0)))
    length = data.draw(st.integers(1, 80))
    worse = green[:place] + "x" * len(green[place : place + length]) + green[place + length :]
    more = [_fail(block, data.draw(st.integers(0, 5))) for block in blocks]
    before = _look(ledger(green, blue, rate=7), blocks, seconds=seconds)[1].action
    after = _look(ledger(worse, blue, rate=7), more, seconds=seconds)[1].action
    assert RANK[after] <= RANK[before]


def _fail(block: Block, failures: int) -> Block:
    assert block.candidate
    total = min(block.candidate.failures + failures, block.candidate.requests)
    return block._replace(candidate=block.candidate._replace(failures=total))


def test_a_late_answer_is_counted_with_the_next() -> None:
    """A request that took five seconds is written when others of a later block are there already."""
    records = [*ledger("." * 40, "." * 140)]
    late = request("green", 41, 1.9, status=None, version=None, error="no answer within 5 s", ms=5000.0)
    state, _ = _look([*records, late, request("green", 42, 10.5), request("blue", 141, 10.5)])
    assert state.probe.failing.rate.requests == 140
    assert state.probe.proof.counts.x_g == 1
