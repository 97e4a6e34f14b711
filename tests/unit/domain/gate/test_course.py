"""The course of the evidence: bounded, however long a deployment is watched, and its peaks are kept."""

from math import inf

from crossfade.domain.gate.course import MOST_EVIDENCE, MOST_POINTS, Course
from tests.unit.examples import at

HOURS = 4


def _course(evidence: list[float], seconds: float) -> Course:
    course = Course()
    for n, value in enumerate(evidence):
        course = course.plus(value, at(n * seconds))
    return course


def test_hours_of_watching_are_a_hundred_points_and_a_few_kilobytes() -> None:
    """In order, from the beginning to the end."""
    course = _course([1.0] * (HOURS * 1200), 3)
    assert MOST_POINTS / 2 <= len(course.points) <= MOST_POINTS
    assert [point.at for point in course.points] == sorted(point.at for point in course.points)
    assert course.points[0].at == at(0).timestamp()
    assert course.points[-1].at >= at(HOURS * 3600).timestamp() - course.seconds
    assert len(course.model_dump_json()) < 4_000


def test_a_peak_is_never_thinned_out() -> None:
    """However short it was."""
    course = _course([*([1.0] * 1000), 812.34, *([1.0] * 1000)], 1)
    assert [(point.at, point.evidence) for point in course.points if point.evidence > 1] == [
        (at(1000).timestamp(), 812.3)
    ]


def test_evidence_without_bound_is_written_all_the_same() -> None:
    """JSON has no infinity."""
    course = _course([inf], 1)
    assert Course.model_validate_json(course.model_dump_json()) == course
    assert course.points[0].evidence == MOST_EVIDENCE
