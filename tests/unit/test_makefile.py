"""Setting up: what `make` says where it cannot."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _install(folder: Path) -> "subprocess.CompletedProcess[str]":
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    make = ["make", "install", f"PYTHON={sys.executable}"]
    return subprocess.run(make, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("kind", ["file", "dangling-link"])
def test_an_environment_that_cannot_be_made_says_why(tmp_path: Path, kind: str) -> None:
    """It is not the venv module that is missing: what stands in the way is named."""
    environment = tmp_path / ".venv"
    if kind == "file":
        environment.write_text("")
    else:
        environment.symlink_to(tmp_path / "gone" / "away")
    run = _install(tmp_path)
    assert run.returncode != 0
    assert "apt-get" not in run.stderr
    assert ".venv cannot be set up" in run.stderr
    assert "Remove it" in run.stderr
