"""Several paths of the probe: each against itself for latency, their failures counted together."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.domain.gate.state import GateState
from crossfade.domain.ledger import Lane, Record
from tests.unit.domain.gate.watching import glance
from tests.unit.examples import request

PATHS = (None, "/orders", "/search")
USUAL = {None: 3.0, "/orders": 40.0, "/search": 900.0}
"""Milliseconds."""


def _asked(
    seconds: float,
    *,
    paths: tuple[str | None, ...] = PATHS,
    slow: dict[str | None, float] | None = None,
    fails: tuple[str | None, ...] = (),
    everywhere: tuple[str | None, ...] = (),
    late: int = 0,
    rate: float = 20,
) -> list[Record]:
    """Both slots' lanes, which ask the paths in turn; of the candidate some are ``slow``, or all fail.

    ``slow`` are factors of the usual time. ``everywhere`` fail on both slots. The candidate's lane is
    ``late`` by that many requests.
    """
    random = Random(7)
    records: list[Record] = []
    for n in range(1, int(seconds * rate) + 1):
        lanes: tuple[Lane, ...] = ("blue", "green", "production")
        for lane in lanes:
            path = paths[(n + (late if lane == "green" else 0)) % len(paths)]
            ms = USUAL.get(path, 20.0) * random.lognormvariate(0, 0.3)
            bad = path in everywhere or (lane == "green" and path in fails)
            values: dict[str, Any] = {"path": path, "status": 500 if bad else 200, "version": None}
            if path is None and not bad:
                values["version"] = "0.0.1" if lane == "blue" else "0.0.2"
            if lane == "green":
                ms *= (slow or {}).get(path, 1.0)
            records.append(request(lane, n, n / rate, ms=round(ms, 1), **values))
    return records


def test_paths_of_different_speed_are_no_suspicion() -> None:
    """A slow path is compared with itself: that it is slower than others says nothing."""
    state, verdict = glance(_asked(75))
    assert verdict.action != "roll_back"
    assert all(stream.evidence < 2 for stream in state.probe.slow)


def test_a_path_that_is_slower_than_itself_is_found_and_named() -> None:
    """Twice as slow on the fastest but one; the slowest path's times would have hidden it."""
    _, verdict = glance(_asked(140, slow={"/orders": 2.0}), seconds=141)
    assert verdict.error == "CandidateWorse"
    assert "at /orders" in verdict.reason
    # Its own requests: a third of 2800, but for the minute in which it might have become faster.
    assert " of 5" in verdict.reason


def test_the_version_path_is_named_too() -> None:
    """It is one of several."""
    _, verdict = glance(_asked(140, slow={None: 3.0}), seconds=141)
    assert verdict.error == "CandidateWorse"
    assert "at the version path" in verdict.reason


def test_failures_of_all_paths_count_together_and_are_named() -> None:
    """One of three paths fails: a third of all requests."""
    state, verdict = glance(_asked(20, fails=("/search",)), seconds=21)
    assert verdict.cause == "dead"
    assert "HTTP 500 at /search, expected 200" in verdict.reason
    counts = state.probe.failing.counts
    assert counts.x_c == pytest.approx(counts.n_c / 3, abs=2)


def test_an_answer_of_another_path_names_no_version() -> None:
    """What names none where none is expected has not failed."""
    state, _ = glance(_asked(20), seconds=21)
    assert state.probe.failing.counts.x_c == 0
    assert state.lanes.candidate.kinds.total == 0


@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_path_that_fails_on_both_slots_is_no_evidence(late: int) -> None:
    """A third fails by nature, on both; the lanes need not stand at the same place of the sequence."""
    state, _ = glance(_asked(200, everywhere=("/search",), late=late, rate=10), seconds=201)
    assert state.probe.failing.evidence < 5


@given(st.lists(st.integers(0, 1200), max_size=6))
@settings(max_examples=8)
def test_splits_do_not_matter(cuts: list[int]) -> None:
    """Law: the same records in any split over looks end in the same state and verdict."""
    records = _asked(20, slow={"/orders": 2.0}, fails=("/search",))
    whole = glance(records)
    state, first = GateState(), 0
    for cut in [*sorted(cuts), len(records)]:
        state, verdict = glance(records[first:cut], state=state)
        first = max(first, cut)
    assert (state, verdict) == whole


def test_the_state_of_eight_paths_is_small() -> None:
    """It travels through Step Functions: 16 kB at most, with the highest rate and long names."""
    paths = (None, *(f"/api/v1/{'a' * 110}/{place}" for place in range(7)))
    state, _ = glance(_asked(100, paths=paths, rate=100, slow={paths[3]: 1.3}), seconds=101)
    written = state.model_dump_json()
    assert GateState.model_validate_json(written) == state
    assert len(state.lanes.paths) == len(state.probe.further) == 7
    assert len(written) < 16_000
