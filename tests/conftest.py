"""Which tests run side by side: most of them wait, so several processes share the two cores.

A group stays in one process, in its own order. Each file is a group, so that what its fixtures start is
started once. The files of a rehearsal share a sandbox, and are one group. Groups begin in the order of
collection: what takes longest first. Without ``--numprocesses`` all of it runs in one process.
"""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

import cli  # noqa: F401 - the command turns bytecode off for its process: before it is turned on here
from tests.figures import FIGURES
from tests.groups import LONGEST, group_of

ROOT = Path(__file__).parents[1]
PACKED = ROOT / "functions"


class Unwritten(SourceFileLoader):
    """Imports without leaving bytecode behind."""

    def set_data(self, *given: Any, **named: Any) -> None:
        """Write nothing."""


def _packed(path: str) -> FileFinder:
    """What finds modules in functions/."""
    if not Path(path).is_relative_to(PACKED):
        raise ImportError("for functions/ only", path=path)
    return FileFinder(path, (Unwritten, SOURCE_SUFFIXES))


# sam packs functions/ as it is: no bytecode may lie in it, whoever runs the tests, and in whatever way.
# That of the tests is kept: to read them anew took half of the collection, in each process.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = False
sys.path_hooks.insert(0, _packed)
sys.path_importer_cache.clear()
for _left in PACKED.rglob("__pycache__"):
    shutil.rmtree(_left, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """A place for the figures that the summary shows."""
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first; the rest stays in the order of the files' names."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Spare the collector what was imported: looking through it again takes an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Of processes that come to a file at one time, the first leaves its bytecode to the others."""
    if not isinstance(collector, pytest.Module):
        return (yield)
    with collector.path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return (yield)


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole groups."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """Let xdist keep groups together."""
    return Groups(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One process of several hands its figures to the one that prints them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash[FIGURES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the figures of a process that has ended."""
    node.config.stash[FIGURES] += getattr(node, "workeroutput", {}).get("figures", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Print what was measured on the way."""
    if config.stash.get(FIGURES, []):
        terminalreporter.section("sandbox figures")
        for line in config.stash[FIGURES]:
            terminalreporter.write_line(line)
