"""What `sam deploy` packs: the code and nothing else, so that the same code is the same version."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pydantic

import crossfade.handlers.plan_release

ROOT = Path(__file__).parents[2]


def test_no_bytecode_is_packed() -> None:
    """Not even while tests run, which have imported the handlers by now."""
    assert crossfade.handlers.plan_release.__file__
    assert _bytecode(ROOT / "functions") == [], "remove the folders __pycache__ in functions/"


def test_what_make_starts_leaves_no_bytecode(tmp_path: Path) -> None:
    """The demo and the benchmarks import the code as well; without make's setting it would leave some."""
    exported = re.findall(r"^export (PYTHON\w+) := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for settings, leaves in (({}, True), (dict(exported), False)):
        code = tmp_path / ("bare" if leaves else "by-make")
        shutil.copytree(ROOT / "functions", code)
        subprocess.run(
            [sys.executable, "-c", "import crossfade.handlers.plan_release"],
            env={**inherited, **settings, "PYTHONPATH": str(code)},
            check=True,
        )
        assert bool(_bytecode(code)) is leaves


def test_installed_packages_are_not_compiled_anew() -> None:
    """Every function that starts in the sandbox would take three times as long."""
    assert Path(pydantic.__cached__).is_file()


def _bytecode(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix == ".pyc"]
