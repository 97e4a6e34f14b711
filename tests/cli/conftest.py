"""The owner's account, and a folder that the command writes its files into."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.owner import Owner, renewed_owners


@pytest.fixture(scope="module")
def renewed() -> Iterator[Callable[[pytest.MonkeyPatch], Owner]]:
    """Return a function that gives an account as good as new; it is set up once for each file."""
    with renewed_owners() as renewed:
        yield renewed


@pytest.fixture
def owner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, renewed: Callable[[pytest.MonkeyPatch], Owner]
) -> Owner:
    """Return an owner's account; the current folder is an empty one."""
    monkeypatch.chdir(tmp_path)
    return renewed(monkeypatch)
