"""A Python environment for each list of requirements that the project's own one does not have.

On AWS an image brings its packages. Here they are installed once for each list, by the project's pip as it is
configured on this machine, below `.sandbox/`; `make clean` removes them.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from sandbox.host.requirements import requirement

_FOLDER = Path(__file__).parents[2] / ".sandbox" / "environments"
_OWN = Path(sys.executable).parent


class PackagesError(Exception):
    """pip could not install what an image asks for; the message has pip's words."""


class Environments:
    """Makes and finds environments. Many processes may use the same folder at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def programs(self, requirements: Sequence[str]) -> Path:
        """The folder with `python` and the programs of the packages; made when it is asked for first.

        Raises PackagesError, after which nothing is left.
        """
        if all(_is_here(line) for line in requirements):
            return _OWN
        text = "".join(f"{line}\n" for line in requirements)
        # An environment is of one Python, and does not survive being moved.
        content = "\n".join((sys.version, sys.base_prefix, str(self._folder), text))
        folder = self._folder / hashlib.sha256(content.encode()).hexdigest()[:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = folder / "requirements.txt"  # there once all of them are installed
            if not made.exists():
                _make(folder, text).rename(made)
        return folder / "bin"


environments = Environments(_FOLDER)
"""Those of this project."""


def _is_here(line: str) -> bool:
    """Whether the project's own environment has just that version."""
    wanted = requirement(line)
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    if wanted.url is not None or wanted.extras:
        return False
    try:
        installed = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return False
    pin = str(wanted.specifier)
    return pin.startswith("==") and not set("*,") & set(pin) and wanted.specifier.contains(installed, True)


def _make(folder: Path, requirements: str) -> Path:
    """Make an environment; returns the file that its requirements were written to."""
    shutil.rmtree(folder, ignore_errors=True)  # an earlier try was interrupted
    venv.create(folder, symlinks=True)
    wanted = folder / "wanted.txt"
    wanted.write_text(requirements, encoding="utf-8")
    options = ("--quiet", "--no-input", "--disable-pip-version-check", "--requirement", str(wanted))
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(folder)
        words = [line for line in done.stderr.splitlines() if not line.startswith("WARNING: ")]
        raise PackagesError("\n".join(["pip install failed:", *words]))
    return wanted
