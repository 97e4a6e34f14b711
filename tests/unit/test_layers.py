"""The folders tell the walk: who may import whom, and in which order the domain is read."""

import ast
from pathlib import Path

import pytest

from faults.files import ROOT

PRODUCT = ROOT / "functions/crossfade"
LAYERS = ("domain", "aws", "watching", "handlers")
"""From the lowest one; each may import those before it."""
BETWEEN = {"stack": "aws", "step": "aws", "metrics": "domain"}
"""Files of their own, and the highest layer that they may import."""
ROWS = (
    ("errors", "model", "text", "refusals", "messages"),
    ("slots", "ledger", "ledger_order", "answers"),
    ("spec",),
    ("verdict", "traffic", "tasks"),
    ("preparation",),
    ("journal",),
    ("planning",),
    ("rollout", "gate"),
    ("proof", "page"),
    ("admission", "rollback", "events"),
)
"""The domain's files and folders; each row may import those above it, and its own."""
IMPURE = {"boto3", "botocore", "os", "time", "logging", "aws_lambda_powertools", "socket", "requests"}


def _imported(path: Path) -> set[str]:
    """The modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def _parts(path: Path) -> tuple[str, ...]:
    """A file's place below ``crossfade/``, e.g. ``("domain", "gate", "news")``."""
    return path.relative_to(PRODUCT).with_suffix("").parts


FILES = sorted(path for path in PRODUCT.rglob("*.py") if path.stem != "__init__")
DOMAIN = [path for path in FILES if _parts(path)[0] == "domain"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: "-".join(_parts(path)))
def test_a_layer_imports_those_below_it(path: Path) -> None:
    """Decisions know no adapter, adapters no handler."""
    own = _parts(path)[0]
    most = LAYERS.index(BETWEEN.get(own, own))
    for module in _imported(path):
        _, _, inside = module.partition("crossfade.")
        layer = inside.partition(".")[0]
        if layer in LAYERS:
            assert LAYERS.index(layer) <= most, module


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: "-".join(_parts(path)))
def test_the_domain_is_pure(path: Path) -> None:
    """No AWS, no clock, no environment, no log."""
    assert not {module.partition(".")[0] for module in _imported(path)} & IMPURE


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: "-".join(_parts(path)))
def test_the_domain_is_read_from_top_to_bottom(path: Path) -> None:
    """A row imports nothing from a row below it."""
    row = {name: place for place, names in enumerate(ROWS) for name in names}
    own = row[_parts(path)[1]]
    for module in _imported(path):
        if module.startswith("crossfade.domain."):
            name = module.split(".")[2]
            if name in row:
                assert row[name] <= own, f"{path.stem} imports {module}"


def test_every_part_of_the_domain_has_its_row() -> None:
    """A new one has to be given its place."""
    found = {_parts(path)[1] for path in DOMAIN}
    assert found == {name for names in ROWS for name in names}
