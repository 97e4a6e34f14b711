"""What `make aws-demo` deploys: a stack that can stand beside another Crossfade."""

from pathlib import Path

import pytest
from moto import mock_aws

from demo.account import Account


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Account:
    """The account, with a parameter that the caller gives."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with mock_aws():
        return Account(tmp_path, "trial", {"LogRetentionDays": "7"})


def test_the_demos_sample_is_no_other_sample(account: Account) -> None:
    """With the name of the one of `sam deploy` the second repository would be refused."""
    options = account._deploy_options()
    assert "SampleServiceName=crossfade-demo" in options
    assert {"SamplePace=trial", "LogRetentionDays=7"} <= set(options)
