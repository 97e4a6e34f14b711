"""`make test-unit` holds what the decisions promise: without the line that keeps it, a named test fails."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faults.files import ROOT
from tests.mutations.mutations import FLOOR, MUTATIONS, Mutation

OF_TEST_UNIT = ("tests/unit/", "tests/statemachine/")
PROMISES = {"3", "4", "5", "12", "13", "41", "43", "45", "51", "55", FLOOR}
SUMMARY = re.compile(r"^\d+ failed(, \d+ passed)? in ", re.MULTILINE)
"""Of a run in which tests have failed, and none of them at its collection or in its fixtures."""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.id)
def test_the_list_is_up_to_date(mutation: Mutation) -> None:
    """The line is there once, and so is the test, among those of `make test-unit`."""
    times = (ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.old)
    assert times == 1, f"{mutation.file} has changed: bring tests/mutations/mutations.py up to date"
    path, _, name = mutation.test.partition("::")
    assert path.startswith(OF_TEST_UNIT)
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_every_promise_is_in_the_list() -> None:
    """Each one of them has a line that keeps it."""
    assert {mutation.promise for mutation in MUTATIONS} == PROMISES


def _run(tree: Path, *tests: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", *tests]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, in which every named test passes."""
    copy = tmp_path_factory.mktemp("mutations") / "crossfade"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    run = _run(copy, *sorted({mutation.test for mutation in MUTATIONS}))
    assert run.returncode == pytest.ExitCode.OK, run.stdout
    return copy


@pytest.mark.long
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.id)
def test_without_its_line_a_named_test_fails(tree: Path, mutation: Mutation) -> None:
    """It fails by what it asserts: code that cannot be imported is no proof."""
    file = tree / mutation.file
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        run = _run(tree, mutation.test)
    finally:
        file.write_text(before, encoding="utf-8")
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
    assert SUMMARY.search(run.stdout), run.stdout
