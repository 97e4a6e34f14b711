"""The rollback: survey, restore, prove, stop; each as often as one likes."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.traffic import Traffic
from crossfade.domain import errors
from crossfade.domain.certificate import StageRecord
from crossfade.domain.message import iso
from crossfade.domain.plan import Plan
from crossfade.domain.traffic import Weights
from tests.unit.account import Account
from tests.unit.examples import EXECUTION, at, request
from tests.unit.handlers.conftest import Clock, Invoke

MINE = f"{EXECUTION}:rollback"
BLUE, SOME, GREEN = (Weights.share("green", weight) for weight in (0, 10, 100))


@pytest.fixture
def traffic(account: Account) -> Traffic:
    """Return the service's traffic."""
    return Traffic(account.elbv2, account.spec)


@pytest.fixture
def held(account: Account, journal: Journal, traffic: Traffic, blue_live: None) -> Plan:
    """Return a deployment that stands at weight 10."""
    plan = account.plan()
    journal.claim(plan)
    traffic.write(SOME)
    journal.wrote(plan, SOME, at(1))
    journal.stage(plan, StageRecord(weight=10, began=at(1)))
    return plan


def _survey(invoke: Invoke, execution: str = MINE, **given: Any) -> dict[str, Any]:
    return invoke("survey", input=given, execution=execution)


def _ended(deployment: str = "d1") -> dict[str, Any]:
    detail = {"executionArn": f"{EXECUTION}:{deployment}", "status": "ABORTED"}
    return {"source": "aws.states", "detail": detail}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"service": "web"}, "rolled back by hand", id="person"),
        pytest.param(_ended(), "the deployment ended ABORTED", id="event"),
        pytest.param(
            {
                "service": "web",
                "deployment": "d1",
                "failure": {"Error": "CandidateWorse", "Cause": '{"errorMessage": "5 of 30"}'},
            },
            "CandidateWorse: 5 of 30",
            id="catch",
        ),
    ],
)
def test_a_survey_takes_the_service_over(
    invoke: Invoke, journal: Journal, held: Plan, given: dict[str, Any], reason: str
) -> None:
    """Whoever asks; from here on the deployment can write no weights."""
    journal.milestone(held, "probe", "task")
    found = _survey(invoke, **given)
    assert (found["action"], found["reason"], found["loser"]) == ("roll_back", reason, "green")
    assert (found["probe"], found["held_by"]) == ("task", held.execution)
    assert found["plan"]["execution"] == MINE
    assert journal.state("web").holder == MINE


def test_a_second_rollback_takes_over_from_the_first(invoke: Invoke, journal: Journal, held: Plan) -> None:
    """It can be started at any moment, by anyone; the deployment's own execution is still remembered."""
    _survey(invoke, service="web")
    found = _survey(invoke, f"{EXECUTION}:rollback-2", service="web")
    assert (found["action"], found["held_by"]) == ("roll_back", held.execution)
    assert journal.state("web").holder == f"{EXECUTION}:rollback-2"


def test_a_promoted_deployment_is_only_finished(invoke: Invoke, journal: Journal, held: Plan) -> None:
    """Its old slot may be gone."""
    journal.promote(held, at(50))
    found = _survey(invoke, service="web")
    assert (found["action"], found["loser"]) == ("finish", "blue")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(_ended("d0"), id="event-of-one-that-put-things-right-itself"),
        pytest.param({"service": "web", "deployment": "d0"}, id="catch-of-one-that-holds-nothing"),
    ],
)
def test_another_deployment_is_left_alone(
    invoke: Invoke, journal: Journal, held: Plan, given: dict[str, Any]
) -> None:
    """There is nothing to do, and that is a success."""
    assert _survey(invoke, **given)["action"] == "nothing"
    assert journal.state("web").holder == held.execution


def test_a_person_is_told_that_there_is_nothing(account: Account, invoke: Invoke) -> None:
    """A slip of the pen in the service's name must not look like a rollback."""
    with pytest.raises(errors.NothingToRollBack, match="nothing was changed"):
        _survey(invoke, service="wbe")


def _restore(invoke: Invoke, journal: Journal, plan: Plan) -> dict[str, Any]:
    return invoke("restore", plan=journal.take_over(plan, MINE))


def test_the_weights_of_before_are_restored(
    invoke: Invoke, clock: Clock, journal: Journal, traffic: Traffic, held: Plan
) -> None:
    """Live, and in the journal."""
    clock.seconds = 30
    assert _restore(invoke, journal, held) == {
        "status": "moved",
        "outcome": "rolled_back",
        "at": iso(at(30)),
        "reason": "blue 100, green 0",
    }
    assert traffic.weights() == journal.state("web").weights == BLUE
    assert journal.history("web", "d1").restored == at(30)


def test_restoring_twice_still_asks_for_proof(
    invoke: Invoke, clock: Clock, journal: Journal, held: Plan
) -> None:
    """The first answer may have been lost: clients did meet the candidate."""
    _restore(invoke, journal, held)
    clock.seconds = 9
    assert _restore(invoke, journal, held)["status"] == "moved"
    assert journal.history("web", "d1").restored == at(0)


def test_a_restore_that_was_cut_off_is_finished(
    invoke: Invoke, journal: Journal, traffic: Traffic, held: Plan
) -> None:
    """The weights were set, and the journal did not hear of it."""
    mine = journal.take_over(held, MINE)
    journal.intend(mine, BLUE)
    traffic.write(BLUE)
    assert _restore(invoke, journal, held)["status"] == "moved"
    assert (journal.state("web").weights, journal.state("web").intended) == (BLUE, None)


def test_a_shift_that_was_cut_off_is_taken_back(
    invoke: Invoke, journal: Journal, traffic: Traffic, held: Plan
) -> None:
    """What was about to be written is no foreign change."""
    journal.intend(held, GREEN)
    traffic.write(GREEN)
    assert _restore(invoke, journal, held)["status"] == "moved"
    assert traffic.weights() == BLUE


def test_a_candidate_that_nobody_met_needs_no_proof(
    account: Account, invoke: Invoke, journal: Journal, held: Plan, traffic: Traffic
) -> None:
    """It failed at weight 0, so no weights were moved."""
    traffic.write(BLUE)
    journal.wrote(held, BLUE, at(2))
    journal.release(held)
    plan = account.plan(deployment="d2", execution=f"{EXECUTION}:d2")
    journal.claim(plan)
    assert _restore(invoke, journal, plan)["status"] == "unmoved"


def test_weights_of_somebody_else_are_left_alone(
    invoke: Invoke, journal: Journal, traffic: Traffic, held: Plan
) -> None:
    """And the deployment has failed, not been rolled back."""
    foreign = Weights(blue=70, green=30)
    traffic.write(foreign)
    answer = _restore(invoke, journal, held)
    assert (answer["status"], answer["outcome"]) == ("barred", "failed")
    assert "somebody else" in answer["reason"]
    assert traffic.weights() == foreign


def test_a_rule_that_leads_elsewhere_is_left_alone(
    account: Account, invoke: Invoke, journal: Journal, traffic: Traffic, held: Plan
) -> None:
    """A target group of nobody's knowing is somebody's: the rollback goes on without touching the rule."""
    vpc = account.ec2.describe_vpcs()["Vpcs"][-1]["VpcId"]
    made = account.elbv2.create_target_group(
        Name="elsewhere", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
    )
    elsewhere = made["TargetGroups"][0]["TargetGroupArn"]
    rule = traffic.rule()
    assert rule
    forward = {"TargetGroups": [{"TargetGroupArn": elsewhere, "Weight": 1}]}
    account.elbv2.modify_rule(RuleArn=rule.arn, Actions=[{"Type": "forward", "ForwardConfig": forward}])
    answer = _restore(invoke, journal, held)
    assert (answer["status"], answer["outcome"]) == ("barred", "failed")
    assert elsewhere in answer["reason"]


def test_traffic_is_not_sent_to_where_nobody_answers(
    account: Account, invoke: Invoke, journal: Journal, traffic: Traffic, held: Plan
) -> None:
    """A bad version is better than none."""
    account.elbv2.deregister_targets(
        TargetGroupArn=account.spec.target_groups.blue,
        Targets=[{"Id": "10.0.0.10"}, {"Id": "10.0.0.11"}],
    )
    assert _restore(invoke, journal, held)["status"] == "barred"
    assert traffic.weights() == SOME


def test_a_first_release_is_taken_off_the_air(
    account: Account, invoke: Invoke, journal: Journal, traffic: Traffic
) -> None:
    """Back to the listener's default answer; that has failed, since there is nothing to roll back to."""
    plan = account.first_plan()
    journal.claim(plan)
    traffic.write(BLUE)
    journal.wrote(plan, BLUE, at(1))
    for _ in range(2):
        assert _restore(invoke, journal, plan)["outcome"] == "failed"
    assert traffic.rule() is None
    assert journal.state("web").weights is None


def _prove(invoke: Invoke, plan: Plan, **given: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"quiet": {}, "cursor": None, **given}
    return invoke("prove", plan=plan, shifted=at(0), **values)


def test_the_stable_version_is_proved(account: Account, invoke: Invoke, clock: Clock, held: Plan) -> None:
    """By answers of the old version alone, over two looks."""
    old = {"version": "0.0.1"}
    account.write_ledger(held.ledger, request("production", 1, 5), request("production", 2, 6, **old))
    first = _prove(invoke, held)
    assert (first["status"], clock.seconds) == ("wait", 20)
    account.write_ledger(held.ledger, request("production", 3, 16, **old))
    second = _prove(invoke, held, quiet=first["quiet"], cursor=first["cursor"])
    assert (second["status"], clock.seconds) == ("drained", 20)


def test_without_proof_the_rollback_goes_on_late(invoke: Invoke, clock: Clock, held: Plan) -> None:
    """It says so in its report."""
    clock.seconds = 120
    assert _prove(invoke, held)["status"] == "late"


def test_without_a_stable_version_there_is_nothing_to_prove(account: Account, invoke: Invoke) -> None:
    """After a first release."""
    assert _prove(invoke, account.first_plan())["status"] == "late"


def _desired(account: Account) -> int:
    found = account.ecs.describe_services(cluster=account.spec.cluster, services=["web-green"])
    return found["services"][0]["desiredCount"]


def test_the_loser_is_stopped(account: Account, invoke: Invoke, traffic: Traffic, held: Plan) -> None:
    """Twice, once it has no weight."""
    traffic.write(BLUE)
    for _ in range(2):
        assert invoke("stop_slot", plan=held, slot="green") == {"slot": "green"}
    assert _desired(account) == 0


def test_a_loser_with_traffic_keeps_running(account: Account, invoke: Invoke, held: Plan) -> None:
    """Whoever asks."""
    with pytest.raises(errors.SlotHasTraffic, match="green slot still has weight 10"):
        invoke("stop_slot", plan=held, slot="green")
    assert _desired(account) == 2


def test_where_there_is_no_loser_nothing_is_stopped(invoke: Invoke, held: Plan) -> None:
    """A promoted first release has no old slot."""
    assert invoke("stop_slot", plan=held, slot=None) == {"slot": None}


def test_the_probe_is_stopped(account: Account, invoke: Invoke, held: Plan) -> None:
    """Twice; and where none was started that is fine as well."""
    task = invoke("start_probe", plan=held)["task"]
    for _ in range(2):
        assert invoke("stop_probe", plan=held, task=task) == {"task": task}
    assert invoke("stop_probe", plan=held, task=None) == {"task": None}
    found = account.ecs.describe_tasks(cluster=account.spec.cluster, tasks=[task])["tasks"][0]
    assert found["desiredStatus"] == "STOPPED"
