"""How the emulator is changed in this process: each patch names what it replaces and the version it is for.

`@replaces` stands over a function that takes the place of one of MiniStack's, `@changes` over one that
changes data of it, a table for instance. `install` puts the patches of some modules in place. Before it
touches anything it checks that every target exists, and that the installed MiniStack is the one that each
patch was written for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

EMULATOR = "ministack"
"""The package that is patched."""


class PatchesDoNotFit(Exception):
    """The installed emulator is not the one that was patched; a line for each patch says what to do."""


@dataclass
class Patch:
    """One change of the emulator: of an attribute of `owner`, or of an entry of tables that `path` leads
    into.
    """

    owner: Any
    path: tuple[str, ...]
    version: str
    function: Callable[..., Any]
    stand_in: Callable[[Any], Any]
    """Makes what takes the target's place out of the target."""
    replaced: Any = None

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return f"{self.function.__module__.replace('.', '/')}.py"

    @property
    def target(self) -> str:
        """What it replaces, as in `ministack.services.ecs._ACTION_MAP['RunTask']`."""
        module = getattr(self.owner, "__module__", None)
        owner = f"{module}.{self.owner.__name__}" if module else str(self.owner.__name__)
        return f"{owner}.{self.path[0]}" + "".join(f"[{key!r}]" for key in self.path[1:])

    def problem(self, installed: str) -> str | None:
        """Why it cannot be put into this version of the emulator, and what to do; None: it can."""
        try:
            self._found()
        except (AttributeError, KeyError):
            return (
                f"{self.file}: {self.function.__name__} replaces {self.target}, which MiniStack {installed} "
                "does not have. Patch what does its work there, or remove the patch."
            )
        if self.version != installed:
            return (
                f"{self.file}: {self.function.__name__} replaces {self.target} of MiniStack {self.version}, "
                f"but {installed} is installed. "
                f"Install {self.version}, or compare the two and set the patch's version."
            )
        return None

    def install(self) -> None:
        """Take the target's place."""
        self.replaced = self._found()
        holder, name = self._holder(), self.path[-1]
        if isinstance(holder, MutableMapping):
            holder[name] = self.stand_in(self.replaced)
        else:
            setattr(holder, name, self.stand_in(self.replaced))

    def _holder(self) -> Any:
        """The module, class or table that the target is in."""
        return functools.reduce(_named, self.path[:-1], self.owner)

    def _found(self) -> Any:
        return _named(self._holder(), self.path[-1])


def _named(holder: Any, name: str) -> Any:
    return holder[name] if isinstance(holder, MutableMapping) else getattr(holder, name)


_patches: dict[str, list[Patch]] = {}
"""By the name of their module, in the order of its lines."""


def replaces(owner: Any, *path: str, version: str) -> Callable[[Function], Function]:
    """This function is called instead of the emulator's, with the emulator's as its first argument.

    `owner` is a module or a class of the emulator; `path` the function's name there, or the name of a table
    and the keys that lead to the function; `version` the MiniStack that it was compared with.
    """

    def register(function: Function) -> Function:
        def stand_in(emulator: Any) -> Any:
            @functools.wraps(function)
            def patched(*arguments: Any, **named: Any) -> Any:
                return function(emulator, *arguments, **named)

            return patched

        _register(Patch(owner, path, version, function, stand_in))
        return function

    return register


def changes(owner: Any, *path: str, version: str) -> Callable[[Function], Function]:
    """This function is called once, at the start, with data of the emulator; what it returns takes its place.

    A table that several modules of the emulator hold is changed in place and returned.
    """

    def register(function: Function) -> Function:
        _register(Patch(owner, path, version, function, function))
        return function

    return register


def _register(patch: Patch) -> None:
    _patches.setdefault(patch.function.__module__, []).append(patch)


def patches_of(*modules: ModuleType) -> list[Patch]:
    """The patches of these modules, in the order in which they are installed."""
    return [patch for module in modules for patch in _patches[module.__name__]]


def install(*modules: ModuleType) -> None:
    """Put the patches of these modules in place, in this order.

    Of two patches with one target the later one is asked first. Raises PatchesDoNotFit before it changes any.
    """
    installed = metadata.version(EMULATOR)
    patches = patches_of(*modules)
    if problems := [problem for patch in patches if (problem := patch.problem(installed))]:
        raise PatchesDoNotFit("\n".join(problems))
    for patch in patches:
        patch.install()


def replaced(function: Callable[..., Any]) -> Any:
    """What a patch has replaced, for other code that needs the emulator as it was without that patch."""
    (patch,) = [patch for patch in _patches[function.__module__] if patch.function is function]
    return patch.replaced
