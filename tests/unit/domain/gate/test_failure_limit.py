"""The failure limit: too many failures, whatever the other side does, and when they are over."""

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from crossfade.domain.gate.blocks.block import CAP
from crossfade.domain.gate.evidence.failure_limit import FailureLimit
from crossfade.domain.spec.gate import GateSettings

SETTINGS = GateSettings()
SICK, WELL = (100, 30), (100, 0)
"""Requests and failures of a block of five seconds, at 20 requests a second."""
Blocks = list[tuple[int, int]]


def _after(blocks: Blocks, limit: FailureLimit | None = None) -> FailureLimit:
    found = limit or FailureLimit()
    for requests, failures in blocks:
        found = found.after(requests, failures, SETTINGS, CAP)
    return found


def _blocks_until(limit: FailureLimit, block: tuple[int, int], *, failing: bool) -> int:
    """How many such blocks it takes until the limit says so."""
    for count in range(1000):
        if limit.failing(SETTINGS) is failing:
            return count
        limit = _after([block], limit)
    raise AssertionError("never")


def test_nothing_is_not_failing() -> None:
    """Nor is a block without requests one of failures, or of none."""
    assert not FailureLimit().failing(SETTINGS)
    assert _after([(0, 0)] * 9) == FailureLimit()


def test_it_trips() -> None:
    """A third fails: known within a quarter of a minute; one burst alone is too little."""
    assert 2 <= _blocks_until(FailureLimit(), SICK, failing=True) <= 5


@pytest.mark.parametrize("failures", [0, 1, 4, 5])
def test_up_to_the_limit_it_does_not_trip(failures: int) -> None:
    """For an hour of blocks that fail just as much as they may."""
    assert not any(_after([(100, failures)] * count).failing(SETTINGS) for count in (1, 10, 100, 720))


@pytest.mark.parametrize("block", [(0, 0), (100, 8)], ids=["silence", "less-sick"])
def test_only_evidence_that_it_is_over_lifts_it(block: tuple[int, int]) -> None:
    """Neither silence, nor failures that are fewer and still too many."""
    sick = _after([SICK] * 6)
    assert sick.failing(SETTINGS)
    assert _after([block] * 60, sick).failing(SETTINGS)


def test_it_is_lifted_when_it_is_over() -> None:
    """By good blocks of this stage; a minute of outage does not hold the stages after it."""
    assert 1 <= _blocks_until(_after([SICK] * 12), WELL, failing=False) <= 30
    assert 1 <= _blocks_until(_after([SICK] * 12).at_stage(), WELL, failing=False) <= 4


def test_being_well_is_shown_anew_in_each_stage() -> None:
    """What was over may have come back: the next stage begins without the word that it is."""
    over = _after([WELL] * 40, _after([SICK] * 6))
    assert not over.failing(SETTINGS)
    assert over.at_stage().failing(SETTINGS) is (over.exceeded.evidence >= 2 / SETTINGS.alpha)
    assert over.at_stage().recovered.evidence == 1


@pytest.mark.parametrize("good", [1, 12, 120, 360, 700])
def test_a_long_good_time_does_not_delay_it(good: int) -> None:
    """Up to an hour of it: a third fails, and that is known within three quarters of a minute."""
    assert _blocks_until(_after([WELL] * good), SICK, failing=True) <= 9


blocks = st.lists(
    st.integers(0, 40).flatmap(lambda requests: st.tuples(st.just(requests), st.integers(0, requests))),
    max_size=30,
)


@given(blocks, st.data())
@how(max_examples=200)
def test_more_failures_never_make_it_less_failing(found: Blocks, data: st.DataObject) -> None:
    """Law: more of the same requests failed, and the limit is failing if it was before."""
    worse = [(requests, data.draw(st.integers(failures, requests))) for requests, failures in found]
    before, after = _after(found), _after(worse)
    assert before.failing(SETTINGS) <= after.failing(SETTINGS)
    assert before.exceeded.evidence <= after.exceeded.evidence * (1 + 1e-9)
    assert before.recovered.evidence >= after.recovered.evidence * (1 - 1e-9)
