"""The recording of `crossfade watch`: how it is made, and the one that docs/ has."""

import json
import os
import re
import sys
from pathlib import Path

from demo.recording import FILE, Recording


def test_what_a_command_prints_in_a_terminal_is_recorded(tmp_path: Path) -> None:
    """With the time of each piece, the terminal's size and title; the exit status is returned."""
    recording = Recording("asking", columns=90, rows=20)
    asked = "import os, sys; print(sys.stdout.isatty(), *os.get_terminal_size()); sys.exit(3)"
    assert recording.run("ask", [sys.executable, "-c", asked], dict(os.environ)) == 3
    recording.write(tmp_path / "a.cast")
    header, *pieces = map(json.loads, (tmp_path / "a.cast").read_text().splitlines())
    assert (header["version"], header["title"], header["width"], header["height"]) == (2, "asking", 90, 20)
    assert [kind for _, kind, _ in pieces] == ["o"] * len(pieces)
    assert [at for at, _, _ in pieces] == sorted(at for at, _, _ in pieces)
    printed = "".join(text for _, _, text in pieces)
    assert printed == "$ ask\r\nTrue 90 20\r\n"


def test_the_recording_shows_a_good_and_a_bad_release() -> None:
    """Stage, weights, versions and evidence of both, and the exit status of each."""
    _, *pieces = map(json.loads, FILE.read_text(encoding="utf-8").splitlines())
    printed = "".join(text for _, _, text in pieces)
    good, bad = re.split(r"\$ crossfade watch ", printed)[1:]
    for release, version in ((good, "0.0.2"), (bad, "0.0.3")):
        for row in ("state", "weights", "evidence", "next", version):
            assert row in release
    for shown in ("stage 4 of 4, weight 100", "clients get", "0.0.2 100 %", "promoted", "$ echo $?\r\n0\r\n"):
        assert shown in good
    for shown in ("rolled_back", "CandidateWorse", "$ echo $?\r\n1\r\n"):
        assert shown in bad
