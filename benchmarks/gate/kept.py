"""What a run has simulated so far, in a file of its own, so that a run which is cut short can go on."""

import shelve
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

Part = TypeVar("Part")


class Kept:
    """Parts by name. The file must be of the same code and the same seed; without one nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._parts: MutableMapping[str, Any] = {} if path is None else shelve.open(str(path))  # noqa: S301, SIM115

    def part(self, name: str, work: Callable[[], Part]) -> Part:
        """A part as it was kept, or made and kept now."""
        if name not in self._parts:
            self._parts[name] = work()
            if isinstance(self._parts, shelve.Shelf):
                self._parts.sync()
        found: Part = self._parts[name]
        return found
