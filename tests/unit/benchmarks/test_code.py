"""What ``make measure`` counts."""

from pathlib import Path

import pytest

from benchmarks import code

SOURCE = '''\
"""A module."""

from __future__ import annotations  # one statement

LIMIT = 3
_HIDDEN = """a string
of two lines"""


class Shape:
    """A class with two fields."""

    width: int
    height: int = LIMIT

    def area(self) -> int:
        """A method is no name of the module."""
        # No code.
        if self.width:
            return self.width * self.height
        return 0


def _inner() -> None:
    pass
'''


@pytest.fixture
def counted(tmp_path: Path) -> code.Code:
    """The file above."""
    path = tmp_path / "shape.py"
    path.write_text(SOURCE)
    return code.Code(frozenset({path}))


def test_sizes(counted: code.Code):
    """Neither blank lines, nor comments, nor docstrings."""
    assert counted.lines == 13
    assert counted.statements == 12


def test_names_and_shapes(counted: code.Code):
    """Public names of the module, its classes and their fields."""
    assert (counted.names, counted.classes, counted.fields) == (2, 1, 2)


def test_complexity(counted: code.Code):
    """One for each function, and one for each branch in it."""
    assert sorted(counted.complexities) == [1, 2]


def test_the_main_path():
    """What a promoted release passes, and what these files import: no way back, and not the gate's inside."""
    names = {str(path.relative_to(code.PRODUCT)) for path in code.main_path().paths}

    assert {
        "handlers/plan_release.py",
        "handlers/retire_stable.py",
        "step.py",
        "domain/planning/plan.py",
    } <= names
    assert not {"handlers/restore_weights.py", "handlers/assess.py", "handlers/cleanup.py"} & names
    assert not any(name.startswith("domain/gate/") for name in names)


def test_the_report():
    """A row for each part, with its figures."""
    rows = list(code.report())

    assert [row.split("  ")[0] for row in rows if row.startswith(("functions", "main path"))] == [
        "functions",
        "main path",
    ]
    assert any(row.startswith("deploy definition: ") for row in rows)
