"""Read a Dockerfile as far as a laptop without Docker can follow it.

Only the final stage counts. Of RUN only `pip install` is followed, also in a stage which the final one copies
from. FROM is skipped, since Python is the sandbox's own, and so are the files of another stage or image.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser
from dockerfile_parse.util import WordSplitter, extract_key_values

_MODIFIER = re.compile(r"\$\{\w+:")
_BETWEEN_COMMANDS = "&|;"
# what stands before `install`: RUN's own options, variables, then pip itself, with its options
_PIP = re.compile(r"(--\S+ )*(\w+=.* )?(\S*/)?(uv pip|pip[\d.]*|python[\d.]* -m pip)( -\S+)*")


class DockerfileError(Exception):
    """The Dockerfile is missing or says something that the sandbox cannot do."""


Copies = list[tuple[list[str], str]]
"""(sources, destination) of each COPY, paths as written."""


@dataclass(frozen=True)
class PipInstall:
    """One `pip install`: the words after it, where it is called, and what had been copied by then."""

    words: list[str]
    workdir: str
    copies: Copies


@dataclass
class Recipe:
    """What a Dockerfile's final stage says."""

    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    copies: Copies = field(default_factory=list)
    pip_installs: list[PipInstall] = field(default_factory=list)
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
    recipe = _Stages(path, instructions, stages, build_args).read(len(stages) - 1)
    declared = {value.strip().partition("=")[0] for name, value in instructions if name == "ARG"}
    recipe.unused_build_args = sorted(set(build_args) - declared)
    return recipe


@dataclass(frozen=True)
class _Stages:
    """A Dockerfile's stages; `starts` are the places of FROM among its instructions."""

    path: Path
    instructions: list[tuple[str, str]]
    starts: list[int]
    build_args: Mapping[str, str]

    def read(self, number: int) -> Recipe:
        """What one stage says."""
        reader = _Reader(self, number)
        for name, value in self.instructions[: self.starts[0]]:
            if name == "ARG":
                reader.declare_global(value)
        end = [*self.starts, len(self.instructions)][number + 1]
        for name, value in self.instructions[self.starts[number] + 1 : end]:
            reader.read(name, value)
        return reader.recipe

    def before(self, number: int, called: str) -> int | None:
        """The earlier stage of that name, or number; None is another image."""
        for earlier, start in enumerate(self.starts[:number]):
            *_, name = self.instructions[start][1].lower().split(" as ")
            if called.lower() in (name.strip(), str(earlier)):
                return earlier
        return None


class _Reader:
    """Goes through one stage's instructions in order, with the variables known so far."""

    def __init__(self, stages: _Stages, number: int) -> None:
        self.recipe = Recipe()
        self._stages = stages
        self._number = number
        self._path = stages.path
        self._build_args = stages.build_args
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

    def _on_run(self, value: str) -> None:
        for command in _commands(value):
            place = command.index("install") if "install" in command else 0
            if _PIP.fullmatch(" ".join(command[:place])):
                words = [self._text(word) if "$" in word else word for word in command[place + 1 :]]
                self.recipe.pip_installs.append(PipInstall(words, self.recipe.workdir, [*self.recipe.copies]))

    def _on_cmd(self, value: str) -> None:
        self.recipe.command = self._exec_form("CMD", value)

    def _on_entrypoint(self, value: str) -> None:
        self.recipe.entrypoint = self._exec_form("ENTRYPOINT", value)
        self.recipe.command = []  # as Docker does: a CMD of before belongs to another entry point

    def _on_copy(self, value: str) -> None:
        words = self._exec_form("COPY", value) if value.lstrip().startswith("[") else self._words(value)
        flags = [word for word in words if word.startswith("--")]
        if origin := next((flag for flag in flags if flag.startswith("--from=")), None):
            stage = self._stages.before(self._number, origin.removeprefix("--from="))
            if stage is not None:
                self.recipe.pip_installs += self._stages.read(stage).pip_installs
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
        words = _exec_form(value)
        if words is None:
            raise DockerfileError(f'{self._path}: {name} must be in exec form, as {name} ["python", "a.py"]')
        return words

    def _reject_modifiers(self, value: str) -> None:
        if _MODIFIER.search(value):
            raise DockerfileError(f"{self._path}: ${{NAME:-…}} is not supported here; give the ARG a default")


def _exec_form(value: str) -> list[str] | None:
    """The words of a JSON array, or None where there is another form."""
    try:
        words = json.loads(value)
    except json.JSONDecodeError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _commands(value: str) -> Iterator[list[str]]:
    """The commands of a RUN, as words: its own in exec form, else those of the shell's line."""
    if (words := _exec_form(value)) is not None:
        yield words
        return
    line = shlex.shlex(value, posix=True, punctuation_chars=_BETWEEN_COMMANDS)
    line.whitespace_split = True
    line.commenters = ""
    command: list[str] = []
    try:
        for word in line:
            if word.strip(_BETWEEN_COMMANDS):
                command.append(word)
            else:
                yield command
                command = []
    except ValueError:
        return  # a quote that only a shell understands
    yield command
