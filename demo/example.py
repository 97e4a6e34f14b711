"""Keeps a real run of the demo in docs/example: its terminal, its records, its pages (`make screencast`)."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from demo.cloud import ROOT, module
from demo.exercise import BAD, CLIENT_FILE, CLIENT_PAGE, GOOD, RESULTS
from demo.recording import Recording
from demo.workflow import EVIDENCE

EXAMPLE = ROOT / "docs/example"
TERMINAL = EXAMPLE / "demo.cast"
KEPT = [
    CLIENT_FILE.relative_to(RESULTS),
    CLIENT_PAGE.relative_to(RESULTS),
    *(Path(version, name) for version in (GOOD, BAD) for name in EVIDENCE),
]
"""What docs/example has of the results, by the same names: the first release has nothing to show."""
COLUMNS, ROWS = 114, 34
"""Wide enough for the demo's lines while it runs; those of its end are wrapped, as in any terminal."""


def main() -> int:
    """Run the demo in a terminal and keep what it leaves; nothing is kept of one that fails."""
    recording = Recording("make demo", COLUMNS, ROWS)
    if status := recording.run("make demo", module("demo"), os.environ):
        print("".join(text for _, text in recording.pieces), file=sys.stderr)
        return status
    for name in KEPT:
        (EXAMPLE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(RESULTS / name, EXAMPLE / name)
    recording.write(TERMINAL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
