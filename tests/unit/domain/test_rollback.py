"""A rollback: what it is asked to do, when it stands back, and what it finds to do."""

import re
from typing import Any

import pytest

from crossfade.domain.errors import InvalidInput
from crossfade.domain.journal import DELETION, LONGEST_WAIT, Hold, State, Tried
from crossfade.domain.model import iso
from crossfade.domain.planning.request import STARTED_BY
from crossfade.domain.proof.certificate import History
from crossfade.domain.rollback.assessment import (
    EXAMPLE,
    Assessment,
    ExecutionEnded,
    Failure,
    RollbackRequest,
    back_out_plan,
    backing_out,
    left_undone,
    nothing,
    read_input,
    stands_back,
    too_early,
    tried_since,
    why,
)
from tests.unit.examples import EXECUTION, ROLLBACK, ROLLBACKS, at, plan

DEPLOYMENT, MINE, THEIRS = f"{EXECUTION}:d1", f"{ROLLBACKS}:mine", f"{ROLLBACKS}:theirs"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({"service": "web"}, RollbackRequest(service="web"), id="person"),
        pytest.param(
            {"service": "web", STARTED_BY: THEIRS},
            RollbackRequest(service="web", asked_by=THEIRS),
            id="persons-workflow",
        ),
        pytest.param(
            {"service": "web", "deployment": "d1", "failure": {"Error": "States.Timeout"}},
            RollbackRequest(service="web", deployment="d1", failure=Failure(Error="States.Timeout")),
            id="catch-without-cause",
        ),
        pytest.param(
            {"ended": DEPLOYMENT, "status": "ABORTED"},
            ExecutionEnded(ended=DEPLOYMENT, status="ABORTED"),
            id="a-deployment-ended",
        ),
        pytest.param(
            {"ended": THEIRS, "status": "FAILED", "again": True},
            ExecutionEnded(ended=THEIRS, status="FAILED", again=True),
            id="a-rollback-ended",
        ),
    ],
)
def test_accepted_forms(raw: Any, expected: RollbackRequest | ExecutionEnded) -> None:
    """A person's, the deployment's own Catch's, and EventBridge's for either machine."""
    assert read_input(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="array"),
        pytest.param({}, id="empty"),
        pytest.param({"service": ""}, id="no-name"),
        pytest.param({"service": "web:1"}, id="selector"),
        pytest.param({"servise": "web"}, id="slip-of-the-pen"),
        pytest.param({"ended": DEPLOYMENT}, id="ended-without-status"),
        pytest.param({"service": "web", "again": True}, id="again-is-not-for-people"),
    ],
)
def test_anything_else_is_refused_with_an_example(raw: Any) -> None:
    """A person who is in a hurry sees what is right, and no more than that."""
    with pytest.raises(InvalidInput, match=re.escape(EXAMPLE)) as refused:
        read_input(raw)
    assert "\n" not in str(refused.value)


def test_a_name_that_no_service_can_have_is_named() -> None:
    """It is the input that is wrong: nothing can be said of such a service."""
    with pytest.raises(InvalidInput, match=r"service: .*web:1 is not a service's name\. One has letters"):
        read_input({"service": "web:1"})


@pytest.mark.parametrize(
    "raw",
    [
        {"ended": DEPLOYMENT, "status": "FAILED", "newer": 1},
        {"service": "web", "deployment": "d1", "newer": 1, "failure": {"Error": "E", "newer": 1}},
    ],
    ids=["event-rule", "deployment"],
)
def test_what_another_version_of_crossfade_asks_is_understood(raw: Any) -> None:
    """A deployment that began before an update starts the new rollback with the old words."""
    assert not read_input(raw).by_hand


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (RollbackRequest(service="web"), "rolled back by hand"),
        (RollbackRequest(service="web", asked_by=THEIRS), f"rolled back by hand, by {ROLLBACK}:theirs"),
        (ExecutionEnded(ended=DEPLOYMENT, status="TIMED_OUT"), "d1 ended TIMED_OUT"),
        pytest.param(
            RollbackRequest(service="web", failure=Failure(Error="CandidateWorse", Cause="5 of 30")),
            "CandidateWorse: 5 of 30",
            id="verdict",
        ),
        pytest.param(
            RollbackRequest(
                service="web", failure=Failure(Error="AwsRefused", Cause='{"errorMessage": "no"}')
            ),
            "AwsRefused: no",
            id="cause-of-a-function",
        ),
        pytest.param(
            RollbackRequest(service="web", failure=Failure(Error="X", Cause='{"a": 1}')),
            'X: {"a": 1}',
            id="other-json",
        ),
        pytest.param(
            RollbackRequest(service="web", failure=Failure(Error="X", Cause="7")), "X: 7", id="a-bare-number"
        ),
        pytest.param(
            RollbackRequest(service="web", failure=Failure(Error="States.Timeout")),
            "States.Timeout",
            id="no-cause",
        ),
    ],
)
def test_reasons(order: RollbackRequest | ExecutionEnded, reason: str) -> None:
    """One line, for the certificate."""
    assert order.reason == reason


@pytest.mark.parametrize(
    ("order", "by_hand"),
    [
        (RollbackRequest(service="web"), True),
        (RollbackRequest(service="web", deployment="d1"), False),
        (ExecutionEnded(ended=DEPLOYMENT, status="FAILED"), False),
    ],
    ids=["person", "catch", "event"],
)
def test_only_a_person_asks_by_hand(order: RollbackRequest | ExecutionEnded, by_hand: bool) -> None:
    """A Catch names its deployment."""
    assert order.by_hand is by_hand


PERSON, CATCH = RollbackRequest(service="web"), RollbackRequest(service="web", deployment="d1")
LATE_CATCH = RollbackRequest(service="web", deployment="d0")
EVENT, OTHER_EVENT = (
    ExecutionEnded(ended=DEPLOYMENT, status="ABORTED"),
    ExecutionEnded(ended=f"{EXECUTION}:d0", status="FAILED"),
)
ROLLBACK_EVENT = ExecutionEnded(ended=THEIRS, status="FAILED", again=True)
RUNS = True


@pytest.mark.parametrize(
    ("order", "holder", "expected"),
    [
        pytest.param(EVENT, DEPLOYMENT, True, id="stopped"),
        pytest.param(ExecutionEnded(ended=DEPLOYMENT, status="TIMED_OUT"), DEPLOYMENT, True, id="timed-out"),
        pytest.param(
            ExecutionEnded(ended=DEPLOYMENT, status="FAILED"), DEPLOYMENT, False, id="failed-by-itself"
        ),
        pytest.param(ROLLBACK_EVENT, THEIRS, True, id="a-rollback-of-something-that-was-stopped"),
        pytest.param(OTHER_EVENT, DEPLOYMENT, True, id="nobody-knows-how-the-holder-has-ended"),
    ],
)
def test_who_may_have_left_a_function_at_work(order: ExecutionEnded, holder: str, expected: bool) -> None:
    """Only what has failed by itself, just now, has waited for its functions."""
    assert order.may_have_left_functions(holder) is expected


@pytest.mark.parametrize(
    ("holder", "runs", "order", "said"),
    [
        pytest.param(DEPLOYMENT, RUNS, PERSON, None, id="a-person-stops-a-running-deployment"),
        pytest.param(DEPLOYMENT, not RUNS, PERSON, None, id="a-person-cleans-up-after-a-dead-deployment"),
        pytest.param(DEPLOYMENT, RUNS, CATCH, None, id="a-deployment-has-itself-rolled-back"),
        pytest.param(DEPLOYMENT, RUNS, LATE_CATCH, "d0 does not hold", id="a-late-catch-of-another"),
        pytest.param(DEPLOYMENT, not RUNS, LATE_CATCH, "d0 does not hold", id="even-of-a-dead-one"),
        pytest.param(DEPLOYMENT, not RUNS, EVENT, None, id="the-holder-has-ended"),
        pytest.param(DEPLOYMENT, RUNS, EVENT, None, id="the-word-of-its-end-counts-more-than-its-status"),
        pytest.param(DEPLOYMENT, RUNS, OTHER_EVENT, "holds the service", id="another-one-has-ended"),
        pytest.param(DEPLOYMENT, None, OTHER_EVENT, "holds the service", id="the-holder-has-just-begun"),
        pytest.param(DEPLOYMENT, None, EVENT, None, id="an-unknown-holder-that-has-ended"),
        pytest.param(DEPLOYMENT, None, CATCH, None, id="an-unknown-holder-that-asks-for-it"),
        pytest.param(THEIRS, None, OTHER_EVENT, "holds the service", id="a-rollback-that-has-just-begun"),
        pytest.param(THEIRS, None, PERSON, None, id="a-person-goes-on-after-a-forgotten-rollback"),
        pytest.param(DEPLOYMENT, not RUNS, OTHER_EVENT, None, id="whoever-is-found-dead-is-helped"),
        pytest.param(THEIRS, RUNS, PERSON, "at work already", id="a-person-waits-for-a-running-rollback"),
        pytest.param(THEIRS, RUNS, CATCH, "at work already", id="a-catch-as-well"),
        pytest.param(THEIRS, RUNS, EVENT, "at work already", id="an-event-as-well"),
        pytest.param(THEIRS, not RUNS, PERSON, None, id="a-person-goes-on-after-a-dead-rollback"),
        pytest.param(THEIRS, not RUNS, CATCH, None, id="a-catch-goes-on-after-a-dead-rollback"),
        pytest.param(THEIRS, not RUNS, EVENT, None, id="an-event-goes-on-after-a-dead-rollback"),
        pytest.param(THEIRS, RUNS, ROLLBACK_EVENT, None, id="a-rollback-that-ended-is-tried-again"),
        pytest.param(MINE, RUNS, PERSON, None, id="own-answer-was-lost"),
        pytest.param(MINE, RUNS, EVENT, None, id="own-answer-to-an-event-was-lost"),
        pytest.param(DELETION, not RUNS, PERSON, DELETION, id="a-service-that-goes-is-not-put-back"),
        pytest.param(DELETION, not RUNS, EVENT, DELETION, id="nor-by-an-event"),
    ],
)
def test_who_stands_back(
    holder: str, runs: bool | None, order: RollbackRequest | ExecutionEnded, said: str | None
) -> None:
    """A rollback takes over from the dead, and from a deployment that asks for it; else it waits."""
    found = stands_back(State(holder=holder, deployment="d1"), order, MINE, runs, at(0))
    assert found is None if said is None else said in (found or "")


@pytest.mark.parametrize("order", [PERSON, CATCH], ids=["a-person", "the-deployment-itself"])
@pytest.mark.parametrize(
    ("runs", "now", "stands"), [(None, 59, True), (None, 60, False), (not RUNS, 59, False)]
)
def test_a_rollback_that_has_just_begun_is_left_at_work(
    order: RollbackRequest, runs: bool | None, now: float, stands: bool
) -> None:
    """Step Functions may not know it yet: two people who are as quick would undo each other's."""
    state = State(holder=THEIRS, deployment="d1", tried=Tried(times=1, at=at(0)))
    found = stands_back(state, order, MINE, runs, at(now))
    assert found == (f"the rollback {THEIRS} is at work already" if stands else None)


@pytest.mark.parametrize(
    ("times", "seconds"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 900), (7, 900), (100_000, 900)]
)
def test_each_rollback_that_fails_makes_the_next_one_wait_longer(times: int, seconds: int) -> None:
    """Up to a quarter of an hour, however long it goes on."""
    tried = Tried(times=times, at=at(0))
    assert tried.next_at == at(seconds)
    assert tried.next_at - tried.at <= LONGEST_WAIT


THREE = State(holder=THEIRS, deployment="d1", tried=Tried(times=3, at=at(0)))


@pytest.mark.parametrize(
    "order", [EVENT, OTHER_EVENT, ROLLBACK_EVENT], ids=["deployment", "other", "rollback"]
)
@pytest.mark.parametrize(("now", "seconds"), [(0, 120), (30.2, 90), (119.9, 1)])
def test_a_rollback_that_nobody_asks_for_waits(order: ExecutionEnded, now: float, seconds: int) -> None:
    """For what is left of the time, in whole seconds; whoever reads it learns whose failure to look at."""
    found = too_early(THREE, order, MINE, at(now))
    assert found
    assert (found.action, found.seconds, found.plan) == ("wait", seconds, None)
    assert found.reason == (
        f"3 rollbacks of d1 did not succeed; the next one may begin at {iso(at(120))}. Read the last "
        f"one, {THEIRS}, and put right what it says; then start a rollback by hand, which does not wait"
    )


@pytest.mark.parametrize(
    ("state", "order", "now"),
    [
        pytest.param(THREE, PERSON, 1, id="a-person"),
        pytest.param(THREE, CATCH, 1, id="the-deployment-itself"),
        pytest.param(THREE, EVENT, 120, id="its-time-has-come"),
        pytest.param(THREE.model_copy(update={"holder": MINE}), EVENT, 1, id="own-answer-was-lost"),
        pytest.param(State(holder=DEPLOYMENT, deployment="d1"), EVENT, 1, id="nobody-has-tried"),
    ],
)
def test_a_rollback_that_does_not_wait(
    state: State, order: RollbackRequest | ExecutionEnded, now: float
) -> None:
    """Clients may be on a bad version: who asks, and who is the first, begins at once."""
    assert too_early(state, order, MINE, at(now)) is None


@pytest.mark.parametrize(
    ("state", "order", "began", "said"),
    [
        pytest.param(THREE, EVENT, -1, f"{THEIRS} has tried since", id="another-one-has-tried"),
        pytest.param(THREE, EVENT, 0, None, id="nobody-has-tried-since"),
        pytest.param(THREE, ROLLBACK_EVENT, -1, None, id="of-whose-end-this-is-the-word"),
        pytest.param(THREE.model_copy(update={"holder": MINE}), EVENT, -1, None, id="own-answer-was-lost"),
        pytest.param(
            State(holder=DEPLOYMENT, deployment="d1"), EVENT, -1, None, id="nobody-has-tried-at-all"
        ),
    ],
)
def test_one_of_two_rollbacks_that_waited_leaves_the_rest_to_the_other(
    state: State, order: ExecutionEnded, began: float, said: str | None
) -> None:
    """The other one's end starts the next: both would be two chains, for as long as nothing gets through."""
    found = tried_since(state, order, MINE, at(began))
    assert found is None if said is None else said in (found or "")


def test_rollbacks_are_counted_as_they_take_a_service_over() -> None:
    """A function that runs twice counts once, and does not move the time."""
    state = State(holder=DEPLOYMENT, deployment="d1")
    first = state.tried_by(THEIRS, at(10))
    assert first == Tried(times=1, at=at(10))
    held = state.model_copy(update={"holder": THEIRS, "tried": first})
    assert held.tried_by(THEIRS, at(20)) == first
    assert held.tried_by(MINE, at(50)) == Tried(times=2, at=at(50))


@pytest.mark.parametrize(
    ("order", "holder", "reason"),
    [
        pytest.param(PERSON, DEPLOYMENT, "rolled back by hand", id="person"),
        pytest.param(EVENT, DEPLOYMENT, "d1 ended ABORTED", id="the-holder-has-ended"),
        pytest.param(EVENT, THEIRS, "d1 ended ABORTED", id="so-has-its-rollback"),
        pytest.param(ROLLBACK_EVENT, THEIRS, "theirs ended FAILED", id="a-rollback-has-ended"),
        pytest.param(OTHER_EVENT, DEPLOYMENT, "d1 was left half-way", id="another-one-has-ended"),
        pytest.param(OTHER_EVENT, MINE, "d1 was left half-way", id="own-answer-was-lost"),
    ],
)
def test_why_a_service_is_taken_over(
    order: RollbackRequest | ExecutionEnded, holder: str, reason: str
) -> None:
    """A certificate names the execution that it is about, and not one that ended by chance just then."""
    assert why(order, holder, DEPLOYMENT) == reason


TAKEN = Hold("web", "d1", MINE)


def test_before_the_promotion_the_candidate_goes() -> None:
    """Everything that the rollback needs, and nothing else."""
    history = History(plan=plan(), probe="task", cursor="c")
    assert left_undone(history, TAKEN, DEPLOYMENT, "why", settle=True) == Assessment(
        action="roll_back",
        reason="why",
        service="web",
        plan=plan().held_by(TAKEN),
        loser="green",
        probe="task",
        cursor="c",
        executions=(DEPLOYMENT, MINE),
        settle=True,
    )


def test_after_the_promotion_only_the_rest_is_done() -> None:
    """There is no way back by weights once the old slot may be gone."""
    found = left_undone(History(plan=plan(), promoted=at(50)), TAKEN, DEPLOYMENT, "why", settle=False)
    assert (found.action, found.loser) == ("finish", "blue")


def test_after_the_report_only_the_old_slot_is_left() -> None:
    """It was kept warm, and nobody else stops it."""
    found = left_undone(
        History(plan=plan(), promoted=at(50), outcome="promoted"), TAKEN, DEPLOYMENT, "why", settle=False
    )
    assert (found.action, found.loser) == ("stop_old_slot", "blue")


@pytest.mark.parametrize("outcome", ["rolled_back", "failed"])
def test_a_report_of_a_rollback_does_not_end_it(outcome: str) -> None:
    """It died between the report and the release: all of it is done once more."""
    history = History.model_validate({"plan": plan(), "restored": at(50), "outcome": outcome})
    assert left_undone(history, TAKEN, DEPLOYMENT, "why", settle=False).action == "roll_back"


@pytest.mark.parametrize(
    ("began", "holder", "executions"),
    [
        pytest.param(DEPLOYMENT, DEPLOYMENT, (DEPLOYMENT, MINE), id="from-the-deployment"),
        pytest.param(DEPLOYMENT, THEIRS, (DEPLOYMENT, THEIRS, MINE), id="from-its-rollback"),
        pytest.param(DEPLOYMENT, MINE, (DEPLOYMENT, MINE), id="own-answer-was-lost"),
        pytest.param(MINE, MINE, (MINE,), id="own-back-out"),
        pytest.param(THEIRS, THEIRS, (THEIRS, MINE), id="another-ones-back-out"),
    ],
)
def test_whoever_has_worked_on_it_is_named_once(began: str, holder: str, executions: tuple[str, ...]) -> None:
    """Each may have started a probe, and its transitions are to be paid for."""
    found = left_undone(History(plan=plan(execution=began)), TAKEN, holder, "why", settle=False)
    assert found.executions == executions


def test_a_back_out_has_a_name_of_its_own() -> None:
    """So that the promoted deployment's history stays; the slots are the same."""
    found = back_out_plan(plan(), execution=MINE, now=at(90))
    assert (found.deployment, found.execution, found.began) == ("mine", MINE, at(90))
    assert found == plan(deployment="mine", execution=MINE, began=at(90))


def test_a_back_out_takes_the_candidate_back() -> None:
    """It has no probe yet; the reason tells the version and who wanted it."""
    mine = back_out_plan(plan(), execution=MINE, now=at(90))
    assert backing_out(mine, "rolled back by hand") == Assessment(
        action="back_out",
        reason="0.0.2 was backed out: rolled back by hand",
        service="web",
        plan=mine,
        loser="green",
        executions=(MINE,),
    )


def test_nothing_is_an_answer_too() -> None:
    """With the reason, and no plan."""
    assert nothing("why") == Assessment(action="nothing", reason="why")
