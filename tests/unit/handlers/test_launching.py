"""From the claim to a candidate that is healthy: claim, register, start_probe, suspend, launch, checks."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from crossfade.aws.journal import Journal
from crossfade.aws.scaling_copies import PatternScalings
from crossfade.domain import errors
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.slots import Slot, other
from crossfade.domain.tasks.scaling import ACTIVE, SUSPENDED, Resumption, SuspendedState
from tests.unit.account import SERVICE_TAGS, Account
from tests.unit.examples import EXECUTION, FIRST_TRY, ROLLBACKS, at, waiting
from tests.unit.handlers.conftest import Aws, Clock, Invoke

MINE = f"{ROLLBACKS}:mine"
OPENED = '{"type":"opened","deployment":"d1","at":"2026-11-23T04:00:00.000Z","lanes":["production"]}'


@pytest.fixture
def held(account: Account, journal: Journal) -> HeldPlan:
    """Return a first deployment that holds the service."""
    plan = account.first_plan(release=account.release("0.0.2"))
    journal.holding.claim(plan)
    return plan


def _running(failed: int = 0, state: str = "COMPLETED", running: int | None = None, others: int = 0) -> Any:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for service in answer["services"]:
            service["runningCount"] = service["desiredCount"] if running is None else running
            rollout = service["deployments"][0] | {"rolloutState": state, "failedTasks": failed}
            rollout |= {"rolloutStateReason": "circuit breaker", "runningCount": service["runningCount"]}
            service["deployments"] = [rollout, {"status": "ACTIVE", "runningCount": others}]
        return answer

    return edit


def _nothing(_answer: dict[str, Any]) -> dict[str, Any]:
    """Answer as ECS does while it does not show a service yet."""
    return {"services": [], "failures": [{"arn": "web-blue", "reason": "MISSING"}]}


def _failed_before(answer: dict[str, Any]) -> dict[str, Any]:
    """Answer as ECS does while it still shows the release before, which failed."""
    old = {"id": "ecs-svc/old", "status": "PRIMARY", "rolloutState": "FAILED", "failedTasks": 3}
    for service in answer["services"]:
        service |= {"taskDefinition": "web:0", "deployments": [old]}
    return answer


def _desired(count: int) -> Any:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for service in answer["services"]:
            service["desiredCount"] = count
        return answer

    return edit


def _meanwhile(happens: Callable[[], object]) -> Any:
    """Let something happen after a call has had its effect, and before the handler goes on."""

    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        happens()
        return answer

    return edit


def _launch(invoke: Invoke, plan: HeldPlan, task_definition: str) -> dict[str, Any]:
    return invoke("launch_candidate", plan=plan, task_definition=task_definition, deadline=at(60))


def test_services_and_tasks_have_the_patterns_tags(account: Account, invoke: Invoke) -> None:
    """Costs are counted by them; and a service that was made before has them too."""
    mine = {"key": "CostCenter", "value": "7"}
    account.repattern(tags={"Team": "shop"})
    account.ecs.tag_resource(resourceArn=account.spec.like, tags=[mine])
    account.push("0.0.2")
    ask = {"service": "web", "image_tag": "0.0.2"}
    answer = invoke("plan_release", input=ask, execution=f"{EXECUTION}:d1", deployment="d1")
    plan = HeldPlan.model_validate(answer["plan"])
    invoke("claim_service", plan=plan)
    definition = invoke("register_task_definition", plan=plan)["task_definition"]
    _launch(invoke, plan, definition)
    found = account.ecs.describe_services(
        cluster=account.spec.cluster, services=["web-blue"], include=["TAGS"]
    )
    (service,) = found["services"]
    assert service["tags"] == [mine, *SERVICE_TAGS]
    found = account.ecs.describe_task_definition(taskDefinition=definition, include=["TAGS"])
    assert {"key": "Team", "value": "shop"} in found["tags"]
    account.ecs.untag_resource(resourceArn=service["serviceArn"], tagKeys=["CostCenter"])
    _launch(invoke, plan, definition)
    tags = account.ecs.list_tags_for_resource(resourceArn=service["serviceArn"])["tags"]
    assert sorted(tags, key=lambda tag: str(tag["key"])) == [mine, *SERVICE_TAGS]


def _start_probe(invoke: Invoke, plan: HeldPlan, attempt: int = 1) -> str:
    return str(invoke("start_probe", plan=plan, attempt=attempt)["task"])


def test_a_claim_has_its_holder(account: Account, invoke: Invoke, journal: Journal) -> None:
    """Claimed twice it is still the same."""
    plan = account.first_plan()
    for _ in range(2):
        invoke("claim_service", plan=plan)
        assert journal.state("web").holder == plan.execution


def test_a_service_that_was_claimed_meanwhile_is_planned_anew(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """It was free when the plan was made; the next plan will wait for it."""
    with pytest.raises(errors.ServiceChanged, match=f"held by {held.execution}"):
        invoke("claim_service", plan=account.first_plan(deployment="d2", execution=f"{EXECUTION}:d2"))


def test_a_release_is_registered_once(invoke: Invoke, held: HeldPlan) -> None:
    """Registered twice it is the same revision."""
    first, second = (invoke("register_task_definition", plan=held) for _ in range(2))
    assert first == second
    assert ":task-definition/crossfade-web:1" in first["task_definition"]


def test_a_probe_is_started_once(account: Account, invoke: Invoke, journal: Journal, held: HeldPlan) -> None:
    """And the journal knows it, for whoever must stop it."""
    first, second = (_start_probe(invoke, held) for _ in range(2))
    assert first == second
    assert journal.history.of("web", "d1").probe == first


def test_a_probe_that_died_is_started_once_more(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Its own second start finds it running."""
    first = _start_probe(invoke, held)
    account.kill(first)
    second, third = (_start_probe(invoke, held, attempt=2) for _ in range(2))
    assert (second, account.probes()) == (third, [second])
    assert journal.history.of("web", "d1").probe == second


NO_ROOM = "Capacity is unavailable at this time"


def test_a_place_for_the_probe_is_waited_for(
    invoke: Invoke, aws: Aws, clock: Clock, held: HeldPlan, journal: Journal
) -> None:
    """Until the deadline, in ECS's own words."""
    aws.answer("RunTask", {"tasks": [], "failures": [{"reason": NO_ROOM}]})
    found = invoke("start_probe", plan=held, attempt=1, ask=1, deadline=at(60))
    assert found == {"status": "waiting", "task": None, "reason": NO_ROOM}
    assert journal.history.of("web", "d1").probe is None
    clock.seconds = 60
    with pytest.raises(errors.ProbeCannotStart, match=rf"{NO_ROOM}\. Fargate has no room for these tasks"):
        invoke("start_probe", plan=held, attempt=1, ask=2, deadline=at(60))
    assert invoke("start_probe", plan=held, attempt=2, ask=1)["status"] == "waiting"


def test_nobody_waits_for_a_probe_of_a_release_that_gives_way(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """A newer one may take its place; a rollback, which has no such deadline, starts its probe."""
    account.waits(waiting(supersede=True))
    with pytest.raises(errors.Superseded):
        invoke("start_probe", plan=held, attempt=1, ask=1, deadline=at(60))
    assert invoke("start_probe", plan=held, attempt=1, ask=1)["status"] == "started"


def test_whoever_lost_the_service_starts_no_probe(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Nobody would look for it."""
    journal.holding.take_over(held.hold, MINE, FIRST_TRY)
    with pytest.raises(errors.ServiceLost):
        _start_probe(invoke, held)
    assert account.probes() == []


def test_a_probe_that_comes_too_late_is_found_by_whoever_started_it(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan
) -> None:
    """The service was lost while it was started, so that it stands nowhere; the rollback finds it."""
    aws.edit("RunTask", _meanwhile(lambda: journal.holding.take_over(held.hold, MINE, FIRST_TRY)))
    with pytest.raises(errors.ServiceLost):
        _start_probe(invoke, held)
    assert journal.history.of("web", "d1").probe is None
    assert len(account.probes()) == 1
    mine = held.held_by(held.hold._replace(holder=MINE))
    invoke("stop_probe", plan=mine, executions=[held.execution, MINE], task=None)
    assert account.probes() == []


def test_the_probe_is_waited_for(account: Account, invoke: Invoke, held: HeldPlan) -> None:
    """Until its first record is there."""
    task = _start_probe(invoke, held)
    check = {"plan": held, "task": task, "deadline": at(60)}
    assert invoke("check_probe", **check) == {"status": "waiting"}
    account.write_ledger(held.ledger, OPENED)
    assert invoke("check_probe", **check) == {"status": "writing"}


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("CannotPullContainerError", "See that the image is there"),
        ("Essential container in task exited", "Read its log"),
    ],
)
def test_a_probe_that_stopped_is_not_waited_for(
    account: Account, invoke: Invoke, held: HeldPlan, reason: str, advice: str
) -> None:
    """What to do about it fits ECS's reason."""
    task = _start_probe(invoke, held)
    account.ecs.stop_task(cluster=account.spec.cluster, task=task, reason=reason)
    with pytest.raises(errors.ProbeCannotStart, match=rf"The probe task stopped: {reason}.*\. {advice}"):
        invoke("check_probe", plan=held, task=task, deadline=at(60))


def test_a_probe_that_ecs_does_not_show_yet_is_waited_for(
    invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """For a minute: DescribeTasks right after RunTask may answer that it is missing."""
    clock.seconds = 10
    task = _start_probe(invoke, held)
    assert journal.history.of("web", "d1").probe_asked == at(10)
    aws.answer("DescribeTasks", {"tasks": [], "failures": [{"arn": task, "reason": "MISSING"}]})
    clock.seconds = 69
    assert invoke("check_probe", plan=held, task=task, deadline=at(300)) == {"status": "waiting"}
    clock.seconds = 70
    with pytest.raises(errors.ProbeCannotStart, match="no longer knows the task"):
        invoke("check_probe", plan=held, task=task, deadline=at(300))


@pytest.mark.parametrize("known", [True, False], ids=["its-start-was-answered", "its-start-was-cut-off"])
def test_a_probe_that_was_just_started_is_waited_for_until_it_can_be_stopped(
    invoke: Invoke, aws: Aws, clock: Clock, held: HeldPlan, known: bool
) -> None:
    """ECS may neither list it nor know it yet: that is no reason to leave it running."""
    if known:
        task: str | None = _start_probe(invoke, held)
    else:
        aws.fail("RunTask", ConnectTimeoutError(endpoint_url="ecs"))
        with pytest.raises(errors.AwsUnavailable):
            _start_probe(invoke, held)
        task = None
    stop = {"plan": held, "executions": [held.execution], "task": task}
    aws.answer("ListTasks", {"taskArns": []})
    aws.refuse("StopTask", "InvalidParameterException")
    clock.seconds = 59
    with pytest.raises(errors.NotYetVisible, match="A probe was started at 04:00:00"):
        invoke("stop_probe", **stop)
    clock.seconds = 60
    invoke("stop_probe", **stop)


def test_a_probe_that_died_is_not_taken_for_the_one_that_was_asked_for_since(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, held: HeldPlan
) -> None:
    """ECS still knows the dead one, and not yet the other, whose start was cut off."""
    dead = _start_probe(invoke, held)
    clock.seconds = 30
    aws.fail("RunTask", ConnectTimeoutError(endpoint_url="ecs"))
    aws.answer("ListTasks", {"taskArns": []})
    with pytest.raises(errors.AwsUnavailable):
        invoke("start_probe", plan=held, attempt=2)
    stop = {"plan": held, "executions": [held.execution], "task": dead}
    clock.seconds = 89
    with pytest.raises(errors.NotYetVisible):
        invoke("stop_probe", **stop)
    clock.seconds = 90
    invoke("stop_probe", **stop)
    assert account.probes() == []


def test_a_silent_probe_is_given_up(invoke: Invoke, clock: Clock, held: HeldPlan) -> None:
    """No traffic moves without evidence."""
    task = _start_probe(invoke, held)
    clock.seconds = 60
    with pytest.raises(errors.ProbeCannotStart, match="wrote no record in time"):
        invoke("check_probe", plan=held, task=task, deadline=at(60))


def _suspended(account: Account, slot: Slot) -> Any:
    target = account.scaling(slot)
    return target and target["SuspendedState"]


ALL = {
    "DynamicScalingInSuspended": True,
    "DynamicScalingOutSuspended": True,
    "ScheduledScalingSuspended": True,
}
SCALE_IN = {name: name == "DynamicScalingInSuspended" for name in ALL}


@pytest.fixture
def second(account: Account, journal: Journal, blue_live: None) -> HeldPlan:
    """Return a deployment into green that holds the service; 0.0.1 is live in blue."""
    plan = account.plan(release=account.release("0.0.2"))
    journal.holding.claim(plan)
    return plan


def test_scaling_is_suspended_on_the_slots_that_run(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """Scale-in alone, twice; how the live slot's stood before is kept from the first time.

    AWS would start a slot that stands at 0, so the candidate's is left alone until it was launched.
    """
    account.scale("blue")
    account.scale("green", **ALL)
    for _ in range(2):
        invoke("suspend_scaling", plan=second)
        assert _suspended(account, "blue") == SCALE_IN
        assert _suspended(account, "green") == ALL
    journal.history.milestone(second.hold, "launched", iso(at(1)))
    invoke("suspend_scaling", plan=second)
    assert _suspended(account, "blue") == _suspended(account, "green") == SCALE_IN
    assert journal.history.of("web", "d1").scaling == ACTIVE


def test_what_the_owner_has_suspended_stays_so(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """Nobody lets a slot grow whose owner has said that it is not to grow."""
    account.scale("blue", DynamicScalingOutSuspended=True)
    account.scale("green", **ALL)
    journal.history.milestone(second.hold, "launched", iso(at(1)))
    invoke("suspend_scaling", plan=second)
    assert _suspended(account, "blue") == _suspended(account, "green")
    assert _suspended(account, "blue") == SCALE_IN | {"DynamicScalingOutSuspended": True}


@pytest.mark.parametrize("loser", ["blue", "green"])
def test_the_slot_that_is_about_to_be_stopped_stands_still(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan, loser: Slot
) -> None:
    """An alarm or a schedule would start it again; the other one goes on as before."""
    account.scale("blue")
    account.scale("green")
    journal.history.milestone(second.hold, "launched", iso(at(1)))
    invoke("suspend_scaling", plan=second)
    for _ in range(2):
        invoke("suspend_scaling", plan=second, loser=loser)
        assert _suspended(account, loser) == ALL
        assert _suspended(account, other(loser)) == SCALE_IN
    assert journal.history.of("web", "d1").scaling == ACTIVE


def test_scaling_that_was_resumed_just_now_is_given_back_whatever_is_read(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, second: HeldPlan
) -> None:
    """It may still be read as the deployment before had suspended it; a minute later it counts."""
    account.scale("blue", **ALL)
    left = SuspendedState(scale_in=False, scale_out=True, scheduled=False)
    journal.live.resumed(second.hold, Resumption(slot="blue", suspension=left, at=at(-10)))
    invoke("suspend_scaling", plan=second)
    assert journal.history.of("web", "d1").scaling == left
    journal.holding.release(second.hold, at(0))
    own = f"{EXECUTION}:d2"
    later = second.model_copy(update={"deployment": "d2", "execution": own, "holder": own})
    journal.holding.claim(later)
    account.scale("blue", **ALL)
    clock.seconds = 50
    invoke("suspend_scaling", plan=later)
    assert journal.history.of("web", "d2").scaling == SUSPENDED


def test_what_the_other_slot_was_left_with_says_nothing(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """Only of the live slot is it known."""
    account.scale("blue", DynamicScalingInSuspended=True)
    journal.live.resumed(second.hold, Resumption(slot="green", suspension=ACTIVE, at=at(-10)))
    invoke("suspend_scaling", plan=second)
    assert journal.history.of("web", "d1").scaling == SuspendedState(
        scale_in=True, scale_out=False, scheduled=False
    )


def test_a_service_that_is_not_scaled_has_nothing_to_suspend(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """No scalable target is made; one that comes later is to be active."""
    invoke("suspend_scaling", plan=second)
    assert (account.scaling("blue"), account.scaling("green")) == (None, None)
    assert journal.history.of("web", "d1").scaling == ACTIVE


def test_the_candidates_scaling_is_suspended_too(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """A first release's slot may have a target already; there is no live slot whose setting counts."""
    account.run("blue", account.spec.pattern.task_definition)
    account.scale("blue", ScheduledScalingSuspended=True)
    journal.history.milestone(held.hold, "launched", iso(at(1)))
    invoke("suspend_scaling", plan=held)
    assert _suspended(account, "blue") == SCALE_IN
    assert journal.history.of("web", "d1").scaling == ACTIVE


def _launched(account: Account, journal: Journal, plan: HeldPlan, wanted: int = 2) -> HeldPlan:
    """The same plan of a pattern that is scaled as it is now; its candidate was just launched."""
    scalings = PatternScalings(account.autoscaling, account.cloudwatch)
    pattern = scalings.read(plan.spec, plan.spec.pattern, at(0))
    journal.history.milestone(plan.hold, "launched", iso(at(1)))
    journal.history.wanted(plan.hold, wanted)
    return plan.model_copy(update={"spec": plan.spec.model_copy(update={"pattern": pattern})})


def _policies(account: Account, service: str) -> list[str]:
    found = account.autoscaling.describe_scaling_policies(**account.target_of(service))["ScalingPolicies"]
    return sorted(policy["PolicyName"] for policy in found)


def test_a_candidate_is_scaled_like_the_pattern(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """Once it was launched, with what its schedule has set of the live slot, and room for as many tasks."""
    account.scale("blue", DynamicScalingOutSuspended=True)  # between 2 and 8
    account.scale_pattern(least=1, most=4)
    invoke("suspend_scaling", plan=second)
    assert account.scaling("green") is None
    plan = _launched(account, journal, second, wanted=6)
    for _ in range(2):
        invoke("suspend_scaling", plan=plan)
    target = account.scaling("green")
    assert target is not None
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 6)
    assert _suspended(account, "green") == SCALE_IN | {"DynamicScalingOutSuspended": True}
    assert _policies(account, "web-green") == ["cpu", "requests", "steps"]
    assert _policies(account, "web-blue") == []


def test_a_first_candidate_is_scaled_like_the_pattern(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Whose target stands still, as nothing runs there."""
    account.run("blue", account.spec.pattern.task_definition)
    account.scale_pattern()
    plan = _launched(account, journal, held)
    invoke("suspend_scaling", plan=plan)
    assert _suspended(account, "blue") == SCALE_IN
    assert _policies(account, "web-blue") == ["cpu", "requests", "steps"]


def test_a_scheduled_action_of_an_older_release_that_is_over_does_not_come_back(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """The sale for which it was is long over."""
    account.scale_pattern()
    plan = _launched(account, journal, second)
    scaling = plan.spec.pattern.scaling
    assert scaling
    sale = {"ScheduledActionName": "sale", "Schedule": "at(2026-01-02T03:04:05)"}
    ended = {"ScheduledActionName": "ended", "Schedule": "rate(1 day)", "EndTime": "2026-01-02T03:04:05Z"}
    older = scaling.model_copy(update={"actions": (*scaling.actions, sale, ended)})
    pattern = plan.spec.pattern.model_copy(update={"scaling": older})
    spec = plan.spec.model_copy(update={"pattern": pattern})
    invoke("suspend_scaling", plan=plan.model_copy(update={"spec": spec}))
    found = account.autoscaling.describe_scheduled_actions(**account.target_of("web-green"))
    assert [action["ScheduledActionName"] for action in found["ScheduledActions"]] == ["morning"]


def test_a_pattern_that_is_scaled_no_more(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """Neither is the candidate, at its next launch."""
    account.scale_pattern()
    plan = _launched(account, journal, second)
    invoke("suspend_scaling", plan=plan)
    account.autoscaling.deregister_scalable_target(**account.target_of("web"))
    invoke("suspend_scaling", plan=second)
    assert account.scaling("green") is None


def test_a_rollback_copies_nothing(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """Who loses is not known, and what the pattern says is for the next release."""
    account.scale_pattern()
    plan = _launched(account, journal, second)
    hold = journal.holding.take_over(second.hold, MINE, FIRST_TRY)
    invoke("suspend_scaling", plan=plan.held_by(hold))
    assert account.scaling("green") is None


def test_the_owners_own_service_keeps_its_scaling(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """A service that is handed back has what its owner gave it; scale-in waits until the end."""
    account.scale_pattern(least=1, most=4)
    groups = second.spec.target_groups
    spec = second.spec.model_copy(
        update={"origin": "green", "target_groups": groups.model_copy(update={"green": groups.pattern})}
    )
    plan = _launched(account, journal, second.model_copy(update={"spec": spec}), wanted=4)
    invoke("suspend_scaling", plan=plan)
    target = account.autoscaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=["service/web/web"]
    )["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    assert target["SuspendedState"] == SCALE_IN
    assert _policies(account, "web") == ["cpu", "requests", "steps"]


def test_whoever_lost_the_service_suspends_nothing(
    account: Account, invoke: Invoke, journal: Journal, second: HeldPlan
) -> None:
    """The rollback may have resumed it already."""
    account.scale("blue")
    journal.holding.take_over(second.hold, MINE, FIRST_TRY)
    with pytest.raises(errors.ServiceLost):
        invoke("suspend_scaling", plan=second)
    assert not _suspended(account, "blue")


def test_a_suspension_that_comes_too_late_is_known_to_the_rollback(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, second: HeldPlan
) -> None:
    """How it stood before was written down before it: once functions have ended, it is resumed."""
    account.scale("blue", DynamicScalingInSuspended=True)
    aws.edit(
        "RegisterScalableTarget",
        _meanwhile(lambda: journal.holding.take_over(second.hold, MINE, FIRST_TRY)),
    )
    invoke("suspend_scaling", plan=second)
    aws.edit("RegisterScalableTarget", lambda answer: answer)
    mine = second.held_by(second.hold._replace(holder=MINE))
    journal.live.reinstate(mine, "blue", at(9))
    invoke("resume_scaling", plan=mine)
    assert _suspended(account, "blue") == dict.fromkeys(ALL, False) | {"DynamicScalingInSuspended": True}


def test_a_first_release_starts_with_the_specs_count(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """There is nothing to take it from."""
    definition = invoke("register_task_definition", plan=held)["task_definition"]
    clock.seconds = 3
    answer = _launch(invoke, held, definition)
    primary = {"id": account.rollout("blue"), "task_definition": definition, "asked": iso(at(3))}
    assert answer == {
        "status": "launched",
        "reason": "2 tasks",
        "rollout": primary,
    }
    assert account.desired("blue") == 2


@pytest.mark.parametrize("running", [5, 1, 0])
def test_a_release_starts_with_the_stable_slots_count(
    account: Account, invoke: Invoke, aws: Aws, second: HeldPlan, running: int
) -> None:
    """As many as are wanted there now, whatever the spec says: it may have been scaled.

    How many of them run is no measure: some may just be replaced.
    """
    definition = invoke("register_task_definition", plan=second)["task_definition"]
    account.resize("blue", 5)
    aws.edit("DescribeServices", _running(running=running))
    assert _launch(invoke, second, definition)["reason"] == "5 tasks"
    assert account.desired("green") == 5


def test_a_second_launch_asks_for_no_fewer_tasks(account: Account, invoke: Invoke, second: HeldPlan) -> None:
    """The owner has made the live slot smaller since the first one."""
    definition = invoke("register_task_definition", plan=second)["task_definition"]
    account.resize("blue", 5)
    _launch(invoke, second, definition)
    account.resize("blue", 3)
    assert _launch(invoke, second, definition)["reason"] == "5 tasks"


@pytest.mark.parametrize("shown", ["no-service", "no-tasks"])
def test_a_stable_slot_that_is_not_shown_as_it_is_does_not_set_the_count(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, second: HeldPlan, shown: str
) -> None:
    """For a minute; then somebody has scaled it to 0."""
    definition = invoke("register_task_definition", plan=second)["task_definition"]
    before = account.desired("green")
    aws.edit("DescribeServices", _nothing if shown == "no-service" else _desired(0))
    for clock.seconds in (0, 59):
        assert _launch(invoke, second, definition)["status"] == "waiting"
    clock.seconds = 60
    with pytest.raises(errors.SlotDrift, match="has all traffic"):
        _launch(invoke, second, definition)
    assert account.desired("green") == before


def test_a_deleted_service_is_waited_for_until_the_deadline(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, held: HeldPlan
) -> None:
    """Its name is free once it is gone."""
    definition = invoke("register_task_definition", plan=held)["task_definition"]
    aws.refuse("UpdateService", "ServiceNotActiveException")
    aws.refuse("CreateService", "InvalidParameterException")
    aws.answer("DescribeServices", {"services": [{"status": "DRAINING"}]})
    answer = _launch(invoke, held, definition)
    assert (answer["status"], answer["rollout"]) == ("waiting", None)
    clock.seconds = 60
    with pytest.raises(errors.CandidateCannotStart, match="web-blue could not be created within 60 s"):
        _launch(invoke, held, definition)
    aws.allow("CreateService")
    answer = _launch(invoke, held, definition)
    assert answer["status"] == "launched"
    assert account.desired("blue") == 2


def test_a_service_that_an_earlier_try_made_is_waited_for(
    invoke: Invoke, aws: Aws, clock: Clock, held: HeldPlan
) -> None:
    """ECS knows it, and does not show it yet. A minute later its refusal means what it says."""
    definition = invoke("register_task_definition", plan=held)["task_definition"]
    aws.fail("CreateService", ConnectTimeoutError(endpoint_url="ecs"))
    with pytest.raises(errors.AwsUnavailable):
        _launch(invoke, held, definition)
    aws.refuse("CreateService", "InvalidParameterException")
    clock.seconds = 59
    assert _launch(invoke, held, definition)["status"] == "waiting"
    clock.seconds = 60
    with pytest.raises(errors.AwsRefused):
        _launch(invoke, held, definition)


def test_whoever_lost_the_service_launches_nothing(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Not even the time of it is written."""
    journal.holding.take_over(held.hold, MINE, FIRST_TRY)
    with pytest.raises(errors.ServiceLost):
        _launch(invoke, held, account.spec.pattern.task_definition)
    assert account.ecs.list_services(cluster=account.spec.cluster)["serviceArns"] == [account.spec.like]


def test_a_launch_that_comes_too_late_is_stopped_by_the_rollback(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, second: HeldPlan
) -> None:
    """In its second round, once functions have ended."""
    aws.edit("UpdateService", _meanwhile(lambda: journal.holding.take_over(second.hold, MINE, FIRST_TRY)))
    _launch(invoke, second, account.spec.pattern.task_definition)
    assert account.desired("green") > 0
    aws.edit("UpdateService", lambda answer: answer)
    mine = second.held_by(second.hold._replace(holder=MINE))
    invoke("stop_loser", plan=mine, slot="green", deadline=at(60), undecided=True)
    assert account.desired("green") == 0


@pytest.fixture
def launched(account: Account, invoke: Invoke, aws: Aws, held: HeldPlan) -> HeldPlan:
    """Return a plan whose candidate was launched and runs."""
    definition = invoke("register_task_definition", plan=held)["task_definition"]
    _launch(invoke, held, definition)
    aws.edit("DescribeServices", _running())
    return held


@pytest.fixture
def rollout(account: Account, launched: HeldPlan) -> dict[str, Any]:
    """Return what ECS answered to the launch."""
    return account.launched("blue", at(0))


Check = Callable[..., dict[str, Any]]


@pytest.fixture
def check(invoke: Invoke, launched: HeldPlan, rollout: dict[str, Any]) -> Check:
    """Return a function that looks whether the launched candidate is ready."""

    def look(since: float | None = None, deadline: float = 60) -> dict[str, Any]:
        event = {"plan": launched, "rollout": rollout, "deadline": at(deadline)}
        return invoke("check_candidate", **event, healthy_since=None if since is None else iso(at(since)))

    return look


def test_health_is_held_for_a_while(account: Account, check: Check, clock: Clock, journal: Journal) -> None:
    """Ready is what was healthy for the hold time; the journal keeps since when."""
    assert check()["status"] == "waiting"
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    clock.seconds = 10
    first = check()
    assert (first["status"], first["healthy_since"]) == ("waiting", iso(at(10)))
    clock.seconds = 15
    assert check(since=10)["status"] == "ready"
    assert journal.history.of("web", "d1").healthy == at(10)


def test_tasks_of_an_earlier_rollout_are_waited_for(account: Account, check: Check, aws: Aws) -> None:
    """They may still answer with another version."""
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    aws.edit("DescribeServices", _running(others=1))
    assert check(since=-10)["status"] == "waiting"
    aws.edit("DescribeServices", _running())
    assert check(since=-10)["status"] == "ready"


@pytest.mark.parametrize("name", ["check_candidate", "check_probe"])
@pytest.mark.parametrize(
    ("supersede", "error"),
    [
        pytest.param(True, errors.Superseded, id="a-newer-release-need-not-wait"),
        pytest.param(None, errors.ServiceLost, id="a-rollback-has-taken-over"),
    ],
)
def test_a_deployment_whose_time_is_over_waits_no_longer(
    account: Account,
    invoke: Invoke,
    journal: Journal,
    launched: HeldPlan,
    rollout: dict[str, Any],
    name: str,
    supersede: bool | None,
    error: type[Exception],
) -> None:
    """Neither for its candidate nor for its probe."""
    events: dict[str, Any] = {
        "check_candidate": {"healthy_since": None, "rollout": rollout},
        "check_probe": {"task": _start_probe(invoke, launched)},
    }
    account.waits(waiting(supersede=False))
    assert invoke(name, plan=launched, deadline=at(60), **events[name])["status"] == "waiting"
    if supersede:
        account.waits(waiting(supersede=True))
    else:
        journal.holding.take_over(launched.hold, MINE, FIRST_TRY)
    with pytest.raises(error):
        invoke(name, plan=launched, deadline=at(60), **events[name])


def test_an_image_that_cannot_be_pulled_is_given_up_early(
    check: Check, aws: Aws, rollout: dict[str, Any]
) -> None:
    """With the reason of the task that stopped last."""
    aws.edit("DescribeServices", _running(failed=2, state="FAILED", running=0))
    aws.answer("ListTasks", {"taskArns": ["task"]})
    stopped = {"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError"}
    aws.answer("DescribeTasks", {"tasks": 2 * [stopped | {"startedBy": rollout["id"]}]})
    said = "circuit breaker; the last task that stopped: TaskFailedToStart, CannotPullContainerError. See"
    with pytest.raises(errors.CandidateCannotStart, match=said):
        check()


def test_a_candidate_without_room_is_launched_again_and_says_why(
    check: Check, aws: Aws, clock: Clock
) -> None:
    """ECS has given it up, and no task of it was ever seen."""
    message = "(service web-blue) was unable to place a task. Reason: Capacity is unavailable at this time."

    def no_room(answer: dict[str, Any]) -> dict[str, Any]:
        answer = _running(failed=3, state="FAILED", running=0)(answer)
        answer["services"][0]["events"] = [{"id": "1", "createdAt": at(7), "message": message}]
        return answer

    aws.edit("DescribeServices", no_room)
    found = check()
    assert (found["status"], message.rstrip(".") in found["reason"]) == ("given_up", True)
    clock.seconds = 60
    with pytest.raises(errors.CandidateNotHealthy, match=r"at this time\)\. Fargate has no room"):
        check()


def test_a_candidate_that_never_is_healthy_is_given_up(check: Check, aws: Aws, clock: Clock) -> None:
    """With the load balancer's reason."""
    health = {"State": "unhealthy", "Description": "code 503"}
    target = {"Target": {"Id": "10.0.0.10"}, "TargetHealth": health}
    aws.answer("DescribeTargetHealth", {"TargetHealthDescriptions": [target]})
    clock.seconds = 60
    with pytest.raises(errors.CandidateNotHealthy, match="code 503"):
        check()


@pytest.mark.parametrize("before", ["nothing", "a-failed-release"])
def test_what_ecs_shows_of_before_the_launch_is_waited_for(
    account: Account, check: Check, aws: Aws, clock: Clock, before: str
) -> None:
    """ECS is eventually consistent: right after the launch it may show no service, or what failed in it."""
    aws.edit("DescribeServices", _nothing if before == "nothing" else _failed_before)
    clock.seconds = 59
    assert check(deadline=30)["status"] == "waiting"
    aws.edit("DescribeServices", _running())
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    clock.seconds = 70
    assert check(since=60)["status"] == "ready"


@pytest.mark.parametrize(
    ("edit", "found"), [("_nothing", "no service"), ("_failed_before", "web:0 as ecs-svc/old")]
)
def test_a_candidate_that_somebody_replaced_is_named(
    check: Check, aws: Aws, clock: Clock, edit: str, found: str
) -> None:
    """After a minute it is no stale answer."""
    aws.edit("DescribeServices", globals()[edit])
    clock.seconds = 60
    with pytest.raises(errors.CandidateReplaced, match=f"but shows {found}, 60 s later"):
        check()


def _crashed(rollout: str, times: int) -> dict[str, Any]:
    """Tasks that ran for a while; ECS has forgotten their failures."""
    ended = {"stopCode": "EssentialContainerExited", "containers": [{"name": "app", "exitCode": 1}]}
    return {"tasks": [ended | {"startedBy": rollout} for _ in range(times)]}


def test_a_candidate_that_crashes_after_its_start_is_given_up_early(
    check: Check, aws: Aws, rollout: dict[str, Any]
) -> None:
    """At the second crash, with its reason, though ECS's own count goes back to 0 once a task has run."""
    aws.edit("DescribeServices", _running(failed=0, state="IN_PROGRESS", running=1))
    aws.answer("ListTasks", {"taskArns": ["task"]})
    aws.answer("DescribeTasks", _crashed(rollout["id"], 1))
    assert check()["status"] == "waiting"
    aws.answer("DescribeTasks", _crashed(rollout["id"], 2))
    with pytest.raises(errors.CandidateCannotStart, match=r"2 failed.*exit code 1"):
        check()


def test_crashes_of_an_earlier_rollout_are_not_the_candidates(
    account: Account, check: Check, aws: Aws
) -> None:
    """A slot's stopped tasks are listed for an hour."""
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    aws.answer("ListTasks", {"taskArns": ["task"]})
    aws.answer("DescribeTasks", _crashed("ecs-svc/old", 5))
    assert check(since=-10)["status"] == "ready"


def test_a_deadline_tells_why_the_last_task_stopped(
    check: Check, aws: Aws, clock: Clock, rollout: dict[str, Any]
) -> None:
    """Beside what the load balancer says."""
    aws.edit("DescribeServices", _running(running=1))
    aws.answer("ListTasks", {"taskArns": ["task"]})
    aws.answer("DescribeTasks", _crashed(rollout["id"], 1))
    clock.seconds = 60
    with pytest.raises(errors.CandidateNotHealthy, match=r"the last task that stopped: .*exit code 1"):
        check()
