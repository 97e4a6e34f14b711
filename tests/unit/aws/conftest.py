"""The adapters' surroundings: an account in moto."""

from collections.abc import Callable, Iterator

import pytest

from tests.unit.account import (
    Account,
    read_logs_by_prefix,
    renewed_accounts,
    scale_as_aws_does,
)


@pytest.fixture(scope="module")
def renewed() -> Iterator[Callable[[], Account]]:
    """Return a function that gives an account as good as new; it is set up once for each file."""
    with renewed_accounts() as renewed:
        yield renewed


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, renewed: Callable[[], Account]) -> Account:
    """Return an account with the stacks' resources in it."""
    read_logs_by_prefix(monkeypatch)
    scale_as_aws_does(monkeypatch)
    return renewed()
