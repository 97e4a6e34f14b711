"""A real browser: Debian's chromium. Where it is missing the tests are skipped; in CI they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
MISSING = "there is no {}: `make test` installs it, as root on Debian"


def _needed(found: Any, what: str) -> Any:
    if not found and os.environ.get("CI"):
        pytest.fail(MISSING.format(what))
    return found or pytest.skip(MISSING.format(what))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return chromium, which can reach nothing but files.

    Playwright's event loop runs until it is closed: no longer than the module, as other tests have their own.
    """
    path = _needed(next(filter(None, map(shutil.which, CHROMIUM)), None), "chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = _needed(None, "playwright")
    with sync_playwright() as playwright:
        # Root in a container has no sandbox of the kernel's; nothing but our own files is opened.
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND"]
        )
        yield chromium
        chromium.close()
