"""The journal: one holder, who alone can write; milestones that stay; and what a rollback takes back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.errors import translate
from crossfade.aws.journal import Journal
from crossfade.aws.release_queue import ReleaseQueue
from crossfade.domain.errors import AwsUnavailable, ServiceChanged, ServiceLost
from crossfade.domain.journal import DELETION, Hold, LatestImage, State, WarmSlot
from crossfade.domain.model import iso
from crossfade.domain.planning.naming import called
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.proof.certificate import Reading, StageRecord, certify
from crossfade.domain.rollback.assessment import back_out_plan
from crossfade.domain.slots import Slot
from crossfade.domain.tasks.scaling import ACTIVE, Resumption, SuspendedState
from crossfade.domain.traffic.weights import Overwritten, Weights
from crossfade.domain.verdict import Verdict
from tests.unit.account import TABLE, Account
from tests.unit.examples import (
    EXECUTION,
    FIRST_TRY,
    NEW,
    NEWER,
    OLD,
    ROLLBACKS,
    START,
    at,
    candidate,
    release,
    requests,
    running,
    waiting,
    warm_spec,
)

MINE, THEIRS = f"{ROLLBACKS}:mine", f"{ROLLBACKS}:theirs"
BLUE, SOME, GREEN = (Weights.share("green", weight) for weight in (0, 10, 100))
UNSEEN = (Overwritten(weights=None, until=START),)
"""The rule of an adopted service may be new, and not be shown for a while."""


@pytest.fixture
def journal(account: Account) -> Journal:
    """Return the account's journal."""
    return Journal(account.dynamodb, TABLE)


@pytest.fixture
def held(account: Account, journal: Journal) -> HeldPlan:
    """Return a first deployment that holds the service."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    return plan


@pytest.fixture
def live(journal: Journal, held: HeldPlan) -> None:
    """Let the first deployment end well: 0.0.2 is live in blue."""
    journal.live.wrote(held, BLUE, at(5))
    journal.live.promote(held, at(6))
    journal.holding.release(held.hold, at(60))


@pytest.fixture
def second(account: Account, journal: Journal, live: None) -> HeldPlan:
    """Return a second deployment that holds the service, and keeps the old slot warm."""
    spec = account.spec.model_copy(update={"retire": warm_spec().retire})
    plan = account.plan(deployment="d2", execution=f"{EXECUTION}:d2", began=at(60))
    plan = plan.model_copy(update={"spec": spec})
    journal.holding.claim(plan)
    return plan


@pytest.fixture
def warm(journal: Journal, second: HeldPlan) -> HeldPlan:
    """Return a deployment that was promoted and has freed the service; the old slot is warm."""
    journal.live.wrote(second, GREEN, at(50))
    journal.live.promote(second, at(60))
    journal.holding.release(second.hold, at(60))
    return second


def _other(plan: HeldPlan, name: str = "d9", **changes: Any) -> HeldPlan:
    execution = f"{EXECUTION}:{name}"
    own = {"deployment": name, "execution": execution, "holder": execution}
    return plan.model_copy(update=own | changes)


def _warm(plan: HeldPlan) -> WarmSlot:
    return WarmSlot(slot="blue", deployment=plan.deployment, execution=plan.execution, until=at(660))


def _close(journal: Journal, plan: HeldPlan) -> None:
    reading = Reading(journal.history.of(plan.service, plan.deployment), None)
    for record in requests("production", "..x"):
        reading.take(record)
    certificate = certify(
        reading,
        outcome="promoted",
        reason="why",
        ended=at(90),
        transitions=7,
    )
    journal.history.close(plan.hold, certificate, "web/d1/certificate.json", "web/d1/report.html", at(90))


# ---- who holds the service ------------------------------------------------------------------------------


def test_a_claim_writes_down_which_slot_is_live(account: Account, journal: Journal, live: None) -> None:
    """A person has put all traffic into the other slot, and its weights into the journal, as documented."""
    changed = "SET weights = :weights"
    key = {"service": {"S": "web"}, "item": {"S": "state"}}
    weights = {"M": {"blue": {"N": "0"}, "green": {"N": "100"}}}
    account.dynamodb.update_item(
        TableName=TABLE, Key=key, UpdateExpression=changed, ExpressionAttributeValues={":weights": weights}
    )
    swapped = account.plan(deployment="d2", execution=f"{EXECUTION}:d2", stable="green", candidate="blue")
    journal.holding.claim(swapped.model_copy(update={"began": at(60)}))
    state = journal.state("web")
    assert (state.stable, state.version, state.digest) == ("green", "0.0.1", OLD)


def test_a_verdict_whose_answer_was_lost_does_not_stand(journal: Journal, second: HeldPlan) -> None:
    """The function died after it had written it down, and its second try saw that all is well."""
    worse = Verdict(action="roll_back", reason="candidate fails 12 of 240", error="CandidateWorse")
    journal.history.judged(second.hold, worse, 10, at(7))
    judged = StageRecord(weight=10, began=at(5), verdict="roll_back")
    journal.history.watched(second.hold, judged, None)
    assert journal.history.of("web", "d2").refused == 10
    journal.history.watched(second.hold, judged.model_copy(update={"verdict": "hold"}), None)
    assert (journal.history.of("web", "d2").judged, journal.history.of("web", "d2").refused) == (None, None)
    journal.history.judged(second.hold, worse, 100, at(9))
    journal.live.promote(second, at(10))
    assert journal.history.of("web", "d2").judged is None


def test_a_new_service_has_an_empty_state(journal: Journal) -> None:
    """Nobody holds it, and nothing was written."""
    assert journal.state("web") == State()


def test_a_claim_makes_a_holder(journal: Journal, held: HeldPlan) -> None:
    """And opens the deployment's history; what is deployed can be read by whoever comes next."""
    assert journal.state("web") == State(
        holder=held.execution,
        deployment="d1",
        candidate=candidate(slot="blue").model_copy(update={"pattern": held.release.pattern}),
        weights=GREEN,
        origin="green",
        overwritten=UNSEEN,
    )
    assert journal.history.of("web", "d1").plan.held_by(held.hold) == held


def test_claiming_twice_is_claiming_once(journal: Journal, held: HeldPlan) -> None:
    """A retried claim keeps what was written since."""
    journal.history.milestone(held.hold, "launched", iso(at(1)))
    journal.holding.claim(held)
    assert journal.history.of("web", "d1").launched == at(1)


def test_a_service_that_was_taken_meanwhile_is_planned_anew(journal: Journal, held: HeldPlan) -> None:
    """The sentence names the holder; nothing of the second is written."""
    with pytest.raises(ServiceChanged, match=held.execution):
        journal.holding.claim(_other(held))
    assert journal.state("web").deployment == "d1"


def test_of_two_claims_one_wins(account: Account, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both found the service free; the transaction decides."""
    first = account.first_plan()
    monkeypatch.setattr(journal._table, "state", lambda _: State())
    journal.holding.claim(first)
    with pytest.raises(ServiceChanged):
        journal.holding.claim(_other(first))
    assert account.item("state")["holder"] == first.execution
    assert account.item("deployment#d9") == {}


def test_a_plan_that_was_overtaken_is_made_anew(
    account: Account, journal: Journal, held: HeldPlan, live: None
) -> None:
    """A deployment came and went since the plan was made, so its slots may have been swapped."""
    with pytest.raises(ServiceChanged, match="ended meanwhile"):
        journal.holding.claim(_other(held))
    with pytest.raises(ServiceChanged, match="ended meanwhile"):
        journal.holding.claim(account.plan(deployment="d3", stable="green", candidate="blue"))
    journal.holding.claim(account.plan(deployment="d3", execution=f"{EXECUTION}:d3", began=at(60)))


def test_a_plan_from_before_the_service_was_freed_is_made_anew(
    account: Account, journal: Journal, held: HeldPlan
) -> None:
    """What has come and gone was rolled back, so the slots are as before: it may have been this release."""
    journal.holding.release(held.hold, at(60))
    slow = account.first_plan().model_copy(update={"deployment": "d9", "execution": f"{EXECUTION}:d9"})
    with pytest.raises(ServiceChanged, match="ended meanwhile"):
        journal.holding.claim(slow.model_copy(update={"began": at(59)}))
    journal.holding.claim(slow.model_copy(update={"began": at(60)}))


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

    plan = account.first_plan()
    monkeypatch.setattr(account.dynamodb, "transact_write_items", cancel)
    for write in (lambda: journal.holding.claim(plan), lambda: journal.history.probing(plan.hold, "task")):
        with pytest.raises(ClientError) as cancelled:
            write()
        assert isinstance(translate(cancelled.value), AwsUnavailable)


def test_the_newest_image_is_remembered(account: Account, journal: Journal) -> None:
    """By the time of its push; an older release that a person asks for does not turn the time back."""
    pushes = [("1", OLD, 10.0), ("2", NEW, 30.0), ("3", NEWER, 20.0), ("4", NEWER, None)]
    for name, digest, pushed in pushes:
        image = release(digest=digest, pushed=None if pushed is None else at(pushed))
        plan = account.first_plan(deployment=name, execution=f"{EXECUTION}:{name}", release=image)
        journal.holding.claim(plan)
        journal.holding.release(plan.hold, at(0))
    assert journal.state("web").newest == LatestImage(at=at(30), digest=NEW)


def test_a_claim_takes_the_release_out_of_the_line(
    account: Account, journal: Journal, held: HeldPlan
) -> None:
    """Its turn has come, though whoever started it may not have got to say so; another one waits on."""
    for found, left in [(waiting(digest=NEW), None), (waiting(), waiting())]:
        journal.holding.release(held.hold, at(0))
        account.waits(found)
        journal.holding.claim(held)
        assert journal.state("web").waiting == left


def test_a_claim_ends_the_warmth(journal: Journal, warm: HeldPlan) -> None:
    """The warm slot is the next candidate's."""
    journal.holding.claim(_other(warm, stable="green", candidate="blue"))
    assert journal.state("web").warm is None


def test_a_released_service_is_free(journal: Journal, second: HeldPlan) -> None:
    """What is live stays known, and so does what waits and what was tried; releasing twice is harmless."""
    journal.live.intend(second.hold, SOME)
    before = journal.state("web")
    journal.holding.release(second.hold, at(60))
    journal.holding.release(second.hold, at(60))
    gone = {"holder": None, "deployment": None, "candidate": None, "intended": None}
    assert journal.state("web") == before.model_copy(update=gone)
    assert (before.weights, before.stable, before.version) == (BLUE, "blue", "0.0.2")


def test_a_release_leaves_the_line_alone(account: Account, journal: Journal) -> None:
    """Whatever waits has its turn now, and the newest image stays known."""
    plan = account.first_plan(release=release(pushed=at(10)))
    journal.holding.claim(plan)
    account.waits(waiting())
    journal.holding.release(plan.hold, at(60))
    assert journal.state("web") == State(
        freed=at(60),
        newest=LatestImage(at=at(10), digest=NEW),
        waiting=waiting(),
        weights=GREEN,
        origin="green",
        overwritten=UNSEEN,
    )


def test_a_release_by_a_former_holder_frees_nothing(journal: Journal, held: HeldPlan) -> None:
    """The rollback still works."""
    journal.holding.take_over(held.hold, MINE, FIRST_TRY)
    journal.holding.release(held.hold, at(60))
    assert journal.state("web").holder == MINE


def test_a_forgotten_service_keeps_its_history(account: Account, journal: Journal, held: HeldPlan) -> None:
    """Forgetting twice is harmless."""
    journal.holding.forget("web")
    journal.holding.forget("web")
    assert journal.state("web") == State()
    assert account.item("deployment#d1")["execution"] == held.execution


# ---- rollbacks ------------------------------------------------------------------------------------------


def test_a_rollback_takes_the_service_over(journal: Journal, held: HeldPlan) -> None:
    """Twice, and its copy of the plan writes as the new holder."""
    mine = held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY))
    assert mine == held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY))
    journal.live.wrote(mine, BLUE, at(5))
    assert journal.state("web").holder == MINE


def test_adr_38_a_plan_is_the_same_whoever_holds_the_service(
    account: Account, journal: Journal, held: HeldPlan
) -> None:
    """It tells who has decided it; who holds the service is stored once, in the state."""
    mine = held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY))
    assert mine.execution == held.execution
    journal.holding.rename(mine)
    assert Plan.model_validate_json(account.item("deployment#d1")["plan"]) == Plan(**dict(held))
    assert "holder" not in json.loads(account.item("deployment#d1")["plan"])


@pytest.mark.parametrize(
    ("holder", "deployment"),
    [
        pytest.param(THEIRS, "d1", id="another-rollback-was-first"),
        pytest.param(f"{EXECUTION}:d1", "d7", id="another-deployment"),
    ],
)
def test_only_from_whom_it_was_seen_to_hold_it(
    journal: Journal, held: HeldPlan, holder: str, deployment: str
) -> None:
    """What Assess has read may be out of date; the condition is not."""
    with pytest.raises(ServiceLost):
        journal.holding.take_over(Hold("web", deployment, holder), MINE, FIRST_TRY)
    assert journal.state("web").holder == held.execution


def test_of_two_rollbacks_one_wins(journal: Journal, held: HeldPlan) -> None:
    """Both saw the same dead holder."""
    theirs = journal.holding.take_over(held.hold, THEIRS, FIRST_TRY)
    with pytest.raises(ServiceLost):
        journal.holding.take_over(held.hold, MINE, FIRST_TRY)
    journal.holding.take_over(theirs, MINE, FIRST_TRY)
    assert journal.state("web").holder == MINE


def test_what_was_tried_is_forgotten_with_the_deployment(journal: Journal, held: HeldPlan) -> None:
    """A rollback that gets through frees the service: the next deployment's rollback waits for nothing."""
    second_try = FIRST_TRY.model_copy(update={"times": 2})
    theirs = held.held_by(journal.holding.take_over(held.hold, THEIRS, FIRST_TRY))
    mine = held.held_by(journal.holding.take_over(theirs.hold, MINE, second_try))
    assert journal.state("web").tried == second_try
    journal.holding.release(theirs.hold, at(60))
    assert journal.state("web").tried == second_try
    journal.holding.release(mine.hold, at(60))
    assert journal.state("web").tried is None


def test_an_ended_deployment_is_not_taken_over(journal: Journal, held: HeldPlan) -> None:
    """It holds nothing any more."""
    journal.holding.release(held.hold, at(60))
    with pytest.raises(ServiceLost):
        journal.holding.take_over(held.hold, MINE, FIRST_TRY)


def test_a_promotion_is_taken_back_as_a_whole(account: Account, journal: Journal, second: HeldPlan) -> None:
    """While the old slot is warm: from here on it is a deployment that was never promoted."""
    journal.live.promote(second, at(60))
    _close(journal, second)
    mine = second.held_by(journal.holding.take_over(second.hold, MINE, FIRST_TRY, take_back=True))
    assert mine == second.held_by(journal.holding.take_over(second.hold, MINE, FIRST_TRY, take_back=True))
    history = journal.history.of("web", "d2")
    assert (history.promoted, history.outcome) == (None, None)
    assert journal.state("web").warm is None


def test_else_a_promotion_stays(journal: Journal, second: HeldPlan) -> None:
    """The old slot may be gone."""
    journal.live.promote(second, at(60))
    journal.holding.take_over(second.hold, MINE, FIRST_TRY)
    assert journal.history.of("web", "d2").promoted == at(60)
    assert journal.state("web").warm == _warm(second)


def test_a_back_out_holds_a_free_service(journal: Journal, warm: HeldPlan) -> None:
    """Under an item of its own, and twice; it knows how the service was scaled before the promotion."""
    mine = back_out_plan(warm, execution=MINE, now=at(90))
    before = SuspendedState(scale_in=True, scale_out=False, scheduled=False)
    for _ in range(2):
        journal.holding.back_out(mine, _warm(warm), before)
    state = journal.state("web")
    assert (state.holder, state.deployment, state.warm) == (MINE, "mine", None)
    assert state.candidate is not None
    assert state.candidate.slot == "green"
    history = journal.history.of("web", "mine")
    assert (history.plan.held_by(mine.hold), history.scaling, history.promoted) == (mine, before, None)
    assert journal.history.of("web", "d2").promoted == at(60)


@pytest.mark.parametrize("first", ["a-deployment", "the-cooling", "another-back-out"])
def test_a_back_out_that_comes_too_late(journal: Journal, warm: HeldPlan, first: str) -> None:
    """Whoever was first has made use of the old slot."""
    if first == "a-deployment":
        journal.holding.claim(_other(warm, stable="green", candidate="blue"))
    elif first == "the-cooling":
        journal.holding.reclaim(warm.hold)
        journal.holding.release(warm.hold, at(60))
    else:
        journal.holding.back_out(back_out_plan(warm, execution=THEIRS, now=at(90)), _warm(warm), None)
    with pytest.raises(ServiceChanged):
        journal.holding.back_out(back_out_plan(warm, execution=MINE, now=at(90)), _warm(warm), None)


def test_a_deployment_cools_its_own_old_slot(journal: Journal, warm: HeldPlan) -> None:
    """Twice; it holds the service for that long, and nothing is warm any more."""
    assert [journal.holding.reclaim(warm.hold), journal.holding.reclaim(warm.hold)] == [True, True]
    state = journal.state("web")
    assert (state.holder, state.deployment, state.warm) == (warm.execution, "d2", None)


def test_an_old_slot_that_somebody_has_taken_is_not_cooled(journal: Journal, warm: HeldPlan) -> None:
    """It is a candidate's now; after that deployment too."""
    taken = _other(warm, stable="green", candidate="blue")
    journal.holding.claim(taken)
    assert journal.holding.reclaim(warm.hold) is False
    assert journal.state("web").holder == taken.execution
    journal.holding.release(taken.hold, at(60))
    assert journal.holding.reclaim(warm.hold) is False
    assert journal.state("web").holder is None


def test_other_refusals_of_the_journal_are_passed_on(
    account: Account, journal: Journal, warm: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a write was refused says nothing of who holds the service."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "UpdateItem")

    monkeypatch.setattr(account.dynamodb, "update_item", refuse)
    for write in (
        lambda: journal.holding.reclaim(warm.hold),
        lambda: journal.live.forget_warm(warm.hold),
        lambda: journal.holding.seize("web", DELETION),
        lambda: journal.history.abandon("web", "d2", "why", at(95)),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            write()


def test_a_deleted_service_is_taken_from_everybody(
    account: Account, journal: Journal, second: HeldPlan
) -> None:
    """Whoever held it is named, so that it can be stopped; nothing waits, nothing is warm. Twice as well."""
    journal.live.promote(second, at(60))
    account.waits(waiting())
    assert journal.holding.seize("web", DELETION).holder == second.execution
    assert journal.holding.seize("web", DELETION).holder == DELETION
    state = journal.state("web")
    assert (state.holder, state.deployment, state.waiting, state.warm) == (DELETION, "d2", None, None)
    with pytest.raises(ServiceLost):
        journal.live.wrote(second, GREEN, at(70))
    with pytest.raises(ServiceLost):
        journal.holding.take_over(second.hold, MINE, FIRST_TRY)


@pytest.mark.parametrize("meanwhile", ["claimed", "freed"])
def test_a_service_that_changes_hands_just_then_is_not_taken(
    journal: Journal, second: HeldPlan, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """Whoever has it now must be stopped, so that it has to be known."""
    seen = journal.state("web") if meanwhile == "freed" else State()
    if meanwhile == "freed":
        journal.holding.release(second.hold, at(60))
    monkeypatch.setattr(journal._table, "state", lambda _: seen)
    with pytest.raises(ServiceChanged):
        journal.holding.seize("web", DELETION)


def test_a_deployment_that_nobody_reports_on_has_failed(
    account: Account, journal: Journal, second: HeldPlan
) -> None:
    """Whoever holds the service now has ended it; twice, and not where it has its outcome already."""
    journal.holding.seize("web", DELETION)
    for seconds in (70, 80):
        journal.history.abandon("web", "d2", "the stack is deleted", at(seconds))
    item = account.item("deployment#d2")
    assert (item["outcome"], item["reason"], item["ended"]) == ("failed", "the stack is deleted", iso(at(70)))
    assert int(item["expires"]) - at(70).timestamp() == 400 * 86_400


def test_what_was_reported_stays(account: Account, journal: Journal, second: HeldPlan) -> None:
    """The deployment came so far that its report was written."""
    _close(journal, second)
    before = account.item("deployment#d2")
    journal.history.abandon("web", "d2", "the stack is deleted", at(95))
    assert account.item("deployment#d2") == before


def test_a_free_service_can_be_deleted_too(journal: Journal, warm: HeldPlan) -> None:
    """And one that never was deployed."""
    assert journal.holding.seize("web", DELETION).holder is None
    assert journal.holding.seize("shop", DELETION) == State()
    assert journal.holding.reclaim(warm.hold) is False


# ---- what the holder writes down ------------------------------------------------------------------------


WORSE = Verdict(action="roll_back", reason="candidate (green) fails 12 of 240", error="CandidateWorse")
WRITES: dict[str, Callable[[Journal, HeldPlan], object]] = {
    "intend": lambda journal, plan: journal.live.intend(plan.hold, SOME),
    "wrote": lambda journal, plan: journal.live.wrote(plan, SOME, at(5)),
    "reinstate": lambda journal, plan: journal.live.reinstate(plan, "blue", at(5)),
    "reinstate-nothing": lambda journal, plan: journal.live.reinstate(plan, None, at(5)),
    "promote": lambda journal, plan: journal.live.promote(plan, at(5)),
    "forget_warm": lambda journal, plan: journal.live.forget_warm(plan.hold),
    "rename": lambda journal, plan: journal.holding.rename(called(plan, "2.0.1")),
    "resumed": lambda journal, plan: journal.live.resumed(
        plan.hold, Resumption(slot="blue", suspension=ACTIVE, at=at(5))
    ),
    "asking_for_probe": lambda journal, plan: journal.history.asking_for_probe(plan.hold, at(5)),
    "end": lambda journal, plan: journal.history.end(
        plan.hold, "failed", "why", at(90), not_reported="lost", executions=[]
    ),
    "milestone": lambda journal, plan: journal.history.milestone(plan.hold, "judged", iso(at(5))),
    "judged": lambda journal, plan: journal.history.judged(plan.hold, WORSE, 10, at(5)),
    "wanted": lambda journal, plan: journal.history.wanted(plan.hold, 4),
    "probing": lambda journal, plan: journal.history.probing(plan.hold, "task"),
    "watched": lambda journal, plan: journal.history.watched(
        plan.hold, StageRecord(weight=10, began=at(5)), "c"
    ),
    "close": _close,
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("now_held_by", ["a-rollback", "nobody", "another-deployment"])
def test_whoever_lost_the_service_writes_nothing(
    account: Account, journal: Journal, second: HeldPlan, now_held_by: str, name: str
) -> None:
    """Neither to the service's state nor to the deployment's own item."""
    if now_held_by == "a-rollback":
        journal.holding.take_over(second.hold, MINE, FIRST_TRY)
    else:
        journal.holding.release(second.hold, at(60))
    if now_held_by == "another-deployment":
        journal.holding.claim(_other(second))
    before = account.item("state"), account.item("deployment#d2")
    with pytest.raises(ServiceLost, match="d2 does not hold web any more"):
        WRITES[name](journal, second)
    with pytest.raises(ServiceLost):
        journal.refuse_lost(second.hold)
    assert before == (account.item("state"), account.item("deployment#d2"))


@pytest.mark.parametrize("name", WRITES)
def test_the_holder_writes_as_often_as_it_likes(account: Account, journal: Journal, name: str) -> None:
    """Every handler may run twice; what it wrote first is what stands."""
    plan = account.plan(began=at(60))
    journal.holding.claim(account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0"))
    journal.live.wrote(account.first_plan(execution=f"{EXECUTION}:d0"), BLUE, at(0))
    journal.holding.release(account.first_plan(execution=f"{EXECUTION}:d0").hold, at(60))
    journal.holding.claim(plan)
    WRITES[name](journal, plan)
    before = account.item("state"), account.item("deployment#d1")
    WRITES[name](journal, plan)
    assert before == (account.item("state"), account.item("deployment#d1"))
    assert journal.refuse_lost(plan.hold) == journal.state("web")


def test_weights_on_their_way_are_known(journal: Journal, held: HeldPlan) -> None:
    """A write that was cut off is not taken for a foreign change."""
    journal.live.intend(held.hold, SOME)
    assert (journal.state("web").weights, journal.state("web").intended) == (GREEN, SOME)
    journal.live.wrote(held, SOME, at(5))
    assert (journal.state("web").weights, journal.state("web").intended) == (SOME, None)


@pytest.mark.parametrize(
    ("winner", "weights", "version", "digest"),
    [
        pytest.param("blue", BLUE, "0.0.1", OLD, id="the-stable-slot"),
        pytest.param("green", GREEN, "0.0.2", NEW, id="the-candidate"),
    ],
)
def test_where_a_rollback_leaves_the_traffic_is_what_is_live(
    journal: Journal, second: HeldPlan, winner: Slot, weights: Weights, version: str, digest: str
) -> None:
    """Also after a promotion; a write that is still on its way stays known."""
    journal.live.promote(second, at(60))
    journal.live.intend(second.hold, SOME)
    journal.live.reinstate(second, winner, at(70))
    state = journal.state("web")
    assert (state.stable, state.version, state.digest) == (winner, version, digest)
    assert (state.weights, state.intended) == (weights, SOME)


def test_an_unknown_release_is_live_without_a_name(journal: Journal, second: HeldPlan) -> None:
    """What ran before was not registered by Crossfade."""
    journal.live.reinstate(second.model_copy(update={"previous": None}), "blue", at(70))
    state = journal.state("web")
    assert (state.stable, state.version, state.digest) == ("blue", None, None)


def test_a_first_release_that_is_taken_back_leaves_nothing_live(journal: Journal, held: HeldPlan) -> None:
    """After the rollback of a first release, twice; the next release is a first one again."""
    journal.live.wrote(held, BLUE, at(5))
    journal.live.reinstate(held, None, at(6))
    journal.live.reinstate(held, None, at(6))
    state = journal.state("web")
    assert (state.weights, state.origin) == (GREEN, "green")
    assert (state.stable, state.version, state.digest) == (None, None, None)
    journal.holding.release(held.hold, at(60))
    journal.holding.claim(_other(held, began=at(60)))


def test_a_promotion_keeps_its_first_time(account: Account, journal: Journal, held: HeldPlan) -> None:
    """The state tells the stable slot; a first release has no old slot to keep warm."""
    journal.live.promote(held, at(50))
    journal.live.promote(held, at(60))
    assert journal.history.of("web", "d1").promoted == at(50)
    state = journal.state("web")
    assert (state.stable, state.version, state.digest, state.warm) == ("blue", "0.0.2", NEW, None)


def test_promoted_releases_are_numbered(account: Account, journal: Journal, second: HeldPlan) -> None:
    """One after the other; a promotion that is written twice gets no second number."""
    assert (journal.state("web").release_number, second.previous) == (1, running())
    for _ in range(2):
        journal.live.promote(second, at(60))
    assert journal.state("web").release_number == 2
    found = [journal.history.released("web", number) for number in (1, 2, 3)]
    assert [history and history.plan.deployment for history in found] == ["d1", "d2", None]
    assert [history and history.release_number for history in found] == [1, 2, None]


def test_what_is_live_again_after_a_rollback_has_its_number_again(journal: Journal, second: HeldPlan) -> None:
    """Or none, where none is known of it: the number of the promotion that was taken back is not its."""
    plan = second.model_copy(update={"previous": running().model_copy(update={"number": 1})})
    journal.live.promote(second, at(60))
    journal.live.reinstate(plan, "blue", at(70))
    assert journal.state("web").release_number == 1
    journal.live.reinstate(plan, "green", at(80))
    assert journal.state("web").release_number is None


def test_no_number_is_given_twice(account: Account, journal: Journal, live: None) -> None:
    """Also not where the service has left, and was adopted anew."""
    journal.holding.forget("web")
    plan = account.first_plan(deployment="d9", execution=f"{EXECUTION}:d9", began=at(90))
    journal.holding.claim(plan)
    journal.live.promote(plan, at(100))
    assert journal.state("web").release_number == 2
    first = journal.history.released("web", 1)
    assert first
    assert first.plan.deployment == "d1"


def test_a_promotion_tells_until_when_the_old_slot_is_warm(journal: Journal, second: HeldPlan) -> None:
    """And whose it is."""
    journal.live.promote(second, at(60))
    state = journal.state("web")
    assert (state.stable, state.warm) == ("green", _warm(second))
    journal.live.forget_warm(second.hold)
    assert journal.state("web").warm is None


def test_without_warm_seconds_nothing_is_warm(account: Account, journal: Journal, live: None) -> None:
    """The old slot is stopped at once."""
    plan = account.plan(deployment="d2", execution=f"{EXECUTION}:d2", began=at(60))
    journal.holding.claim(plan)
    journal.live.promote(plan, at(60))
    assert journal.state("web").warm is None


def test_milestones_keep_their_first_time(journal: Journal, held: HeldPlan) -> None:
    """A handler that runs twice does not move them; it is told the one that stands."""
    assert journal.history.milestone(held.hold, "judged", iso(at(1))) == iso(at(1))
    assert journal.history.milestone(held.hold, "judged", iso(at(2))) == iso(at(1))


def test_at_which_weight_a_candidate_was_refused_is_known(journal: Journal, held: HeldPlan) -> None:
    """The first time counts; what else a deployment goes back for is not the gate's word against it."""
    journal.history.judged(
        held.hold, Verdict(action="roll_back", reason="late", error="EvidenceMissing"), 0, at(1)
    )
    assert (journal.history.of("web", "d1").judged, journal.history.of("web", "d1").refused) == (at(1), None)
    journal.history.judged(held.hold, WORSE, 0, at(2))
    journal.history.judged(held.hold, WORSE, 10, at(3))
    assert (journal.history.of("web", "d1").judged, journal.history.of("web", "d1").refused) == (at(1), 0)


def test_the_newest_probe_is_known(journal: Journal, held: HeldPlan) -> None:
    """The first one may have died."""
    journal.history.probing(held.hold, "first")
    journal.history.probing(held.hold, "second")
    assert journal.history.of("web", "d1").probe == "second"


def test_stages_are_known_by_their_weight(journal: Journal, held: HeldPlan) -> None:
    """Written twice they are still one, and they come back in order."""
    for weight in (100, 10, 0, 10):
        journal.history.watched(held.hold, StageRecord(weight=weight, began=at(weight)), None)
    ended = StageRecord(weight=10, began=at(10), ended=at(20), verdict="advance", reason="good")
    journal.history.watched(held.hold, ended, "f/1")
    stages = journal.history.of("web", "d1").stages
    assert [stage.weight for stage in stages] == [0, 10, 100]
    assert stages[1] == ended


def test_a_stage_that_is_climbed_again_is_another_one(journal: Journal, held: HeldPlan) -> None:
    """So is a retry at its weight; all come back in the order of their times."""
    went = [
        StageRecord(weight=0, began=at(0)),
        StageRecord(weight=10, began=at(10), ended=at(20), verdict="step_back", reason="bad"),
        StageRecord(weight=0, step_backs=1, began=at(21), shown=at(22)),
        StageRecord(weight=10, step_backs=1, retry=True, began=at(40), shown=at(41)),
        StageRecord(weight=10, step_backs=1, began=at(60), shown=at(61)),
        StageRecord(weight=0, step_backs=2, began=at(70), shown=at(71)),
    ]
    for record in went:
        journal.history.watched(held.hold, record, None)
    assert list(journal.history.of("web", "d1").stages) == went


def test_the_place_in_the_ledger_is_kept(journal: Journal, held: HeldPlan) -> None:
    """For the rollback, which reads on from there."""
    stage = StageRecord(weight=0, began=at(0))
    journal.history.watched(held.hold, stage, None)
    assert journal.history.of("web", "d1").cursor is None
    journal.history.watched(held.hold, stage, "f/1")
    assert journal.history.of("web", "d1").cursor == "f/1"


def test_a_closed_deployment_is_history(account: Account, journal: Journal, held: HeldPlan) -> None:
    """How it went and what its clients saw, readable in the console, for 400 days."""
    _close(journal, held)
    item = account.item("deployment#d1")
    assert (item["outcome"], item["reason"], item["ended"]) == ("promoted", "why", iso(at(90)))
    assert item["certificate"] == "web/d1/certificate.json"
    assert item["requests"] == {
        "sent": {"N": "3"},
        "ok": {"N": "2"},
        "failed": {"N": "1"},
        "missing": {"N": "0"},
    }
    assert int(item["expires"]) - at(90).timestamp() == 400 * 86_400
    assert journal.history.of("web", "d1").outcome == "promoted"


# ---- which services there are, and where they were deployed ----------------------------------------------


def test_services_are_those_with_a_state(account: Account, journal: Journal, warm: HeldPlan) -> None:
    """Held or free, over several pages; not those whose stack was deleted, though their history stays."""
    for n in range(3):
        spec = account.spec.model_copy(update={"service": f"shop{n}"})
        journal.holding.claim(account.first_plan(deployment=f"s{n}").model_copy(update={"spec": spec}))
    journal.holding.forget("shop1")
    assert journal.services() == ["shop0", "shop2", "web"]


def test_pages_of_the_index_are_read_to_the_end(
    account: Account, journal: Journal, held: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer of DynamoDB has 1 MB at most, and may have nothing where there is more."""
    query = account.dynamodb._make_api_call

    def in_pages(operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "Query" and "ExclusiveStartKey" not in arguments:
            return {"Items": [], "LastEvaluatedKey": {"item": {"S": "state"}, "service": {"S": "a"}}}
        arguments.pop("ExclusiveStartKey", None)
        return query(operation, arguments)

    monkeypatch.setattr(account.dynamodb, "_make_api_call", in_pages)
    assert journal.services() == ["web"]
    assert journal.history.last_plan("web") == Plan(**dict(held))


def test_the_last_plan_is_the_one_that_began_last(account: Account, journal: Journal, live: None) -> None:
    """Whatever it is called, and however it ended; a back-out counts."""
    rolled_back = account.plan(deployment="a2", began=at(100))
    journal.holding.claim(rolled_back)
    journal.history.abandon("web", "a2", "why", at(160))
    journal.holding.release(rolled_back.hold, at(160))
    assert journal.history.last_plan("web") == Plan(**dict(rolled_back))
    assert journal.history.last_plan("shop") is None


def test_what_was_dropped_has_no_plan(account: Account, journal: Journal, held: HeldPlan) -> None:
    """It waited, and gave way to a newer release."""
    line = ReleaseQueue(account.dynamodb, TABLE)
    line.queue("web", waiting(), at(30))
    line.queue("web", waiting("0.0.4", OLD, 40, execution=f"{EXECUTION}:w2"), at(45))
    assert account.item("deployment#w1")["outcome"] == "dropped"
    assert journal.history.last_plan("web") == Plan(**dict(held))


def test_a_claim_that_meets_its_own_effect_has_succeeded(
    journal: Journal, held: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier try was still on its way when this one looked: planned anew, it might find no spec."""
    now, seen = journal.state("web"), [State()]
    monkeypatch.setattr(journal._table, "state", lambda _: seen.pop() if seen else now)
    journal.holding.claim(held)
    assert seen == []
