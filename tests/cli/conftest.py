"""The owner's account, and a folder that the command writes its files into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.owner import Owner, owners_account


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Owner]:
    """Return an owner's account; the current folder is an empty one."""
    monkeypatch.chdir(tmp_path)
    with owners_account(monkeypatch) as account:
        yield account
