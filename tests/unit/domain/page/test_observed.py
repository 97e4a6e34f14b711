"""What the page keeps of a ledger: bounded, and every count is exact."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.ledger import Request
from crossfade.domain.page.bins import MOST_BINS, MOST_VERSIONS, OTHERS, Bins
from crossfade.domain.page.observed import MOST_MARKS, SLOWEST, Observed
from tests.unit.examples import request


@given(
    st.lists(
        st.tuples(
            st.floats(0, 9000),
            st.sampled_from(["production", "blue", "green"]),
            st.booleans(),
            st.sampled_from("abcdefghij"),
        ),
        max_size=300,
    ),
    st.integers(1, 300),
)
def test_every_request_is_in_one_bin(given_: list[tuple[float, str, bool, str]], most: int) -> None:
    """In whatever order they come, however long it lasts, and however few bins are shown."""
    bins = Bins()
    for n, (seconds, lane, good, version) in enumerate(given_, start=1):
        bins.take(request(lane, n, seconds, version=version), good=good)
    for shown in (bins, bins.widened(most), bins.readable()):
        found = list(shown)
        assert len(found) <= MOST_BINS
        assert [one.began for one in found] == sorted(one.began for one in found)
        for lane in ("production", "blue", "green"):
            of_lane = [good for _, asked, good, _ in given_ if asked == lane]
            assert sum(one.lanes[lane].sent for one in found) == len(of_lane)
            assert sum(one.lanes[lane].failed for one in found) == of_lane.count(False)
        versions = sum(one.lanes["production"].versions.total() for one in found)
        assert versions == sum(1 for _, lane, _, _ in given_ if lane == "production")
    assert len(list(bins.widened(most))) <= most


def test_a_bin_says_how_long_answers_took() -> None:
    """To within a tenth, of what was answered alone."""
    bins = Bins()
    for n in range(1, 101):
        bins.take(request("green", n, ms=float(n)), good=True)
    bins.take(request("green", 101, ms=5000.0, status=None, version=None, error="timed out"), good=False)
    (one,) = bins
    for share, ms in ((0.5, 50), (0.99, 99)):
        quantile = one.lanes["green"].quantile(share)
        assert quantile is not None
        assert abs(log(quantile / ms)) < 0.1
    assert one.lanes["blue"].quantile(0.5) is None


def test_many_versions_are_counted_together() -> None:
    """An application may answer another one each time."""
    bins = Bins()
    for n in range(1, 101):
        bins.take(request("production", n, version=f"v{n}"), good=True)
    (one,) = bins
    versions = one.lanes["production"].versions
    assert len(versions) == MOST_VERSIONS + 1
    assert versions[OTHERS] == 100 - MOST_VERSIONS


@pytest.mark.parametrize("failures", [0, MOST_MARKS, MOST_MARKS + 1])
def test_failures_are_kept_one_by_one_up_to_a_bound(failures: int) -> None:
    """All of them are counted."""
    observed = Observed()
    for n in range(failures + 5, 0, -1):
        failed = n <= failures
        observed.take(_request(n, failed=failed), good=not failed)
    assert observed.marked == (failures <= MOST_MARKS)
    assert observed.failed.total() == failures
    assert len(observed.failures) == min(failures, MOST_MARKS)
    assert observed.failures == sorted(observed.failures, key=lambda seen: seen.at)
    assert sum(one.failed for one in observed.bins) == failures


def test_the_slowest_are_kept() -> None:
    """The slowest first."""
    observed = Observed()
    for n in range(1, 101):
        observed.take(request("blue", n, ms=float(n * 37 % 101)), good=True)
    assert [seen.ms for seen in observed.slowest] == list(range(100, 100 - SLOWEST, -1))


def _request(n: int, *, failed: bool) -> Request:
    return request("green", n, n / 10, **({"status": 500, "version": None} if failed else {}))
