"""What `sam deploy` packs: the code and nothing else, so that the same code is the same version."""

import os
import re
import subprocess
import sys
from pathlib import Path

import crossfade.handlers.plan

ROOT = Path(__file__).parents[2]


def test_no_bytecode_is_packed() -> None:
    """Not even while tests run, which have imported the handlers by now."""
    assert crossfade.handlers.plan.__cached__
    found = [path for path in (ROOT / "functions").rglob("*") if path.suffix == ".pyc"]
    assert found == [], "remove the folders __pycache__ in functions/"


def test_what_make_starts_leaves_no_bytecode(tmp_path: Path) -> None:
    """The demo and the benchmarks import the code as well."""
    (tmp_path / "functions").symlink_to(ROOT / "functions")
    makefile = (ROOT / "Makefile").read_text()
    (prefix,) = re.findall(r"^export PYTHONPYCACHEPREFIX := (.*)$", makefile, re.MULTILINE)
    cache = prefix.replace("$(CURDIR)", str(tmp_path)).replace("$(VENV)", ".venv")
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**inherited, "PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": "functions"}
    subprocess.run(
        [sys.executable, "-c", "import crossfade.handlers.plan"], cwd=tmp_path, env=environment, check=True
    )
    assert list(Path(cache).rglob("plan.*.pyc"))
    test_no_bytecode_is_packed()
