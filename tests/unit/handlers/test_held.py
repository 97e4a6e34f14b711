"""CheckHeld: what is held for longer than its plan allows is found, and nothing else."""

from datetime import timedelta

import pytest

from crossfade.aws.journal import Journal
from crossfade.domain.errors import HeldTooLong
from crossfade.domain.journal import DELETION
from crossfade.domain.planning.plan import HeldPlan
from tests.unit.account import TABLE, Account
from tests.unit.handlers.conftest import Clock, Invoke, Logged


@pytest.fixture
def held(account: Account, journal: Journal) -> HeldPlan:
    """Return the plan of a deployment that holds its service."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    return plan


def past(plan: HeldPlan, clock: Clock, seconds: float) -> None:
    """Let it be some seconds after the service should have been free."""
    clock.seconds = (plan.free_by - clock.now()).total_seconds() + seconds


def test_a_deployment_has_the_time_of_its_plan(held: HeldPlan) -> None:
    """All its deadlines, and some for a rollback and the report."""
    spec = held.spec
    least = sum(stage.max_seconds for stage in held.stages) + spec.gate.give_up_seconds
    least += spec.launch.deadline_seconds + 2 * spec.retire.deadline_seconds
    assert held.free_by - held.began > timedelta(seconds=least)


def test_a_service_that_is_held_in_time_is_no_failure(invoke: Invoke, held: HeldPlan, clock: Clock) -> None:
    """Until the last moment."""
    past(held, clock, 0)
    assert invoke("check_held") == {"services": ["web"]}


def test_one_that_is_held_for_longer_is_named(
    invoke: Invoke, held: HeldPlan, clock: Clock, logged: Logged
) -> None:
    """With what holds it, since when, and what to do; the log has it under the error's name."""
    past(held, clock, 1)
    with pytest.raises(
        HeldTooLong, match=rf"web is held by {held.holder} for {held.deployment}, which began"
    ):
        invoke("check_held")
    assert logged()[-1]["message"].startswith("HeldTooLong: web is held by")


def test_what_is_free_again_is_not_looked_at(
    invoke: Invoke, held: HeldPlan, clock: Clock, journal: Journal
) -> None:
    """The old version may be kept warm for as long as it likes."""
    past(held, clock, 1)
    journal.holding.release(held.hold, clock.now())
    assert invoke("check_held") == {"services": []}


def test_a_deletion_is_not_held_to_the_plan_that_it_has_cut_off(
    invoke: Invoke, held: HeldPlan, clock: Clock, journal: Journal
) -> None:
    """Its own stack says what it waits for; there is no execution to read, and no rollback to start."""
    journal.holding.seize("web", DELETION)
    past(held, clock, 1)
    assert journal.state("web").deployment == held.deployment
    assert invoke("check_held") == {"services": ["web"]}


def test_a_plan_that_cannot_be_read_is_told(invoke: Invoke, held: HeldPlan, account: Account) -> None:
    """It is of an earlier version, or gone: nobody knows until when."""
    item = {"service": {"S": "web"}, "item": {"S": f"deployment#{held.deployment}"}}
    account.dynamodb.delete_item(TableName=TABLE, Key=item)
    with pytest.raises(
        HeldTooLong, match=r"web is held by .* and InvalidInput: The journal has no deployment"
    ):
        invoke("check_held")


def test_one_service_alone_can_be_asked_for(invoke: Invoke, held: HeldPlan, clock: Clock) -> None:
    """By hand."""
    past(held, clock, 1)
    assert invoke("check_held", service="another") == {"services": []}
