"""The rollback's work: restore, prove, stop, resume; each as often as one likes."""

import re
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.domain import errors
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan, RunningRelease
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.traffic.weights import Weights
from crossfade.domain.verdict import Verdict
from tests.unit.account import Account, nameless_of, rule_of, weights_of
from tests.unit.examples import EXECUTION, FIRST_TRY, OLD, ROLLBACKS, at, opened, request, waiting, warm_spec
from tests.unit.handlers.conftest import Aws, Clock, Invoke, looked

MINE = f"{ROLLBACKS}:mine"
BLUE, SOME, GREEN = (Weights.share("green", weight) for weight in (0, 10, 100))
TARGETS = ("10.0.0.10", "10.0.0.11")
WORSE = Verdict(action="roll_back", reason="candidate (green) fails 12 of 240", error="CandidateWorse")


@pytest.fixture
def traffic(account: Account) -> Traffic:
    """Return the service's traffic."""
    return Traffic(account.elbv2, account.spec)


@pytest.fixture
def held(account: Account, journal: Journal, traffic: Traffic, blue_live: None) -> HeldPlan:
    """Return a deployment that stands at weight 10."""
    plan = account.plan()
    journal.holding.claim(plan)
    traffic.write(SOME)
    journal.live.wrote(plan, SOME, at(1))
    journal.history.watched(plan.hold, StageRecord(weight=10, began=at(1)), None)
    journal.history.milestone(plan.hold, "launched", iso(at(0)))
    return plan


@pytest.fixture
def taken(journal: Journal, held: HeldPlan) -> HeldPlan:
    """Return the rollback's own plan, once it has taken that deployment over."""
    return held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY))


def _restore(invoke: Invoke, plan: HeldPlan, rounds: int = 0, written: str | None = None) -> dict[str, Any]:
    return invoke(
        "restore_weights", plan=plan, deadline=at(300), tasks_deadline=at(120), rounds=rounds, written=written
    )


def test_the_weights_of_before_are_restored(
    invoke: Invoke, clock: Clock, journal: Journal, traffic: Traffic, taken: HeldPlan
) -> None:
    """Live, and in the journal; clients are to get the old version, and the candidate is to be stopped."""
    clock.seconds = 30
    assert _restore(invoke, taken) == {
        "status": "moved",
        "outcome": "rolled_back",
        "at": iso(at(30)),
        "reason": "blue 100, green 0",
        "loser": "green",
        "version": "0.0.1",
        "written": None,
    }
    state = journal.state("web")
    assert weights_of(traffic) == state.weights == BLUE
    assert (state.stable, state.version) == ("blue", "0.0.1")
    assert journal.history.of("web", "d1").restored == at(30)


def test_restoring_twice_still_asks_for_proof(
    invoke: Invoke, clock: Clock, journal: Journal, taken: HeldPlan
) -> None:
    """The first answer may have been lost: clients did meet the candidate."""
    _restore(invoke, taken)
    clock.seconds = 9
    assert _restore(invoke, taken)["status"] == "moved"
    assert journal.history.of("web", "d1").restored == at(0)


def test_a_second_round_asks_for_proof_only_where_something_has_moved(
    invoke: Invoke, journal: Journal, traffic: Traffic, held: HeldPlan
) -> None:
    """A function of what was stopped may have written late; else the first round's proof stands."""
    journal.live.intend(held.hold, GREEN)
    mine = held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY))
    assert _restore(invoke, mine)["status"] == "moved"
    assert _restore(invoke, mine, rounds=1)["status"] == "unmoved"
    traffic.write(GREEN)
    answer = _restore(invoke, mine, rounds=1)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("moved", "rolled_back", "green")
    assert weights_of(traffic) == BLUE


def test_a_restore_that_was_cut_off_is_finished(
    invoke: Invoke, journal: Journal, traffic: Traffic, taken: HeldPlan
) -> None:
    """The weights were set, and the journal did not hear of it."""
    traffic.write(BLUE)
    assert _restore(invoke, taken)["status"] == "moved"
    assert journal.state("web").weights == BLUE


def test_a_shift_that_was_cut_off_is_taken_back(
    invoke: Invoke, journal: Journal, traffic: Traffic, held: HeldPlan
) -> None:
    """What was about to be written is no foreign change, as long as it may still be on its way."""
    journal.live.intend(held.hold, GREEN)
    mine = held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY))
    for _ in range(2):
        traffic.write(GREEN)
        assert _restore(invoke, mine)["status"] == "moved"
        assert weights_of(traffic) == BLUE
    assert journal.state("web").intended == GREEN


def test_a_candidate_that_nobody_met_needs_no_proof(
    account: Account, invoke: Invoke, journal: Journal, blue_live: None
) -> None:
    """It failed at weight 0, so no weights were moved."""
    plan = account.plan()
    journal.holding.claim(plan)
    journal.history.watched(plan.hold, StageRecord(weight=0, began=at(1)), None)
    answer = _restore(invoke, plan.held_by(journal.holding.take_over(plan.hold, MINE, FIRST_TRY)))
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("unmoved", "rolled_back", "green")


def test_weights_of_somebody_else_are_left_alone(
    invoke: Invoke, journal: Journal, traffic: Traffic, taken: HeldPlan
) -> None:
    """The deployment has failed, not been rolled back; both slots may have clients, so neither loses."""
    foreign = Weights(blue=70, green=30)
    traffic.write(foreign)
    answer = _restore(invoke, taken)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("barred", "failed", None)
    assert "outside Crossfade" in answer["reason"]
    assert weights_of(traffic) == foreign
    assert journal.history.of("web", "d1").restored is None


def test_a_rule_that_somebody_deleted_is_left_alone(
    account: Account, invoke: Invoke, clock: Clock, traffic: Traffic, taken: HeldPlan
) -> None:
    """It is not made again: whoever took the service off the air had a reason."""
    account.delete_rule()
    clock.seconds = 300
    answer = _restore(invoke, taken)
    assert (answer["status"], answer["outcome"]) == ("barred", "failed")
    assert rule_of(traffic) is None


def test_a_new_rule_that_is_not_shown_yet_is_waited_for(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal
) -> None:
    """It was made with the service's stack; after some minutes it counts as deleted."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    account.delete_rule()
    waiting_for = _restore(invoke, plan)
    assert (waiting_for["status"], waiting_for["loser"]) == ("waiting", None)
    assert waiting_for["reason"] == "the load balancer does not show the production rule yet"
    clock.seconds = 300
    assert _restore(invoke, plan)["status"] == "barred"


@pytest.mark.parametrize(
    ("error", "what"), [("ListenerNotFound", "listener"), ("TargetGroupNotFound", "target group")]
)
def test_a_listener_or_a_group_that_is_gone_is_believed_after_some_minutes(
    invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, taken: HeldPlan, error: str, what: str
) -> None:
    """What AWS says once may be a slip, and it would leave clients on a candidate that is bad."""
    aws.refuse("DescribeRules" if error.startswith("Listener") else "DescribeTargetHealth", error)
    answer = _restore(invoke, taken)
    assert (answer["status"], answer["loser"]) == ("waiting", None)
    clock.seconds = 300
    answer = _restore(invoke, taken)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("barred", "failed", None)
    assert re.search(rf"The {what} arn:\S+.* of web.* does not exist", answer["reason"])
    assert journal.history.of("web", "d1").restored is None


def test_a_rule_that_is_deleted_between_two_calls_is_looked_for_again(
    invoke: Invoke, aws: Aws, taken: HeldPlan
) -> None:
    """Then it is gone, and that has a name of its own."""
    aws.refuse("ModifyRule", "RuleNotFound")
    with pytest.raises(errors.NotYetVisible, match="was deleted after it was read"):
        _restore(invoke, taken)


def test_in_a_cluster_that_is_gone_nothing_is_left_to_stop(
    invoke: Invoke, aws: Aws, journal: Journal, traffic: Traffic, taken: HeldPlan
) -> None:
    """It goes last, so its services and its probes have gone before."""
    traffic.write(BLUE)
    for operation in ("DescribeServices", "UpdateService", "ListTasks", "StopTask"):
        aws.refuse(operation, "ClusterNotFoundException")
    assert _stop(invoke, taken, "green")["status"] == "stopped"
    invoke("stop_probe", plan=taken, executions=[MINE], task="task")


def test_a_probe_in_a_cluster_that_is_gone_has_stopped(account: Account, probe: str, taken: HeldPlan) -> None:
    """Nobody waits for its records."""
    elsewhere = account.spec.like.replace(":service/web/", ":service/gone/")
    probes = ProbeTasks(account.ecs, account.spec.model_copy(update={"like": elsewhere}))
    assert probes.stopped(probe, asked=None, now=at(90)) == "ECS no longer knows the task"


def test_a_rule_that_leads_elsewhere_is_left_alone(
    account: Account, invoke: Invoke, traffic: Traffic, taken: HeldPlan
) -> None:
    """A target group of nobody's knowing is somebody's: the rollback goes on without touching the rule."""
    vpc = account.ec2.describe_vpcs()["Vpcs"][-1]["VpcId"]
    made = account.elbv2.create_target_group(
        Name="elsewhere", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
    )
    elsewhere = made["TargetGroups"][0]["TargetGroupArn"]
    rule = rule_of(traffic)
    assert rule
    forward = {"TargetGroups": [{"TargetGroupArn": elsewhere, "Weight": 1}]}
    account.elbv2.modify_rule(RuleArn=rule.arn, Actions=[{"Type": "forward", "ForwardConfig": forward}])
    answer = _restore(invoke, taken)
    assert (answer["status"], answer["outcome"]) == ("barred", "failed")
    assert elsewhere in answer["reason"]


def test_adr_13_clients_are_kept_where_somebody_answers(
    account: Account, invoke: Invoke, journal: Journal, traffic: Traffic, taken: HeldPlan
) -> None:
    """A suspect version is better than none: the deployment has failed, and its candidate is live. Twice."""
    account.deregister_targets("blue", *TARGETS)
    for _ in range(2):
        answer = _restore(invoke, taken)
        assert (answer["status"], answer["outcome"]) == ("moved", "failed")
        assert (answer["loser"], answer["version"]) == ("blue", "0.0.2")
        assert "so all traffic goes to candidate (green)" in answer["reason"]
    state = journal.state("web")
    assert weights_of(traffic) == state.weights == GREEN
    assert (state.stable, state.version) == ("green", "0.0.2")


def test_of_a_candidate_that_was_not_judged_nobody_says_what_it_answers(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, blue_live: None
) -> None:
    """It serves, as nobody else does; by whatever it answers, clients are rid of the loser.

    The next deployment, which compares itself with it, is promoted all the same, and then it is known again.
    """
    plan = account.plan()
    journal.holding.claim(plan)
    journal.history.milestone(plan.hold, "healthy", iso(at(0)))
    account.deregister_targets("blue", *TARGETS)
    mine = plan.held_by(journal.holding.take_over(plan.hold, MINE, FIRST_TRY))
    for _ in range(2):
        answer = _restore(invoke, mine)
        assert (answer["outcome"], answer["loser"], answer["version"]) == ("failed", "blue", None)
    state = journal.state("web")
    assert (state.stable, state.version, state.verified) == ("green", "0.0.2", False)
    others = {"version": "9.9.9"}
    account.write_ledger(mine.ledger, *[request("production", n, n, **others) for n in range(1, 21)])
    clock.seconds = 20
    assert _prove(invoke, mine, version=None, loser="blue")["status"] == "drained"
    journal.live.promote(mine, at(30))
    assert journal.state("web").verified


def test_a_choice_of_the_candidate_that_was_cut_off_is_finished(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, traffic: Traffic, taken: HeldPlan
) -> None:
    """The weights were set, and the journal did not hear of it: a next try knows them for its own."""
    account.deregister_targets("blue", *TARGETS)

    def cut_off(answer: dict[str, Any]) -> dict[str, Any]:
        aws.refuse("UpdateItem", "ThrottlingException")
        return answer

    aws.edit("ModifyRule", cut_off)
    with pytest.raises(errors.AwsUnavailable):
        _restore(invoke, taken)
    assert (weights_of(traffic), journal.state("web").weights) == (GREEN, SOME)
    aws.allow("UpdateItem")
    aws.edit("ModifyRule", lambda answer: answer)
    answer = _restore(invoke, taken)
    assert (answer["status"], answer["loser"], journal.state("web").weights) == ("moved", "blue", GREEN)


def test_a_stable_slot_that_comes_back_between_two_tries_wins(
    account: Account, invoke: Invoke, journal: Journal, traffic: Traffic, taken: HeldPlan
) -> None:
    """What counts is who can serve now."""
    account.deregister_targets("blue", *TARGETS)
    _restore(invoke, taken)
    account.register_targets("blue", *TARGETS)
    answer = _restore(invoke, taken)
    assert (answer["outcome"], answer["loser"], answer["version"]) == ("rolled_back", "green", "0.0.1")
    assert weights_of(traffic) == journal.state("web").weights == BLUE


def test_while_nobody_answers_the_traffic_stays(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, traffic: Traffic, taken: HeldPlan
) -> None:
    """Until the deadline; then it goes to the stable slot all the same."""
    for slot in ("blue", "green"):
        account.deregister_targets(slot, *TARGETS)
    clock.seconds = 299
    answer = _restore(invoke, taken)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("waiting", "failed", None)
    assert (weights_of(traffic), journal.history.of("web", "d1").restored) == (SOME, None)
    clock.seconds = 300
    answer = _restore(invoke, taken)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("moved", "rolled_back", "green")
    assert "look at the tasks of both" in answer["reason"]
    assert weights_of(traffic) == BLUE


def test_a_release_that_waits_is_not_kept_waiting_by_two_dead_slots(
    account: Account, invoke: Invoke, traffic: Traffic, taken: HeldPlan
) -> None:
    """It may be what mends them: with one there, nobody waits for either slot to come back."""
    for slot in ("blue", "green"):
        account.deregister_targets(slot, *TARGETS)
    assert _restore(invoke, taken)["status"] == "waiting"
    account.waits(waiting())
    assert _restore(invoke, taken)["status"] == "moved"
    assert weights_of(traffic) == BLUE


# ---- capacity first, then weight -------------------------------------------------------------------------


@pytest.fixture
def shrunk(account: Account, taken: HeldPlan) -> HeldPlan:
    """Return the rollback's plan where one of two stable tasks is left, and the candidate has four."""
    account.resize("green", 4)
    account.register_targets("green", "10.0.0.12", "10.0.0.13")
    account.deregister_targets("blue", TARGETS[1])
    return taken


def test_a_stable_slot_that_is_short_of_tasks_is_asked_for_them_and_waited_for(
    account: Account, invoke: Invoke, clock: Clock, traffic: Traffic, shrunk: HeldPlan
) -> None:
    """As many as the candidate has; then all traffic comes at once."""
    answer = _restore(invoke, shrunk)
    assert (answer["status"], answer["loser"], account.desired("blue")) == ("waiting", None, 4)
    assert answer["reason"] == (
        "blue has 1 healthy targets of 4 tasks and needs 4 for weight 100; "
        "until it has them, traffic stays at blue 90, green 10"
    )
    assert weights_of(traffic) == SOME
    account.register_targets("blue", *TARGETS, "10.0.0.12", "10.0.0.13")
    clock.seconds = 75
    assert _restore(invoke, shrunk)["status"] == "moved"
    assert weights_of(traffic) == BLUE


def test_tasks_that_do_not_come_are_not_waited_for_longer_than_two_minutes(
    invoke: Invoke, clock: Clock, traffic: Traffic, shrunk: HeldPlan
) -> None:
    """It was gone back to for some reason, and one task is better than a suspect version."""
    clock.seconds = 120
    answer = _restore(invoke, shrunk)
    assert (answer["status"], answer["outcome"], weights_of(traffic)) == ("moved", "rolled_back", BLUE)


def test_a_candidate_that_the_gate_has_refused_is_left_at_once(
    invoke: Invoke, journal: Journal, traffic: Traffic, shrunk: HeldPlan
) -> None:
    """It is known to harm clients."""
    journal.history.judged(shrunk.hold, WORSE, 10, at(5))
    assert _restore(invoke, shrunk)["status"] == "moved"
    assert weights_of(traffic) == BLUE


@pytest.mark.parametrize("fault", ["ThrottlingException", "AccessDeniedException", "ServerException"])
def test_weights_are_restored_though_ecs_does_not_answer(
    invoke: Invoke, aws: Aws, traffic: Traffic, shrunk: HeldPlan, fault: str
) -> None:
    """The way back does not depend on it."""
    aws.refuse("DescribeServices", fault)
    assert _restore(invoke, shrunk)["status"] == "moved"
    assert weights_of(traffic) == BLUE


def test_a_stable_slot_at_0_is_not_started_by_a_rollback(
    account: Account, invoke: Invoke, traffic: Traffic, shrunk: HeldPlan
) -> None:
    """Its owner has scaled it so, and its last task is on its way out."""
    account.resize("blue", 0)
    assert _restore(invoke, shrunk)["status"] == "moved"
    assert account.desired("blue") == 0


def test_no_more_is_asked_of_a_stable_slot_than_its_scalable_target_allows(
    account: Account, invoke: Invoke, shrunk: HeldPlan
) -> None:
    """What it allows is enough."""
    account.scale("blue")
    account.resize("green", 12)
    assert "blue has 1 healthy targets of 8 tasks" in _restore(invoke, shrunk)["reason"]
    assert account.desired("blue") == 8


def test_what_the_last_user_of_the_candidates_slot_has_left_there_asks_for_nothing(
    account: Account, invoke: Invoke, journal: Journal, blue_live: None
) -> None:
    """The deployment was cut off before its launch; the slot was warm."""
    account.resize("green", 6)
    plan = account.plan()
    journal.holding.claim(plan)
    mine = plan.held_by(journal.holding.take_over(plan.hold, MINE, FIRST_TRY))
    invoke("suspend_scaling", plan=mine, loser="green")
    assert account.desired("blue") == 2


def test_the_winner_of_a_rollback_is_asked_for_what_was_wanted_at_most(
    account: Account, invoke: Invoke, journal: Journal, taken: HeldPlan
) -> None:
    """Whatever ECS shows of the candidate by now."""
    journal.history.wanted(taken.hold, 5)
    _restore(invoke, taken)
    invoke("suspend_scaling", plan=taken, loser="green")
    assert account.desired("blue") == 5


# ---- the better side -------------------------------------------------------------------------------------


@pytest.fixture
def verified(account: Account, journal: Journal, blue_live: None) -> HeldPlan:
    """Return a rollback's plan of a deployment that has healthy tasks and no traffic, while blue has died."""
    plan = account.plan()
    journal.holding.claim(plan)
    journal.history.milestone(plan.hold, "launched", iso(at(0)))
    journal.history.milestone(plan.hold, "healthy", iso(at(1)))
    account.deregister_targets("blue", *TARGETS)
    return plan.held_by(journal.holding.take_over(plan.hold, MINE, FIRST_TRY))


def test_traffic_does_not_rest_on_a_dead_slot_though_it_never_left_it(
    invoke: Invoke, traffic: Traffic, verified: HeldPlan
) -> None:
    """The candidate is healthy, and nothing was found against it."""
    answer = _restore(invoke, verified)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("moved", "failed", "blue")
    assert weights_of(traffic) == GREEN


def test_a_candidate_that_was_refused_before_any_client_met_it_gets_none(
    invoke: Invoke, journal: Journal, traffic: Traffic, verified: HeldPlan
) -> None:
    """Nobody is helped by a version that only fails."""
    journal.history.judged(verified.hold, WORSE, 0, at(5))
    answer = _restore(invoke, verified)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("unmoved", "rolled_back", "green")
    assert "0.0.2 was not verified" in answer["reason"]
    assert weights_of(traffic) == BLUE


def test_tasks_that_never_were_all_healthy_get_no_client(
    account: Account, invoke: Invoke, journal: Journal, traffic: Traffic, blue_live: None
) -> None:
    """They may even be those of whoever used the slot before."""
    plan = account.plan()
    journal.holding.claim(plan)
    account.deregister_targets("blue", *TARGETS)
    mine = plan.held_by(journal.holding.take_over(plan.hold, MINE, FIRST_TRY))
    assert _restore(invoke, mine)["status"] == "unmoved"
    assert weights_of(traffic) == BLUE


@pytest.fixture
def first(account: Account, journal: Journal) -> HeldPlan:
    """Return the plan of a first release, which holds the service: the pattern stands at 0 tasks."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    return plan


def test_a_first_release_is_taken_off_the_air(
    account: Account, invoke: Invoke, journal: Journal, first: HeldPlan
) -> None:
    """The rule leads to the pattern's empty group again; that has failed: nothing is rolled back to."""
    Traffic(account.elbv2, first.spec).write(BLUE)
    journal.live.wrote(first, BLUE, at(1))
    mine = first.held_by(journal.holding.take_over(first.hold, MINE, FIRST_TRY))
    for _ in range(2):
        answer = _restore(invoke, mine)
        assert (answer["status"], answer["outcome"]) == ("moved", "failed")
        assert (answer["loser"], answer["version"]) == ("blue", None)
    groups = account.production_rule()["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [group["TargetGroupArn"] for group in groups if group["Weight"]] == [
        account.spec.pattern.target_group
    ]
    state = journal.state("web")
    assert (state.weights, state.stable, state.version) == (GREEN, None, None)


def test_a_service_that_was_adopted_goes_back_to_its_owners_tasks(
    account: Account, invoke: Invoke, journal: Journal
) -> None:
    """They have run all the while, so that this is a rollback like any other."""
    previous = RunningRelease(version="0.0.0", digest=OLD, pattern="web-stack:1", verified=False)
    plan = account.first_plan(stable="green", previous=previous)
    account.register_pattern_targets(*TARGETS)
    journal.holding.claim(plan)
    Traffic(account.elbv2, plan.spec).write(BLUE)
    journal.live.wrote(plan, BLUE, at(1))
    answer = _restore(invoke, plan.held_by(journal.holding.take_over(plan.hold, MINE, FIRST_TRY)))
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("moved", "rolled_back", "blue")
    assert answer["version"] is None  # it was never seen what they answer with
    assert weights_of(Traffic(account.elbv2, plan.spec)) == GREEN
    state = journal.state("web")
    assert (state.stable, state.version, state.verified, state.origin) == ("green", "0.0.0", False, "green")


def test_a_rollback_that_lost_the_service_restores_nothing(
    invoke: Invoke, journal: Journal, traffic: Traffic, held: HeldPlan, taken: HeldPlan
) -> None:
    """Another one is at work; nor does the deployment itself."""
    journal.holding.take_over(taken.hold, f"{ROLLBACKS}:theirs", FIRST_TRY)
    for plan in (held, taken):
        with pytest.raises(errors.ServiceLost):
            _restore(invoke, plan)
    assert weights_of(traffic) == SOME


@pytest.fixture
def warm(account: Account, invoke: Invoke, journal: Journal, traffic: Traffic, blue_live: None) -> HeldPlan:
    """Return a deployment that was promoted and has ended; both slots are scaled, and blue is warm."""
    spec = account.spec.model_copy(update={"retire": warm_spec().retire})
    plan = account.plan().model_copy(update={"spec": spec})
    journal.holding.claim(plan)
    account.scale("blue", DynamicScalingInSuspended=True)
    account.scale("green")
    journal.history.milestone(plan.hold, "launched", iso(at(0)))
    invoke("suspend_scaling", plan=plan)
    invoke("suspend_scaling", plan=plan, loser="blue")
    traffic.write(GREEN)
    journal.live.wrote(plan, GREEN, at(1))
    journal.live.promote(plan, at(50))
    invoke("resume_scaling", plan=plan)
    journal.holding.release(plan.hold, at(60))
    return plan


@pytest.fixture
def backed_out(invoke: Invoke, warm: HeldPlan) -> HeldPlan:
    """Return the plan of a back-out that holds the service."""
    found = invoke("assess", input={"service": "web"}, execution=MINE, began=at(0))
    assert found["action"] == "back_out"
    return HeldPlan.model_validate(found["plan"])


def test_a_back_out_goes_to_the_warm_slot(
    invoke: Invoke, journal: Journal, traffic: Traffic, backed_out: HeldPlan
) -> None:
    """At once, and twice: clients did meet the candidate, so that it has to be proved."""
    for _ in range(2):
        answer = _restore(invoke, backed_out)
        assert (answer["status"], answer["outcome"]) == ("moved", "rolled_back")
        assert (answer["loser"], answer["version"]) == ("green", "0.0.1")
    state = journal.state("web")
    assert weights_of(traffic) == state.weights == BLUE
    assert (state.stable, state.version) == ("blue", "0.0.1")
    assert journal.history.of("web", "d1").promoted == at(50)


def test_a_back_out_whose_rule_somebody_has_changed(
    invoke: Invoke, traffic: Traffic, backed_out: HeldPlan
) -> None:
    """Since the promotion: that is left alone as ever."""
    traffic.write(SOME)
    assert _restore(invoke, backed_out)["status"] == "barred"


# ---- what does not show yet -----------------------------------------------------------------------------


def _rules(account: Account) -> dict[str, Any]:
    """What the load balancer tells of its rules now."""
    return dict(account.elbv2.describe_rules(ListenerArn=account.spec.listener))


def test_a_rule_that_is_read_as_before_the_deployment_is_written_all_the_same(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, traffic: Traffic, blue_live: None
) -> None:
    """It looks as if nothing were to be put back, while a tenth of the clients meet the candidate."""
    before = _rules(account)
    plan = account.plan()
    journal.holding.claim(plan)
    traffic.write(SOME)
    journal.live.wrote(plan, SOME, at(1))
    aws.answer("DescribeRules", before)
    assert (
        _restore(invoke, plan.held_by(journal.holding.take_over(plan.hold, MINE, FIRST_TRY)))["status"]
        == "moved"
    )
    assert weights_of(traffic) == BLUE


def test_weights_that_do_not_show_yet_are_no_proof(
    account: Account,
    invoke: Invoke,
    aws: Aws,
    clock: Clock,
    journal: Journal,
    traffic: Traffic,
    taken: HeldPlan,
) -> None:
    """They are waited for, and not written again; what is shown until then is nobody's foreign change."""
    aws.go_on_answering("DescribeRules", _rules(account), after="ModifyRule")
    first = _restore(invoke, taken)
    assert (first["status"], first["written"], clock.seconds) == ("waiting", iso(at(0)), 15)
    assert journal.history.of("web", "d1").restored is None
    aws.refuse("ModifyRule", "TooManyWrites")
    clock.seconds = 250
    assert _restore(invoke, taken, written=first["written"])["status"] == "waiting"
    aws.allow("DescribeRules")
    answer = _restore(invoke, taken, written=first["written"])
    assert (answer["status"], answer["at"], answer["loser"]) == ("moved", iso(at(265)), "green")
    assert weights_of(traffic) == BLUE


def test_first_weights_that_are_not_seen_yet_are_taken_back(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, first: HeldPlan
) -> None:
    """Cut off between the write and the journal: what is shown is old, and is written all the same."""
    journal.live.intend(first.hold, BLUE)
    before = _rules(account)
    Traffic(account.elbv2, first.spec).write(BLUE)
    mine = first.held_by(journal.holding.take_over(first.hold, MINE, FIRST_TRY))
    aws.answer("DescribeRules", before)
    assert _restore(invoke, mine)["status"] == "moved"
    assert weights_of(Traffic(account.elbv2, first.spec)) == GREEN


def test_a_slot_whose_weight_still_shows_is_waited_for(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, traffic: Traffic, taken: HeldPlan
) -> None:
    """It has traffic no more, but that cannot be seen yet; after minutes it has."""
    stale = _rules(account)
    _restore(invoke, taken)
    aws.answer("DescribeRules", stale)
    with pytest.raises(errors.NotYetVisible):
        _stop(invoke, taken, "green")
    assert account.desired("green") == 2
    clock.seconds = 300
    with pytest.raises(errors.SlotHasTraffic):
        _stop(invoke, taken, "green")


# ---- the proof ------------------------------------------------------------------------------------------


def _prove(invoke: Invoke, plan: HeldPlan, **given: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "probe": "task",
        "version": "0.0.1",
        "loser": "green",
        "quiet": {},
        "cursor": None,
        **given,
    }
    return invoke("verify_restored", plan=plan, shifted=at(0), **values)


def test_the_stable_version_is_proved(
    account: Account, invoke: Invoke, clock: Clock, probe: str, taken: HeldPlan
) -> None:
    """By answers of the old version alone, over two looks."""
    old = {"version": "0.0.1"}
    account.write_ledger(taken.ledger, request("production", 1, 5), request("production", 2, 6, **old))
    first = _prove(invoke, taken, probe=probe)
    assert (first["status"], first["probe_died"], clock.seconds) == ("wait", False, looked(20))
    account.write_ledger(taken.ledger, request("production", 3, 16, **old))
    second = _prove(invoke, taken, probe=probe, quiet=first["quiet"], cursor=first["cursor"])
    assert (second["status"], clock.seconds) == ("drained", looked(20))


def test_a_candidate_that_is_kept_is_proved_as_well(
    account: Account, invoke: Invoke, clock: Clock, taken: HeldPlan
) -> None:
    """Clients are to get the winner's version, whichever it is."""
    account.write_ledger(taken.ledger, *[request("production", n, n) for n in range(1, 21)])
    clock.seconds = 20
    assert _prove(invoke, taken, version="0.0.2")["status"] == "drained"
    assert _prove(invoke, taken, version="0.0.1")["status"] == "wait"


@pytest.mark.parametrize("probe_task", [None, "task"], ids=["none-was-started", "it-died"])
def test_without_a_probe_the_proof_waits_for_one(
    invoke: Invoke, clock: Clock, taken: HeldPlan, probe_task: str | None
) -> None:
    """And says so soon."""
    answer = _prove(invoke, taken, probe=probe_task)
    assert (answer["status"], answer["probe_died"], clock.seconds) == ("wait", True, looked(6))


def test_a_probe_that_comes_now_proves_from_its_beginning_on(
    account: Account, invoke: Invoke, clock: Clock, taken: HeldPlan
) -> None:
    """A back-out starts its own, some time after the weights were moved."""
    old = {"version": "0.0.1"}
    account.write_ledger(
        taken.ledger, opened(15), *[request("production", n, n, **old) for n in range(16, 25)]
    )
    clock.seconds = 25
    first = _prove(invoke, taken)
    assert first["status"] == "wait"
    account.write_ledger(taken.ledger, request("production", 99, 25, **old))
    assert _prove(invoke, taken, quiet=first["quiet"], cursor=first["cursor"])["status"] == "drained"


@pytest.mark.parametrize("probe_task", [None, "task"])
def test_without_proof_the_rollback_goes_on_late(
    invoke: Invoke, clock: Clock, taken: HeldPlan, probe_task: str | None
) -> None:
    """It says so in its report."""
    clock.seconds = 120
    answer = _prove(invoke, taken, probe=probe_task)
    assert (answer["status"], clock.seconds) == ("late", 120)
    assert answer["reason"] == (
        "production has not answered with 0.0.1 only for 10 s; the ledger has no request to production"
    )


@pytest.mark.parametrize("probe_task", [None, "task"])
def test_without_a_stable_version_the_loser_has_its_drain_time(
    account: Account, journal: Journal, invoke: Invoke, clock: Clock, probe_task: str | None
) -> None:
    """Nothing can be proved, but clients meet a rule that is gone, or was changed, for some seconds more."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    first = _prove(invoke, plan, version=None, probe=probe_task)
    assert (first["status"], first["reason"]) == ("wait", "the drain time of 20 s is not over")
    clock.seconds = 20
    second = _prove(invoke, plan, version=None, probe=probe_task)
    assert (second["status"], second["reason"]) == ("late", "there is no stable version")
    assert clock.seconds == 20


def test_a_winner_that_dies_is_found_long_before_the_deadline(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, probe: str, taken: HeldPlan
) -> None:
    """Clients get nothing, while the loser could still answer them."""
    journal.history.milestone(taken.hold, "healthy", iso(at(1)))
    clock.meanwhile = [lambda: account.deregister_targets("blue", *TARGETS)]
    answer = _prove(invoke, taken, probe=probe)
    assert (answer["status"], answer["reason"]) == ("dead", "blue has no healthy target any more")
    assert clock.seconds <= 6


def test_where_nobody_knows_the_stable_version_the_loser_is_seen_to_be_gone(
    account: Account, invoke: Invoke, clock: Clock, taken: HeldPlan
) -> None:
    """A person has changed what runs there, so that it has no name; it is not the candidate's."""
    unknown, by_hand = taken.model_copy(update={"previous": None}), {"version": "by hand"}
    answers = [request("production", n, when, **by_hand) for n, when in ((2, 6), (3, 14))]
    account.write_ledger(taken.ledger, request("production", 1, 5), *answers)
    clock.seconds = 20
    first = _prove(invoke, unknown, version=None)
    assert (first["status"], first["reason"].partition(";")[0]) == (
        "wait",
        "production has not answered without 0.0.2 for 10 s",
    )
    account.write_ledger(taken.ledger, request("production", 4, 15, **by_hand))
    second = _prove(invoke, unknown, version=None, quiet=first["quiet"], cursor=first["cursor"])
    assert (second["status"], second["reason"]) == ("drained", "no 0.0.2 for 10 s")


def test_where_the_stable_version_is_asked_in_another_way_now_the_loser_is_seen_to_be_gone(
    invoke: Invoke, journal: Journal, taken: HeldPlan
) -> None:
    """The plan takes any version for the old one's. What was known of it in the way of before stays known."""
    assert taken.previous
    journal.live.reinstate(taken, "blue", at(2), verified=True)
    unsure = taken.model_copy(update={"previous": taken.previous.model_copy(update={"verified": False})})
    before = journal.state("web")
    answer = _restore(invoke, unsure)
    assert (answer["loser"], answer["version"]) == ("green", None)
    state = journal.state("web")
    assert (state.stable, state.verified, state.verified_by) == ("blue", True, before.verified_by)


@pytest.fixture
def alike(account: Account, journal: Journal, traffic: Traffic, blue_live: None) -> HeldPlan:
    """Return a deployment of a service whose answers name no version, which a rollback has taken over."""
    plan = account.plan().model_copy(update={"spec": nameless_of(account.spec)})
    journal.holding.claim(plan)
    traffic.write(SOME)
    journal.live.wrote(plan, SOME, at(0))
    return plan.held_by(journal.holding.take_over(plan.hold, MINE, FIRST_TRY))


def test_where_answers_name_no_version_the_loser_has_its_drain_time(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, alike: HeldPlan
) -> None:
    """Nobody sees whether clients still meet it: the clock lets it go, once production answers well."""
    answer = _restore(invoke, alike)
    assert (answer["loser"], answer["version"]) == ("green", None)
    account.write_ledger(
        alike.ledger, *[request("production", n, n, version=None, status=500) for n in range(1, 21)]
    )
    clock.seconds = 20
    first = _prove(invoke, alike, version=None)
    assert (first["status"], first["reason"].partition(";")[0]) == (
        "wait",
        "production has not answered for 10 s",
    )
    account.write_ledger(alike.ledger, *[request("production", n, n, version=None) for n in range(21, 45)])
    second = _prove(invoke, alike, version=None, quiet=first["quiet"], cursor=first["cursor"])
    assert (second["status"], second["reason"]) == (
        "drained",
        "20 s since the load balancer showed the weights; answers name no version",
    )


# ---- what is left ---------------------------------------------------------------------------------------


def _stop(invoke: Invoke, plan: HeldPlan, slot: str | None, *, undecided: bool = True) -> dict[str, Any]:
    return invoke("stop_loser", plan=plan, slot=slot, deadline=at(150), undecided=undecided)


def test_the_loser_is_stopped(account: Account, invoke: Invoke, traffic: Traffic, taken: HeldPlan) -> None:
    """Twice, once it has no weight."""
    traffic.write(BLUE)
    for _ in range(2):
        assert _stop(invoke, taken, "green")["status"] == "stopped"
    assert (account.desired("green"), account.desired("blue")) == (0, 2)


@pytest.fixture
def restored(invoke: Invoke, journal: Journal, taken: HeldPlan) -> HeldPlan:
    """Return the rollback's plan once the stable slot has all the traffic back."""
    journal.history.milestone(taken.hold, "healthy", iso(at(1)))
    _restore(invoke, taken)
    return taken


def test_a_loser_runs_on_while_the_winner_lacks_tasks(
    account: Account, invoke: Invoke, clock: Clock, restored: HeldPlan
) -> None:
    """One of two is being replaced. Until the deadline."""
    account.deregister_targets("blue", TARGETS[0])
    answer = _stop(invoke, restored, "green")
    assert (answer["status"], account.desired("green")) == ("short", 2)
    assert answer["reason"] == (
        "green keeps running: blue has 1 healthy targets of 2 tasks and needs 2 for weight 100"
    )
    clock.seconds = 150
    assert _stop(invoke, restored, "green")["status"] == "stopped"
    assert account.desired("green") == 0


def test_a_loser_that_is_known_to_be_bad_is_of_no_use_to_anybody(
    account: Account, invoke: Invoke, journal: Journal, restored: HeldPlan
) -> None:
    """It is not waited for tasks then, as long as there is one."""
    journal.history.judged(restored.hold, WORSE, 10, at(5))
    account.deregister_targets("blue", TARGETS[0])
    assert _stop(invoke, restored, "green")["status"] == "stopped"


@pytest.mark.parametrize("seconds", [0, 150])
def test_a_loser_wins_where_nobody_else_answers_any_more(
    account: Account, invoke: Invoke, clock: Clock, traffic: Traffic, restored: HeldPlan, seconds: int
) -> None:
    """However late it is: the weights are looked at once more."""
    account.deregister_targets("blue", *TARGETS)
    clock.seconds = seconds
    answer = _stop(invoke, restored, "green")
    assert (answer["status"], account.desired("green")) == ("dead", 2)
    assert _restore(invoke, restored, rounds=1)["loser"] == "blue"
    assert weights_of(traffic) == GREEN


def test_where_there_is_no_way_back_a_slot_that_serves_is_left_to_a_person(
    account: Account, invoke: Invoke, clock: Clock, restored: HeldPlan
) -> None:
    """Once the time for tasks to be replaced is over."""
    account.deregister_targets("blue", *TARGETS)
    assert _stop(invoke, restored, "green", undecided=False)["status"] == "short"
    clock.seconds = 150
    answer = _stop(invoke, restored, "green", undecided=False)
    assert (answer["status"], account.desired("green")) == ("kept", 2)
    assert answer["reason"] == "green keeps running: blue has no healthy target"


def test_a_candidate_that_no_client_may_meet_is_stopped_whoever_answers(
    account: Account, invoke: Invoke, journal: Journal, verified: HeldPlan
) -> None:
    """The gate has refused it at weight 0."""
    journal.history.judged(verified.hold, WORSE, 0, at(5))
    _restore(invoke, verified)
    assert _stop(invoke, verified, "green")["status"] == "stopped"


def test_a_slot_that_a_rollback_has_stopped_is_not_started_by_the_next_one(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, restored: HeldPlan
) -> None:
    """AWS brings its count within the bounds of its scalable target as soon as that is written."""
    account.scale("blue")
    account.scale("green")
    _stop(invoke, restored, "green")
    theirs = restored.held_by(journal.holding.take_over(restored.hold, f"{ROLLBACKS}:theirs", FIRST_TRY))
    _restore(invoke, theirs)
    invoke("suspend_scaling", plan=theirs, loser="green")
    assert _suspended(account, "green") == set()
    assert account.desired("green") == 0


def test_a_loser_with_traffic_keeps_running(account: Account, invoke: Invoke, taken: HeldPlan) -> None:
    """Whoever asks; the traffic goes to the other one, which runs."""
    with pytest.raises(
        errors.SlotHasTraffic, match=r"green slot still has weight 10 .* Give all the traffic to blue"
    ):
        _stop(invoke, taken, "green")
    assert account.desired("green") == 2


def test_where_there_is_no_loser_nothing_is_stopped(
    account: Account, invoke: Invoke, taken: HeldPlan
) -> None:
    """A promoted first release has no old slot."""
    assert _stop(invoke, taken, None) == {"status": "stopped", "reason": "there is no slot to stop"}
    assert (account.desired("green"), account.desired("blue")) == (2, 2)


@pytest.mark.parametrize("slot", ["green", None])
def test_whoever_lost_the_service_stops_nothing(
    account: Account, invoke: Invoke, traffic: Traffic, held: HeldPlan, taken: HeldPlan, slot: str | None
) -> None:
    """By now the slot may be somebody else's candidate."""
    traffic.write(BLUE)
    with pytest.raises(errors.ServiceLost):
        _stop(invoke, held, slot)
    assert account.desired("green") == 2


def test_a_warm_slot_that_is_stopped_is_warm_no_more(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """The deployment was cut off before it could free the service: nobody is to go back to stopped tasks."""
    journal.holding.reclaim(warm.hold)
    journal.live.promote(warm, at(60))
    mine = warm.held_by(journal.holding.take_over(warm.hold, MINE, FIRST_TRY))
    _stop(invoke, mine, "blue")
    assert (account.desired("blue"), journal.state("web").warm) == (0, None)


def test_a_live_slot_that_was_made_smaller_since_its_promotion_stays_so(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """The warm slot still has what was wanted then, and is stopped by a rollback."""
    account.resize("blue", 4)
    journal.holding.reclaim(warm.hold)
    mine = warm.held_by(journal.holding.take_over(warm.hold, MINE, FIRST_TRY))
    assert _stop(invoke, mine, "blue", undecided=False)["status"] == "stopped"
    assert (account.desired("blue"), account.desired("green")) == (0, 2)


def test_every_probe_of_the_deployment_is_stopped(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """The deployment's, one that nobody wrote down, and the rollback's own; other deployments' run on."""
    tasks = [invoke("start_probe", plan=held, attempt=attempt)["task"] for attempt in (1, 2)]
    mine = held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY))
    tasks.append(invoke("start_probe", plan=mine, attempt=1)["task"])
    clock.seconds = 60
    _stop_probe(invoke, mine, f"{EXECUTION}:d2")
    assert account.probes() == tasks
    _stop_probe(invoke, mine, held.execution, MINE, task=tasks[2])
    assert account.probes() == []


def test_the_probe_on_record_is_stopped_whoever_started_it(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """A rollback in between has, and nobody knows it any more. Twice."""
    theirs = held.held_by(journal.holding.take_over(held.hold, f"{ROLLBACKS}:theirs", FIRST_TRY))
    task = invoke("start_probe", plan=theirs, attempt=1)["task"]
    mine = theirs.held_by(journal.holding.take_over(theirs.hold, MINE, FIRST_TRY))
    for _ in range(2):
        _stop_probe(invoke, mine, held.execution, MINE, task=task)
        assert account.probes() == []


def _stop_probe(invoke: Invoke, plan: HeldPlan, *executions: str, task: str | None = None) -> None:
    invoke("stop_probe", plan=plan, executions=list(executions), task=task)


def _suspended(account: Account, slot: Any) -> set[str]:
    target = account.scaling(slot)
    assert target is not None
    return {kind for kind, suspended in target["SuspendedState"].items() if suspended}


ALL = {"DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"}


@pytest.mark.parametrize(
    "own",
    [
        pytest.param((), id="nothing-was-suspended"),
        pytest.param(("DynamicScalingInSuspended",), id="a-persons-own-suspension"),
        pytest.param(tuple(ALL), id="everything-was-suspended-by-a-person"),
    ],
)
def test_scaling_is_resumed_as_it_was(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan, own: tuple[str, ...]
) -> None:
    """On the slot that has won, twice; the idle slot is not to be scaled up by anybody."""
    account.scale("blue", **dict.fromkeys(own, True))
    account.scale("green")
    invoke("suspend_scaling", plan=held)
    invoke("suspend_scaling", plan=held, loser="blue")
    journal.live.promote(held, at(50))
    for _ in range(2):
        invoke("resume_scaling", plan=held)
    assert _suspended(account, "green") == set(own)
    assert _suspended(account, "blue") == ALL


def test_after_a_rollback_scaling_is_resumed_on_the_stable_slot(
    account: Account, invoke: Invoke, held: HeldPlan, journal: Journal
) -> None:
    """As it was before the deployment."""
    account.scale("blue", ScheduledScalingSuspended=True)
    account.scale("green")
    invoke("suspend_scaling", plan=held)
    mine = held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY))
    _restore(invoke, mine)
    invoke("suspend_scaling", plan=mine, loser="green")
    invoke("resume_scaling", plan=mine)
    assert _suspended(account, "blue") == {"ScheduledScalingSuspended"}
    assert _suspended(account, "green") == ALL


def test_what_was_not_suspended_is_not_resumed(
    account: Account, invoke: Invoke, journal: Journal, taken: HeldPlan
) -> None:
    """The deployment ended before it came to that: a person's own setting stands."""
    account.scale("blue", DynamicScalingInSuspended=True)
    _restore(invoke, taken)
    invoke("resume_scaling", plan=taken)
    assert journal.state("web").resumed is None
    assert _suspended(account, "blue") == {"DynamicScalingInSuspended"}


def test_where_nothing_is_live_nothing_is_resumed(account: Account, invoke: Invoke, journal: Journal) -> None:
    """A first release was taken off the air."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    invoke("suspend_scaling", plan=plan)
    invoke("resume_scaling", plan=plan)
    assert journal.state("web").resumed is None


def test_a_slot_without_a_target_has_nothing_to_resume(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """The service is not scaled automatically."""
    invoke("suspend_scaling", plan=held)
    journal.live.promote(held, at(50))
    invoke("resume_scaling", plan=held)
    assert account.scaling("green") is None


def test_whoever_lost_the_service_resumes_nothing(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan, taken: HeldPlan
) -> None:
    """Its rollback does, at the right time."""
    with pytest.raises(errors.ServiceLost):
        invoke("resume_scaling", plan=held)


def test_a_back_out_leaves_scaling_as_it_was_before_the_deployment(
    account: Account, invoke: Invoke, backed_out: HeldPlan
) -> None:
    """The old slot's was suspended by the deployment; the slot that has lost is not to be scaled up."""
    assert (_suspended(account, "blue"), _suspended(account, "green")) == (ALL, {"DynamicScalingInSuspended"})
    _restore(invoke, backed_out)
    invoke("suspend_scaling", plan=backed_out, loser="green")
    assert (_suspended(account, "blue"), _suspended(account, "green")) == ({"DynamicScalingInSuspended"}, ALL)
    invoke("resume_scaling", plan=backed_out)
    assert (_suspended(account, "blue"), _suspended(account, "green")) == ({"DynamicScalingInSuspended"}, ALL)


def test_a_promotion_that_is_taken_back_leaves_scaling_so_too(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """The deployment had resumed the candidate's already."""
    account.scale("blue", ScheduledScalingSuspended=True)
    account.scale("green")
    invoke("suspend_scaling", plan=held)
    journal.live.promote(held, at(50))
    invoke("resume_scaling", plan=held)
    mine = held.held_by(journal.holding.take_over(held.hold, MINE, FIRST_TRY, take_back=True))
    _restore(invoke, mine)
    invoke("suspend_scaling", plan=mine, loser="green")
    invoke("resume_scaling", plan=mine)
    assert (_suspended(account, "blue"), _suspended(account, "green")) == ({"ScheduledScalingSuspended"}, ALL)
