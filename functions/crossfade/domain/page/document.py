"""The whole file: it needs nothing else, and nothing in it runs."""

from pathlib import Path

from crossfade.domain.page.markup import Child, Html, element, together

STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is fetched, and no script runs, even if one got into the page."""


def document(title: str, *parts: Child, made_of: str) -> str:
    """A page; ``made_of`` says at its foot what it was computed from."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name_="referrer", content="no-referrer"),
        element("title", title),
        element("style", Html(STYLE)),
    )
    body = element("body", element("main", *parts), element("footer", made_of))
    return together(Html("<!doctype html>\n"), element("html", head, body, lang="en"), Html("\n"))
