"""`make demo` runs, all its claims hold, and the transcript in docs/demo.md is what it prints."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMORY_MB = 1536
END = "The client:"
"""From here on the demo prints what it has computed; before it, what it saw, which no two runs share."""


def ending(text: str) -> list[str]:
    """The lines from the results on, without figures, digests and the widths of columns."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(END))
    masked = [re.sub(r"sha256 [0-9a-f]+", "sha256", line) for line in lines[start:]]
    return [" ".join(re.sub(r"[\d.:]*\d", "#", line).split()) for line in masked]


def transcript() -> str:
    """The transcript in docs/demo.md."""
    return in_fence("docs/demo.md")


def in_fence(document: str) -> str:
    """The text that a document shows as printed."""
    found = re.search(r"```text\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found.group(1)


def test_readme_shows_lines_of_the_transcript() -> None:
    """What one sees first is a part of the whole."""
    assert set(in_fence("README.md").splitlines()) < set(transcript().splitlines())


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    """One run of the demo, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.enable_socket
def test_the_demo_ends_as_its_document_shows(demo: subprocess.CompletedProcess[str]) -> None:
    """A newcomer sees what docs/demo.md promises: the same tables, claims and files, and exit status 0."""
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert ending(transcript()) == ending(demo.stdout)


@pytest.mark.enable_socket
@pytest.mark.parametrize("version", ["0.0.1", "0.0.2", "0.0.3"])
def test_what_it_keeps_can_be_counted_again(demo: subprocess.CompletedProcess[str], version: str) -> None:
    """By the command, from the files alone."""
    files = [f"test_client_results/{version}/{name}" for name in ("certificate.json", "ledger.jsonl.gz")]
    command = [sys.executable, "-m", "cli", "check", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.enable_socket
def test_everything_fits_on_a_laptop(demo: subprocess.CompletedProcess[str]) -> None:
    """Sandbox, tasks, probe, client and functions together, while all of them are busy."""
    line = r"^Memory at its peak, \d+ processes: \d+ MB resident, (\d+) MB with shared pages counted once"
    (peak,) = re.findall(line, demo.stdout, re.MULTILINE)
    assert int(peak) < MEMORY_MB
