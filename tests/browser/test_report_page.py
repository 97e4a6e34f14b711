"""The report's page in a real browser: readable, reachable by keyboard, and true to its certificate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crossfade.domain.page.observed import MOST_MARKS
from tests.browser.pages import MARKUP, Written, written

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.enable_socket  # to the browser, by a pipe and a port of this machine
WIDTHS = (390, 1440)
CASES = {
    "promoted": lambda: written("promoted", failed=0),
    "rolled-back": lambda: written("rolled-back"),
    "stepped-back": lambda: written("stepped-back"),
    "five-seconds": lambda: written("promoted", seconds=5, requests=100, failed=1),
    "two-hours": lambda: written("rolled-back", seconds=7200, requests=20_000, failed=MOST_MARKS),
    "many-failed": lambda: written("rolled-back", requests=6000, failed=MOST_MARKS + 1),
}
Opened = Callable[..., "Page"]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Written:
    """Return each deployment's page and certificate."""
    return CASES[request.param]()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Return what opens a page from a file; at the end nothing may have been logged or asked for."""
    complaints: list[str] = []
    contexts = []

    def opens(page: Written, width: int = 1440, scheme: str = "light") -> Page:
        file = tmp_path / "report.html"
        file.write_text(page.html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.on("request", lambda asked: complaints.append(asked.url) if asked.url != file.as_uri() else None)
        tab.goto(file.as_uri())
        return tab

    yield opens
    for context in contexts:
        context.close()
    assert complaints == []


def test_it_fits_and_counts_as_its_certificate(opened: Opened, case: Written) -> None:
    """On a phone and on a screen, in light and dark; each failure has its mark, or its place in a count."""
    counts = case.certificate.requests
    failed = sum(count.failed for count in counts.values())
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            page = opened(case, width, scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    text = page.inner_text("#requests-heading + table")
    for count in counts.values():
        assert re.search(rf"{count.sent:,}\s+{count.failed:,}\s+{count.missing:,}", text)
    marks = page.locator("a.mark")
    if failed <= MOST_MARKS:
        assert marks.count() == failed
    else:
        named = marks.evaluate_all("all => all.map(mark => mark.getAttribute('aria-label'))")
        assert sum(int(re.search(r": ([\d,]+) of", name)[1].replace(",", "")) for name in named) == failed  # type: ignore[index]


def test_its_figures_add_up(opened: Opened, case: Written) -> None:
    """The table beside the pictures has every request."""
    page = opened(case)
    cells = page.locator("#figures td").all_text_contents()
    pairs = [re.fullmatch(r"([\d,]+) of ([\d,]+)", cell) for cell in cells]
    failed, sent = (sum(int(pair[group].replace(",", "")) for pair in pairs if pair) for group in (1, 2))
    counts = case.certificate.requests.values()
    assert (failed, sent) == (sum(one.failed for one in counts), sum(one.sent for one in counts))


def test_markup_from_outside_stays_text(opened: Opened, case: Written) -> None:
    """A version, a reason and a verdict are whatever an image and a person name them."""
    page = opened(case)
    assert MARKUP in page.inner_text("h1")
    assert f"because of {MARKUP}" in page.inner_text(".outcome")
    assert page.locator("img, script, iframe, link").count() == 0


def test_an_accessibility_checker_finds_nothing_serious(opened: Opened, case: Written) -> None:
    """By axe, with all that unfolds unfolded, in both themes."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for width, scheme in ((390, "dark"), (1440, "light")):
        page = opened(case, width, scheme)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        # The checker is a script, and the page's policy admits none: so it is run past it.
        said = axe.run(page).response
        assert len(said["passes"]) > 10
        found = said["violations"]
        assert [(one["id"], one["help"]) for one in found if one["impact"] in {"serious", "critical"}] == []


def test_a_mark_leads_to_its_line_by_keyboard_alone(opened: Opened) -> None:
    """The marks can be skipped; what is folded unfolds."""
    page = opened(CASES["rolled-back"]())

    def focused() -> str:
        return str(page.evaluate("document.activeElement.outerHTML"))

    page.keyboard.press("Tab")
    assert "Skip the marks" in focused()
    page.keyboard.press("Tab")
    assert 'class="mark"' in focused()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#failed').open")
    assert page.locator("tr:target").is_visible()
    page.keyboard.press("Tab")
    assert 'class="mark"' not in focused()
