"""The gate's rule: advance, hold or roll back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.records import Record
from crossfade.domain.spec import Stage
from crossfade.domain.verdict import Sighting, Verdict, Window, look
from tests.unit.examples import at, lane_event, opened, request, requests, stage

STAGE = stage(weight=10, min_seconds=10, max_seconds=60)
RANK = {"roll_back": 0, "hold": 1, "advance": 2}


def _look(
    records: list[Record], *, seconds: float = 20, sighting: Sighting | None = None, watched: Stage = STAGE
) -> tuple[Sighting, Verdict]:
    return look(
        sighting or Sighting(),
        records,
        stage=watched,
        window=Window.of(watched, at(0)),
        now=at(seconds),
        candidate="green",
        expected="0.0.2",
    )


@pytest.mark.parametrize(
    ("records", "seconds", "action"),
    [
        pytest.param([], 20, "hold", id="silence-is-not-success"),
        pytest.param([], 59.9, "hold", id="silence-until-just-before-the-deadline"),
        pytest.param([], 60, "roll_back", id="silence-at-the-deadline"),
        pytest.param(requests("green", "." * 30), 10, "advance", id="thirty-at-the-minimum-time"),
        pytest.param(requests("green", "." * 30), 9.9, "hold", id="thirty-before-the-minimum-time"),
        pytest.param(requests("green", "." * 29), 59, "hold", id="twenty-nine-are-too-few"),
        pytest.param(requests("green", "." * 29), 60, "roll_back", id="twenty-nine-at-the-deadline"),
        pytest.param(requests("green", "." * 30), 61, "advance", id="good-evidence-beats-the-deadline"),
        pytest.param(requests("green", "x" + "." * 40), 20, "hold", id="one-failure-holds"),
        pytest.param(requests("green", "x" + "." * 40), 60, "roll_back", id="one-failure-at-the-deadline"),
        pytest.param(requests("green", "xx"), 1, "hold", id="two-in-a-row"),
        pytest.param(requests("green", "xxx"), 1, "roll_back", id="three-in-a-row"),
        pytest.param(requests("green", "x.x.x.x"), 1, "hold", id="four-of-thirty"),
        pytest.param(requests("green", "x.x.x.x.x"), 1, "roll_back", id="five-of-thirty"),
        pytest.param(
            requests("green", "x.x.x.x" + "." * 24 + "x"), 5, "hold", id="the-first-of-five-left-the-window"
        ),
        pytest.param(
            requests("green", "." * 30) + requests("production", "x"), 20, "hold", id="production-failed-once"
        ),
        pytest.param(
            requests("green", "." * 30) + requests("production", "x"),
            60,
            "roll_back",
            id="production-failed-at-the-deadline",
        ),
        pytest.param(
            requests("green", "." * 30) + requests("blue", "xxxxx"), 20, "advance", id="blue-does-not-count"
        ),
        pytest.param(
            requests("green", "." * 30) + requests("production", "..", version="0.0.1"),
            20,
            "advance",
            id="production-may-give-either-version",
        ),
        pytest.param(
            [*requests("green", "." * 30), request(n=31, seconds=4, version="0.0.1")],
            20,
            "roll_back",
            id="one-wrong-version",
        ),
        pytest.param(
            [*requests("green", "." * 30), request(n=31, seconds=4, version=None)],
            20,
            "roll_back",
            id="no-version-is-a-wrong-one",
        ),
        pytest.param(
            [request(n=1, status=None, version=None, error="timeout")] * 3, 1, "roll_back", id="no-answer"
        ),
        pytest.param(
            [*requests("green", "." * 30), lane_event("paused", seconds=5)], 20, "roll_back", id="gone"
        ),
        pytest.param(
            [*requests("green", "." * 30), lane_event("paused"), lane_event("resumed", seconds=5)],
            20,
            "advance",
            id="gone-and-back",
        ),
        pytest.param(
            [*requests("green", "." * 30), lane_event("paused", lane="blue")], 20, "roll_back", id="blue-gone"
        ),
        pytest.param(
            [
                *requests("green", "." * 30),
                lane_event("paused", lane="blue"),
                lane_event("resumed", lane="blue", seconds=5),
            ],
            20,
            "advance",
            id="blue-gone-and-back",
        ),
        pytest.param([*requests("green", "." * 30), opened(5)], 20, "advance", id="a-new-probe-is-no-news"),
        pytest.param(requests("green", "xxx", seconds=-5), 20, "hold", id="before-the-stage-began"),
    ],
)
def test_rule(records: list[Record], seconds: float, action: str) -> None:
    """The rule of the simple gate, edge by edge."""
    assert _look(records, seconds=seconds)[1].action == action


@pytest.mark.parametrize(
    ("records", "seconds", "error", "reason"),
    [
        (requests("green", "xxx"), 1, "CandidateWorse", "green failed the last 3 requests in a row"),
        (requests("green", "x.x.x.x.x"), 1, "CandidateWorse", "green failed 5 of its last 9 requests"),
        (
            [request(version="0.0.1")],
            1,
            "CandidateWorse",
            "green answered version 0.0.1 instead of 0.0.2",
        ),
        ([lane_event("paused")], 1, "CandidateWorse", "green has no target left"),
        (
            [lane_event("paused", lane="blue")],
            1,
            "TargetsBelowFloor",
            "blue has no target left for its 90 % of the traffic",
        ),
        (
            [],
            60,
            "EvidenceMissing",
            "after 60 s at weight 10: green has given 0 answers of the 30 that a stage needs",
        ),
    ],
)
def test_a_rollback_has_a_name_and_a_reason(
    records: list[Record], seconds: float, error: str, reason: str
) -> None:
    """In words that a person on call understands."""
    expected = Verdict(action="roll_back", error=error, reason=reason)
    assert expected == _look(records, seconds=seconds)[1]


@pytest.mark.parametrize(
    ("weight", "action"),
    [
        pytest.param(0, "advance", id="the-candidate-has-no-clients-to-save"),
        pytest.param(1, "roll_back", id="nearly-all-clients-are-there"),
        pytest.param(99, "roll_back", id="the-last-percent"),
        pytest.param(100, "advance", id="no-client-is-sent-there-any-more"),
    ],
)
def test_a_stable_slot_without_targets_matters_while_it_has_weight(weight: int, action: str) -> None:
    """Its share of the clients would get 503."""
    records = [*requests("green", "." * 30), lane_event("paused", lane="blue")]
    assert _look(records, watched=stage(weight))[1].action == action


def test_a_bad_candidate_is_told_first() -> None:
    """Both slots are gone: the candidate is why."""
    records = [lane_event("paused", lane="blue"), lane_event("paused")]
    assert _look(records)[1].error == "CandidateWorse"


def test_an_advance_counts_what_it_rests_on() -> None:
    """The reason ends up in the certificate."""
    records = [*requests("green", "." * 31), *requests("production", "." * 12)]
    assert _look(records)[1].reason == "green answered 31 of 31 right, production 12 of 12"


outcomes = st.text(alphabet=".x", max_size=60)
_lane_events = st.builds(
    lane_event, st.sampled_from(["paused", "resumed"]), lane=st.sampled_from(["green", "blue"])
)


@st.composite
def _ledgers(draw: st.DrawFn) -> list[Record]:
    """Records of all lanes, mixed."""
    lanes = [
        *requests("green", draw(outcomes)),
        *requests("production", draw(outcomes)),
        *requests("blue", draw(outcomes)),
        *draw(st.lists(_lane_events, max_size=3)),
    ]
    return draw(st.permutations(lanes))


@given(_ledgers(), st.lists(st.integers(0, 200), max_size=5))
def test_splits_do_not_matter(records: list[Record], cuts: list[int]) -> None:
    """Law: the same records in any split over looks end in the same sighting and verdict."""
    whole = _look(records)
    sighting, verdict, begin = Sighting(), None, 0
    for end in [*sorted(cuts), len(records)]:
        sighting, verdict = _look(records[begin:end], sighting=sighting)
        begin = max(begin, end)
    assert whole == (sighting, verdict)


@given(outcomes, outcomes, st.data(), st.floats(0, 90))
def test_more_failures_never_improve_the_verdict(
    green: str, production: str, data: st.DataObject, seconds: float
) -> None:
    """Law: turning a right answer into a failed one can only lower the verdict."""
    lane = data.draw(st.sampled_from(["green", "production"]))
    text = green if lane == "green" else production
    place = data.draw(st.integers(0, max(len(text) - 1, 0)))
    worse = text[:place] + "x" + text[place + 1 :]
    before = [*requests("green", green), *requests("production", production)]
    after = [
        *requests("green", worse if lane == "green" else green),
        *requests("production", worse if lane == "production" else production),
    ]
    if text:
        assert RANK[_look(after, seconds=seconds)[1].action] <= RANK[_look(before, seconds=seconds)[1].action]


@given(_ledgers(), st.floats(0, 60, exclude_max=True), st.floats(60, 600))
def test_no_stage_is_held_for_ever(records: list[Record], early: float, late: float) -> None:
    """Law: at the deadline there is a verdict, whatever was seen."""
    assert _look(records, seconds=late)[1].action != "hold"
    assert _look(records, seconds=early)[1].action in RANK
