"""A first release whose address nobody listens at: it is not promoted, and the cause says why."""

from __future__ import annotations

import pytest

from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def unreached(stage: Stage) -> Rehearsal:
    """The release before the first one that goes live; its first stage is as short as may be."""
    first, *_, last = stage.cloud.spec["stages"]
    with stage.spec(probe={"url": NOBODY}, stages=[first | {"max_seconds": 25}, last]):
        return stage.rehearse("the address is dead", stage.push("0.0.0"), rests=False)


def test_it_is_not_promoted(unreached: Rehearsal) -> None:
    """Silence is not success, also where there is no stable version to compare with."""
    assert (unreached.execution.status, unreached.execution.error) == ("FAILED", "EvidenceMissing")
    assert unreached.item["outcome"] == "failed"
    assert unreached.after is None


def test_the_cause_names_the_transport_error(unreached: Rehearsal) -> None:
    """And the address that was asked, as the certificate does."""
    for told in (unreached.execution.cause, unreached.certificate["reason"]):
        assert "candidate (blue) does not answer" in told
        assert f"ConnectionRefusedError: Connection refused ({NOBODY}/version). Nobody listens there" in told


def test_nothing_of_it_is_left(stage: Stage, unreached: Rehearsal) -> None:
    """The rule was not touched, and no task runs: the next release is a first one."""
    assert unreached.weights_seen == [(0, 0)]
    assert stage.cloud.running() == (0, 0)
    assert unreached.holder is None
