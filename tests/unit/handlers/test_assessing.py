"""Assess: what there is to put right, and who has to leave it to whom."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.domain import errors
from crossfade.domain.journal import DELETION
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.traffic.weights import Weights
from tests.unit.account import Account
from tests.unit.examples import DEPLOY, EXECUTION, FIRST_TRY, ROLLBACK, ROLLBACKS, at, warm_spec
from tests.unit.handlers.conftest import Aws, Clock, Invoke

MINE, THEIRS = f"{ROLLBACKS}:mine", f"{ROLLBACKS}:theirs"
GREEN = Weights.share("green", 100)
LATER = at(3600)
"""When a rollback began before which everything has happened."""
PERSON = {"service": "web"}
CATCH = {
    "service": "web",
    "deployment": "d1",
    "failure": {"Error": "CandidateWorse", "Cause": '{"errorMessage": "5 of 30"}'},
}


def _ended(execution: str = f"{EXECUTION}:d1", status: str = "ABORTED", **more: Any) -> dict[str, Any]:
    return {"ended": execution, "status": status, **more}


@pytest.fixture
def plan(account: Account, journal: Journal, blue_live: None) -> HeldPlan:
    """Return the plan of a deployment that may keep its old slot warm; 0.0.1 is live in blue."""
    spec = account.spec.model_copy(update={"retire": warm_spec().retire})
    return account.plan().model_copy(update={"spec": spec})


@pytest.fixture
def held(account: Account, journal: Journal, plan: HeldPlan) -> HeldPlan:
    """Return a deployment that holds the service, and runs."""
    assert account.start(DEPLOY, "d1") == plan.execution
    journal.holding.claim(plan)
    journal.history.probing(plan.hold, "task")
    return plan


@pytest.fixture
def promoted(journal: Journal, held: HeldPlan) -> HeldPlan:
    """Return a deployment that was promoted and still holds the service; its old slot is warm."""
    journal.live.wrote(held, GREEN, at(40))
    journal.live.promote(held, at(50))
    return held


@pytest.fixture
def warm(account: Account, invoke: Invoke, aws: Aws, journal: Journal, promoted: HeldPlan) -> HeldPlan:
    """Return a deployment that has reported and freed the service; it runs on to keep its old slot warm."""
    aws.answer("GetExecutionHistory", {"events": []})
    report = {"outcome": "promoted", "reason": "why", "executions": [], "probed": False, "ended": at(55)}
    invoke("write_report", plan=promoted, **report)
    journal.holding.release(promoted.hold, at(60))
    return promoted


def _assess(invoke: Invoke, given: Any, execution: str = MINE, began: datetime = LATER) -> dict[str, Any]:
    return invoke("assess", input=given, execution=execution, began=began)


@pytest.mark.parametrize("given", [None, {}, {"servise": "web"}], ids=["nothing", "empty", "slip-of-the-pen"])
def test_a_malformed_input_is_refused(invoke: Invoke, given: Any) -> None:
    """With an example of what is right."""
    with pytest.raises(errors.InvalidInput, match='"service": "web"'):
        _assess(invoke, given)


@pytest.mark.parametrize(
    ("given", "reason", "runs_on", "settle"),
    [
        pytest.param(PERSON, "rolled back by hand", False, True, id="person"),
        pytest.param(CATCH, "CandidateWorse: 5 of 30", True, False, id="catch"),
        pytest.param(_ended(), "d1 ended ABORTED", True, True, id="event-that-is-quicker-than-the-status"),
        pytest.param(_ended(status="FAILED"), "d1 ended FAILED", True, False, id="failed-by-itself"),
    ],
)
def test_assess_takes_the_service_over(
    account: Account,
    invoke: Invoke,
    journal: Journal,
    held: HeldPlan,
    given: dict[str, Any],
    reason: str,
    runs_on: bool,
    settle: bool,
) -> None:
    """From here on it can write nothing; by hand it is stopped, and a function of it may be at work then."""
    found = _assess(invoke, given)
    assert (found["action"], found["reason"], found["loser"]) == ("roll_back", reason, "green")
    assert (found["service"], found["probe"]) == ("web", "task")
    assert found["executions"] == [held.execution, MINE]
    assert (found["plan"]["holder"], found["plan"]["execution"]) == (MINE, held.execution)
    assert journal.state("web").holder == MINE
    assert (account.runs(held.execution), found["settle"]) == (runs_on, settle)


@pytest.mark.parametrize("given", [PERSON, CATCH, _ended()], ids=["person", "catch", "event"])
def test_an_answer_that_was_lost_is_given_again(
    invoke: Invoke, journal: Journal, held: HeldPlan, given: dict[str, Any]
) -> None:
    """The function's second try finds that it holds the service already."""
    assert _assess(invoke, given) == _assess(invoke, given)
    assert journal.state("web").holder == MINE


@pytest.mark.parametrize("given", [PERSON, _ended(status="TIMED_OUT")], ids=["person", "event"])
def test_a_dead_deployment_is_taken_back(
    account: Account, invoke: Invoke, held: HeldPlan, given: dict[str, Any]
) -> None:
    """Stopping it again is harmless."""
    account.end(held.execution)
    assert _assess(invoke, given)["action"] == "roll_back"


@pytest.mark.parametrize("given", [PERSON, CATCH, _ended()], ids=["person", "catch", "event"])
def test_a_rollback_at_work_is_left_alone(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan, given: dict[str, Any]
) -> None:
    """Two of them would undo each other's work."""
    account.start(ROLLBACK, "theirs")
    _assess(invoke, given, THEIRS)
    found = _assess(invoke, given)
    assert (found["action"], found["reason"]) == ("nothing", f"the rollback {THEIRS} is at work already")
    assert journal.state("web").holder == THEIRS
    assert account.runs(THEIRS)


@pytest.mark.parametrize(
    "given",
    [PERSON, CATCH, _ended(), _ended(THEIRS, "FAILED", again=True)],
    ids=["person", "catch", "event-of-the-deployment", "event-of-the-rollback"],
)
def test_a_dead_rollback_is_taken_over(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan, given: dict[str, Any]
) -> None:
    """Until one succeeds; whoever has worked on the deployment is still remembered."""
    account.start(ROLLBACK, "theirs")
    _assess(invoke, CATCH, THEIRS)
    account.end(THEIRS)
    clock.seconds = 30
    found = _assess(invoke, given)
    assert (found["action"], found["executions"]) == ("roll_back", [held.execution, THEIRS, MINE])
    assert journal.state("web").holder == MINE
    assert found["settle"] is (given != CATCH)


def test_after_failures_in_a_row_a_rollback_waits_before_it_takes_over(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """Each one longer; the service stays with the one that has failed until then."""
    account.start(ROLLBACK, "theirs")
    _assess(invoke, CATCH, THEIRS)
    account.end(THEIRS)
    clock.seconds = 30
    account.start(ROLLBACK, "mine")
    assert _assess(invoke, _ended(THEIRS, "FAILED", again=True))["action"] == "roll_back"
    account.end(MINE)
    clock.seconds = 60.5
    third = f"{ROLLBACKS}:third"
    found = _assess(invoke, _ended(MINE, "FAILED", again=True), third)
    assert (found["action"], found["seconds"]) == ("wait", 30)
    assert "2 rollbacks of d1 did not succeed" in found["reason"]
    assert journal.state("web").holder == MINE
    clock.seconds = 90.5
    found = _assess(invoke, _ended(MINE, "FAILED", again=True), third)
    assert (found["action"], journal.state("web").holder) == ("roll_back", third)
    tried = journal.state("web").tried
    assert tried
    assert (tried.times, tried.at) == (3, at(90.5))


def test_a_person_goes_before_a_rollback_that_waits(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """It finds the person's at work; once that got through, there is nothing to do, and the count is gone."""
    account.start(ROLLBACK, "theirs")
    _assess(invoke, CATCH, THEIRS)
    account.end(THEIRS)
    waiting, again = f"{ROLLBACKS}:waiting", _ended(THEIRS, "FAILED", again=True)
    assert _assess(invoke, again, waiting)["action"] == "wait"
    account.start(ROLLBACK, "mine")
    mine = _assess(invoke, PERSON)
    assert mine["action"] == "roll_back"
    clock.seconds = 40
    assert _assess(invoke, again, waiting)["reason"] == f"the rollback {MINE} is at work already"
    journal.holding.release(HeldPlan.model_validate(mine["plan"]).hold, at(60))
    assert _assess(invoke, again, waiting)["action"] == "nothing"
    assert journal.state("web").tried is None


def test_a_persons_rollback_that_fails_makes_no_further_chain(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """It goes before the one that waits, and its own end starts the next one, which waits in its place."""
    account.start(ROLLBACK, "theirs")
    _assess(invoke, CATCH, THEIRS, at(0))
    account.end(THEIRS)
    waiting, again = f"{ROLLBACKS}:waiting", _ended(THEIRS, "FAILED", again=True)
    clock.seconds = 1
    assert _assess(invoke, again, waiting, at(1))["seconds"] == 29
    account.start(ROLLBACK, "mine")
    clock.seconds = 20
    assert _assess(invoke, PERSON, MINE, at(20))["action"] == "roll_back"
    account.end(MINE)
    clock.seconds = 30
    found = _assess(invoke, again, waiting, at(1))
    assert (found["action"], found["reason"]) == (
        "nothing",
        f"{MINE} has tried since this rollback began, and its own end starts the next one",
    )
    clock.seconds = 51
    next_one = _assess(invoke, _ended(MINE, "FAILED", again=True), f"{ROLLBACKS}:next", at(21))
    assert (next_one["action"], next_one["seconds"]) == ("wait", 29)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(_ended(f"{EXECUTION}:d0"), "holds the service", id="event-of-one-that-holds-nothing"),
        pytest.param(
            _ended(THEIRS, "FAILED", again=True), "holds the service", id="event-of-a-rollback-that-does-not"
        ),
        pytest.param({**CATCH, "deployment": "d0"}, "d0 does not hold", id="catch-of-one-that-holds-nothing"),
    ],
)
def test_another_deployment_is_left_alone(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan, given: dict[str, Any], said: str
) -> None:
    """There is nothing to do, and that is a success."""
    found = _assess(invoke, given)
    assert found["action"] == "nothing"
    assert said in found["reason"]
    assert journal.state("web").holder == held.execution
    assert account.runs(held.execution)


def test_whoever_is_found_dead_is_helped(account: Account, invoke: Invoke, held: HeldPlan) -> None:
    """Its own event may have been lost."""
    account.end(held.execution)
    found = _assess(invoke, _ended(f"{EXECUTION}:d0"))
    assert (found["action"], found["reason"]) == ("roll_back", "d1 was left half-way")


def test_a_holder_that_step_functions_does_not_know_yet_is_left_alone(
    invoke: Invoke, journal: Journal, plan: HeldPlan
) -> None:
    """It has begun just now; its own end, and a person, count more."""
    journal.holding.claim(plan)
    assert _assess(invoke, _ended(f"{EXECUTION}:d0"))["action"] == "nothing"
    assert _assess(invoke, PERSON)["action"] == "roll_back"


@pytest.mark.parametrize("given", [PERSON, CATCH, _ended()], ids=["person", "catch", "event"])
def test_a_service_that_goes_is_not_put_back(
    invoke: Invoke, journal: Journal, held: HeldPlan, given: dict[str, Any]
) -> None:
    """Its stack is being deleted."""
    journal.holding.seize("web", DELETION)
    found = _assess(invoke, given)
    assert (found["action"], found["reason"]) == ("nothing", f"{DELETION} holds d1")
    assert journal.state("web").holder == DELETION


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param(CATCH, "d1 does not hold the service any more", id="catch"),
        pytest.param(_ended(), "the execution that ended holds no service", id="event"),
    ],
)
def test_a_deployment_that_put_things_right_itself(
    invoke: Invoke, journal: Journal, held: HeldPlan, given: dict[str, Any], reason: str
) -> None:
    """It holds nothing any more."""
    journal.holding.release(held.hold, at(60))
    found = _assess(invoke, given)
    assert (found["action"], found["reason"], found["plan"]) == ("nothing", reason, None)


@pytest.mark.parametrize("service", ["web", "wbe"], ids=["nothing-warm", "slip-of-the-pen"])
def test_a_person_is_told_that_there_is_nothing(invoke: Invoke, blue_live: None, service: str) -> None:
    """That must not look like a rollback."""
    with pytest.raises(errors.NothingToRollBack, match=f"holds {service} and no old version of it is warm"):
        _assess(invoke, {"service": service})


def test_a_person_stops_a_deployment_whose_rollback_has_died(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """It waits for that rollback, and would go on."""
    account.start(ROLLBACK, "theirs")
    _assess(invoke, CATCH, THEIRS)
    account.end(THEIRS)
    _assess(invoke, PERSON)
    assert not account.runs(held.execution)


def test_whoever_has_ended_is_helped_first(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Another dead one has an event of its own."""
    spec = account.spec.model_copy(update={"service": "abc"})
    account.publish(spec)
    other = account.first_plan(deployment="d5", execution=account.start(DEPLOY, "d5")).model_copy(
        update={"spec": spec}
    )
    journal.holding.claim(other)
    for execution in (held.execution, other.execution):
        account.end(execution)
    assert _assess(invoke, _ended())["service"] == "web"
    assert _assess(invoke, _ended(other.execution), f"{ROLLBACKS}:mine-too")["service"] == "abc"


def test_the_right_service_is_found(account: Account, invoke: Invoke, held: HeldPlan) -> None:
    """An event names an execution only."""
    for name in ("abc", "xyz"):
        account.publish(account.spec.model_copy(update={"service": name}))
    assert _assess(invoke, _ended())["service"] == "web"


@pytest.mark.parametrize("given", [CATCH, PERSON, _ended(), _ended(f"{EXECUTION}:d0")])
def test_a_service_whose_spec_is_gone_is_put_back(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan, given: dict[str, Any]
) -> None:
    """Who holds what stands in the journal, and nobody has to find it through the configuration."""
    account.unpublish("web")
    account.end(held.execution)
    found = _assess(invoke, given)
    assert (found["action"], found["service"]) == ("roll_back", "web")
    assert journal.state("web").holder == MINE


def test_a_warm_slot_of_a_service_whose_spec_is_gone_is_stopped(
    account: Account, invoke: Invoke, warm: HeldPlan
) -> None:
    """The deployment that would have stopped it has ended."""
    account.unpublish("web")
    assert _assess(invoke, _ended())["action"] == "stop_old_slot"


# ---- after the promotion --------------------------------------------------------------------------------


def test_a_promoted_deployment_is_only_finished(
    account: Account, invoke: Invoke, journal: Journal, promoted: HeldPlan
) -> None:
    """It was cut off before it could report and free the service."""
    account.end(promoted.execution)
    found = _assess(invoke, _ended())
    assert (found["action"], found["loser"]) == ("finish", "blue")
    assert journal.history.of("web", "d1").promoted == at(50)


def test_by_hand_a_promotion_is_taken_back_while_the_old_slot_is_warm(
    account: Account, invoke: Invoke, journal: Journal, promoted: HeldPlan
) -> None:
    """Though the deployment is still at work on its report; twice."""
    found = _assess(invoke, PERSON)
    assert found == _assess(invoke, PERSON)
    assert (found["action"], found["loser"]) == ("roll_back", "green")
    assert journal.history.of("web", "d1").promoted is None
    assert journal.state("web").warm is None
    assert not account.runs(promoted.execution)


def test_by_hand_a_promotion_stays_once_the_old_slot_is_cold(
    invoke: Invoke, journal: Journal, promoted: HeldPlan
) -> None:
    """There is nothing to go back to, so that the rest is done."""
    journal.live.forget_warm(promoted.hold)
    found = _assess(invoke, PERSON)
    assert (found["action"], found["loser"]) == ("finish", "blue")


def test_by_hand_a_warm_version_is_backed_out(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, warm: HeldPlan
) -> None:
    """Nothing holds the service: the rollback does, under a deployment of its own name."""
    clock.seconds = 90
    found = _assess(invoke, PERSON)
    assert (found["action"], found["loser"], found["probe"]) == ("back_out", "green", None)
    assert found["reason"] == "0.0.2 was backed out: rolled back by hand"
    assert found["executions"] == [MINE]
    mine = HeldPlan.model_validate(found["plan"])
    assert (mine.deployment, mine.execution, mine.began) == ("mine", MINE, at(90))
    assert journal.history.of("web", "mine").plan.held_by(mine.hold) == mine
    assert (journal.state("web").holder, journal.state("web").warm) == (MINE, None)


def test_a_back_out_that_is_asked_for_by_a_request_takes_back_that_promotion_alone(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """A request for what is warm was planned a moment ago; somebody else may have been quicker by now."""
    order = {"service": "web", "warm": warm.deployment, "asked_by": f"{EXECUTION}:again"}
    other = _assess(invoke, order | {"warm": "another"})
    assert (other["action"], journal.state("web").holder) == ("nothing", None)
    for _ in range(2):  # the answer of the first one was lost
        assert _assess(invoke, order)["action"] in {"back_out", "roll_back"}
    assert journal.state("web").holder == MINE


def test_a_request_for_what_was_warm_stops_no_other_deployment(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """It has claimed the service since the plan of that request."""
    execution = account.start(DEPLOY, "d2")
    journal.holding.claim(
        account.plan(deployment="d2", execution=execution, stable="green", candidate="blue", began=at(60))
    )
    order = {"service": "web", "warm": warm.deployment}
    assert _assess(invoke, order)["action"] == "nothing"
    assert account.runs(execution)


def test_a_back_out_whose_answer_was_lost_goes_on(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """It finds that it holds the service already; the way back is the same, and it does not stop itself."""
    account.start(ROLLBACK, "mine")
    first, second = _assess(invoke, PERSON), _assess(invoke, PERSON)
    assert (second["action"], second["loser"]) == ("roll_back", "green")
    assert second["plan"] == first["plan"]
    assert second["executions"] == [MINE]
    assert account.runs(MINE)


def test_a_back_out_that_died_is_tried_again(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, warm: HeldPlan
) -> None:
    """As any rollback, after the first wait; the promoted deployment's history stays."""
    account.start(ROLLBACK, "theirs")
    _assess(invoke, PERSON, THEIRS)
    account.end(THEIRS)
    assert _assess(invoke, _ended(THEIRS, "FAILED", again=True))["action"] == "wait"
    clock.seconds = 30
    found = _assess(invoke, _ended(THEIRS, "FAILED", again=True))
    assert (found["action"], found["loser"]) == ("roll_back", "green")
    assert found["plan"]["deployment"] == "theirs"
    assert found["executions"] == [THEIRS, MINE]
    assert journal.history.of("web", "d1").promoted == at(50)


def test_a_warm_slot_whose_deployment_died_is_cooled(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """Nobody else would stop its tasks; twice."""
    account.end(warm.execution)
    found = _assess(invoke, _ended())
    assert (found["action"], found["loser"], found["reason"]) == ("stop_old_slot", "blue", "d1 ended ABORTED")
    assert (journal.state("web").holder, journal.state("web").warm) == (MINE, None)
    again = _assess(invoke, _ended())
    assert (again["action"], again["loser"], again["plan"]) == ("stop_old_slot", "blue", found["plan"])


def test_a_deployment_that_died_while_it_cooled_its_slot(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """It holds the service once more."""
    journal.holding.reclaim(warm.hold)
    account.end(warm.execution)
    found = _assess(invoke, _ended())
    assert (found["action"], found["loser"]) == ("stop_old_slot", "blue")


def test_a_warm_slot_of_another_deployment_is_left_alone(
    invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """It runs on, and stops it itself."""
    assert _assess(invoke, _ended(f"{EXECUTION}:d0"))["action"] == "nothing"
    assert journal.state("web").warm is not None


def test_a_warm_slot_that_was_taken_is_not_cooled(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """It is the candidate's now."""
    account.end(warm.execution)
    account.start(DEPLOY, "d2")
    journal.holding.claim(
        account.plan(
            deployment="d2", execution=f"{EXECUTION}:d2", stable="green", candidate="blue", began=at(60)
        )
    )
    found = _assess(invoke, _ended())
    assert (found["action"], found["reason"]) == ("nothing", f"{EXECUTION}:d2 holds the service")


# ---- races: what the assess has read is out of date when it writes --------------------------------------


def _once(happens: Callable[[], object]) -> Any:
    """Let something happen after a handler's first call of an operation."""
    done: list[bool] = []

    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        if not done:
            done.append(True)
            happens()
        return answer

    return edit


def _nothing_because_of_others(invoke: Invoke, given: Any) -> bool:
    found = _assess(invoke, given)
    return (found["action"], found["reason"]) == ("nothing", "another execution took the service first")


@pytest.mark.parametrize("given", [PERSON, _ended()], ids=["person", "event"])
def test_a_rollback_that_was_quicker(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan, given: dict[str, Any]
) -> None:
    """Both have found the same holder dead."""
    account.end(held.execution)
    aws.edit("DescribeExecution", _once(lambda: journal.holding.take_over(held.hold, THEIRS, FIRST_TRY)))
    assert _nothing_because_of_others(invoke, given)
    assert journal.state("web").holder == THEIRS


def test_a_deployment_that_ended_while_it_was_asked_for(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan
) -> None:
    """It has freed the service: it is not stopped, and nothing is taken back."""
    aws.edit("DescribeExecution", _once(lambda: journal.holding.release(held.hold, at(60))))
    assert _nothing_because_of_others(invoke, PERSON)
    assert account.runs(held.execution)


@pytest.mark.parametrize("given", [PERSON, _ended()], ids=["back-out", "cooling"])
def test_a_warm_slot_that_somebody_takes_meanwhile(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, warm: HeldPlan, given: dict[str, Any]
) -> None:
    """The next deployment was quicker."""
    taken = account.plan(
        deployment="d2", execution=f"{EXECUTION}:d2", stable="green", candidate="blue", began=at(60)
    )
    aws.edit("GetItem", _once(lambda: journal.holding.claim(taken)))
    assert _assess(invoke, given)["action"] == "nothing"
    assert journal.state("web").holder == taken.execution


def test_a_promotion_whose_tasks_have_all_died_is_taken_back(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """Its own deployment says so, while the old slot is warm; what else fails there takes nothing back."""
    account.start(ROLLBACK, "mine")
    order = {
        "service": "web",
        "deployment": warm.deployment,
        "failure": {"Error": "AwsRefused", "Cause": "no"},
    }
    assert _assess(invoke, order)["action"] == "nothing"
    dead = order | {"failure": {"Error": "LiveServesNothing", "Cause": "none of its tasks is healthy"}}
    found = _assess(invoke, dead)
    assert (found["action"], found["loser"]) == ("back_out", "green")
    assert found["reason"] == "0.0.2 was backed out: LiveServesNothing: none of its tasks is healthy"
    assert journal.state("web").holder == MINE
