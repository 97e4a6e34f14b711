"""Draws docs/example: a film of the run with its pages, and the heads of two pages (`make screencast`).

What is seen is what `demo.example` has kept: the terminal's output with its times, and the report pages
in a real browser.
"""

from __future__ import annotations

import html
import io
import json
import math
import os
import shutil
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from demo.cloud import DemoFailed
from demo.example import EXAMPLE, TERMINAL
from demo.exercise import BAD, GOOD, RESULTS
from demo.recording import Piece

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FILM = EXAMPLE / "screencast.webp"
MOST_BYTES = 3_000_000
WIDTH, HEIGHT = 832, 600
"""As wide as GitHub shows a README."""
_HEAD, _FOOT = 32, 4
_SHARPNESS = 2
"""Pixels for each pixel of CSS, for screens that have them."""
_COVER_SECONDS = 1.0
_TERMINAL_SECONDS = 25
"""The terminal is seen no longer than this: it is shown faster by a whole number."""
_LAST_SCREEN_SECONDS = 4.0
_LEAST_SECONDS = 0.1
"""What is printed within this of the film is one picture of it."""
_STOPS = {
    GOOD: (("body", 2.5), ("#stages", 3.0), ("#verdicts-heading", 2.0)),
    BAD: (("body", 3.0), ("#versions", 2.5), ("#time-heading", 2.0)),
}
"""Of each page: what is scrolled to the top, and how long it is seen."""
_STILL_WIDTH = 1040
_STILL_ENDS = {GOOD: "#versions", BAD: "#failures"}
"""The pictures for README: down to the end of this figure."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_NEEDED = "make screencast needs {}: bash tests/browser/install.sh installs it, as root on Debian."

Scheme = Literal["light", "dark"]


class Frame(NamedTuple):
    """A picture of the film (PNG), and how long it is seen."""

    png: bytes
    seconds: float


class Screen(NamedTuple):
    """What a terminal shows, and for how many seconds of the film."""

    lines: list[str]
    seconds: float


def screens(pieces: list[Piece], columns: int, rows: int, speed: int) -> Iterator[Screen]:
    """What the terminal showed, one screen for each change, `speed` times faster than it was printed."""
    printed = ""
    shown_at = 0.0
    for place, (_, text) in enumerate(pieces):
        printed += text
        after = pieces[place + 1][0] / speed if place + 1 < len(pieces) else math.inf
        if after - shown_at >= _LEAST_SECONDS:
            seconds = _LAST_SCREEN_SECONDS if after == math.inf else after - shown_at
            yield Screen(wrapped(printed, columns)[-rows:], seconds)
            shown_at = after


def wrapped(printed: str, columns: int) -> list[str]:
    """The lines of a terminal that is this wide."""
    lines = printed.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return [line[start : start + columns] for line in lines for start in range(0, max(len(line), 1), columns)]


class Camera:
    """Takes the pictures: a frame of HTML with a terminal, or a page, in it."""

    def __init__(self, browser: Browser, length: float) -> None:
        self._browser = browser
        self._length = length
        self._passed = 0.0
        self._sheet = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=_SHARPNESS
        )

    def cover(self, speed: int) -> Frame:
        """What the film is: browsers that play nothing by themselves show this."""
        text = f"A real run, {speed} times faster than real time.<br>Then its reports, in a browser."
        return self._frame("", "", f"<h1>$ make demo</h1><p>{text}</p>", _COVER_SECONDS)

    def terminal(self, screen: Screen, speed: int) -> Frame:
        """The terminal, in its own time."""
        text = html.escape("\n".join(screen.lines))
        return self._frame(
            "Terminal", f"{speed} times faster than real time", f"<pre>{text}</pre>", screen.seconds
        )

    def page(self, version: str) -> Iterator[Frame]:
        """A report's page, where it is read one part after the other."""
        seen = self._open(version, WIDTH, HEIGHT - _HEAD - _FOOT, "dark", _SHARPNESS)
        for selector, seconds in _STOPS[version]:
            top = "0" if selector == "body" else f"document.querySelector('{selector}').offsetTop - 16"
            seen.evaluate(f"window.scrollTo(0, {top})")
            picture = b64encode(seen.screenshot()).decode()
            image = f'<img src="data:image/png;base64,{picture}">'
            path = f"{RESULTS.name}/{version}/report.html"
            yield self._frame(path, "the report of this run, in a browser", image, seconds)
        seen.close()

    def still(self, version: str, scheme: Scheme) -> bytes:
        """The head of a report's page (PNG)."""
        seen = self._open(version, _STILL_WIDTH, 800, scheme, 2)
        end = seen.locator(_STILL_ENDS[version]).bounding_box()
        if end is None:
            raise DemoFailed(f"The report of {version} has no {_STILL_ENDS[version]}.")
        height = end["y"] + end["height"] + 16
        picture: bytes = seen.screenshot(
            full_page=True, clip={"x": 0, "y": 0, "width": _STILL_WIDTH, "height": height}
        )
        seen.close()
        return picture

    def _open(self, version: str, width: int, height: int, scheme: Scheme, sharpness: int) -> Page:
        page = self._browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=sharpness
        )
        page.goto((EXAMPLE / version / "report.html").as_uri())
        return page

    def _frame(self, left: str, right: str, body: str, seconds: float) -> Frame:
        self._passed += seconds
        share = 100 * min(self._passed / self._length, 1)
        self._sheet.set_content(
            f"<style>{_STYLE}</style><header><b>{html.escape(left)}</b><i>{right}</i></header>"
            f'<main>{body}</main><footer><div style="width:{share:.2f}%"></div></footer>'
        )
        return Frame(self._sheet.screenshot(), seconds)


_STYLE = f"""
* {{ margin: 0; box-sizing: border-box }}
body {{ width: {WIDTH}px; height: {HEIGHT}px; overflow: hidden; background: #0d1117; color: #e6edf3 }}
header {{ height: {_HEAD}px; line-height: {_HEAD}px; padding: 0 8px; background: #21262d;
  display: flex; justify-content: space-between; font: 13px/{_HEAD}px 'DejaVu Sans', sans-serif }}
header b {{ font-weight: 600 }}
header i {{ font-style: normal; color: #f0c674 }}
main {{ height: {HEIGHT - _HEAD - _FOOT}px; overflow: hidden }}
main img {{ display: block; width: {WIDTH}px }}
pre {{ padding: 8px; font: 11.9px/16px 'DejaVu Sans Mono', monospace }}
h1 {{ margin-top: 190px; text-align: center; font: 600 44px 'DejaVu Sans Mono', monospace }}
p {{ margin-top: 28px; text-align: center; font: 20px/1.6 'DejaVu Sans', sans-serif; color: #9198a1 }}
footer {{ height: {_FOOT}px; background: #21262d }}
footer div {{ height: {_FOOT}px; background: #58a6ff }}
"""


def film(browser: Browser) -> list[Frame]:
    """A cover, the run in the terminal, then the pages that it has written."""
    head, *lines = TERMINAL.read_text(encoding="utf-8").splitlines()
    size = json.loads(head)
    pieces = [(at, text) for at, _, text in map(json.loads, lines)]
    speed = math.ceil(pieces[-1][0] / _TERMINAL_SECONDS)
    shown = list(screens(pieces, size["width"], size["height"], speed))
    pages = sum(seconds for stops in _STOPS.values() for _, seconds in stops)
    camera = Camera(browser, _COVER_SECONDS + sum(screen.seconds for screen in shown) + pages)
    frames = [camera.cover(speed), *(camera.terminal(screen, speed) for screen in shown)]
    return [*frames, *camera.page(GOOD), *camera.page(BAD)]


def write(frames: list[Frame], file: Path) -> None:
    """Write an animated WebP without loss, which is repeated for ever."""
    from PIL import Image

    first, *others = [Image.open(io.BytesIO(frame.png)).convert("RGB") for frame in frames]
    durations = [round(frame.seconds * 1000) for frame in frames]
    first.save(
        file,
        save_all=True,
        append_images=others,
        duration=durations,
        loop=0,
        lossless=True,
        quality=90,
        method=4,
    )


def still(png: bytes, file: Path) -> None:
    """Write one picture as WebP without loss."""
    from PIL import Image

    Image.open(io.BytesIO(png)).convert("RGB").save(file, lossless=True, quality=100, method=6)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's chromium, which can reach nothing but files. Raises DemoFailed where it is missing."""
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    missing = [name for name in ("PIL", "playwright") if find_spec(name) is None]
    if path is None or missing:
        raise DemoFailed(_NEEDED.format(", ".join(missing or ["chromium"])))
    from playwright.sync_api import sync_playwright

    # Root in a container has no sandbox of the kernel's; nothing but our own files is opened.
    options = ["--host-resolver-rules=MAP * ~NOTFOUND", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


def main() -> int:
    """Draw the pictures; the film must not be larger than its limit."""
    with chromium() as browser:
        frames = film(browser)
        write(frames, FILM)
        camera = Camera(browser, 1)
        for version, name in ((GOOD, "promoted"), (BAD, "rolled-back")):
            schemes: tuple[Scheme, ...] = ("light", "dark")
            for scheme in schemes:
                still(camera.still(version, scheme), EXAMPLE / f"{name}-{scheme}.webp")
    seconds = sum(frame.seconds for frame in frames)
    size = FILM.stat().st_size
    print(f"{FILM}: {len(frames)} pictures, {seconds:.0f} s, {size / 1e6:.2f} MB")
    if size > MOST_BYTES:
        raise DemoFailed(f"The film is larger than {MOST_BYTES / 1e6:g} MB.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DemoFailed as failure:
        sys.exit(str(failure))
