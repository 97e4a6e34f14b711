"""The journal: one holder, milestones that stay, and weights that only the holder writes."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.failures import named
from crossfade.aws.journal import Journal, State
from crossfade.domain.certificate import StageRecord
from crossfade.domain.errors import AwsUnavailable, ServiceBusy, ServiceLost
from crossfade.domain.message import iso
from crossfade.domain.plan import Plan
from crossfade.domain.traffic import Weights
from tests.unit.account import TABLE, Account
from tests.unit.examples import EXECUTION, at

ROLLBACK = f"{EXECUTION}:rollback"
BLUE, SOME = Weights(blue=100, green=0), Weights(blue=90, green=10)


@pytest.fixture
def journal(account: Account) -> Journal:
    """Return the account's journal."""
    return Journal(account.dynamodb, TABLE)


@pytest.fixture
def held(account: Account, journal: Journal) -> Plan:
    """Return a first deployment that holds the service."""
    plan = account.first_plan()
    journal.claim(plan)
    return plan


def _other(plan: Plan) -> Plan:
    return plan.model_copy(update={"deployment": "d2", "execution": f"{EXECUTION}:d2"})


def test_a_new_service_has_an_empty_state(journal: Journal) -> None:
    """Nobody holds it, and nothing was written."""
    assert journal.state("web") == State()


def test_a_claim_makes_a_holder(journal: Journal, held: Plan) -> None:
    """And opens the deployment's history."""
    assert journal.state("web") == State(holder=held.execution, deployment="d1")
    assert journal.history("web", "d1").plan == held


def test_claiming_twice_is_claiming_once(journal: Journal, held: Plan) -> None:
    """A retried claim keeps what was written since."""
    journal.milestone(held, "launched", iso(at(1)))
    journal.claim(held)
    assert journal.history("web", "d1").launched == at(1)


def test_a_second_deployment_is_busy(journal: Journal, held: Plan) -> None:
    """The sentence names the holder; nothing of the second is written."""
    with pytest.raises(ServiceBusy, match=held.execution):
        journal.claim(_other(held))
    assert journal.state("web").deployment == "d1"


def test_of_two_claims_one_wins(account: Account, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both found the service free; the transaction decides."""
    first = account.first_plan()
    monkeypatch.setattr(journal, "state", lambda _: State())
    journal.claim(first)
    with pytest.raises(ServiceBusy):
        journal.claim(_other(first))
    assert account.item("state")["holder"] == first.execution
    assert account.item("deployment#d2") == {}


def test_a_plan_that_was_overtaken_is_busy(account: Account, journal: Journal, held: Plan) -> None:
    """A deployment came and went since the plan was made, so its slots may have been swapped."""
    journal.wrote(held, BLUE, at(5))
    journal.release(held)
    with pytest.raises(ServiceBusy, match="ended meanwhile"):
        journal.claim(_other(held))
    journal.claim(account.plan(deployment="d3", execution=f"{EXECUTION}:d3"))


def test_a_conflict_of_transactions_is_worth_another_try(
    account: Account, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing of who holds the service."""

    def cancel(**_: Any) -> None:
        error: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
            "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
        }
        raise ClientError(error, "TransactWriteItems")

    monkeypatch.setattr(account.dynamodb, "transact_write_items", cancel)
    with pytest.raises(ClientError) as cancelled:
        journal.claim(account.first_plan())
    assert isinstance(named(cancelled.value), AwsUnavailable)


def test_weights_on_their_way_are_known(journal: Journal, held: Plan) -> None:
    """A write that was cut off is not taken for a foreign change."""
    journal.intend(held, SOME)
    assert journal.state("web").intended == SOME
    journal.wrote(held, SOME, at(5))
    assert journal.state("web") == State(holder=held.execution, deployment="d1", weights=SOME)


def test_a_removed_rule_leaves_no_weights(journal: Journal, held: Plan) -> None:
    """After the rollback of a first release."""
    journal.wrote(held, SOME, at(5))
    journal.wrote(held, None, at(6))
    journal.wrote(held, None, at(6))
    assert journal.state("web").weights is None


def test_a_rollback_takes_the_service_over(journal: Journal, held: Plan) -> None:
    """Twice, and its copy of the plan writes as the new holder."""
    mine = journal.take_over(held, ROLLBACK)
    assert mine == journal.take_over(held, ROLLBACK)
    assert mine.execution == ROLLBACK
    journal.wrote(mine, BLUE, at(5))
    assert journal.state("web").holder == ROLLBACK


def test_a_deployment_that_lost_the_service_writes_no_weights(
    account: Account, journal: Journal, held: Plan
) -> None:
    """Neither before nor after the load balancer, and it promotes nothing."""
    journal.take_over(held, ROLLBACK)
    with pytest.raises(ServiceLost, match="does not hold web"):
        journal.intend(held, SOME)
    with pytest.raises(ServiceLost):
        journal.wrote(held, SOME, at(5))
    with pytest.raises(ServiceLost):
        journal.promote(held, at(5))
    assert "promoted" not in account.item("deployment#d1")


def test_an_ended_deployment_is_not_taken_over(journal: Journal, held: Plan) -> None:
    """It holds nothing any more."""
    journal.release(held)
    with pytest.raises(ServiceLost):
        journal.take_over(held, ROLLBACK)


def test_a_promotion_stays(account: Account, journal: Journal, held: Plan) -> None:
    """Its first time stands; the state tells the stable slot."""
    journal.promote(held, at(50))
    journal.promote(held, at(60))
    assert journal.history("web", "d1").promoted == at(50)
    state = account.item("state")
    assert (state["stable"], state["version"]) == ("blue", "0.0.2")


def test_milestones_keep_their_first_time(journal: Journal, held: Plan) -> None:
    """A handler that runs twice does not move them; it is told the one that stands."""
    assert journal.milestone(held, "judged", iso(at(1))) == iso(at(1))
    assert journal.milestone(held, "judged", iso(at(2))) == iso(at(1))


def test_stages_are_known_by_their_weight(journal: Journal, held: Plan) -> None:
    """Written twice they are still one, and they come back in order."""
    for weight in (100, 10, 0, 10):
        journal.stage(held, StageRecord(weight=weight, began=at(weight)))
    ended = StageRecord(weight=10, began=at(10), ended=at(20), verdict="advance", reason="good")
    journal.stage(held, ended)
    stages = journal.history("web", "d1").stages
    assert [stage.weight for stage in stages] == [0, 10, 100]
    assert stages[1] == ended


def test_the_place_in_the_ledger_is_kept(journal: Journal, held: Plan) -> None:
    """For the rollback, which reads on from there; nothing read is nothing to write."""
    journal.read_to(held, None)
    assert journal.history("web", "d1").cursor is None
    journal.read_to(held, "f/1")
    assert journal.history("web", "d1").cursor == "f/1"


def test_a_released_service_is_free(account: Account, journal: Journal, held: Plan) -> None:
    """The weights stay known; releasing twice is harmless."""
    journal.wrote(held, BLUE, at(5))
    journal.release(held)
    journal.release(held)
    assert journal.state("web") == State(weights=BLUE)


def test_a_release_by_a_former_holder_frees_nothing(journal: Journal, held: Plan) -> None:
    """The rollback still works."""
    journal.take_over(held, ROLLBACK)
    journal.release(held)
    assert journal.state("web").holder == ROLLBACK


def test_a_forgotten_service_keeps_its_history(account: Account, journal: Journal, held: Plan) -> None:
    """Forgetting twice is harmless."""
    journal.forget("web")
    journal.forget("web")
    assert journal.state("web") == State()
    assert account.item("deployment#d1")["execution"] == held.execution
