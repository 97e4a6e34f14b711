"""The page of a test client's own requests: the same pictures, without a deployment."""

from collections.abc import Iterable, Iterator

from crossfade.domain.ledger import Lane, Request
from crossfade.domain.page.axis import TimeAxis, clock, day_and_clock, lasting
from crossfade.domain.page.bins import NAMELESS, OTHERS
from crossfade.domain.page.document import document
from crossfade.domain.page.failures_panel import failures_panel
from crossfade.domain.page.latency_panel import latency_panel
from crossfade.domain.page.markup import Html, element, together
from crossfade.domain.page.observed import Observed
from crossfade.domain.page.tables import (
    definitions,
    failed_table,
    figures_table,
    row,
    section,
    slowest_table,
    table,
)
from crossfade.domain.page.versions_panel import Shown, versions_panel
from crossfade.domain.proof.tally import Tally
from crossfade.domain.text import visible

COLOURS = ("blue", "green", "third", "fourth", "sixth", "fifth")
LANES: list[tuple[Lane, str]] = [("production", "client")]


def client_page(name: str, requests: Iterable[Request]) -> str:
    """The page of a client's requests, which are all of the lane ``production``; ``name`` is the file's."""
    observed, tally = Observed(), Tally({}, None)
    for request in requests:
        if tally.take(request):
            observed.take(request, good=tally.good(request))
    first, last = observed.span() or (0.0, 1.0)
    axis, bins = TimeAxis(first, last), observed.bins.readable()
    shown, count = _versions(observed.bins.named), tally.counts()["production"]
    return document(
        f"{visible(name)} – Crossfade",
        _header(name, observed, first),
        definitions(
            [
                ("Requests", _number(observed.requests, f"in {lasting(last - first)}")),
                ("Failed", _number(observed.failed.total(), f"of {observed.requests:,}")),
                ("Not in the file", _number(count.missing, "by their numbers")),
                ("Versions", _number(len(tally.versions()["production"]), "that answered well")),
            ],
            class_="facts",
        ),
        section(
            "What happened",
            element("p", "All pictures have the same axis of time, in UTC.", class_="note"),
            versions_panel(axis, bins, shown, ()),
            failures_panel(axis, observed, observed.bins, LANES, count.missing),
            latency_panel(axis, bins, [(lane, called, "blue") for lane, called in LANES]),
            figures_table(observed.bins, shown, (), LANES, LANES),
            id_="happened",
        ),
        section(
            "Requests",
            table("The versions that answered well", ("version", "answers", "first", "last"), _seen(tally)),
            failed_table(axis, observed),
            slowest_table(axis, observed),
            id_="requests",
        ),
        made_of=f"Computed from {visible(name)}.",
    )


def _number(number: int, said: str) -> Html:
    return together(element("b", f"{number:,}"), said)


def _header(name: str, observed: Observed, first: float) -> Html:
    failed, sent = observed.failed.total(), observed.requests
    return element(
        "header",
        element("p", f"Test client · {name} · {day_and_clock(first)}", class_="eyebrow"),
        element(
            "h1", f"{failed:,} of {sent:,} requests failed" if failed else f"None of {sent:,} requests failed"
        ),
        element(
            "div",
            element("strong", "✕ Failures" if failed else "✓ No failure"),
            element(
                "p",
                "What was wrong is in the list of failed requests." if failed else "All were answered well.",
            ),
            class_=f"outcome {'failed' if failed else 'promoted'}",
        ),
    )


def _versions(names: list[str]) -> list[Shown]:
    """From below the newest first: so a release grows from the bottom, as in a deployment's page."""
    colours = dict(zip(names, COLOURS, strict=False))
    return [
        *(Shown(name, visible(name), colours[name]) for name in reversed(names)),
        Shown(OTHERS, OTHERS, "fifth"),
        Shown(NAMELESS, "answered well, without a version", "nameless"),
        Shown(None, "failed, without a version", "bad"),
    ]


def _seen(tally: Tally) -> Iterator[Html]:
    for seen in tally.versions()["production"]:
        first, last = seen.first.timestamp(), seen.last.timestamp()
        yield row(seen.version, f"{seen.count:,}", clock(first), clock(last))
