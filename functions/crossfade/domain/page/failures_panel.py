"""The picture of what failed: a mark for each request, or where they are too many a bar for each bin."""

from collections.abc import Iterator, Sequence
from itertools import count

from crossfade.domain.ledger import Lane
from crossfade.domain.page.axis import TimeAxis, clock
from crossfade.domain.page.bins import Bins
from crossfade.domain.page.markup import Html, element, together
from crossfade.domain.page.observed import MOST_MARKS, Observed, Seen
from crossfade.domain.page.panel import panel
from crossfade.domain.text import visible

ROW, BAR = 44, 22


def failures_panel(
    axis: TimeAxis, observed: Observed, bins: Bins, lanes: Sequence[tuple[Lane, str]], missing: int = 0
) -> Html:
    """A row for each lane with its name; ``missing`` requests are in no record, so that none can be drawn."""
    failed = observed.failed.total()
    drawn = _marks(axis, observed.failures, lanes) if observed.marked else _bars(axis, bins, lanes)
    rows = [
        together(
            element("line", x1=0, x2="100%", y1=(row + 1) * ROW, y2=(row + 1) * ROW, class_="grid"),
            element(
                "text", f"{name}: {observed.failed[lane]:,} failed", x=2, y=row * ROW + 15, class_="label"
            ),
        )
        for row, (lane, name) in enumerate(lanes)
    ]
    apart = f"{missing:,} more were sent and are in no record: they have no mark. " if missing else ""
    how = (
        "Each mark is a request, and leads to its line in the list."
        if observed.marked
        else f"More than {MOST_MARKS:,} failed: each bar has the count of a span, and is as high as the "
        "share that failed in it, of the highest share in any."
    )
    figure = panel(
        axis,
        "failures",
        "What failed",
        *rows,
        *drawn,
        says=f"{failed:,} of {observed.requests:,} requests failed. {apart}{how}",
        height=ROW * len(lanes),
        note=f"{apart}{how if failed else 'No request failed.'}",
        links=True,
    )
    skip = element("a", f"Skip the marks of what failed ({failed:,})", href="#after-failures", class_="skip")
    return together(skip if failed else None, figure, element("span", id="after-failures", tabindex="-1"))


def line_of(number: int) -> str:
    """The name of a failed request's line in the list."""
    return f"failed-{number}"


def _marks(axis: TimeAxis, failures: list[Seen], lanes: Sequence[tuple[Lane, str]]) -> Iterator[Html]:
    rows = {lane: row for row, (lane, _) in enumerate(lanes)}
    width = 2 if len(failures) > MOST_MARKS // 10 else 4
    for number, seen in enumerate(failures, start=1):
        says = f"{clock(seen.at)} {seen.lane} request {seen.n}: {visible(seen.what)}, {seen.ms:,.0f} ms"
        mark = element(
            "rect",
            element("title", says),
            x=f"{axis.place(seen.at):g}%",
            y=rows[seen.lane] * ROW + ROW - BAR,
            width=width,
            height=BAR,
            transform=f"translate({-width / 2:g})",
        )
        yield element("a", mark, href=f"#{line_of(number)}", class_="mark", aria_label=says)


def _bars(axis: TimeAxis, bins: Bins, lanes: Sequence[tuple[Lane, str]]) -> Iterator[Html]:
    numbers = count(1)
    most = max(one.lanes[lane].share for lane, _ in lanes for one in bins)
    for row, (lane, _) in enumerate(lanes):
        for one in bins:
            cell = one.lanes[lane]
            if not cell.failed:
                continue
            says = f"{clock(one.began)} to {clock(one.ended)} {lane}: {cell.failed:,} of {cell.sent:,} failed"
            left, right = axis.place(one.began), axis.place(one.ended)
            high = max(round(BAR * cell.share / most, 1), 2)
            bar = element(
                "rect",
                element("title", says),
                x=f"{left:g}%",
                y=(row + 1) * ROW - high,
                width=f"{max(right - left, 0.15):.3g}%",
                height=high,
            )
            # What is listed are spans then: their lines are those of the table of figures.
            yield element(
                "a", bar, href="#figures", class_="mark", aria_label=says, id=f"bar-{next(numbers)}"
            )
