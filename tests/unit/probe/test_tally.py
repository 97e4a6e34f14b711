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
            RequestRecord(
                "production",
                n,
                f"2026-11-23T04:00:0{second}.000Z",
                status,
                version,
                ms,
                "no answer within 5 s" if status is None else None,
            )
        )
    assert tally.summary(missed=7) == [
        "requests      5",
        "failures      2",
        "missed ticks  7",
        "version       0.0.1: 2 answers, first 2026-11-23T04:00:01.000Z, last 2026-11-23T04:00:02.000Z",
        "version       0.0.2: 1 answers, first 2026-11-23T04:00:03.000Z, last 2026-11-23T04:00:03.000Z",
        "latency       p50 3.0 ms, p99 9.0 ms, max 9.0 ms",
        "failure       HTTP 500: 1, for example request 4, sent 2026-11-23T04:00:04.000Z",
        "failure       no answer within 5 s: 1, for example request 5, sent 2026-11-23T04:00:05.000Z",
    ]


def test_kinds_of_failure() -> None:
    """The commonest first, each with its count and its first case; what goes beyond some kinds is counted."""
    tally = Tally()
    faults: list[tuple[int | None, str | None]] = [(None, f"fault {n:02}") for n in range(12)]
    for n, (status, error) in enumerate([*faults, (404, None), (404, None)], start=1):
        tally.add(RequestRecord("production", n, "2026-11-23T04:00:00.000Z", status, None, 1.0, error))
    failures = [line for line in tally.summary(missed=0) if line.startswith("failure ")]
    assert failures[0] == "failure       HTTP 404: 2, for example request 13, sent 2026-11-23T04:00:00.000Z"
    assert failures[-1] == "failure       of 3 other kinds: 3"
    assert len(failures) == 11


def test_a_version_cannot_write_on_the_terminal() -> None:
    """It comes from outside: neither a new line nor a control code may reach the summary."""
    tally = Tally()
    tally.add(RequestRecord("production", 1, "t", 200, "1\t200\n# ended \x1b[31m", 1.0, None))
    tally.add(RequestRecord("production", 2, "t", None, None, 1.0, "odd\x1b[31m"))
    assert all(line.isprintable() for line in tally.summary(missed=0))


def test_summary_of_nothing() -> None:
    """A run without an answer has a summary too."""
    assert Tally().summary(missed=0) == ["requests      0", "failures      0", "missed ticks  0"]
