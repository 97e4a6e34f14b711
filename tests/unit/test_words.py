"""The code uses the glossary's words: what was retired stays out of names, states and sentences."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from faults.files import MACHINES, ROOT
from tests.statemachine.definitions import states

TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.split("## Glossary\n", 1)[1].split("\n## ", 1)[0].splitlines()
    if line.startswith("| ")
][1:]
TERMS = [term for row in ROWS for term in row[0].split(", ")]
MOST_TERMS = 25
RETIRED = {word: row[0] for row in ROWS for word in row[2].split(", ") if word}
"""By the glossary: the retired word, and the term that took its place."""
OLD_NAMES = {
    "heard": "reported, answered",
    "told": "reported, summary",
    "mute": "no answer",
    "heed": "with_alarms",
    "helper": "the idea's own name",
    "utils": "the idea's own name",
}
"""More words that no name has, and what is said instead."""
IDIOMS = {
    r"so (many|long)\b": "how many, how long; a number",
    r"whoever|somebody|nobody asks": "the holder, another execution, outside Crossfade",
    r"\bbe it\b": "even",
    r"gone on with": "advanced",
    r"\b(was|is|are|were) (told|heard)\b": "reported, received",
    r"way back": "restore target, rollback",
    r'(?<!")\bblueprint': "pattern",
}
"""Phrases of another language's idiom, a retired word (in quotes: a field of 0.1), and the plain ones."""
COLOURS = {"blue", "green"}
CODE = sorted(
    path for folder in ("functions/crossfade", "probe", "cli") for path in (ROOT / folder).rglob("*.py")
)
PROSE = [
    ROOT / name
    for name in (
        "ARCHITECTURE.md", "README.md", "docs/operations.md", "docs/configuration.md",
        "docs/adopting.md", "docs/what-crossfade-changes.md",
        "statemachine/deploy.asl.yaml", "statemachine/rollback.asl.yaml",
    )
]  # fmt: skip
"""Documents and definitions: a reader meets these first."""


@cache
def _nodes(path: Path) -> list[ast.AST]:
    """All nodes of a file, which most of these tests look at."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _names(path: Path) -> Iterator[str]:
    """Every name that a file defines or gives: modules, classes, functions, arguments, fields, variables."""
    yield path.stem
    for node in _nodes(path):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def _parts(name: str) -> list[str]:
    """A name's words, e.g. ``_LaneTotals`` → ``["lane", "totals"]``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")


def _sentences(path: Path) -> Iterator[str]:
    """Docstrings and messages of a file: every string, a formatted one without what is formatted."""
    for node in _nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _comments(path: Path) -> Iterator[str]:
    yield from re.findall(r"#.*", path.read_text(encoding="utf-8"))


def _id(path: Path) -> str:
    return "-".join(path.relative_to(ROOT).with_suffix("").parts)


def test_the_glossary_is_short() -> None:
    """A reader keeps 25 terms in mind, and no more."""
    assert 10 < len(ROWS) <= MOST_TERMS


@pytest.mark.parametrize("term", TERMS)
def test_the_code_uses_every_term(term: str) -> None:
    """As a name, or as a word of a sentence."""
    words = re.compile(rf"\b{term}", re.IGNORECASE)
    spoken = (
        words.search(text) or words.search(text.replace("_", " "))
        for path in CODE
        for text in [*_names(path), *_sentences(path)]
    )
    assert any(spoken)


@pytest.mark.parametrize("path", CODE, ids=_id)
def test_no_name_has_a_retired_word(path: Path) -> None:
    """By its parts: ``told_at`` is as retired as ``told``."""
    retired = RETIRED | OLD_NAMES
    found = {
        (name, retired[word])
        for name in _names(path)
        for word in retired
        if f" {word.replace('_', ' ')} " in f" {' '.join(_parts(name))} "
    }
    assert found == set()


@pytest.mark.parametrize("path", CODE, ids=_id)
def test_colours_name_slots_only(path: Path) -> None:
    """``blue`` and ``green`` stand for a slot as a whole name, and are no part of another one."""
    assert {name for name in _names(path) if COLOURS & set(_parts(name)) and name not in COLOURS} == set()


@pytest.mark.parametrize("machine", MACHINES)
def test_no_state_has_a_colour_or_a_retired_word(machine: str) -> None:
    """A state is named after a role."""
    words = COLOURS | RETIRED.keys() | OLD_NAMES.keys()
    assert [name for name in states(machine) if words & set(_parts(name))] == []


@pytest.mark.parametrize("path", CODE, ids=_id)
def test_sentences_are_plain(path: Path) -> None:
    """Docstrings, messages and comments."""
    for text in [*_sentences(path), *_comments(path)]:
        plain = " ".join(text.split())
        for idiom, instead in IDIOMS.items():
            assert not re.search(idiom, plain, re.IGNORECASE), f"{instead}: {plain}"


@pytest.mark.parametrize("path", PROSE, ids=_id)
def test_documents_are_plain(path: Path) -> None:
    """Documents, and the comments of the definitions."""
    plain = " ".join(path.read_text(encoding="utf-8").split("## Glossary")[0].split())
    for idiom, instead in IDIOMS.items():
        assert not re.search(idiom, plain, re.IGNORECASE), instead
