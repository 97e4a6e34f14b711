"""The page's tables: the figures of the pictures in words, and what is read rather than seen."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from crossfade.domain.ledger import Lane
from crossfade.domain.page.axis import TimeAxis, clock, lasting
from crossfade.domain.page.bins import Bin, Bins
from crossfade.domain.page.failures_panel import line_of
from crossfade.domain.page.markup import Child, Html, element
from crossfade.domain.page.observed import Observed, Seen
from crossfade.domain.page.versions_panel import Shown, Step
from crossfade.domain.text import visible

MOST_ROWS = 40
LISTED = 100
"""How many are listed where not every failure has a mark."""


def table(caption: str, heads: Sequence[str], rows: Iterable[Child], wide: bool = False) -> Html:
    """A table that scrolls by itself where it is wider than the page."""
    inner = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *rows),
    )
    return element(
        "div",
        inner,
        class_="scroll tall" if wide else "scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def row(first: str, *cells: Child, id_: str | None = None) -> Html:
    """A row; the first cell is its heading."""
    return element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in cells), id=id_)


def percent(share: float) -> str:
    """A share of 0 to 1 with two digits and no power of ten, such as ``100 %`` or ``0.0023 %``."""
    return f"{Decimal(f'{100 * share:.2g}'):f} %"


def grouped(caption: str, heads: Sequence[str], rows: Iterable[tuple[Child, Child]]) -> Html:
    """A table whose rows each have a line of words below, as wide as the table: readable on a phone."""
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        *(
            element("tbody", cells, element("tr", element("td", said, colspan=len(heads), class_="said")))
            for cells, said in rows
        ),
        class_="grouped",
    )


def unfolds(summary: str, *children: Child, id_: str | None = None, unfolded: bool = False) -> Html:
    """Something that a reader unfolds."""
    return element("details", element("summary", summary), *children, id=id_, open=unfolded)


def failed_table(axis: TimeAxis, observed: Observed) -> Html | None:
    """The failed requests, one by one; the first ones where there are too many."""
    total = observed.failed.total()
    if not total:
        return None
    listed = observed.failures[: None if observed.marked else LISTED]
    counted = f"{total:,}" if observed.marked else f"the first {len(listed):,} of {total:,}"
    rows = [_request(axis, seen, id_=line_of(number)) for number, seen in enumerate(listed, start=1)]
    summary = f"Failed requests: {counted}"
    return unfolds(summary, table(summary, REQUEST_HEADS, rows, wide=True), id_="failed")


def slowest_table(axis: TimeAxis, observed: Observed) -> Html:
    """The slowest requests, failed ones included."""
    summary = f"The slowest requests: {len(observed.slowest)}"
    return unfolds(
        summary, table(summary, REQUEST_HEADS, [_request(axis, seen) for seen in observed.slowest], wide=True)
    )


REQUEST_HEADS = ("sent (UTC)", "after", "lane", "request", "took", "status", "version", "what was wrong")


def _request(axis: TimeAxis, seen: Seen, id_: str | None = None) -> Html:
    return row(
        clock(seen.at),
        lasting(max(seen.at - axis.began, 0)),
        seen.lane,
        f"{seen.n:,}{f' of {seen.path}' if seen.path else ''}",
        f"{seen.ms:,.1f} ms",
        "–" if seen.status is None else str(seen.status),
        "–" if seen.version is None else visible(seen.version),
        seen.what or "–",
        id_=id_,
    )


def figures_table(
    bins: Bins,
    shown: Sequence[Shown],
    weights: Sequence[Step],
    lanes: Sequence[tuple[Lane, str]],
    timed: Sequence[tuple[Lane, str]],
) -> Html:
    """The pictures' figures; spans without requests are left out. Counts add up to all that there is."""
    found = bins.widened(MOST_ROWS)
    met = {version for one in found for version in one.lanes["production"].versions}
    versions = [one for one in shown if one.version in met]
    heads = [
        "from (UTC)",
        *(["weight"] if weights else []),
        *(f"{one.text}" for one in versions),
        *(f"{name}: failed of sent" for _, name in lanes),
        *(f"{name}: {quantile}" for _, name in timed for quantile in ("p50", "p99")),
    ]
    rows = [_figures(one, versions, weights, lanes, timed) for one in found]
    title = f"The pictures' figures, in spans of {lasting(found.seconds)}"
    return unfolds(title, table(title, heads, rows, wide=True), id_="figures")


def _figures(
    one: Bin,
    versions: Sequence[Shown],
    weights: Sequence[Step],
    lanes: Sequence[tuple[Lane, str]],
    timed: Sequence[tuple[Lane, str]],
) -> Html:
    weight = next((f"{step.weight} %" for step in reversed(weights) if step.at < one.ended), "–")
    answered = one.lanes["production"].versions
    quantiles = [one.lanes[lane].quantile(share) for lane, _ in timed for share in (0.5, 0.99)]
    return row(
        clock(one.began)[:-2],
        *([weight] if weights else []),
        *(f"{answered[version.version]:,}" for version in versions),
        *(f"{one.lanes[lane].failed:,} of {one.lanes[lane].sent:,}" for lane, _ in lanes),
        *("–" if value is None else f"{value:.3g} ms" for value in quantiles),
    )


def definitions(pairs: Iterable[tuple[str, Child]], class_: str | None = None) -> Html:
    """Names with what they are."""
    return element(
        "dl",
        *(element("div", element("dt", name), element("dd", value)) for name, value in pairs),
        class_=class_,
    )


def section(title: str, *children: Child, id_: str) -> Html:
    """A part of the page."""
    return element(
        "section", element("h2", title, id=f"{id_}-heading"), *children, aria_labelledby=f"{id_}-heading"
    )
