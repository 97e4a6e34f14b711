"""The adapters' surroundings: an account in moto."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.unit.account import Account, read_logs_by_prefix, refuse_targets_without_limits


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Return an account with the stacks' resources in it."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # they take half of the time
    read_logs_by_prefix(monkeypatch)
    refuse_targets_without_limits(monkeypatch)
    with mock_aws():
        yield Account()
