"""tests/FIELD.md names a test for each fault, and that test is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "tests/FIELD.md").read_text(encoding="utf-8"))


def test_every_fault_of_the_audit_has_a_row() -> None:
    """None of the thirty-three was forgotten, and none stands twice."""
    numbers = [number for number, _, _ in ROWS]
    assert len(numbers) == len(set(numbers))
    assert [f"A{number}" for number in range(1, 34)] == [number for number in numbers if number[0] == "A"]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_fault_has_its_test(row: tuple[str, str, str]) -> None:
    """Each row names a test by file and name, and the file has it."""
    named = re.findall(r"`([\w/.-]+\.py)::(?:Test\w+::)?(test_\w+)(?:\[[^`]*\])?`", row[2])
    assert named
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), (path, name)
