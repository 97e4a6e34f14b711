"""The stages: watch until there is a verdict, shift by compare and set, retire what clients left."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.traffic import Traffic
from crossfade.domain import errors
from crossfade.domain.message import iso
from crossfade.domain.plan import Plan
from crossfade.domain.traffic import Weights
from tests.unit.account import Account
from tests.unit.examples import EXECUTION, at, request, requests
from tests.unit.handlers.conftest import Aws, Clock, Invoke

BLUE, SOME, GREEN = (Weights.share("green", weight) for weight in (0, 10, 100))


@pytest.fixture
def held(account: Account, journal: Journal, aws: Aws, blue_live: None) -> Plan:
    """Return a deployment into green that holds the service; 0.0.1 is live in blue."""
    plan = account.plan()
    journal.claim(plan)
    return plan


def _watch(invoke: Invoke, plan: Plan, *, cursor: str | None = None, **sighting: Any) -> dict[str, Any]:
    return invoke("watch", plan=plan, stage=1, began=at(0), deadline=at(60), sighting=sighting, cursor=cursor)


def test_a_good_stage_advances(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: Plan
) -> None:
    """And stands in the journal, with the reason."""
    account.write_ledger(held.ledger, *requests("green", "." * 30))
    clock.seconds = 10
    answer = _watch(invoke, held)
    assert answer["verdict"]["action"] == "advance"
    (stage,) = journal.history("web", "d1").stages
    assert (stage.weight, stage.began, stage.ended, stage.verdict) == (10, at(0), at(10), "advance")
    assert stage.reason == answer["verdict"]["reason"]


def test_a_watch_returns_as_soon_as_it_has_a_verdict(
    account: Account, invoke: Invoke, clock: Clock, held: Plan
) -> None:
    """It looks every second."""
    clock.meanwhile = [
        lambda: account.write_ledger(held.ledger, *requests("green", "..")),
        lambda: account.write_ledger(held.ledger, *requests("green", "xxx", seconds=1)),
    ]
    assert _watch(invoke, held)["verdict"]["action"] == "roll_back"
    assert clock.seconds == 2


def test_a_watch_ends_without_a_verdict(invoke: Invoke, clock: Clock, journal: Journal, held: Plan) -> None:
    """After some seconds, so that the state machine takes its turn; the stage is still open."""
    answer = _watch(invoke, held)
    assert (answer["verdict"]["action"], clock.seconds) == ("hold", 20)
    assert journal.history("web", "d1").stages[0].ended is None


def test_a_watch_reads_on_from_the_last_one(
    account: Account, invoke: Invoke, clock: Clock, held: Plan
) -> None:
    """Two looks see what one would have seen."""
    account.write_ledger(held.ledger, *requests("green", "." * 20))
    first = _watch(invoke, held)
    account.write_ledger(held.ledger, *requests("green", "." * 10, seconds=21))
    second = _watch(invoke, held, cursor=first["cursor"], **first["sighting"])
    assert second["sighting"]["answers"] == 30
    assert second["verdict"]["action"] == "advance"


def test_a_silent_stage_is_rolled_back_at_its_deadline(
    invoke: Invoke, clock: Clock, journal: Journal, held: Plan
) -> None:
    """Silence is not success; the journal keeps when that was judged."""
    clock.seconds = 59.5
    answer = _watch(invoke, held)
    assert answer["verdict"]["error"] == "EvidenceMissing"
    assert journal.history("web", "d1").judged == at(60.5)


def test_the_place_in_the_ledger_is_kept(
    account: Account, invoke: Invoke, journal: Journal, held: Plan
) -> None:
    """For a rollback that nobody hands it to."""
    account.write_ledger(held.ledger, *requests("green", "xxx"))
    assert journal.history("web", "d1").cursor != _watch(invoke, held)["cursor"]
    assert journal.history("web", "d1").cursor is not None


def _shift(invoke: Invoke, plan: Plan, stage: int = 1, deadline: float = 60) -> dict[str, Any]:
    return invoke("shift", plan=plan, stage=stage, deadline=at(deadline))


def test_a_shift_sets_the_stages_weights(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: Plan
) -> None:
    """Live, in the journal, and in the deployment's history."""
    clock.seconds = 5
    assert _shift(invoke, held) == {
        "status": "shifted",
        "reason": "blue 90, green 10",
        "began": iso(at(5)),
        "deadline": iso(at(65)),
    }
    assert Traffic(account.elbv2, account.spec).weights() == SOME
    assert (journal.state("web").weights, journal.state("web").intended) == (SOME, None)
    assert [stage.weight for stage in journal.history("web", "d1").stages] == [10]


def test_shifting_twice_is_shifting_once(account: Account, invoke: Invoke, held: Plan) -> None:
    """Absolute weights, never steps."""
    _shift(invoke, held)
    _shift(invoke, held)
    assert Traffic(account.elbv2, account.spec).weights() == SOME


def test_a_first_release_makes_the_rule(account: Account, invoke: Invoke, journal: Journal) -> None:
    """There was none."""
    account.run("blue", account.spec.blueprint)
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    plan = account.first_plan(stages=(account.spec.stages[0], account.spec.stages[-1]))
    journal.claim(plan)
    assert _shift(invoke, plan)["status"] == "shifted"
    assert Traffic(account.elbv2, account.spec).weights() == BLUE


def test_a_shift_that_was_cut_off_goes_on(
    account: Account, invoke: Invoke, journal: Journal, held: Plan
) -> None:
    """Written to the load balancer and not yet to the journal is no foreign change."""
    journal.intend(held, SOME)
    Traffic(account.elbv2, account.spec).write(SOME)
    assert _shift(invoke, held)["status"] == "shifted"


def test_weights_that_somebody_else_set_are_left_alone(account: Account, invoke: Invoke, held: Plan) -> None:
    """Compare and set: the comparison fails."""
    foreign = Weights(blue=70, green=30)
    Traffic(account.elbv2, account.spec).write(foreign)
    with pytest.raises(errors.ForeignChange, match="found blue 70, green 30"):
        _shift(invoke, held)
    assert Traffic(account.elbv2, account.spec).weights() == foreign


def test_a_deployment_that_lost_the_service_shifts_nothing(
    account: Account, invoke: Invoke, journal: Journal, held: Plan
) -> None:
    """A rollback has taken it over."""
    journal.take_over(held, f"{EXECUTION}:rollback")
    with pytest.raises(errors.ServiceLost):
        _shift(invoke, held)
    assert Traffic(account.elbv2, account.spec).weights() == BLUE


@pytest.mark.parametrize("slot", ["blue", "green"])
def test_too_few_targets_are_waited_for_and_then_given_up(
    account: Account, invoke: Invoke, clock: Clock, held: Plan, slot: str
) -> None:
    """Of either slot; the weights stay as they are."""
    group = account.spec.target_groups.of(slot)  # type: ignore[arg-type]
    account.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.10"}, {"Id": "10.0.0.11"}])
    assert _shift(invoke, held)["status"] == "waiting"
    clock.seconds = 60
    with pytest.raises(errors.TargetsBelowFloor, match=f"{slot} has 0 healthy targets"):
        _shift(invoke, held)
    assert Traffic(account.elbv2, account.spec).weights() == BLUE


@pytest.fixture
def shifted(account: Account, journal: Journal, held: Plan) -> Plan:
    """Return a deployment that has shifted all traffic."""
    Traffic(account.elbv2, account.spec).write(GREEN)
    journal.wrote(held, GREEN, at(0))
    return held


def _retire(invoke: Invoke, plan: Plan, **given: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"quiet": {}, "cursor": None, **given}
    return invoke("retire", plan=plan, shifted=at(0), **values)


def _stopped(left: int) -> Any:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for service in answer["services"]:
            service["runningCount"] = left
        return answer

    return edit


def _desired(account: Account) -> int:
    found = account.ecs.describe_services(cluster=account.spec.cluster, services=["web-blue"])
    return found["services"][0]["desiredCount"]


def test_blue_stays_until_clients_have_left_it(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: Plan
) -> None:
    """The way back stays open that long."""
    account.write_ledger(shifted.ledger, request("production", 1, 5, version="0.0.1"))
    assert _retire(invoke, shifted)["status"] == "waiting"
    assert journal.history("web", "d1").promoted is None
    assert _desired(account) == 2


def test_blue_is_stopped_and_seen_gone(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, shifted: Plan
) -> None:
    """First the promotion is written, then the slot is stopped."""
    account.write_ledger(shifted.ledger, *[request("production", n, n) for n in range(1, 21)])
    aws.edit("DescribeServices", _stopped(1))
    first = _retire(invoke, shifted)
    assert (first["status"], clock.seconds) == ("waiting", 20)
    assert first["reason"] == "only 0.0.2 for 10 s; 1 old tasks left"
    assert _desired(account) == 0
    aws.edit("DescribeServices", _stopped(0))
    assert _retire(invoke, shifted, quiet=first["quiet"], cursor=first["cursor"])["status"] == "retired"
    assert journal.history("web", "d1").promoted == at(20)


def test_a_task_that_does_not_end_is_not_waited_for_for_ever(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, shifted: Plan
) -> None:
    """ECS finishes what it has begun."""
    account.write_ledger(shifted.ledger, *[request("production", n, n) for n in range(1, 21)])
    aws.edit("DescribeServices", _stopped(1))
    clock.seconds = 240
    assert _retire(invoke, shifted)["status"] == "retired"


def test_an_old_version_that_does_not_go_is_a_failure(
    account: Account, invoke: Invoke, clock: Clock, shifted: Plan
) -> None:
    """Blue keeps running."""
    account.write_ledger(
        shifted.ledger, *[request("production", n, n, version="0.0.1") for n in range(1, 120)]
    )
    clock.seconds = 120
    with pytest.raises(errors.OldVersionStillSeen, match="120 s of the last shift"):
        _retire(invoke, shifted)
    assert _desired(account) == 2


def test_a_candidate_that_turns_bad_late_does_not_retire_blue(
    account: Account, invoke: Invoke, clock: Clock, shifted: Plan
) -> None:
    """Failures are not quiet: blue is still there to go back to."""
    account.write_ledger(shifted.ledger, *[request("production", n, n, status=500) for n in range(1, 120)])
    clock.seconds = 120
    with pytest.raises(errors.OldVersionStillSeen):
        _retire(invoke, shifted)


def test_a_slot_with_traffic_is_not_retired(
    account: Account, invoke: Invoke, clock: Clock, shifted: Plan
) -> None:
    """Somebody moved the traffic back meanwhile."""
    account.write_ledger(shifted.ledger, *[request("production", n, n) for n in range(1, 21)])
    Traffic(account.elbv2, account.spec).write(SOME)
    clock.seconds = 20
    with pytest.raises(errors.SlotHasTraffic):
        _retire(invoke, shifted)
    assert _desired(account) == 2


def test_a_deployment_that_lost_the_service_retires_nothing(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: Plan
) -> None:
    """A rollback is on its way to blue."""
    account.write_ledger(shifted.ledger, *[request("production", n, n) for n in range(1, 21)])
    journal.take_over(shifted, f"{EXECUTION}:rollback")
    clock.seconds = 20
    with pytest.raises(errors.ServiceLost):
        _retire(invoke, shifted)
    assert _desired(account) == 2


def test_a_first_release_is_promoted_at_once(account: Account, invoke: Invoke, journal: Journal) -> None:
    """There is nothing to retire, and from here on nothing to take back."""
    plan = account.first_plan()
    journal.claim(plan)
    assert _retire(invoke, plan)["status"] == "retired"
    assert journal.history("web", "d1").promoted == at(0)
