"""Which tests run side by side: most of them wait, so several processes share the two cores.

A group stays in one process, in its own order. Each file is a group, so that what its fixtures start is
started once; the files of a rehearsal in the sandbox share one sandbox, and are one group (see
``tests/sandbox/conftest.py``). Without ``--numprocesses`` all of it runs in one process.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.figures import FIGURES

ROOT = Path(__file__).parents[1]
# sam packs functions/ as it is: no bytecode may lie in it, whoever runs the tests, and in whatever way.
sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".venv/bytecode"))
for _left in (ROOT / "functions").rglob("__pycache__"):
    shutil.rmtree(_left, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """A place for the figures that the summary shows."""
    config.stash[FIGURES] = []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test that has none a group: its file."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


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
