"""docs/adopting.md as a person reads it: the commands in its order, typed as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.sandbox.shell import PROJECT, Shell

DOCUMENT = "docs/adopting.md"
_FENCES = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_ASSIGNMENT = re.compile(r"\w+=")


def commands(heading: str) -> list[str]:
    """The commands of a section, without their prompts."""
    blocks = (text for kind, text in _blocks(heading) if kind == "console")
    return [line.removeprefix("$ ") for text in blocks for line in text.splitlines()]


def by_hand(heading: str) -> list[str]:
    """The lines of a section that are to be written into a file."""
    return [line for kind, text in _blocks(heading) if kind != "console" for line in text.splitlines()]


def _blocks(heading: str) -> list[tuple[str, str]]:
    text = (PROJECT / DOCUMENT).read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return _FENCES.findall(section)


class Reader:
    """Types commands in a folder that is like the project's, in which files may be left; variables stay."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self._shell, self._folder = shell, folder
        self._known: list[str] = []
        for each in PROJECT.iterdir():
            if not each.name.startswith(".") and each.name != "test_client_results":
                (folder / each.name).symlink_to(each)

    def file(self, name: str) -> Path:
        """A file that a command has left."""
        return self._folder / name

    def does(self, *typed: str) -> str:
        """Type these; returns what they print. AssertionError when one fails."""
        printed = self._shell.bash("\n".join([*self._known, *typed]), self._folder)
        self._known += [line for line in typed if _ASSIGNMENT.match(line)]
        return printed
