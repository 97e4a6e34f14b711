"""The axis of time and the scales: readable for seconds and for days."""

import pytest

from crossfade.domain.page.address import Address
from crossfade.domain.page.axis import MARKS, NARROW_MARKS, LogScale, TimeAxis, lasting
from tests.unit.examples import EXECUTION, at


@pytest.mark.parametrize(
    ("seconds", "first", "last"),
    [
        (0.3, "04:00:00.1", "04:00:00.3"),
        (5, "04:00:00.5", "04:00:05.0"),
        (90, "04:00:10", "04:01:30"),
        (7200, "04:15", "06:00"),
        (3 * 86_400, "12:00", "00:00"),
        (40 * 86_400, "Dec 3", "Dec 25"),
    ],
)
def test_an_axis_has_some_round_moments(seconds: float, first: str, last: str) -> None:
    """Of those, a phone shows half or less."""
    began = at(0).timestamp()
    marks = TimeAxis(began, began + seconds).marks
    assert (marks[0].label, marks[-1].label) == (first, last)
    assert 2 <= len(marks) <= MARKS
    assert 1 <= sum(not mark.wide for mark in marks) <= NARROW_MARKS
    assert all(0 <= mark.place <= 100 for mark in marks)


@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [(0.8, 1.3, [1]), (9, 60, [10, 20, 50]), (1, 1e6, [1, 100, 1e4, 1e6]), (3, 3, []), (2.1, 2.3, [])],
)
def test_a_scale_has_round_levels(low: float, high: float, levels: list[float]) -> None:
    """Four at most."""
    assert LogScale(low, high).levels == levels


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (4.24, "4.2 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (7200, "2 h"),
        (7380, "2 h 3 min"),
        (59.99, "1 min"),
    ],
)
def test_a_duration_in_words(seconds: float, said: str) -> None:
    """As a person says it."""
    assert lasting(seconds) == said


@pytest.mark.parametrize(
    ("partition", "host"),
    [("aws", "us-east-1.console.aws.amazon.com"), ("aws-cn", "us-east-1.console.amazonaws.cn")],
)
def test_a_page_has_an_address(partition: str, host: str) -> None:
    """In S3 and in the console of its partition."""
    execution = f"{EXECUTION}:d1".replace("arn:aws:", f"arn:{partition}:")
    address = Address.of("evidence", "web/d1/report.html", execution)
    assert address.s3 == "s3://evidence/web/d1/report.html"
    assert address.console == (
        f"https://{host}/s3/object/evidence?region=us-east-1&prefix=web/d1/report.html"
    )
