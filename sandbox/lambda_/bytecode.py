"""A function's code: unpacked and compiled once for each code, not by each of its execution environments.

An environment's folder holds links to what was unpacked, which it only reads: on AWS `/var/task` is
read-only.
"""

from __future__ import annotations

import compileall
import functools
import io
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from py_compile import PycInvalidationMode
from types import ModuleType, SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

from sandbox.patching import changes, replaces

_CODES = 8
_UNPACKED = b"sandbox: unpacked in "


@replaces(lambda_runtime.Worker, "_spawn", version="1.5.33")
def unpack_once(emulator: Callable[[Any], None], worker: Any) -> None:
    """MiniStack: each worker unpacks the code, and Python compiles it: a fifth of a second of a core.

    In place of the code it gets an archive that only says where the code is unpacked, for ``link_code``.
    """
    code, worker.unpacked = worker.code_zip, unpacked(worker.code_zip)  # is there as long as the worker
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.comment = _UNPACKED + os.fsencode(worker.unpacked.name)
    worker.code_zip = packed.getvalue()
    try:
        emulator(worker)
    finally:
        worker.code_zip = code


@functools.lru_cache(_CODES)
def unpacked(code: bytes) -> tempfile.TemporaryDirectory[str]:
    """A folder with a zip archive's files and their bytecode; what cannot be compiled has none.

    It is deleted when nothing refers to it any more.
    """
    folder = tempfile.TemporaryDirectory(prefix="sandbox-code-")
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        archive.extractall(folder.name)
    compileall.compile_dir(folder.name, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return folder


class Linked(zipfile.ZipFile):
    """An archive; of one that only says where the code is unpacked, links to that are extracted."""

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Put what is in it into a folder."""
        if not self.comment.startswith(_UNPACKED):
            super().extractall(path, members, pwd)
            return
        for entry in Path(os.fsdecode(self.comment.removeprefix(_UNPACKED))).iterdir():
            Path(path, entry.name).symlink_to(entry)


@changes(lambda_runtime, "zipfile", version="1.5.33")
def link_code(emulator: ModuleType) -> SimpleNamespace:
    """The other half of `unpack_once`."""
    return SimpleNamespace(**{**vars(emulator), "ZipFile": Linked})
