"""The picture of the gate's doubt: the evidence that the candidate is worse, over time."""

from collections.abc import Iterator

from crossfade.domain.gate.course import Course
from crossfade.domain.gate.reasons import odds
from crossfade.domain.page.axis import LogScale, TimeAxis
from crossfade.domain.page.markup import Html, together
from crossfade.domain.page.panel import across, level, panel, path, stretched
from crossfade.domain.spec.gate import GateSettings

HEIGHT = 150
TOP = 16


def evidence_panel(axis: TimeAxis, course: Course, settings: GateSettings) -> Html:
    """The course with the two limits: no stage ends beyond the one, beyond the other it is rolled back."""
    sure = 1 / settings.alpha
    highest = max([1.0, *(point.evidence for point in course.points)])
    scale = LogScale(1, max(sure * 10, min(highest * 2, sure * 1e4)))
    line = list(_line(axis, course, scale))
    area = [*line, f"V{HEIGHT}", f"H{across(axis, course.points[0].at)}z"]
    return panel(
        axis,
        "evidence",
        "How strongly the gate doubted the candidate",
        stretched(HEIGHT, path(area, "doubt-area"), path(line, "doubt")),
        together(
            level(_y(scale, sure), f"{odds(sure)}: sure that it is worse", "limit"),
            level(_y(scale, settings.suspicion), f"{odds(settings.suspicion)}: no stage ends", "limit"),
        ),
        says=f"Evidence that the candidate is worse, as odds on a logarithmic scale. The highest was "
        f"{odds(highest)}; from {odds(sure)} on it is rolled back.",
        height=HEIGHT,
        note=f"The highest evidence was {odds(highest)}. Of each span of {course.seconds} s the highest is "
        "drawn; a logarithmic scale. A candidate is also stepped back or rolled back for other reasons: "
        "the stages' verdicts name them.",
    )


def _line(axis: TimeAxis, course: Course, scale: LogScale) -> Iterator[str]:
    for place, point in enumerate(course.points):
        yield f"{'L' if place else 'M'}{across(axis, point.at)} {_y(scale, point.evidence):.4g}"


def _y(scale: LogScale, evidence: float) -> float:
    return HEIGHT - scale.place(evidence) * (HEIGHT - TOP)
