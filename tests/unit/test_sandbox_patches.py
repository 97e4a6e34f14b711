"""Patches of the emulator: put in place in order, checked before, and each named by the documentation."""

from __future__ import annotations

import ast
import re
from importlib import metadata
from pathlib import Path
from sys import modules
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sandbox import patching
from sandbox.patches import PATCHES
from sandbox.patching import PatchesDoNotFit, changes, replaced, replaces
from tests.unit.test_pins import pins

ROOT = Path(__file__).parents[2]
SANDBOX = ROOT / "sandbox"
PAGE = (ROOT / "docs/sandbox.md").read_text(encoding="utf-8")
INSTALLED = metadata.version(patching.EMULATOR)
HERE = modules[__name__]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that can be patched; this file has no other patches."""
    monkeypatch.setattr(patching, "_patches", {})
    made = ModuleType("emulator")
    made.greet = lambda name: f"hello {name}"
    made.calls = {"Greet": made.greet}
    made.Worker = type("Worker", (SimpleNamespace,), {"greet": lambda worker: worker.name})
    return made


def test_a_patch_is_called_with_what_it_replaces(emulator: Any) -> None:
    """A function of a module, an entry of a table, a method of a class."""

    @replaces(emulator, "greet", version=INSTALLED)
    @replaces(emulator, "calls", "Greet", version=INSTALLED)
    def louder(original: Any, name: str) -> str:
        return f"{original(name)}!"

    @replaces(emulator.Worker, "greet", version=INSTALLED)
    def politer(original: Any, worker: Any) -> str:
        return f"Dr. {original(worker)}"

    patching.install(HERE)

    assert emulator.greet("world") == emulator.calls["Greet"]("world") == "hello world!"
    assert emulator.Worker(name="Who").greet() == "Dr. Who"


def test_the_later_patch_is_asked_first(emulator: Any) -> None:
    """It stands around the one before it, which others may ask for."""

    @replaces(emulator, "greet", version=INSTALLED)
    def inner(original: Any, name: str) -> str:
        return f"({original(name)})"

    @replaces(emulator, "greet", version=INSTALLED)
    def outer(original: Any, name: str) -> str:
        return f"[{original(name)}]"

    patching.install(HERE)

    assert emulator.greet("world") == "[(hello world)]"
    assert replaced(outer)("world") == "(hello world)"


def test_data_are_changed_once(emulator: Any) -> None:
    """What the function returns takes their place."""

    @changes(emulator, "calls", version=INSTALLED)
    def more_calls(table: dict[str, Any]) -> dict[str, Any]:
        return table | {"Part": "goodbye"}

    patching.install(HERE)

    assert emulator.calls == {"Greet": emulator.greet, "Part": "goodbye"}


@pytest.mark.parametrize(
    ("path", "target"),
    [(("part",), "emulator.part"), (("calls", "Part"), "emulator.calls['Part']")],
    ids=["a-function", "an-entry"],
)
def test_a_target_that_is_gone(emulator: Any, path: tuple[str, ...], target: str) -> None:
    """The message names the file, the target and what to do; nothing is changed."""
    before = emulator.greet

    @replaces(emulator, "greet", version=INSTALLED)
    def fits(original: Any, name: str) -> str:
        return "never"

    @replaces(emulator, *path, version=INSTALLED)
    def gone(original: Any) -> None:
        pass

    with pytest.raises(PatchesDoNotFit) as refused:
        patching.install(HERE)

    assert str(refused.value) == (
        f"{__name__}.py: gone replaces {target}, which MiniStack {INSTALLED} does not "
        "have. Patch what does its work there, or remove the patch."
    )
    assert emulator.greet is before


def test_another_version(emulator: Any) -> None:
    """Each patch that was not compared with the installed version has a line."""
    for version in ("1.0", INSTALLED, "2.0"):
        replaces(emulator, "greet", version=version)(lambda original, name: name)

    with pytest.raises(PatchesDoNotFit) as refused:
        patching.install(HERE)

    lines = str(refused.value).splitlines()
    assert [re.findall(r"of MiniStack (\S+), but (\S+) is installed", line) for line in lines] == [
        [("1.0", INSTALLED)],
        [("2.0", INSTALLED)],
    ]


def test_every_patch_is_installed() -> None:
    """A file with a patch is one of those that the sandbox installs."""
    patched = {
        str(path.relative_to(ROOT))
        for path in SANDBOX.rglob("*.py")
        if re.search(r"^@(replaces|changes)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert patched == {patch.file for patch in patching.patches_of(*PATCHES)}
    assert len(PATCHES) == len(set(PATCHES))


def test_nothing_else_is_patched() -> None:
    """The emulator's functions are replaced in one way only: no file sets an attribute of its modules."""
    for path in SANDBOX.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
        theirs = {a.name for node in imports if node.module.startswith("ministack") for a in node.names}
        assigned = {ast.unparse(t) for node in nodes for t in getattr(node, "targets", [])}
        assigned |= {ast.unparse(node.target) for node in nodes if isinstance(node, ast.AugAssign)}
        attributes = {name for name in assigned if re.fullmatch(r"\w+(\.\w+)+", name)}
        assert [name for name in attributes if name.split(".")[0] in theirs] == [], path


def test_the_host_knows_nothing_of_the_emulator() -> None:
    """The command that pushes and the demo use it without starting one."""
    for path in (SANDBOX / "host").glob("*.py"):
        imported = re.findall(r"^(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not [name for name in imported if name.startswith("ministack")]
        assert not [name for name in imported if re.match(r"sandbox\b(?!\.host)", name)]


def test_the_documentation_names_the_file_of_each_patch() -> None:
    """And no file that is not there."""
    table = PAGE.split("| MiniStack alone | supplied by |")[1]
    named = {f"sandbox/{name}" for name in re.findall(r"`([\w/]+\.py)`", table)}

    assert {patch.file for patch in patching.patches_of(*PATCHES)} - named == set()
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_one_version_is_patched_pinned_and_documented() -> None:
    """All three move together."""
    versions = {patch.version for patch in patching.patches_of(*PATCHES)}
    assert versions == {pins("requirements.txt")["ministack"]}
    assert set(re.findall(r"MiniStack (\d[\d.]+\d)", PAGE)) == versions
