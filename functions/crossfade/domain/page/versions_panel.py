"""The picture of what clients got: each version's share of production, and the candidate's weight over it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from crossfade.domain.page.axis import TimeAxis
from crossfade.domain.page.bins import Bin, Bins
from crossfade.domain.page.markup import Html, element, together
from crossfade.domain.page.panel import Key, across, level, panel, path, stretched
from crossfade.domain.text import visible

HEIGHT = 190
TOP = 14


class Shown(NamedTuple):
    """A version, how it is called in the key, and the class that gives it its colour."""

    version: str | None
    text: str
    name: str


class Step(NamedTuple):
    """From a moment on the candidate has this weight, in percent."""

    at: float
    weight: int


def versions_panel(axis: TimeAxis, bins: Bins, shown: Sequence[Shown], weights: Sequence[Step]) -> Html:
    """Shares from below in the order of ``shown``; without ``weights`` there is no line."""
    found = [one for one in bins if one.lanes["production"].versions]
    met = {version for one in found for version in one.lanes["production"].versions}
    shown = [one for one in shown if one.version in met]
    areas = [
        path(_area(axis, found, [lower.version for lower in shown[:place]], one.version), one.name)
        for place, one in enumerate(shown)
    ]
    line = path(_line(axis, weights), "halo"), path(_line(axis, weights), "weight")
    keys = [Key(one.name, one.text) for one in shown]
    if weights:
        keys.append(Key("weight", "weight of the candidate", "stroke"))
    return panel(
        axis,
        "versions",
        "What production answered" if weights else "What was answered",
        stretched(HEIGHT, *areas, *(line if weights else ())),
        together(
            level(TOP, "100 %"), element("line", x1=0, x2="100%", y1=_half(), y2=_half(), class_="half")
        ),
        says="Share of each version among the requests of a span, from 0 to 100 percent. "
        + (f"The candidate's weight: {_in_words(weights)}. " if weights else "")
        + "The same figures are in the table below the pictures.",
        height=HEIGHT,
        key=keys,
    )


def _in_words(weights: Sequence[Step]) -> str:
    return ", ".join(f"{step.weight} %" for step in weights)


def _area(axis: TimeAxis, bins: list[Bin], lower: list[str | None], version: str | None) -> Iterator[str]:
    """A block for each bin, from what lies below to what the version adds."""
    for one in bins:
        versions = one.lanes["production"].versions
        count, total = versions[version], versions.total()
        if count:
            below = sum(versions[other] for other in lower)
            bottom, top = _height(below / total), _height((below + count) / total)
            yield f"M{across(axis, one.began)} {bottom}V{top}H{across(axis, one.ended)}V{bottom}z"


def _line(axis: TimeAxis, weights: Sequence[Step]) -> Iterator[str]:
    for place, step in enumerate(weights):
        y = _height(step.weight / 100)
        yield f"M{across(axis, step.at)} {y}" if not place else f"H{across(axis, step.at)}V{y}"
    if weights:
        yield "H1000"


def _half() -> str:
    return _height(0.5)


def _height(share: float) -> str:
    return f"{HEIGHT - share * (HEIGHT - TOP):.4g}"


def named(version: str, role: str) -> str:
    """A version with its role, for a key."""
    return f"{visible(version)} ({role})"
