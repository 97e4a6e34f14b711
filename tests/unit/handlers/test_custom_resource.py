"""The custom resource of a service's stack: the service is prepared, and everything goes with the stack."""

import json
import urllib.request
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.scaling_copies import PatternScalings, SlotScaling
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain import errors
from crossfade.domain.journal import DELETION, State
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.traffic.weights import Weights
from crossfade.handlers.cleanup import REASON_CHARACTERS
from tests.statemachine.permissions import ACTIONS
from tests.unit.account import SPECS, TABLE, Account, rule_of
from tests.unit.aws.test_stored_by_others import FIRST, put, stored
from tests.unit.examples import DEPLOY, EXECUTION, FIRST_TRY, ROLLBACK, ROLLBACKS, at, waiting, warm_spec
from tests.unit.handlers.conftest import Aws, Clock, Context, Invoke, module_of


class Answers:
    """CloudFormation's side: it waits at a URL for an answer."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def open(self, request: urllib.request.Request, timeout: float) -> Any:
        """Take an answer."""
        assert request.get_method() == "PUT"
        assert request.full_url == "https://cloudformation.example/answer"
        assert timeout <= 10
        self.bodies.append(json.loads(request.data))  # type: ignore[arg-type]
        return self

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return what CloudFormation is told."""
    found = Answers()
    monkeypatch.setattr(urllib.request, "urlopen", found.open)
    return found


def custom_resource(kind: str, service: str) -> dict[str, Any]:
    """What CloudFormation sends."""
    return {
        "RequestType": kind,
        "ServiceToken": "arn",
        "ResponseURL": "https://cloudformation.example/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "CrossfadeService",
        "ResourceType": "Custom::CrossfadeService",
        "ResourceProperties": {"ServiceToken": "arn", "Service": service},
    }


def _cleanup(aws: Aws, kind: str, service: str = "web") -> None:
    aws.called.clear()
    context = Context()
    context.remaining = 900_000
    module_of("cleanup").handler(custom_resource(kind, service), context)
    assert aws.called - ACTIONS["cleanup"] == set()


@pytest.fixture
def held(account: Account, journal: Journal) -> HeldPlan:
    """Return a first deployment that holds the service."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    return plan


@pytest.fixture
def deployed(account: Account, clock: Clock, journal: Journal, held: HeldPlan) -> HeldPlan:
    """Return a deployment that runs: its probe too, and its release is live."""
    account.start(DEPLOY, "d1")
    release = account.release("0.0.2")
    account.run("blue", TaskDefinitions(account.ecs).register(account.spec, release))
    Traffic(account.elbv2, account.spec).write(Weights(blue=100, green=0))
    return held


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_creating_and_updating_change_nothing(
    account: Account, aws: Aws, answers: Answers, deployed: HeldPlan, kind: str
) -> None:
    """A stack update can never change what is live."""
    _cleanup(aws, kind)
    assert rule_of(Traffic(account.elbv2, account.spec)) is not None
    assert account.runs(deployed.execution)
    assert answers.bodies == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "crossfade-web",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "CrossfadeService",
        }
    ]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_what_is_missing_is_made(account: Account, aws: Aws, answers: Answers, kind: str) -> None:
    """Somebody has deleted a rule and a group; the next release would be refused."""
    rules = account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]
    green = next(rule for rule in rules if rule["Priority"] == "2")
    account.elbv2.delete_rule(RuleArn=green["RuleArn"])
    account.elbv2.delete_target_group(TargetGroupArn=account.spec.target_groups.green)
    _cleanup(aws, kind)
    assert answers.bodies[0]["Reason"] == ""
    found = account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]
    secret = account.ssm.get_parameter(Name="/Staging/preview/web", WithDecryption=True)["Parameter"]["Value"]
    headers = [
        condition["HttpHeaderConfig"]["Values"]
        for rule in found
        for condition in rule["Conditions"]
        if condition["Field"] == "http-header"
    ]
    assert headers == [[f"{secret}-{role}"] for role in ("blue", "green", "pattern")]


@pytest.mark.parametrize("kind", ["Create", "Update"])
@pytest.mark.parametrize("name", ["shop", "", "web:1"])
def test_a_resource_without_a_spec_is_refused(
    account: Account, aws: Aws, answers: Answers, kind: str, name: str
) -> None:
    """It was made before the parameter, or names another service; the stack goes no further."""
    _cleanup(aws, kind, name)
    assert answers.bodies[0]["Status"] == "FAILED"
    assert answers.bodies[0]["Reason"].startswith(
        f"UnknownService: There is no spec of {name}: the parameter"
    )


def test_a_rule_that_is_made_and_not_shown_is_waited_for(
    account: Account, aws: Aws, clock: Clock, answers: Answers
) -> None:
    """Another Crossfade prepares on the same listener at the same time."""
    rules = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    (green,) = [rule["RuleArn"] for rule in rules["Rules"] if rule["Priority"] == "2"]
    account.elbv2.delete_rule(RuleArn=green)
    account.others_rule(2, {"Field": "path-pattern", "Values": ["/shop"]})
    without = {"Rules": [rule for rule in rules["Rules"] if rule["Priority"] != "2"]}
    aws.answer("DescribeRules", without)
    clock.meanwhile.append(lambda: aws.allow("DescribeRules"))
    _cleanup(aws, "Create")
    assert (answers.bodies[0]["Reason"], clock.seconds) == ("", 2)


def test_the_stack_is_there_when_all_that_was_made_is_shown(
    account: Account, aws: Aws, clock: Clock, answers: Answers
) -> None:
    """An image may be pushed a moment later, and its plan must find the rule."""
    listed = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    rules = {rule["Priority"]: rule["RuleArn"] for rule in listed["Rules"]}
    account.elbv2.delete_rule(RuleArn=rules["2"])
    before = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    aws.go_on_answering("DescribeRules", before, after="CreateRule")
    clock.meanwhile = [lambda: None, lambda: aws.allow("DescribeRules")]
    _cleanup(aws, "Create")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert clock.seconds >= 4
    found = account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]
    assert len(found) == len(listed["Rules"]) + 1  # each once, and that of the pattern


def test_a_pattern_that_is_not_shown_yet_is_waited_for(
    account: Account, aws: Aws, clock: Clock, answers: Answers
) -> None:
    """The stack made it a moment ago; after a minute there is none."""
    aws.answer("DescribeServices", {"services": [], "failures": []})
    clock.meanwhile = [lambda: None, lambda: aws.allow("DescribeServices")]
    _cleanup(aws, "Create")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    aws.answer("DescribeServices", {"services": [], "failures": []})
    _cleanup(aws, "Update")
    assert (answers.bodies[1]["Status"], clock.seconds >= 60) == ("FAILED", True)
    assert answers.bodies[1]["Reason"].startswith("NotPrepared: ")


def test_a_deleted_stack_leaves_nothing_of_crossfade(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """Rule, services, task definitions and state; deleted twice that is still a success."""
    for _ in range(2):
        _cleanup(aws, "Delete")
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"] * 2
    assert rule_of(Traffic(account.elbv2, account.spec)) is None
    assert journal.state("web") == State()
    found = account.ecs.list_task_definitions(familyPrefix="crossfade-web", status="ACTIVE")[
        "taskDefinitionArns"
    ]
    assert found == []


def test_what_scaled_the_slots_is_removed(
    account: Account, aws: Aws, answers: Answers, deployed: HeldPlan
) -> None:
    """Targets and alarms that Crossfade has made; what others have registered stays."""
    account.scale_pattern()
    read = PatternScalings(account.autoscaling, account.cloudwatch)
    scaling = read.read(account.spec, account.spec.pattern, at(0)).scaling
    assert scaling
    copies = SlotScaling(account.autoscaling, account.cloudwatch, account.spec)
    copies.copy("blue", scaling, {"MinCapacity": 1, "MaxCapacity": 2})
    account.run("green", account.spec.pattern.task_definition)
    account.scale("green")
    _cleanup(aws, "Delete")
    assert account.scaling("blue") is None
    assert account.scaling("green") is not None
    alarms = account.cloudwatch.describe_alarms(AlarmNamePrefix="cf-")["MetricAlarms"]
    assert alarms == []
    assert account.cloudwatch.describe_alarms(AlarmNames=["memory"])["MetricAlarms"]
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"]


def test_a_rule_that_is_not_seen_yet_is_removed_as_well(
    account: Account, aws: Aws, clock: Clock, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """It was made just now, as the journal knows; while it stays, the listener's target groups stay too."""
    journal.live.wrote(deployed, Weights(blue=100, green=0), at(0))
    aws.answer("DescribeRules", {"Rules": []})
    clock.meanwhile.append(lambda: aws.allow("DescribeRules"))
    _cleanup(aws, "Delete")
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"]
    assert rule_of(Traffic(account.elbv2, account.spec)) is None


def test_a_running_deployment_is_stopped_with_its_probe(
    account: Account, aws: Aws, invoke: Invoke, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """It would go on to launch what is deleted; what waits for it goes too, and its reason can be read."""
    for attempt in (1, 2):
        invoke("start_probe", plan=deployed, attempt=attempt)
    account.waits(waiting())
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert not account.runs(deployed.execution)
    assert account.probes() == []
    assert journal.state("web") == State()
    item = account.item("deployment#d1")
    assert (item["outcome"], item["reason"]) == ("failed", "the stack of web is deleted")
    dropped = account.item("deployment#w1")
    assert (dropped["outcome"], dropped["reason"]) == (
        "dropped",
        "0.0.3 waited, and the stack of web is deleted",
    )


def test_a_rollback_is_stopped_with_its_probe(
    account: Account, aws: Aws, invoke: Invoke, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """And the deployment, which waits for it."""
    rollback = account.start(ROLLBACK, "mine")
    invoke("start_probe", plan=deployed, attempt=1)
    mine = deployed.held_by(journal.holding.take_over(deployed.hold, rollback, FIRST_TRY))
    invoke("start_probe", plan=mine, attempt=2)
    _cleanup(aws, "Delete")
    assert (account.runs(deployed.execution), account.runs(rollback)) == (False, False)
    assert account.probes() == []


def test_whatever_is_under_way_changes_nothing_more(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """A function that runs on after its execution was stopped finds that it holds nothing."""
    refused: list[Exception] = []

    def write(answer: dict[str, Any]) -> dict[str, Any]:
        with pytest.raises(errors.ServiceLost) as lost:
            journal.live.intend(deployed.hold, Weights(blue=0, green=100))
        with pytest.raises(errors.ServiceLost):
            journal.holding.take_over(deployed.hold, f"{ROLLBACKS}:mine", FIRST_TRY)
        refused.append(lost.value)
        return answer

    aws.edit("StopExecution", write)
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert len(refused) == 1


def test_a_service_that_changes_hands_just_then_is_taken_all_the_same(
    account: Account, aws: Aws, clock: Clock, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """The deployment was freed between a look and the write: the next look finds out."""
    seen: list[None] = []

    def free(answer: dict[str, Any]) -> dict[str, Any]:
        if not seen:
            seen.append(None)
            journal.holding.release(deployed.hold, at(60))
        return answer

    aws.edit("GetItem", free)
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert journal.state("web") == State()


def test_a_service_that_changes_hands_for_ever_is_told(
    account: Account, aws: Aws, clock: Clock, answers: Answers, deployed: HeldPlan
) -> None:
    """Nothing of it is deleted; CloudFormation says why."""
    aws.refuse("UpdateItem", "ConditionalCheckFailedException")
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert answers.bodies[0]["Reason"].startswith("ServiceChanged: Service web was held by")
    assert clock.seconds == 10
    assert account.runs(deployed.execution)
    assert rule_of(Traffic(account.elbv2, account.spec)) is not None


def test_tasks_that_do_not_end_in_time_are_told(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """CloudFormation would otherwise wait for an hour; the stack can be deleted again."""
    draining = {"serviceName": "web-blue", "status": "DRAINING"}
    aws.edit("DescribeServices", lambda _: {"services": [draining]})
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert "['web-blue'] did not settle in time" in answers.bodies[0]["Reason"]
    assert journal.state("web").holder == DELETION
    aws.edit("DescribeServices", lambda answer: answer)
    _cleanup(aws, "Delete")
    assert answers.bodies[1]["Status"] == "SUCCESS"
    assert journal.state("web") == State()


def _task(status: str, **given: Any) -> dict[str, Any]:
    wanted = "RUNNING" if status == "RUNNING" else "STOPPED"
    return {"taskArn": "arn:task", "lastStatus": status, "desiredStatus": wanted, **given}


PROBE_TASK = {
    "overrides": {
        "containerOverrides": [
            {"environment": [{"name": "PROBE_SECRET_PARAMETER", "value": "/Staging/preview/web"}]}
        ],
    }
}


@pytest.mark.parametrize(
    "given", [{"group": "service:web-green"}, PROBE_TASK], ids=["of-a-slot", "a-probe-of-any-execution"]
)
def test_tasks_that_still_stop_are_waited_for(
    account: Account, aws: Aws, clock: Clock, answers: Answers, deployed: HeldPlan, given: dict[str, Any]
) -> None:
    """Their service is INACTIVE by then, and the cluster and its network cannot be deleted before them."""
    inactive = [{"serviceName": name, "status": "INACTIVE"} for name in ("web-blue", "web-green")]
    aws.answer("DescribeServices", {"services": inactive})
    aws.answer("ListTasks", {"taskArns": ["arn:task"]})
    aws.answer("DescribeTasks", {"tasks": [_task("STOPPING", **given)]})
    aws.answer("StopTask", {})

    def end() -> None:
        assert answers.bodies == []
        aws.answer("DescribeTasks", {"tasks": [_task("STOPPED", **given)]})

    clock.meanwhile = [lambda: None] * 9 + [end]
    _cleanup(aws, "Delete")
    assert (answers.bodies[0]["Status"], clock.seconds) == ("SUCCESS", 20)


@pytest.mark.parametrize("secret", ["/Staging/preview/web2", "/production/preview/web"])
def test_tasks_of_others_in_the_cluster_are_left_alone(
    account: Account, aws: Aws, clock: Clock, answers: Answers, deployed: HeldPlan, secret: str
) -> None:
    """Another service's, and a probe of another service, or of another Crossfade's."""
    theirs = {"containerOverrides": [{"environment": [{"name": "PROBE_SECRET_PARAMETER", "value": secret}]}]}
    aws.answer("ListTasks", {"taskArns": ["arn:task"]})
    tasks = [_task("RUNNING", group="service:web2-blue"), _task("RUNNING", overrides=theirs)]
    aws.answer("DescribeTasks", {"tasks": tasks})
    aws.fail("StopTask", AssertionError("it is not ours"))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"


def test_what_was_launched_just_now_is_looked_for_until_ecs_shows_it(
    account: Account, aws: Aws, invoke: Invoke, clock: Clock, answers: Answers, held: HeldPlan
) -> None:
    """A service that ECS does not show yet is not one that is gone; when it is shown, it is deleted."""
    account.start(DEPLOY, "d1")
    clock.seconds = 5
    invoke(
        "launch_candidate", plan=held, task_definition=account.spec.pattern.task_definition, deadline=at(60)
    )
    aws.refuse("DeleteService", "ServiceNotFoundException")
    aws.answer("DescribeServices", {"services": []})

    def show() -> None:
        assert answers.bodies == []
        aws.allow("DescribeServices")
        aws.allow("DeleteService")

    clock.meanwhile = [lambda: None] * 24 + [show]
    _cleanup(aws, "Delete")
    assert (answers.bodies[0]["Status"], clock.seconds) == ("SUCCESS", 65)
    assert account.status("blue") == "INACTIVE"


def test_a_service_that_is_free_is_deleted_as_well(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """No deployment is asked for, and an old slot that is still warm goes too."""
    journal.holding.release(deployed.hold, at(60))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert rule_of(Traffic(account.elbv2, account.spec)) is None


def test_a_service_that_never_was_deployed_is_deleted(
    account: Account, aws: Aws, answers: Answers, clock: Clock, journal: Journal
) -> None:
    """There is nothing of Crossfade's."""
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert journal.state("web") == State()


def test_a_name_that_no_service_can_have_needs_no_cleanup(
    account: Account, aws: Aws, answers: Answers, deployed: HeldPlan
) -> None:
    """A stack that could not be made has to be deleted all the same; SSM would find web's spec by web:1."""
    for name in ("", "web:1"):
        _cleanup(aws, "Delete", name)
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"] * 2
    assert rule_of(Traffic(account.elbv2, account.spec)) is not None


def _gone(account: Account) -> None:
    account.unpublish("web")


def _malformed(account: Account) -> None:
    _replace_spec(account, json.dumps({"stages": [{"weight": n} for n in range(200)]}))


def _moved(account: Account) -> None:
    """The stack has another place by now, which another service has taken, and no release followed it."""
    account.others_rule(50, {"Field": "path-pattern", "Values": ["/shop"]})
    traffic = [{"listener": account.spec.listener, "priority": 50}]
    moved = account.spec.model_dump(mode="json") | {"traffic": traffic}
    like = account.spec.like.replace("service/web/", "service/moved/")
    account.publish(type(account.spec).model_validate(moved | {"like": like}))


@pytest.mark.parametrize("happen", [_gone, _malformed, _moved])
def test_what_was_made_is_known_by_the_journal(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan, happen: Any
) -> None:
    """Whatever the spec says by now: where the last deployment was is where everything is removed."""
    happen(account)
    _cleanup(aws, "Delete")
    assert (answers.bodies[0]["Status"], answers.bodies[0]["Reason"]) == ("SUCCESS", "")
    assert rule_of(Traffic(account.elbv2, account.spec)) is None
    assert account.status("blue") == "INACTIVE"
    assert journal.state("web") == State()
    found = account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]
    assert [rule["Priority"] for rule in found] == (["50"] if happen is _moved else []) + ["default"]


def test_a_service_that_was_deleted_before_and_never_deployed_again_is_deleted(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """Its history tells of a listener and a cluster that have gone with the stack of before."""
    _cleanup(aws, "Delete")
    aws.refuse("DescribeRules", "ListenerNotFound")
    _cleanup(aws, "Delete")
    assert [body["Status"] for body in answers.bodies] == ["SUCCESS"] * 2


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        (("DescribeRules",), "ListenerNotFound"),
        (("DeleteService", "DescribeServices", "ListTasks"), "ClusterNotFoundException"),
    ],
)
def test_what_has_gone_with_its_place_is_gone(
    account: Account,
    aws: Aws,
    answers: Answers,
    journal: Journal,
    deployed: HeldPlan,
    operations: tuple[str, ...],
    error: str,
) -> None:
    """Somebody has deleted the listener, or the cluster, before the stack."""
    for operation in operations:
        aws.refuse(operation, error)
    aws.answer("DeleteTargetGroup", {})
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert journal.state("web") == State()


REMOVED = {
    "DescribeRules": "the weights of the owner's rules, the rules",
    "DeleteRule": "the rule arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/web/",
    "DeleteTargetGroup": "the target group cf-web-",
    "DeleteParameter": "the parameter /Staging/preview/web",
    "DeleteService": "web-blue, web-green",
    "ListTasks": "the tasks in arn",
    "StopTask": "arn:aws:ecs:us-east-1:123456789012:task/web/",
    "ListTaskDefinitions": "the task definitions of web",
    "DeregisterTaskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/crossfade-web:1",
    "StopExecution": f"{EXECUTION}:d1",
}
"""What is left where a call is refused, by the call."""


@pytest.mark.parametrize("operation", REMOVED)
def test_what_cannot_be_removed_keeps_nothing_else(
    account: Account,
    aws: Aws,
    clock: Clock,
    answers: Answers,
    journal: Journal,
    deployed: HeldPlan,
    probe: str,
    operation: str,
) -> None:
    """It is named, with AWS's word; all the rest goes, and the service is not forgotten before."""
    aws.refuse(operation, "AccessDenied")
    _cleanup(aws, "Delete")
    (body,) = answers.bodies
    assert body["Status"] == "FAILED"
    assert body["Reason"].startswith("NotRemoved: Crossfade removed all that it made for web, except")
    assert f"for web, except {REMOVED[operation]}" in body["Reason"]
    assert f"(AccessDenied) when calling the {operation} operation" in body["Reason"]
    assert len(body["Reason"]) < REASON_CHARACTERS
    assert clock.seconds < 60
    rule, definitions = _rule_and_releases(account)
    assert bool(rule) is (operation in {"DescribeRules", "DeleteRule"})
    assert bool(definitions) is (operation in {"ListTaskDefinitions", "DeregisterTaskDefinition"})
    assert account.status("blue") == ("ACTIVE" if operation == "DeleteService" else "INACTIVE")
    assert account.dies(probe) is (operation not in {"StopTask", "ListTasks"})
    assert account.runs(deployed.execution) is (operation == "StopExecution")
    assert journal.state("web").holder == DELETION
    aws.allow(operation)
    _cleanup(aws, "Delete")
    assert answers.bodies[1]["Status"] == "SUCCESS"
    assert _rule_and_releases(account) == (None, [])


def _rule_and_releases(account: Account) -> tuple[Any, list[str]]:
    found = account.ecs.list_task_definitions(familyPrefix="crossfade-web", status="ACTIVE")[
        "taskDefinitionArns"
    ]
    return rule_of(Traffic(account.elbv2, account.spec)), found


def test_a_rule_that_was_given_another_priority_is_removed(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """Nothing was deployed since, so the journal's plans know the old one only; another rule has that."""
    traffic = Traffic(account.elbv2, account.spec)
    journal.live.wrote(deployed, Weights(blue=100, green=0), at(1), traffic.write(Weights(blue=100, green=0)))
    rule = rule_of(traffic)
    assert rule
    account.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": rule.arn, "Priority": 7}])
    account.others_rule(100, {"Field": "path-pattern", "Values": ["/shop"]})
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    found = account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]
    assert [one["Priority"] for one in found] == ["100", "default"]


def test_another_services_rule_in_its_place_is_left(account: Account, aws: Aws, answers: Answers) -> None:
    """The service was never released; all that it shares with the rule is a priority in its spec."""
    account.delete_rule()
    account.others_rule(100, {"Field": "host-header", "Values": ["api.example"]})
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert account.production_rule()["Conditions"][0]["Field"] == "host-header"


def test_a_service_of_the_first_form_is_left_to_the_version_that_deployed_it(
    account: Account, aws: Aws, answers: Answers
) -> None:
    """Where its rule and its tasks are stands in a plan that is not understood; its holder stays the same."""
    put(account, stored(FIRST))
    before = account.item("state")
    _cleanup(aws, "Delete")
    assert (answers.bodies[0]["Status"], "Install that one again" in answers.bodies[0]["Reason"]) == (
        "FAILED",
        True,
    )
    assert account.item("state") == before


def test_a_service_that_a_failed_deletion_holds_begins_anew(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """Its stack was deleted without the resource; held for ever, no release of the next stack would begin."""
    aws.refuse("DeleteRule", "AccessDenied")
    _cleanup(aws, "Delete")
    _cleanup(aws, "Update")
    assert journal.state("web").holder == DELETION
    _cleanup(aws, "Create")
    assert journal.state("web") == State()
    assert [body["Status"] for body in answers.bodies] == ["FAILED", "SUCCESS", "SUCCESS"]


@pytest.fixture
def without_history(account: Account, journal: Journal, deployed: HeldPlan) -> HeldPlan:
    """Return the deployment of a service that is live, and was deployed so long ago that no item is left."""
    journal.live.promote(deployed, at(50))
    journal.holding.release(deployed.hold, at(60))
    key = {"service": {"S": "web"}, "item": {"S": "deployment#d1"}}
    account.dynamodb.delete_item(TableName=TABLE, Key=key)
    return deployed


def test_without_a_history_the_spec_says_what_was_made(
    account: Account, aws: Aws, answers: Answers, without_history: HeldPlan
) -> None:
    """History goes after 400 days."""
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert rule_of(Traffic(account.elbv2, account.spec)) is None


@pytest.mark.parametrize("happen", [_gone, _malformed])
def test_where_nobody_knows_what_was_made_that_is_told(
    account: Account, aws: Aws, answers: Answers, journal: Journal, without_history: HeldPlan, happen: Any
) -> None:
    """Nothing is removed and nothing forgotten; with the spec put back the stack can be deleted."""
    happen(account)
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert answers.bodies[0]["Reason"].startswith("DeployedUnknown: web was deployed")
    assert f"Put the spec back into the parameter {SPECS}web" in answers.bodies[0]["Reason"]
    assert len(answers.bodies[0]["Reason"]) < REASON_CHARACTERS
    assert rule_of(Traffic(account.elbv2, account.spec)) is not None
    account.publish(account.spec)
    _cleanup(aws, "Delete")
    assert answers.bodies[1]["Status"] == "SUCCESS"


def test_a_deployment_that_keeps_its_old_slot_warm_is_stopped(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """It holds nothing and waits for hours, and its state machine could not be deleted meanwhile."""
    warm = deployed.model_copy(update={"stable": "green", "spec": warm_spec()})
    journal.live.promote(warm, at(50))
    journal.holding.release(deployed.hold, at(60))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert not account.runs(deployed.execution)


def _replace_spec(account: Account, document: str) -> None:
    account.ssm.put_parameter(Name=f"{SPECS}web", Value=document, Type="String", Overwrite=True)


def test_a_spec_that_no_release_can_be_deployed_by_is_good_enough(
    account: Account, aws: Aws, answers: Answers, journal: Journal, deployed: HeldPlan
) -> None:
    """It was accepted once, or has a key too many."""
    values = json.loads(account.spec.model_dump_json()) | {"surprise": 1}
    values["launch"]["deadline_seconds"] = 9_000
    _replace_spec(account, json.dumps(values))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"
    assert rule_of(Traffic(account.elbv2, account.spec)) is None


def test_a_spec_that_cannot_be_read_keeps_no_stack_that_never_was_deployed(
    account: Account, aws: Aws, answers: Answers, clock: Clock
) -> None:
    """There is nothing of Crossfade's."""
    _replace_spec(account, "{")
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "SUCCESS"


def test_an_answer_is_no_longer_than_cloudformation_takes(
    aws: Aws, answers: Answers, deployed: HeldPlan
) -> None:
    """A longer one is thrown away, and the stack waits for the resource's time-out."""
    aws.fail("StopExecution", RuntimeError("x" * 5_000))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Status"] == "FAILED"
    assert len(answers.bodies[0]["Reason"]) == REASON_CHARACTERS


# ---- a service that leaves ---------------------------------------------------------------------------------


def _leave(aws: Aws, **more: Any) -> list[str]:
    aws.called.clear()
    context = Context()
    context.remaining = 900_000
    removed = module_of("cleanup").handler({"service": "web", "leave": True} | more, context)["removed"]
    assert aws.called - ACTIONS["cleanup"] == set()
    return list(removed)


def _default_to(account: Account, group: str) -> None:
    forward = {"Type": "forward", "TargetGroupArn": group}
    account.elbv2.modify_listener(ListenerArn=account.spec.listener, DefaultActions=[forward])


def test_a_service_whose_owner_has_it_back_leaves(
    account: Account, aws: Aws, clock: Clock, journal: Journal, deployed: HeldPlan
) -> None:
    """Of Crossfade's nothing stays; the owner's service, rule and target group are as they were."""
    Traffic(account.elbv2, account.origin).write(Weights(blue=0, green=100))
    _default_to(account, account.spec.pattern.target_group)
    journal.holding.release(deployed.hold, at(60))
    removed = _leave(aws)
    assert [what.partition(" arn:")[0] for what in removed] == [
        *["the rule"] * 3, "web-blue", "web-green",
        "arn:aws:ecs:us-east-1:123456789012:task-definition/crossfade-web:1",
        *[f"the target group {name}" for name in _group_names(removed)], "the parameter /Staging/preview/web",
    ]  # fmt: skip
    names = ["web", "web-blue"]
    found = account.ecs.describe_services(cluster="web", services=names)["services"]
    assert {one["serviceName"]: one["status"] for one in found} == {"web": "ACTIVE", "web-blue": "INACTIVE"}
    groups = account.elbv2.describe_target_groups()["TargetGroups"]
    assert [group["TargetGroupArn"] for group in groups] == [account.spec.pattern.target_group]
    assert journal.state("web") == State()


def test_a_service_of_somebody_else_with_a_slots_name_stays(
    account: Account, aws: Aws, clock: Clock, journal: Journal, deployed: HeldPlan
) -> None:
    """A deletion takes its tasks with it, and by its name alone it would be Crossfade's."""
    Traffic(account.elbv2, account.origin).write(Weights(blue=0, green=100))
    _default_to(account, account.spec.pattern.target_group)
    journal.holding.release(deployed.hold, at(60))
    definition = account.spec.pattern.task_definition
    account.ecs.create_service(cluster="web", serviceName="web-green", taskDefinition=definition)
    removed = _leave(aws)
    assert "web-blue" in removed
    assert "web-green" not in removed
    assert account.status("green") == "ACTIVE"


def test_a_probe_that_takes_its_time_to_end_is_told_once(
    account: Account, aws: Aws, clock: Clock, journal: Journal, deployed: HeldPlan
) -> None:
    """It is asked to stop at each look, since a call may have found it too new to be known."""
    Traffic(account.elbv2, account.origin).write(Weights(blue=0, green=100))
    _default_to(account, account.spec.pattern.target_group)
    journal.holding.release(deployed.hold, at(60))
    aws.answer("ListTasks", {"taskArns": ["arn:task"]})
    aws.answer("DescribeTasks", {"tasks": [_task("STOPPING", **PROBE_TASK)]})
    aws.answer("StopTask", {})
    clock.meanwhile = [lambda: None] * 40 + [lambda: aws.answer("DescribeTasks", {"tasks": []})]
    assert _leave(aws).count("arn:task") == 1


def _group_names(removed: list[str]) -> list[str]:
    names = [what.rpartition(" ")[2] for what in removed if what.startswith("the target group")]
    assert len(names) == 2
    return names


def test_a_service_that_is_live_in_a_slot_does_not_leave(
    account: Account, aws: Aws, journal: Journal, deployed: HeldPlan
) -> None:
    """Its clients would meet nobody, so nothing at all is removed."""
    journal.holding.release(deployed.hold, at(60))
    with pytest.raises(errors.StillLive, match="sends clients of web to a slot"):
        _leave(aws)
    assert account.status("blue") == "ACTIVE"
    assert rule_of(Traffic(account.elbv2, account.spec)) is not None


def test_a_service_that_went_back_to_a_slot_a_moment_ago_does_not_leave(
    account: Account, aws: Aws, clock: Clock, journal: Journal, deployed: HeldPlan
) -> None:
    """Its way to the owner was rolled back, and ELB may show for minutes what was there before that."""
    Traffic(account.elbv2, account.origin).write(Weights(blue=0, green=100))
    _default_to(account, account.spec.pattern.target_group)
    journal.live.wrote(deployed, Weights(blue=100, green=0), at(0))
    journal.holding.release(deployed.hold, at(0))
    clock.seconds = 299
    with pytest.raises(errors.StillLive, match=r"its slot blue a moment ago, .* nothing was removed"):
        _leave(aws)
    assert account.status("blue") == "ACTIVE"
    clock.seconds = 300
    assert "web-blue" in _leave(aws)


def test_a_service_that_its_owner_has_deleted_leaves(
    account: Account, aws: Aws, clock: Clock, journal: Journal, deployed: HeldPlan
) -> None:
    """Its clients cannot be handed back to anything, and what is live would keep the owner's cluster."""
    journal.holding.release(deployed.hold, at(60))
    _leave(aws, gone=True)
    assert account.status("blue") == "INACTIVE"
    assert rule_of(Traffic(account.elbv2, account.spec)) is None


def test_a_service_that_is_held_does_not_leave(account: Account, aws: Aws, deployed: HeldPlan) -> None:
    """A deployment is at work."""
    with pytest.raises(errors.ServiceBusy, match=f"{EXECUTION}:d1 holds web"):
        _leave(aws)
    assert account.runs(deployed.execution)


def test_the_owners_rule_gets_its_traffic_back(
    account: Account, aws: Aws, answers: Answers, clock: Clock, journal: Journal
) -> None:
    """The stack is deleted while a slot is live: what is the owner's own is left as it was."""
    rule = account.production_rule()["RuleArn"]
    account.elbv2.remove_tags(ResourceArns=[rule], TagKeys=["crossfade:service", "crossfade:spec"])
    journal.holding.claim(account.first_plan())
    Traffic(account.elbv2, account.spec).write(Weights(blue=100, green=0))
    _cleanup(aws, "Delete")
    assert answers.bodies[0]["Reason"] == ""
    (action,) = account.production_rule()["Actions"]
    groups = [group["TargetGroupArn"] for group in action["ForwardConfig"]["TargetGroups"]]
    assert groups == [account.spec.pattern.target_group]


# ---- the same by Terraform ---------------------------------------------------------------------------------


def _invoke(aws: Aws, action: str, service: str = "web") -> Any:
    """What aws_lambda_invocation sends with lifecycle_scope = "CRUD": its input, and why (buildInput)."""
    aws.called.clear()
    context = Context()
    context.remaining = 900_000
    asked = {"service": service, "spec": "{}", "tf": {"action": action, "prev_input": None}}
    answer = module_of("cleanup").handler(asked, context)
    assert aws.called - ACTIONS["cleanup"] == set()
    return answer


@pytest.mark.parametrize("action", ["create", "update"])
def test_terraform_has_what_is_missing_made(account: Account, aws: Aws, action: str) -> None:
    """No URL waits for an answer: Terraform goes on when the function returns."""
    account.elbv2.delete_target_group(TargetGroupArn=_without_its_rule(account))
    assert _invoke(aws, action) is None
    assert len(account.elbv2.describe_target_groups()["TargetGroups"]) == 3


def _without_its_rule(account: Account) -> str:
    """The target group of green, which no preview rule leads to any more."""
    rules = account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]
    (green,) = [rule["RuleArn"] for rule in rules if rule["Priority"] == "2"]
    account.elbv2.delete_rule(RuleArn=green)
    return account.spec.target_groups.green


@pytest.mark.parametrize("action", ["create", "update"])
def test_terraform_is_told_what_cannot_be_prepared(aws: Aws, account: Account, action: str) -> None:
    """An error of the function ends the apply."""
    with pytest.raises(errors.UnknownService, match="There is no spec of shop: the parameter"):
        _invoke(aws, action, "shop")


def test_a_destroy_ends_where_a_slot_is_live(
    account: Account, aws: Aws, journal: Journal, deployed: HeldPlan
) -> None:
    """CloudFormation's deletion goes on; but Terraform may destroy one resource alone, and replace it."""
    journal.holding.release(deployed.hold, at(60))
    with pytest.raises(errors.StillLive, match="sends clients of web to a slot"):
        _invoke(aws, "delete")
    assert account.status("blue") == "ACTIVE"
    assert rule_of(Traffic(account.elbv2, account.spec)) is not None


def test_a_destroy_removes_what_crossfade_made(
    account: Account, aws: Aws, clock: Clock, journal: Journal, deployed: HeldPlan
) -> None:
    """Once its owner has the service back, as after crossfade leave; a second time is no error."""
    Traffic(account.elbv2, account.origin).write(Weights(blue=0, green=100))
    _default_to(account, account.spec.pattern.target_group)
    journal.holding.release(deployed.hold, at(60))
    assert "web-blue" in _invoke(aws, "delete")["removed"]
    assert journal.state("web") == State()
    assert "web-blue" not in _invoke(aws, "delete")["removed"]


def test_a_service_that_a_failed_destroy_holds_begins_anew(
    account: Account, aws: Aws, clock: Clock, journal: Journal, deployed: HeldPlan
) -> None:
    """As with CloudFormation: held for ever, no release would begin."""
    journal.holding.seize("web", DELETION)
    _invoke(aws, "update")
    assert journal.state("web").holder == DELETION
    _invoke(aws, "create")
    assert journal.state("web") == State()
