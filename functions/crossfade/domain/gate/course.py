"""The course of the evidence: how strongly a deployment's candidate was doubted, and when."""

from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from crossfade.domain.model import Model

MOST_POINTS = 120
"""More become half as many: a watch of hours is kept in 3 kB."""
MOST_EVIDENCE = 1e12
"""Evidence beyond this is written as this: JSON has no infinity."""


class Point(NamedTuple):
    """The highest evidence of a span, and when it was: seconds since 1970, to a tenth."""

    at: float
    evidence: float


class Course(Model):
    """Evidence that the candidate is worse, over time: of each span of ``seconds`` the highest."""

    seconds: int = 1
    points: tuple[Point, ...] = ()

    def plus(self, evidence: float, now: datetime) -> "Course":
        """With the evidence of this moment."""
        point = Point(round(now.timestamp(), 1), float(f"{min(evidence, MOST_EVIDENCE):.4g}"))
        seconds, points = self.seconds, _thinned((*self.points[-1:], point), self.seconds)
        points = (*self.points[:-1], *points)
        while len(points) > MOST_POINTS:
            seconds *= 2
            points = _thinned(points, seconds)
        return Course(seconds=seconds, points=points)


def _thinned(points: tuple[Point, ...], seconds: int) -> tuple[Point, ...]:
    spans = groupby(points, key=lambda point: point.at // seconds)
    return tuple(max(span, key=lambda point: point.evidence) for _, span in spans)
