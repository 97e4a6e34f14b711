"""What all pictures have in common: a heading, a key, and a drawing over the one axis of time.

A drawing is as wide as the page: across, places are percent or, in paths, thousandths of its width; down,
they are pixels. So text keeps its size on a phone.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from crossfade.domain.page.axis import Mark, TimeAxis
from crossfade.domain.page.markup import Child, Html, element, together

LABELS = 18
"""Pixels below a drawing, for the marks' labels."""
EDGE = 6
"""Nearer to an edge than this, in percent, a moment has no label."""


class Key(NamedTuple):
    """A line of a key: the class that gives it its colour, its sign, and what it stands for."""

    name: str
    text: str
    sign: str = "area"


def panel(
    axis: TimeAxis,
    name: str,
    title: str,
    *drawn: Child,
    says: str,
    height: int,
    key: Sequence[Key] = (),
    note: Child = None,
    links: bool = False,
) -> Html:
    """A picture; ``says`` describes it to those who do not see it. ``links``: there are links in it."""
    drawing = element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", says, id=f"{name}-desc"),
        _grid(axis, height),
        *drawn,
        element("line", x1=0, x2="100%", y1=height, y2=height, class_="base"),
        width="100%",
        height=height + LABELS,
        role="group" if links else "img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
    )
    return element(
        "figure",
        element(
            "figcaption",
            element("h3", title),
            element("ul", *map(_key, key), class_="key") if key else None,
        ),
        drawing,
        element("p", note, class_="note") if note else None,
        id=name,
    )


def stretched(height: float, *drawn: Child, y: float = 0) -> Html:
    """Paths whose places are thousandths across and pixels down."""
    return element(
        "svg",
        *drawn,
        x=0,
        y=y,
        width="100%",
        height=height,
        viewBox=f"0 0 1000 {height}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def label(place: float, y: float, text: str, class_: str = "label") -> Html:
    """A text about a place across, in percent."""
    return element("text", text, x=f"{place:g}%", y=y, text_anchor="middle", class_=class_)


def level(y: float, text: str, class_: str = "level") -> Html:
    """A line across, with what it stands for above it; drawn over what it is a level of."""
    return together(
        element("line", x1=0, x2="100%", y1=round(y, 1), y2=round(y, 1), class_=class_),
        element("text", text, x=2, y=round(y - 4, 1), class_="label"),
    )


def path(points: Iterable[str], class_: str) -> Html:
    """A path of commands, whose lines are as thick whatever the width."""
    return element("path", d=Html(" ".join(points)), class_=class_, vector_effect="non-scaling-stroke")


def across(axis: TimeAxis, moment: float) -> str:
    """A moment's place in a path."""
    return f"{10 * axis.place(moment):.5g}"


def _key(key: Key) -> Html:
    return element("li", element("i", class_=f"{key.sign} {key.name}", aria_hidden="true"), key.text)


def _time(mark: Mark, height: int) -> Html | None:
    """A mark's label; at an edge it would run into the next one's."""
    if not EDGE <= mark.place <= 100 - EDGE:
        return None
    return label(mark.place, height + 14, mark.label, "label wide" if mark.wide else "label")


def _grid(axis: TimeAxis, height: int) -> Html:
    return together(
        *(
            together(
                element("line", x1=f"{mark.place:g}%", x2=f"{mark.place:g}%", y1=0, y2=height, class_="grid"),
                _time(mark, height),
            )
            for mark in axis.marks
        )
    )
