"""The certificate: exactly the names that were promised, computed from the ledger."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.certificate import Certificate, Gap, History, StageRecord, certify
from crossfade.domain.records import Record
from tests.unit.examples import NEW, OLD, at, closed, first_plan, opened, plan, request, requests


def _stage(weight: int, began: float, ended: float | None) -> StageRecord:
    return StageRecord(weight=weight, began=at(began), ended=None if ended is None else at(ended))


def _history(**changes: Any) -> History:
    values = {
        "plan": plan(),
        "launched": at(2),
        "healthy": at(9),
        "stages": (_stage(0, 10, 16), _stage(10, 16, 30), _stage(100, 30, 52)),
        **changes,
    }
    return History.model_validate(values)


def _certify(records: list[Record], history: History | None = None, ended: float = 60) -> Certificate:
    return certify(
        history or _history(),
        records,
        sha256="0" * 64,
        outcome="promoted",
        reason="0.0.2 answered well at every stage",
        ended=at(ended),
        transitions=40,
    )


def test_the_document_has_exactly_the_promised_names() -> None:
    """`certificate.json` is read by others."""
    records = [*requests("production", ".", version="0.0.1"), closed(production=1)]
    document = json.loads(_certify(records).model_dump_json(by_alias=True))
    nothing = {"sent": 0, "ok": 0, "failed": 0, "missing": 0}
    assert document == {
        "service": "web",
        "deployment": "d1",
        "outcome": "promoted",
        "reason": "0.0.2 answered well at every stage",
        "from": {"version": "0.0.1", "digest": OLD},
        "to": {"version": "0.0.2", "digest": NEW},
        "requests": {"production": nothing | {"sent": 1, "ok": 1}, "blue": nothing, "green": nothing},
        "versions": {
            "production": [
                {
                    "version": "0.0.1",
                    "first": "2026-11-23T04:00:00.100Z",
                    "last": "2026-11-23T04:00:00.100Z",
                    "count": 1,
                }
            ],
            "blue": [],
            "green": [],
        },
        "stages": [
            {"weight": weight, "began": began, "ended": ended, "verdict": None, "reason": None}
            for weight, began, ended in [
                (0, "2026-11-23T04:00:10.000Z", "2026-11-23T04:00:16.000Z"),
                (10, "2026-11-23T04:00:16.000Z", "2026-11-23T04:00:30.000Z"),
                (100, "2026-11-23T04:00:30.000Z", "2026-11-23T04:00:52.000Z"),
            ]
        ],
        "timing": {
            "total": 60.0,
            "bake": 35.0,
            "evidence": 7.0,
            "container_start": 7.0,
            "overhead": 11.0,
            "detected": None,
            "restored": None,
        },
        "transitions": 40,
        "ledger": {"records": 1, "complete": True, "gaps": [], "sha256": "0" * 64},
    }


@pytest.mark.parametrize(
    ("records", "count"),
    [
        pytest.param([], (0, 0, 0, 0), id="nothing"),
        pytest.param(requests("green", "..x"), (3, 2, 1, 0), id="one-failed"),
        pytest.param([request(n=1), request(n=3)], (3, 2, 0, 1), id="a-gap"),
        pytest.param([request(n=1), request(n=1), request(n=2)], (2, 2, 0, 0), id="written-twice"),
        pytest.param([request(n=1), closed(green=5)], (5, 1, 0, 4), id="the-end-is-missing"),
        pytest.param([request(n=2), request(n=1)], (2, 2, 0, 0), id="out-of-order"),
        pytest.param([request("blue", 1)], (0, 0, 0, 0), id="another-lane"),
    ],
)
def test_counts(records: list[Record], count: tuple[int, int, int, int]) -> None:
    """Sent, ok, failed and missing of a lane."""
    green = _certify(records).requests["green"]
    assert (green.sent, green.ok, green.failed, green.missing) == count


@pytest.mark.parametrize(
    ("records", "complete"),
    [
        pytest.param([request(n=1), closed(green=1)], True, id="complete"),
        pytest.param([request(n=1)], False, id="not-closed"),
        pytest.param([closed(green=1)], False, id="missing"),
        pytest.param([request(n=2), closed(green=2)], False, id="gap"),
        pytest.param([request(n=1), closed(rejected=1, green=1)], False, id="rejected"),
        pytest.param([closed()], True, id="closed-and-empty"),
    ],
)
def test_completeness(records: list[Record], complete: bool) -> None:
    """A reader can tell a complete ledger from a cut one."""
    assert _certify(records).ledger.complete is complete


FIRST = [opened(0), *requests("green", ".x", seconds=1), closed(3, green=2)]
SECOND = [opened(10), *requests("green", "...", seconds=11), closed(14, green=3)]


@pytest.mark.parametrize(
    ("records", "count"),
    [
        pytest.param([*FIRST, *SECOND], (5, 4, 1, 0), id="numbers-begin-anew"),
        pytest.param([*FIRST[:-1], *SECOND], (5, 4, 1, 0), id="the-first-one-died"),
        pytest.param(
            [opened(0), request(n=1), request(n=3), opened(10), request(n=2, seconds=11)],
            (5, 3, 0, 2),
            id="each-has-its-own-missing-ones",
        ),
        pytest.param([*FIRST, opened(10), closed(14, green=4)], (6, 1, 1, 4), id="the-second-lost-its-lines"),
        pytest.param([*FIRST[:3], *FIRST[1:]], (2, 1, 1, 0), id="a-batch-came-twice"),
        pytest.param([*FIRST[:3], *FIRST], (2, 1, 1, 0), id="the-first-record-as-well"),
        pytest.param([*FIRST, *SECOND[:3], *SECOND], (5, 4, 1, 0), id="a-batch-of-the-second-came-twice"),
    ],
)
def test_counts_of_two_probes(records: list[Record], count: tuple[int, int, int, int]) -> None:
    """A probe that died was started once more: what both have sent adds up."""
    green = _certify(records).requests["green"]
    assert (green.sent, green.ok, green.failed, green.missing) == count


@pytest.mark.parametrize(
    ("records", "complete", "gaps"),
    [
        pytest.param(FIRST, True, [], id="one-probe"),
        pytest.param([*FIRST[:3], *FIRST], True, [], id="its-first-batch-came-twice"),
        pytest.param([*FIRST, *SECOND], True, [(3, 10)], id="two-that-ended-well"),
        pytest.param([*FIRST[:-1], *SECOND], False, [(1.2, 10)], id="one-that-died"),
        pytest.param([*FIRST, *SECOND[:-1]], False, [(3, 10)], id="the-second-is-not-closed"),
        pytest.param([opened(0), *SECOND], False, [(0, 10)], id="one-that-died-before-its-first-request"),
        pytest.param(
            [*FIRST, opened(10), closed(14, rejected=1)], False, [(3, 10)], id="the-second-lost-records"
        ),
        pytest.param([], False, [], id="no-probe-at-all"),
    ],
)
def test_a_gap_between_two_probes_is_told(
    records: list[Record], complete: bool, gaps: list[tuple[float, float]]
) -> None:
    """From the last that the one has seen to the first of the next; a cut run is never complete."""
    ledger = _certify(records).ledger
    assert ledger.complete is complete
    assert list(ledger.gaps) == [Gap(began=at(began), ended=at(ended)) for began, ended in gaps]


def test_two_probes_have_seen_the_same_versions() -> None:
    """First and last sight go over the gap."""
    (seen,) = _certify([*FIRST, *SECOND]).versions["green"]
    assert (seen.first, seen.last, seen.count) == (at(1.1), at(11.3), 4)


def test_versions_are_told_by_their_first_sight() -> None:
    """First and last time, and how often; failed answers give no version."""
    records = [
        request("production", 1, 1, version="0.0.1"),
        request("production", 2, 2, version="0.0.2"),
        request("production", 3, 3, version="0.0.1"),
        request("production", 4, 4, version="0.0.1", status=500),
    ]
    found = _certify(records).versions["production"]
    assert [(seen.version, seen.first, seen.last, seen.count) for seen in found] == [
        ("0.0.1", at(1), at(3), 2),
        ("0.0.2", at(2), at(2), 1),
    ]


def test_a_first_release_comes_from_nothing() -> None:
    """`from` is null, and lanes without a slot have sent 0."""
    found = _certify([], _history(plan=first_plan()))
    assert (found.from_.version, found.from_.digest) == (None, None)
    assert found.requests["green"].sent == 0


@pytest.mark.parametrize(
    ("records", "detected", "restored"),
    [
        pytest.param([], None, None, id="no-bad-answer"),
        pytest.param([request("production", 1, 20, status=502)], 20.0, 21.5, id="failed-production-request"),
        pytest.param([request("green", 1, 30, status=500)], 10.0, 11.5, id="failed-candidate"),
        pytest.param([request("green", 1, 30, version="0.0.1")], 10.0, 11.5, id="wrong-version"),
        pytest.param([request("green", 1, 5, status=500)], None, None, id="not-before-it-was-healthy"),
        pytest.param([request("blue", 1, 20, status=500)], None, None, id="the-old-version-is-no-news"),
        pytest.param(
            [request("green", 1, 38, status=500), request("green", 2, 35, status=500)],
            5.0,
            6.5,
            id="earliest",
        ),
    ],
)
def test_detection(records: list[Record], detected: float | None, restored: float | None) -> None:
    """From the first bad answer to the verdict, and to the weights read back."""
    timing = _certify(records, _history(judged=at(40), restored=at(41.5))).timing
    assert (timing.detected, timing.restored) == (detected, restored)


def test_a_stage_that_was_cut_off_bakes_as_long_as_it_lasted() -> None:
    """So that the overhead of a rolled-back deployment is no negative time."""
    cut = _history(stages=(_stage(0, 10, 16), _stage(10, 16, 19)))
    timing = _certify([], cut).timing
    assert (timing.bake, timing.evidence) == (5 + 3, 1)


def test_a_stage_without_an_end_lasted_until_the_end() -> None:
    """It was cut off by something else than its verdict."""
    assert _certify([], _history(stages=(_stage(100, 50, None),)), ended=55).timing.bake == 5


def test_a_candidate_that_never_was_healthy_has_no_start_time() -> None:
    """Nothing is made up."""
    assert _certify([], _history(healthy=None, stages=())).timing.container_start == 0


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from([200, 500, None])), max_size=40))
def test_every_number_is_accounted_for(answers: list[tuple[int, int | None]]) -> None:
    """Law: sent = ok + failed + missing, on each lane."""
    for count in _certify([request(n=n, status=status) for n, status in answers]).requests.values():
        assert count.sent == count.ok + count.failed + count.missing


@given(st.lists(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([200, 500])), max_size=9), max_size=4))
def test_several_probes_add_up(runs: list[list[tuple[int, int]]]) -> None:
    """Law: a ledger of several runs counts as its runs do one by one, and tells the gaps between them."""
    ledgers = [
        [opened(20 * place), *[request(n=n, status=status, seconds=20 * place + n) for n, status in run]]
        for place, run in enumerate(runs)
    ]
    together = _certify([record for ledger in ledgers for record in ledger])
    alone = [_certify(ledger).requests["green"] for ledger in ledgers]
    green = together.requests["green"]
    assert green.sent == sum(count.sent for count in alone)
    assert green.failed == sum(count.failed for count in alone)
    assert green.missing == sum(count.missing for count in alone)
    assert len(together.ledger.gaps) == max(len(runs) - 1, 0)
