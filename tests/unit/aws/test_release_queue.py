"""The line: only the newest release waits for a held service, and nobody is dropped without a word."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.errors import translate
from crossfade.aws.journal import Journal
from crossfade.aws.release_queue import ReleaseQueue
from crossfade.domain.errors import AwsUnavailable, ServiceChanged
from crossfade.domain.journal import State
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.traffic.weights import Overwritten, Weights
from tests.unit.account import TABLE, Account
from tests.unit.examples import EXECUTION, NEWER, START, at, waiting

FIRST = waiting()
SECOND = waiting(version="0.0.4", digest=f"sha256:{'4' * 64}", seconds=40, execution=f"{EXECUTION}:w2")
THIRD = waiting(version="0.0.5", digest=f"sha256:{'5' * 64}", seconds=50, execution=f"{EXECUTION}:w3")


@pytest.fixture
def journal(account: Account) -> Journal:
    """Return the account's journal."""
    return Journal(account.dynamodb, TABLE)


@pytest.fixture
def line(account: Account) -> ReleaseQueue:
    """Return the account's line."""
    return ReleaseQueue(account.dynamodb, TABLE)


@pytest.fixture
def held(account: Account, journal: Journal) -> HeldPlan:
    """Return a deployment that holds the service."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    return plan


def test_a_release_waits_for_a_held_service(journal: Journal, line: ReleaseQueue, held: HeldPlan) -> None:
    """With all that is needed to start it later; nobody is dropped."""
    assert line.queue("web", FIRST, at(31)) is None
    assert journal.state("web").waiting == FIRST
    assert journal.state("web").holder == held.execution


def test_queueing_twice_is_queueing_once(journal: Journal, line: ReleaseQueue, held: HeldPlan) -> None:
    """A retried write drops nobody, least of all itself."""
    for _ in range(2):
        assert line.queue("web", FIRST, at(31)) is None
    assert journal.state("web").waiting == FIRST


def test_the_newer_one_takes_the_place(
    account: Account, journal: Journal, line: ReleaseQueue, held: HeldPlan
) -> None:
    """The dropped one gets an item under its execution's name: how it ended, when, and why."""
    line.queue("web", FIRST, at(31))
    assert line.queue("web", SECOND, at(41)) == FIRST
    assert journal.state("web").waiting == SECOND
    item = account.item("deployment#w1")
    assert (item["execution"], item["outcome"], item["ended"]) == (FIRST.execution, "dropped", iso(at(41)))
    assert item["reason"] == "0.0.3 gave way to 0.0.4 while it waited"
    assert (item["version"], item["digest"]) == (FIRST.version, FIRST.digest)
    assert int(item["expires"]) - int(at(41).timestamp()) == 400 * 86_400


def test_a_free_service_has_no_line(
    account: Account, journal: Journal, line: ReleaseQueue, held: HeldPlan
) -> None:
    """It was freed since the plan was made: whoever waited there would wait for ever."""
    journal.holding.release(held.hold, at(60))
    with pytest.raises(ServiceChanged, match="was freed"):
        line.queue("web", FIRST, at(31))
    assert journal.state("web") == State(
        freed=at(60),
        weights=Weights.share("green", 100),
        origin="green",
        overwritten=(Overwritten(weights=None, until=START),),
    )


def test_a_service_that_never_was_deployed_has_no_line(line: ReleaseQueue) -> None:
    """There is no state to wait in."""
    with pytest.raises(ServiceChanged):
        line.queue("web", FIRST, at(31))


@pytest.mark.parametrize("before", [None, FIRST], ids=["empty-line", "one-waits"])
def test_of_two_that_come_at_once_one_plans_anew(
    account: Account,
    journal: Journal,
    line: ReleaseQueue,
    held: HeldPlan,
    monkeypatch: pytest.MonkeyPatch,
    before: Any,
) -> None:
    """Both saw the same line; the second finds out who is newer by its next plan, and drops nobody."""
    if before:
        line.queue("web", before, at(31))
    seen = journal.state("web")
    line.queue("web", SECOND, at(41))
    monkeypatch.setattr(line._table, "state", lambda _: seen)
    with pytest.raises(ServiceChanged, match="another release was queued"):
        line.queue("web", THIRD, at(51))
    assert journal.state("web").waiting == SECOND
    assert account.item("deployment#w2") == {}


def test_a_conflict_is_worth_another_try(
    account: Account, line: ReleaseQueue, held: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing of the line."""

    def cancel(**_: Any) -> None:
        error: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
            "CancellationReasons": [{"Code": "TransactionConflict"}],
        }
        raise ClientError(error, "TransactWriteItems")

    monkeypatch.setattr(account.dynamodb, "transact_write_items", cancel)
    with pytest.raises(ClientError) as cancelled:
        line.queue("web", FIRST, at(31))
    assert isinstance(translate(cancelled.value), AwsUnavailable)


def test_what_was_started_leaves_the_line(journal: Journal, line: ReleaseQueue, held: HeldPlan) -> None:
    """Twice."""
    line.queue("web", FIRST, at(31))
    for _ in range(2):
        line.dequeue("web", FIRST)
    assert journal.state("web").waiting is None


def test_whoever_waits_by_now_stays_in_the_line(journal: Journal, line: ReleaseQueue, held: HeldPlan) -> None:
    """Another one came between the start and this, even one of the same image."""
    again = FIRST.model_copy(update={"execution": f"{EXECUTION}:w9"})
    line.queue("web", FIRST, at(31))
    line.queue("web", again, at(32))
    line.dequeue("web", FIRST)
    assert journal.state("web").waiting == again
    assert again.digest == NEWER


def test_other_refusals_are_passed_on(
    account: Account, line: ReleaseQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not taken out of the line must not look so."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "UpdateItem")

    monkeypatch.setattr(account.dynamodb, "update_item", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        line.dequeue("web", FIRST)


def test_an_older_release_does_not_push_a_newer_one_out(
    journal: Journal, line: ReleaseQueue, held: HeldPlan
) -> None:
    """A try that took long looks at a line that others have joined meanwhile: it has to plan anew."""
    line.queue("web", SECOND, at(41))
    with pytest.raises(ServiceChanged, match=r"0\.0\.4, which is newer, waits for web already"):
        line.queue("web", FIRST, at(42))
    assert journal.state("web").waiting == SECOND


def test_what_was_started_waits_no_more(
    account: Account, journal: Journal, line: ReleaseQueue, held: HeldPlan
) -> None:
    """An earlier try's release left the line and runs: queued again it would supersede itself."""
    line.queue("web", FIRST, at(31))
    line.dequeue("web", FIRST)
    journal.holding.release(held.hold, at(0))
    journal.holding.claim(
        account.first_plan(deployment=FIRST.deployment, execution=f"{EXECUTION}:{FIRST.deployment}")
    )
    with pytest.raises(ServiceChanged):
        line.queue("web", FIRST, at(32))
    assert journal.state("web").waiting is None
