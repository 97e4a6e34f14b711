"""How much there is to read: ``python -m benchmarks.code`` prints sizes, names, shapes and complexity.

A compass, not a limit: a number that falls is no reason for a change that makes the code worse.
"""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

import networkx

from faults.files import Definition, definition, functions, source
from tests.statemachine.definitions import function_of
from tests.statemachine.flow import ways

ROOT = Path(__file__).parents[1]
FUNCTIONS = ROOT / "functions"
PRODUCT = FUNCTIONS / "crossfade"
GATE = PRODUCT / "domain" / "gate"
MACHINES = ("deploy", "rollback")


@dataclass(frozen=True)
class Code:
    """Some of the product's files."""

    paths: frozenset[Path]

    @cached_property
    def trees(self) -> list[ast.Module]:
        """The syntax tree of each."""
        return [ast.parse(path.read_text()) for path in sorted(self.paths)]

    @property
    def lines(self) -> int:
        """How many lines hold code: no blanks, comments or docstrings."""
        return sum(len(_code_lines(path)) for path in self.paths)

    @property
    def statements(self) -> int:
        """How many statements there are; a docstring is none."""
        return sum(map(_statements, self.trees))

    @property
    def classes(self) -> int:
        """How many classes are defined."""
        return sum(isinstance(node, ast.ClassDef) for node in self._nodes())

    @property
    def fields(self) -> int:
        """How many fields the classes declare."""
        bodies = (node.body for node in self._nodes() if isinstance(node, ast.ClassDef))
        return sum(isinstance(part, ast.AnnAssign) for body in bodies for part in body)

    @property
    def names(self) -> int:
        """How many public names the modules define; a name that two of them define counts twice."""
        return sum(not name.startswith("_") for tree in self.trees for name in _defined(tree))

    @property
    def complexities(self) -> list[int]:
        """The cyclomatic complexity of each function, as ruff counts it."""
        command = [sys.executable, "-m", "ruff", "check", "--isolated", "--exit-zero", "--select", "C901"]
        command += ["--config", "lint.mccabe.max-complexity=0", "--output-format", "json"]
        printed = subprocess.run([*command, *map(str, self.paths)], capture_output=True, check=True).stdout
        return [int(found["message"].rpartition("(")[2].split()[0]) for found in json.loads(printed)]

    def _nodes(self) -> Iterator[ast.AST]:
        return (node for tree in self.trees for node in ast.walk(tree))


def folder(name: str = "") -> Code:
    """The product's code, or that of one of its folders."""
    return Code(frozenset((PRODUCT / name).rglob("*.py")))


def main_path() -> Code:
    """What a promoted release runs: its handlers and all that they import, without the gate's inside."""
    found: set[Path] = set()
    handlers = [functions()[function_of("deploy", name)]["Handler"] for name in _promoted_tasks()]
    new = [_file(handler.rpartition(".")[0]) for handler in handlers]
    while new:
        path = new.pop()
        if path not in found and GATE not in path.parents:
            found.add(path)
            new += _imported(path)
    return Code(frozenset(found))


def handler_bodies() -> dict[str, int]:
    """How many statements the function ``handler`` has, by its file's name."""
    return {
        path.stem: _statements(node) - 1
        for path in sorted((PRODUCT / "handlers").glob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "handler"
    }


def variables(machine: Definition) -> set[str]:
    """The variables that a definition assigns."""
    found = {name for state in machine["States"].values() for name in state.get("Assign", {})}
    return found | {
        name for state in machine["States"].values() for way in ways(state) for name in way.assigns
    }


def _promoted_tasks() -> set[str]:
    """The states with a function that a deployment can pass between its start and its promotion."""
    machine = definition("deploy")
    way = networkx.DiGraph()
    for name, state in machine["States"].items():
        way.add_edges_from((name, step.next) for step in ways(state) if step.kind != "catch")
    before, after = networkx.ancestors(way, "Promoted"), networkx.descendants(way, machine["StartAt"])
    return {name for name in before & after if "lambda:invoke" in machine["States"][name].get("Resource", "")}


def _imported(path: Path) -> list[Path]:
    """The product's modules that a file imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crossfade"):
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [path for path in map(_file, [str(node.module), *within]) if path.exists()]
    return found


def _file(module: str) -> Path:
    return FUNCTIONS.joinpath(*module.split(".")).with_suffix(".py")


def _statements(tree: ast.AST) -> int:
    return sum(isinstance(node, ast.stmt) and not _is_docstring(node) for node in ast.walk(tree))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for part in targets for name in ast.walk(part) if isinstance(name, ast.Name))


def _code_lines(path: Path) -> set[int]:
    """The lines on which a token stands that is neither a comment nor a string that stands alone."""
    text = path.read_text()
    alone = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and _is_docstring(node)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    layout |= {tokenize.ENCODING, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    held = {
        line
        for token in tokens
        if token.type not in layout
        for line in range(token.start[0], token.end[0] + 1)
    }
    return held - alone


def _row(name: str, code: Code) -> str:
    complexities = code.complexities
    over = sum(found > 5 for found in complexities)
    return (
        f"{name:24}{len(code.paths):6}{code.lines:8,}{code.statements:12,}{code.names:8}{code.classes:9}"
        f"{code.fields:8}{max(complexities, default=0):9}{over:8}"
    )


def report() -> Iterator[str]:
    """The figures, line by line."""
    yield f"{'':24}{'files':>6}{'lines':>8}{'statements':>12}{'names':>8}{'classes':>9}{'fields':>8}" + (
        f"{'complex':>9}{'over 5':>8}"
    )
    parts: Iterable[str] = ("domain", "domain/gate", "aws", "handlers")
    yield _row("functions", folder())
    yield from (_row(f"  {part}", folder(part)) for part in parts)
    yield _row("main path", main_path())
    bodies = handler_bodies()
    most = max(bodies, key=lambda name: bodies[name])
    yield f"handler bodies: {median(bodies.values()):g} statements (median), {bodies[most]} at most ({most})"
    for name in MACHINES:
        machine = definition(name)
        yield (
            f"{name} definition: {len(source(name).splitlines())} lines, {len(machine['States'])} states, "
            f"{len(variables(machine))} variables"
        )


if __name__ == "__main__":
    print("\n".join(report()))
