"""The counts of one run."""

import pytest

from probe.record import RequestRecord
from probe.tally import Tally, percentile


@pytest.mark.parametrize(
    ("percent", "expected"),
    [pytest.param(50, 50.0, id="median"), pytest.param(99, 99.0, id="p99"), pytest.param(0, 1.0, id="least")],
)
def test_percentile(percent: int, expected: float) -> None:
    """Percentiles are of the nearest rank."""
    assert expected == percentile([float(value) for value in range(1, 101)], percent)


def test_summary() -> None:
    """The summary has counts, each version with its first and last time as sent, and latencies of answers."""
    tally = Tally()
    for n, (second, status, version, ms) in enumerate(
        [
            (2, 200, "0.0.1", 2.0),
            (1, 200, "0.0.1", 4.0),
            (3, 200, "0.0.2", 3.0),
            (4, 500, None, 9.0),
            (5, None, None, 5000.0),
        ],
        start=1,
    ):
        tally.add(
            RequestRecord("production", n, f"2026-11-23T04:00:0{second}.000Z", status, version, ms, None)
        )
    assert tally.summary(missed=7) == [
        "requests      5",
        "failures      2",
        "missed ticks  7",
        "version       0.0.1: 2 answers, first 2026-11-23T04:00:01.000Z, last 2026-11-23T04:00:02.000Z",
        "version       0.0.2: 1 answers, first 2026-11-23T04:00:03.000Z, last 2026-11-23T04:00:03.000Z",
        "latency       p50 3.0 ms, p99 9.0 ms, max 9.0 ms",
    ]


def test_summary_of_nothing() -> None:
    """A run without an answer has a summary too."""
    assert Tally().summary(missed=0) == ["requests      0", "failures      0", "missed ticks  0"]
