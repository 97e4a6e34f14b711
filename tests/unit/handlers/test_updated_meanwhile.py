"""Crossfade was updated in the middle of a deployment: the new rollback reads what the old version left."""

from collections.abc import Callable
from typing import Any

import pytest

from crossfade.domain.errors import PlanOutdated
from tests.unit.account import Account
from tests.unit.aws.test_stored_by_others import FIRST, STORED, as_it_is, put, stored, with_more
from tests.unit.examples import EXECUTION, ROLLBACKS, at
from tests.unit.handlers.conftest import Aws, Clock, Invoke

STOPPED = {"ended": f"{EXECUTION}:d1", "status": "ABORTED"}
CAUGHT = {"service": "web", "deployment": "d1", "failure": {"Error": "CandidateWorse", "Cause": "5 of 30"}}


@pytest.mark.parametrize("more", [{}, {"newer": 1}], ids=["fewer-words", "more-words"])
@pytest.mark.parametrize(
    "order", [STOPPED, CAUGHT], ids=["stopped-after-the-update", "rolled-back-by-itself"]
)
@pytest.mark.parametrize("change", [as_it_is, with_more], ids=["a-field-less", "a-field-more"])
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_deployment_of_another_version_is_rolled_back(
    account: Account,
    aws: Aws,
    clock: Clock,
    invoke: Invoke,
    path: Any,
    change: Callable[[Any], Any],
    order: dict[str, Any],
    more: dict[str, Any],
) -> None:
    """Its journal is understood, its service is taken over, and its plan is one that all steps take."""
    put(account, change(stored(path)))
    found = invoke("assess", input=order | more, execution=f"{ROLLBACKS}:mine", began=at(0))
    assert (found["action"], found["loser"], found["plan"]["deployment"]) == ("roll_back", "green", "d1")
    assert account.item("state")["holder"] == f"{ROLLBACKS}:mine"
    invoke("release_service", plan=found["plan"])
    assert "holder" not in account.item("state")


@pytest.mark.parametrize("order", [STOPPED, CAUGHT, {"service": "web"}], ids=["stopped", "failed", "by-hand"])
def test_a_deployment_of_the_first_form_is_left_to_the_version_that_began_it(
    account: Account, aws: Aws, clock: Clock, invoke: Invoke, order: dict[str, Any]
) -> None:
    """Named, with what to do; the service stays held, so that the older version can take it back."""
    put(account, stored(FIRST))
    before = account.item("state")
    with pytest.raises(PlanOutdated, match="Install that one again"):
        invoke("assess", input=order, execution=f"{ROLLBACKS}:mine", began=at(0))
    assert account.item("state") == before
