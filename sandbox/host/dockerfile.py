"""Read a Dockerfile as far as a laptop without Docker can follow it.

Only the final stage counts. RUN is skipped: what it would install comes from the sandbox's own Python
environment. FROM is skipped for the same reason, and so is a COPY from another stage or image.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser
from dockerfile_parse.util import WordSplitter, extract_key_values

_MODIFIER = re.compile(r"\$\{\w+:")


class DockerfileError(Exception):
    """The Dockerfile is missing or says something that the sandbox cannot do."""


@dataclass
class Recipe:
    """What a Dockerfile's final stage says. `copies` are (sources, destination), paths as written."""

    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    copies: list[tuple[list[str], str]] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    user: str = ""
    ports: list[int] = field(default_factory=list)
    unused_build_args: list[str] = field(default_factory=list)


def read_dockerfile(folder: Path, build_args: Mapping[str, str]) -> Recipe:
    """Read `folder`/Dockerfile. Raises DockerfileError with a sentence that names the file."""
    path = folder / "Dockerfile"
    if not path.is_file():
        raise DockerfileError(f"{folder} has no Dockerfile, so there is nothing to make an image from")
    lines = DockerfileParser(fileobj=io.BytesIO(path.read_bytes())).structure
    instructions = [(line["instruction"], line["value"]) for line in lines]
    stages = [number for number, (name, _) in enumerate(instructions) if name == "FROM"]
    if not stages:
        raise DockerfileError(f"{path} has no FROM")
    reader = _Reader(path, dict(build_args))
    for name, value in instructions[: stages[0]]:
        if name == "ARG":
            reader.declare_global(value)
    for name, value in instructions[stages[-1] + 1 :]:
        reader.read(name, value)
    declared = {value.strip().partition("=")[0] for name, value in instructions if name == "ARG"}
    reader.recipe.unused_build_args = sorted(set(build_args) - declared)
    return reader.recipe


class _Reader:
    """Goes through the final stage's instructions in order, with the variables known so far."""

    def __init__(self, path: Path, build_args: dict[str, str]) -> None:
        self.recipe = Recipe()
        self._path = path
        self._build_args = build_args
        self._globals: dict[str, str] = {}
        self._args: dict[str, str] = {}

    def declare_global(self, value: str) -> None:
        """An ARG before the first FROM: seen by the stage only when it declares the name again."""
        name, default = self._arg(value)
        if default is not None:
            self._globals[name] = default

    def read(self, name: str, value: str) -> None:
        """Apply one instruction; what the sandbox has no use for is skipped."""
        handler = getattr(self, f"_on_{name.lower()}", None)
        if handler is not None:
            handler(value)

    def _on_arg(self, value: str) -> None:
        name, found = self._arg(value)
        self._args[name] = found if found is not None else self._globals.get(name, "")

    def _on_env(self, value: str) -> None:
        self._reject_modifiers(value)
        pairs = extract_key_values(True, self._args, self.recipe.env, value)
        self.recipe.env.update(dict(pairs))

    def _on_workdir(self, value: str) -> None:
        self.recipe.workdir = str(Path(self.recipe.workdir) / self._text(value))

    def _on_user(self, value: str) -> None:
        self.recipe.user = self._text(value)

    def _on_expose(self, value: str) -> None:
        self.recipe.ports += [int(word.split("/")[0]) for word in self._words(value)]

    def _on_cmd(self, value: str) -> None:
        self.recipe.command = self._exec_form("CMD", value)

    def _on_entrypoint(self, value: str) -> None:
        self.recipe.entrypoint = self._exec_form("ENTRYPOINT", value)
        self.recipe.command = []  # as Docker does: a CMD of before belongs to another entry point

    def _on_copy(self, value: str) -> None:
        words = self._exec_form("COPY", value) if value.lstrip().startswith("[") else self._words(value)
        flags = [word for word in words if word.startswith("--")]
        if any(flag.startswith("--from") for flag in flags):
            return
        *sources, destination = [word for word in words if word not in flags]
        if not sources:
            raise DockerfileError(f"{self._path}: COPY {value} names no destination")
        target = str(Path(self.recipe.workdir) / destination)
        self.recipe.copies.append((sources, target + "/" if destination.endswith(("/", ".")) else target))

    _on_add = _on_copy

    def _arg(self, value: str) -> tuple[str, str | None]:
        name, _, default = value.strip().partition("=")
        if name in self._build_args:
            return name, self._build_args[name]
        return name, self._text(default) if "=" in value else None

    def _text(self, value: str) -> str:
        self._reject_modifiers(value)
        return str(WordSplitter(value, args=self._args, envs=self.recipe.env).dequote())

    def _words(self, value: str) -> list[str]:
        self._reject_modifiers(value)
        return list(WordSplitter(value, args=self._args, envs=self.recipe.env).split())

    def _exec_form(self, name: str, value: str) -> list[str]:
        try:
            words = json.loads(value)
        except json.JSONDecodeError:
            words = None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise DockerfileError(f'{self._path}: {name} must be in exec form, as {name} ["python", "a.py"]')
        return words

    def _reject_modifiers(self, value: str) -> None:
        if _MODIFIER.search(value):
            raise DockerfileError(f"{self._path}: ${{NAME:-…}} is not supported here; give the ARG a default")
