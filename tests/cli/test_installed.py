"""The command as it is installed: its entry point, and what it leaves behind."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_entry_point_is_the_command() -> None:
    """As pip writes it into a script."""
    module, _, name = PROJECT["project"]["scripts"]["crossfade"].partition(":")
    assert isinstance(getattr(import_module(module), name), click.Group)


def test_its_packages_are_there() -> None:
    """Those that it imports, and no others of this project."""
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [path for path in packages if not (ROOT / path / "__init__.py").is_file()] == []


def test_it_needs_what_it_names_and_no_more(tmp_path: Path) -> None:
    """Nothing of Lambda's layer: `pip install .` does not bring that."""
    for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(ROOT / package, tmp_path / Path(package).name)
    asked = "import sys, cli.__main__; print('aws_lambda_powertools' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    run = subprocess.run(
        [sys.executable, "-c", asked],
        env={**environment, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == "False"
    assert list((tmp_path / "crossfade").rglob("*.pyc")) == [], "sam would pack bytecode"
