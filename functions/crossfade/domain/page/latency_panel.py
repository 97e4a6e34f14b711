"""The picture of how long answers took: p50 and p99 of each slot's lane."""

from collections.abc import Iterator, Sequence

from crossfade.domain.ledger import Lane
from crossfade.domain.page.axis import LogScale, TimeAxis
from crossfade.domain.page.bins import Bins
from crossfade.domain.page.markup import Html, together
from crossfade.domain.page.panel import Key, across, level, panel, path, stretched

HEIGHT = 150
TOP = 16
QUANTILES = ((0.5, "p50"), (0.99, "p99"))


def latency_panel(axis: TimeAxis, bins: Bins, lanes: Sequence[tuple[Lane, str, str]]) -> Html:
    """``lanes``: each with its name, and the class that gives it its colour."""
    values = [
        value
        for one in bins
        for lane, _, _ in lanes
        for share, _ in QUANTILES
        if (value := one.lanes[lane].quantile(share)) is not None
    ]
    scale = LogScale(min(values, default=1) / 1.3, max(values, default=100) * 1.3)
    lines = [
        path(_line(axis, bins, lane, share, scale), f"{colour} {quantile}")
        for lane, _, colour in lanes
        for share, quantile in QUANTILES
    ]
    return panel(
        axis,
        "latency",
        "How long answers took",
        stretched(HEIGHT, *lines),
        together(*(level(_y(scale, power), _milliseconds(power)) for power in scale.levels)),
        says="Latency in milliseconds on a logarithmic scale: the median and the 99th percentile of each "
        "lane in each span. The same figures are in the table below the pictures.",
        height=HEIGHT,
        key=[
            Key(f"{colour} {quantile}", f"{quantile} {name}", "stroke")
            for _, name, colour in lanes
            for _, quantile in QUANTILES
        ],
        note="Of all that was answered, good or bad, to within 10 %; a logarithmic scale.",
    )


def _line(axis: TimeAxis, bins: Bins, lane: Lane, share: float, scale: LogScale) -> Iterator[str]:
    """Level across each bin; broken where nothing was answered."""
    before: float | None = None
    for one in bins:
        value = one.lanes[lane].quantile(share)
        if value is None:
            continue
        y = f"{_y(scale, value):.4g}"
        yield f"V{y}" if before == one.began else f"M{across(axis, one.began)} {y}"
        yield f"H{across(axis, one.ended)}"
        before = one.ended


def _y(scale: LogScale, value: float) -> float:
    return HEIGHT - scale.place(value) * (HEIGHT - TOP)


def _milliseconds(power: float) -> str:
    return f"{power / 1000:,g} s" if power >= 1000 else f"{power:g} ms"
