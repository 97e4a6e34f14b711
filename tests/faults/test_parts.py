"""The parts of `make faults` stand apart: each can be read without those above it."""

import ast
from pathlib import Path

import pytest

from faults.files import ROOT

PARTS = ("workflow", "aws", "cases")
"""From the lowest one: the interpreter, the model of AWS, the cases."""
FILES = sorted((ROOT / "faults").rglob("*.py"))


def _imported(path: Path) -> set[str]:
    """The modules that a file imports when it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: "-".join(path.relative_to(ROOT).with_suffix("").parts)
)
def test_a_part_knows_nothing_of_those_above_it(path: Path) -> None:
    """The interpreter no AWS, the model of AWS no case, and none of it a test."""
    own = path.relative_to(ROOT / "faults").parts[0]
    above = PARTS[PARTS.index(own) + 1 :] if own in PARTS else ()
    known = {tuple(module.split(".")[:2]) for module in _imported(path)}
    assert not {part for part in above if ("faults", part) in known}
    assert not {module for module in known if module[0] == "tests"}
