"""PlanRelease: every check that can be made before anything is changed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain import errors
from crossfade.domain.journal import DELETION, LatestImage, Waiting
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import Feed, HeldPlan, LogStreams, Release
from crossfade.domain.slots import Slot
from crossfade.domain.spec.names import mark
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.weights import Weights
from faults.aws.names import ACCOUNT, REGION
from tests.unit.account import SPECS, Account, running_release
from tests.unit.examples import (
    EXECUTION,
    FIRST_TRY,
    NEW,
    NEWER,
    ROLLBACKS,
    START,
    at,
    release,
    waiting,
    warm_spec,
)
from tests.unit.handlers.conftest import Aws, Clock, Invoke

READS = ("Describe", "Filter", "Get", "List")
BLUE, GREEN = Weights(blue=100, green=0), Weights(blue=0, green=100)
ASK = {"service": "web", "image_tag": "0.0.2"}
LOGS = {"awslogs-group": "/crossfade/web", "awslogs-stream-prefix": "ecs", "awslogs-region": "us-east-1"}


def _plan(invoke: Invoke, given: Any, name: str = "d1") -> dict[str, Any]:
    return invoke("plan_release", input=given, execution=f"{EXECUTION}:{name}", deployment=name)


def _push(tag: str = "0.0.2", digest: str = NEW, repository: str = "web") -> dict[str, Any]:
    detail = {
        "action-type": "PUSH",
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "image-tag": tag,
    }
    return {
        "source": "aws.ecr",
        "detail-type": "ECR Image Action",
        "account": ACCOUNT,
        "region": REGION,
        "detail": detail,
    }


@pytest.fixture
def live(account: Account, journal: Journal) -> Release:
    """Return 0.0.1, live in blue."""
    release = account.release("0.0.1")
    journal.holding.claim(account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0"))
    account.run("blue", TaskDefinitions(account.ecs).register(account.spec, release))
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    Traffic(account.elbv2, account.spec).write(BLUE)
    before = account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0")
    journal.live.wrote(before, BLUE, at(-900))
    journal.holding.release(before.hold, at(-600))
    return release


def test_a_first_release_is_planned(account: Account, invoke: Invoke) -> None:
    """Into blue, from the first stage straight to the last."""
    release = account.release("0.0.2")
    answer = _plan(invoke, ASK)
    stages = (account.spec.stages[0], account.spec.stages[-1])
    expected = account.first_plan(release=release, stages=stages)
    assert (answer["action"], answer["reason"]) == ("deploy", "nothing → 0.0.2 in blue")
    planned = HeldPlan.model_validate(answer["plan"])
    assert expected == planned.model_copy(update={"seen": ()})
    assert [one.arn for one in planned.seen] == [account.spec.rule]


def test_a_release_is_planned(account: Account, invoke: Invoke, live: Release) -> None:
    """Into the idle slot; what runs is told by the live task definition's tags."""
    release = account.release("0.0.2")
    expected = account.plan(release=release, previous=running_release(live))
    planned = HeldPlan.model_validate(_plan(invoke, ASK)["plan"])
    assert expected == planned.model_copy(update={"seen": ()})


def test_a_live_slot_without_a_healthy_target_is_told(
    account: Account, invoke: Invoke, live: Release
) -> None:
    """A person who looks at the plan sees why it will go another way."""
    account.release("0.0.2")
    assert "serves nothing" not in _plan(invoke, ASK)["reason"]
    account.deregister_targets("blue", "10.0.0.10", "10.0.0.11")
    assert "stable serves nothing: candidate judged by itself" in _plan(invoke, ASK)["reason"]


def test_the_plan_says_what_runs_the_image_and_what_does_not(account: Account, invoke: Invoke) -> None:
    """In its reason, and for the certificate."""
    home = account.release("0.0.2").image.partition("@")[0]
    migrate = {"name": "migrate", "image": f"{home}:0.0.1", "memory": 128, "essential": False}
    proxy = {"name": "proxy", "image": "proxy:1", "memory": 128}
    account.repattern(migrate, proxy, tags={"CostCenter": "7"})

    answer = _plan(invoke, ASK)

    told = "app, migrate run the pushed image; proxy keeps proxy:1"
    assert answer["reason"] == f"nothing → 0.0.2 in blue: {told}"
    assert answer["plan"]["contents"] == {
        "released": ["app", "migrate"],
        "kept": {"proxy": "proxy:1"},
        "left_out": [],
        "tags": {"CostCenter": "7"},
        "warnings": [],
        "changes": [],
    }


def test_a_replicated_image_is_planned_as_a_pushed_one(account: Account, invoke: Invoke) -> None:
    """Its event has another form; whether it comes here at all is the stack's choice."""
    event = _push(digest=account.push("0.0.2")) | {"detail-type": "ECR Replication Action"}
    event["detail"]["action-type"] = "REPLICATE"
    assert _plan(invoke, event)["plan"]["release"]["version"] == "0.0.2"


def test_whoever_asks_from_another_workflow_stands_in_the_journal(
    account: Account, invoke: Invoke, journal: Journal
) -> None:
    """Workflow Studio adds the parent's execution to the input of each workflow that is started."""
    account.push("0.0.2")
    asked = ASK | {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": f"{EXECUTION}:parent"}
    journal.holding.claim(HeldPlan.model_validate(_plan(invoke, asked)["plan"]))
    assert account.item("deployment#d1")["asked_by"] == f"{EXECUTION}:parent"


def test_an_image_that_ecr_does_not_show_yet_is_waited_for(invoke: Invoke, clock: Clock) -> None:
    """Its push was told a moment ago: what is not seen is not yet what is not there. A minute later it is."""
    event = _push() | {"time": iso(START)}
    with pytest.raises(errors.NotYetVisible, match=f"has no image {NEW}"):
        _plan(invoke, event)
    clock.seconds = 60
    with pytest.raises(errors.ImageNotInRepository):
        _plan(invoke, event)


def test_what_runs_is_known_by_what_it_answers(
    account: Account, invoke: Invoke, journal: Journal, live: Release
) -> None:
    """It came as 0.0.1 and answers 0.0.7, another tag of its image: the journal knows, the tasks do not."""
    before = account.first_plan(deployment="d7", execution=f"{EXECUTION}:d7", stable="blue")
    journal.holding.claim(before)
    promoted = before.model_copy(update={"release": live.model_copy(update={"version": "0.0.7"})})
    journal.live.promote(promoted.model_copy(update={"candidate": "blue"}), at(-900))
    journal.holding.release(before.hold, at(-600))
    account.push("0.0.2")
    previous = HeldPlan.model_validate(_plan(invoke, ASK)["plan"]).previous
    known = running_release(live.model_copy(update={"version": "0.0.7"}))
    assert previous == known.model_copy(update={"number": 1})


@pytest.mark.parametrize(
    ("version", "known"),
    [
        pytest.param({"path": "/version"}, True, id="as-before"),
        pytest.param({"path": "/version", "expect": "v{tag}"}, False, id="it-may-say-it-in-another-way"),
        pytest.param({"path": "/", "from": {"header": "X-Version"}}, False, id="it-may-not-say-it-there"),
    ],
)
def test_what_is_asked_in_another_way_now_may_answer_anything(
    account: Account, invoke: Invoke, journal: Journal, live: Release, version: dict[str, Any], known: bool
) -> None:
    """Else an owner who corrects the spec has each release rolled back for the old one's answers."""
    before = account.first_plan(deployment="d7", execution=f"{EXECUTION}:d7", stable="blue", release=live)
    journal.holding.claim(before)
    journal.live.promote(before.model_copy(update={"candidate": "blue"}), at(-900))
    journal.holding.release(before.hold, at(-600))
    account.publish(ServiceSpec.model_validate(account.spec.model_dump() | {"version": version}))
    account.push("0.0.2")
    plan = HeldPlan.model_validate(_plan(invoke, ASK)["plan"])
    assert plan.previous == running_release(live).model_copy(update={"verified": known, "number": 1})
    assert plan.stable_answers == ("0.0.1" if known else "")


@pytest.mark.parametrize("slot", ["blue", "green"])
def test_a_live_slot_beyond_the_bounds_of_scaling_is_refused(
    account: Account, invoke: Invoke, live: Release, slot: Slot
) -> None:
    """AWS would stop tasks of it, or of the candidate, as soon as the target is written."""
    account.release("0.0.2")
    account.run("green", account.spec.pattern.task_definition, count=0)
    account.scale(slot)
    account.resize("green", 0)
    account.resize("blue", 9)
    with pytest.raises(errors.ScalingTooNarrow, match=f"web-{slot} allows 8. Raise its MaxCapacity to 9"):
        _plan(invoke, ASK)
    account.resize("blue", 8)
    assert _plan(invoke, ASK)["action"] == "deploy"


def test_how_the_pattern_is_scaled_is_in_the_plan(account: Account, invoke: Invoke, live: Release) -> None:
    """The candidate is scaled so, whatever its slot was left with, and has room for what is live."""
    account.release("0.0.2")
    account.run("green", account.spec.pattern.task_definition, count=0)
    account.scale("green")
    account.resize("green", 0)
    account.resize("blue", 9)
    account.scale_pattern(least=1, most=4)
    plan = HeldPlan.model_validate(_plan(invoke, ASK)["plan"])
    scaling = plan.spec.pattern.scaling
    assert scaling
    assert (scaling.least, scaling.most) == (1, 4)
    assert [policy["PolicyName"] for policy in scaling.policies] == ["cpu", "requests", "steps"]
    assert [alarm["AlarmName"] for alarm in scaling.alarms] == ["memory"]
    assert plan.release.settings == plan.spec.pattern.fingerprint


def test_a_push_is_planned_by_its_digest(account: Account, invoke: Invoke, live: Release) -> None:
    """The tag may have moved on meanwhile; the version is the one that was pushed."""
    digest = account.push("0.0.2")
    plan = HeldPlan.model_validate(_plan(invoke, _push(digest=digest))["plan"])
    assert (plan.release.version, plan.release.digest) == ("0.0.2", digest)


def test_a_digest_is_deployed_under_its_version(account: Account, invoke: Invoke) -> None:
    """Of several tags the one that push_tags matches."""
    digest = account.push("0.0.2")
    account.tag(digest, "a-branch")
    answer = _plan(invoke, {"service": "web", "image_digest": digest})
    assert answer["plan"]["release"]["version"] == "0.0.2"


def test_the_same_release_again_is_nothing_to_do(invoke: Invoke, live: Release) -> None:
    """It ends in success."""
    answer = _plan(invoke, {"service": "web", "image_tag": "0.0.1"})
    assert (answer["action"], answer["plan"]) == ("nothing_to_do", None)


@pytest.mark.parametrize(
    "push",
    [
        pytest.param(_push(repository="other"), id="no-service-of-that-repository"),
        pytest.param(_push(tag="latest"), id="tag-does-not-match"),
        pytest.param(_push(tag=""), id="untagged-child"),
        pytest.param(_push() | {"account": "210987654321"}, id="of-another-account"),
        pytest.param(_push() | {"region": "eu-west-1"}, id="of-another-region"),
    ],
)
def test_pushes_of_no_concern_are_ignored(invoke: Invoke, push: dict[str, Any]) -> None:
    """Quietly and successfully."""
    assert _plan(invoke, push)["action"] == "ignore"


def test_an_untagged_push_is_ignored_by_every_pattern(account: Account, invoke: Invoke) -> None:
    """Even by one that matches everything."""
    release = account.spec.release.model_copy(update={"push_tags": ".*"})
    account.publish(account.spec.model_copy(update={"release": release}))
    assert _plan(invoke, _push(tag=""))["action"] == "ignore"


def test_another_services_broken_spec_stops_nobody(account: Account, invoke: Invoke) -> None:
    """A push of this service is none of its business."""
    account.ssm.put_parameter(Name=f"{SPECS}broken", Value="{", Type="String")
    assert _plan(invoke, _push(digest=account.push("0.0.2")))["action"] == "deploy"


def test_a_service_of_another_crossfade_is_let_be(account: Account, invoke: Invoke) -> None:
    """Both hear of every push in the account, and each has a journal of its own."""
    account.ssm.delete_parameter(Name=f"{SPECS}web")
    document = account.spec.model_dump_json()
    account.ssm.put_parameter(Name="/crossfade/services/web", Value=document, Type="String")
    assert _plan(invoke, _push(digest=account.push("0.0.2")))["action"] == "ignore"
    with pytest.raises(errors.UnknownService, match=f"the SSM parameter {SPECS}web does not exist"):
        _plan(invoke, ASK)


def _stick_group(account: Account) -> None:
    account.elbv2.modify_target_group_attributes(
        TargetGroupArn=account.spec.target_groups.blue,
        Attributes=[{"Key": "stickiness.enabled", "Value": "true"}],
    )


def _break_spec(account: Account) -> None:
    account.ssm.put_parameter(Name=f"{SPECS}web", Value='{"service": "web"}', Type="String", Overwrite=True)


def _remove_container(account: Account) -> None:
    release = account.spec.release.model_copy(update={"containers": ("app", "sidecar")})
    account.publish(account.spec.model_copy(update={"release": release}))


def _share_repository(account: Account) -> None:
    account.publish(account.spec.model_copy(update={"service": "shop"}))


def _change_rule(account: Account) -> None:
    Traffic(account.elbv2, account.spec).write(Weights(blue=50, green=50))


def _hold(account: Account) -> HeldPlan:
    plan = account.first_plan(deployment="theirs", execution=f"{EXECUTION}:theirs")
    Journal(account.dynamodb, "journal").holding.claim(plan)
    return plan


def _hold_and_reject(account: Account) -> None:
    account.publish(account.spec.model_copy(update={"when_busy": "reject"}))
    _hold(account)


def _delete_stack(account: Account) -> None:
    Journal(account.dynamodb, "journal").holding.seize("web", DELETION)


def _run_idle(account: Account) -> None:
    account.run("blue", account.spec.pattern.task_definition)


def _register_target(account: Account) -> None:
    account.register_targets("blue", "10.0.0.99")


def _log_to(account: Account, options: dict[str, str], driver: str = "awslogs") -> None:
    """Let the service want a feed, and its container log somewhere."""
    logs = {"logConfiguration": {"logDriver": driver, "options": options}} if options else {}
    gate = account.spec.gate.model_copy(update={"users": "feed"})
    account.spec = account.repattern(**logs).model_copy(update={"gate": gate})
    account.publish(account.spec)
    if options.get("awslogs-group") == LOGS["awslogs-group"]:
        account.logs.create_log_group(logGroupName=LOGS["awslogs-group"])


def _log_nowhere(account: Account) -> None:
    _log_to(account, {})


def _log_by_another_driver(account: Account) -> None:
    _log_to(account, LOGS, driver="splunk")


def _log_without_a_prefix(account: Account) -> None:
    _log_to(account, {"awslogs-group": "/crossfade/web"})


def _log_where_nobody_may_read(account: Account) -> None:
    _log_to(account, LOGS | {"awslogs-group": "/web"})


def _name_an_unknown_alarm(account: Account) -> None:
    account.alarm("errors")
    account.publish(account.spec.model_copy(update={"alarms": ("errors", "latency")}))


def _nothing(_: Account) -> None:
    pass


def _lose(what: str) -> Callable[[Account], None]:
    """The spec names what is not there: it was deleted, or never made."""

    def lose(account: Account) -> None:
        spec = account.spec
        gone = {
            "listener": {"traffic": [{"listener": f"{spec.listener[:-1]}x", "priority": 100}]},
            "cluster": {"like": spec.like.replace("/web/", "/gone/")},
            "pattern": {"like": spec.like.replace("/web/web", "/web/gone")},
            "repository": {"release": spec.release.model_dump() | {"repository": "nowhere"}},
        }[what]
        account.publish(ServiceSpec.model_validate(spec.model_dump() | gone))

    return lose


def _lose_group(account: Account) -> None:
    group = account.spec.target_groups.green
    for rule in account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]:
        if any(action.get("TargetGroupArn") == group for action in rule["Actions"]):
            account.elbv2.delete_rule(RuleArn=rule["RuleArn"])
    account.elbv2.delete_target_group(TargetGroupArn=group)


@pytest.mark.parametrize(
    ("prepare", "given", "error", "said"),
    [
        pytest.param(_nothing, [], errors.InvalidInput, "found an array", id="no-object"),
        pytest.param(_nothing, {"service": "web"}, errors.InvalidInput, "or both", id="no-image"),
        pytest.param(
            _nothing,
            {"service": "shop", "image_tag": "1"},
            errors.UnknownService,
            "Known services: web",
            id="unknown-service",
        ),
        pytest.param(
            _nothing,
            {"service": "web", "image_tag": "9"},
            errors.ImageTagNotFound,
            "no image tagged 9",
            id="tag-does-not-exist",
        ),
        pytest.param(
            _nothing,
            {"service": "web", "image_digest": NEW},
            errors.ImageNotInRepository,
            "Push it there",
            id="digest-not-in-the-repository",
        ),
        pytest.param(
            _nothing, _push(digest=NEW), errors.ImageNotInRepository, NEW, id="pushed-and-deleted-again"
        ),
        pytest.param(_break_spec, ASK, errors.InvalidServiceSpec, "stages: Field required", id="broken-spec"),
        pytest.param(_remove_container, ASK, errors.PatternUnusable, "no sidecar", id="no-container"),
        pytest.param(_share_repository, _push(), errors.AmbiguousRepository, "shop, web", id="two-services"),
        pytest.param(_stick_group, ASK, errors.StickyTraffic, "Turn stickiness off", id="sticky-group"),
        pytest.param(
            _change_rule,
            ASK,
            errors.ForeignChange,
            "never deployed by Crossfade, and its production rule .* stands at blue 50, green 50",
            id="rule-changed-before-the-first-release",
        ),
        pytest.param(_lose("cluster"), ASK, errors.ResourceGone, "The cluster arn:", id="no-cluster"),
        pytest.param(_lose("listener"), ASK, errors.ResourceGone, "The listener arn:", id="no-listener"),
        pytest.param(
            _lose_group, ASK, errors.NotPrepared, "no target group cf-web-.*-green", id="no-target-group"
        ),
        pytest.param(
            Account.delete_rule, ASK, errors.NotPrepared, "shows no rule of priority 100", id="no-rule"
        ),
        pytest.param(
            _lose("pattern"), ASK, errors.NotPrepared, "service/web/gone", id="no-service-of-the-owner"
        ),
        pytest.param(
            _lose("repository"), ASK, errors.ResourceGone, "no repository nowhere", id="no-repository"
        ),
        pytest.param(_hold_and_reject, ASK, errors.ServiceBusy, "theirs", id="busy-and-nobody-waits"),
        pytest.param(
            _delete_stack, ASK, errors.ServiceBusy, "crossfade leave web again", id="the-service-goes"
        ),
        pytest.param(_run_idle, ASK, errors.SlotDrift, "idle slot blue", id="tasks-that-nobody-started"),
        pytest.param(_log_nowhere, ASK, errors.PatternUnusable, "gate.users is feed", id="no-log"),
        pytest.param(
            _log_by_another_driver, ASK, errors.PatternUnusable, "awslogs driver", id="another-log-driver"
        ),
        pytest.param(
            _log_without_a_prefix,
            ASK,
            errors.PatternUnusable,
            "and an awslogs-stream-prefix",
            id="both-slots-in-one-stream",
        ),
        pytest.param(
            _log_where_nobody_may_read,
            ASK,
            errors.PatternUnusable,
            "log group /web .*ResourceNotFoundException.* parameter Adopted",
            id="log-that-cannot-be-read",
        ),
        pytest.param(
            _name_an_unknown_alarm,
            ASK,
            errors.InvalidServiceSpec,
            "no alarm latency. Correct",
            id="alarm-does-not-exist",
        ),
        pytest.param(_register_target, ASK, errors.SlotDrift, "1 targets", id="target-that-nobody-started"),
    ],
)
def test_bad_input_fails_before_anything_is_changed(
    account: Account, invoke: Invoke, aws: Aws, prepare: Any, given: Any, error: type[Exception], said: str
) -> None:
    """With a name and a sentence; only reads were made."""
    account.push("0.0.2")
    prepare(account)
    with pytest.raises(error, match=said) as refused:
        _plan(invoke, given)
    assert type(refused.value) is error
    assert {action for action in aws.called if not action.split(":")[1].startswith(READS)} == set()


def test_an_image_without_a_version_is_refused(account: Account, invoke: Invoke, aws: Aws) -> None:
    """The probe would not know what to expect."""
    digest = account.push("0.0.2")
    aws.answer("DescribeImages", {"imageDetails": [{"imageDigest": digest, "imagePushedAt": START}]})
    with pytest.raises(errors.InvalidInput, match="no tag"):
        _plan(invoke, {"service": "web", "image_digest": digest})


def test_a_tag_that_does_not_say_the_version_is_refused(account: Account, invoke: Invoke, aws: Aws) -> None:
    """Else it would be found as a wrong version, minutes later and with tasks that run."""
    version = {"path": "/version", "expect": {"tag": "^prod-(.*)$"}}
    account.publish(ServiceSpec.model_validate(account.spec.model_dump() | {"version": version}))
    account.push("0.0.2")
    with pytest.raises(errors.InvalidInput, match="finds no version in the tag"):
        _plan(invoke, ASK)
    assert {action for action in aws.called if not action.split(":")[1].startswith(READS)} == set()


def test_split_traffic_is_refused(account: Account, invoke: Invoke, journal: Journal, live: Release) -> None:
    """Though Crossfade itself left it so: the rollback comes first."""
    account.push("0.0.2")
    half = Weights(blue=50, green=50)
    plan = account.plan()
    journal.holding.claim(plan)
    Traffic(account.elbv2, account.spec).write(half)
    journal.live.wrote(plan, half, START)
    journal.holding.release(plan.hold, at(60))
    with pytest.raises(errors.TrafficSplit, match="give it all the traffic"):
        _plan(invoke, ASK)


def test_a_rule_that_is_read_as_before_the_promotion_is_looked_at_again(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, live: Release
) -> None:
    """The slot that had the traffic then is not the stable one; minutes later it is somebody's change."""
    account.push("0.0.2")
    before = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    plan = account.plan()
    journal.holding.claim(plan)
    account.run("green", account.spec.pattern.task_definition)
    Traffic(account.elbv2, account.spec).write(GREEN)
    journal.live.wrote(plan, GREEN, at(-10))
    journal.holding.release(plan.hold, at(-5))
    aws.answer("DescribeRules", before)
    with pytest.raises(errors.NotYetVisible, match="last wrote blue 0, green 100"):
        _plan(invoke, ASK)
    clock.seconds = 300
    with pytest.raises(errors.ForeignChange):
        _plan(invoke, ASK)


def test_first_weights_that_are_not_seen_yet_are_waited_for(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, clock: Clock
) -> None:
    """The rule seems to lead to the owner's group still: nobody has set it back."""
    before = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    plan = account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0")
    journal.holding.claim(plan)
    answer = Traffic(account.elbv2, plan.spec).write(BLUE)
    journal.live.wrote(plan, BLUE, at(-10), answer)
    journal.live.promote(plan, at(-8))
    journal.holding.release(plan.hold, at(-5))
    account.push("0.0.2")
    aws.answer("DescribeRules", before)
    with pytest.raises(errors.NotYetVisible, match="last wrote blue 100, green 0"):
        _plan(invoke, ASK)
    clock.seconds = 300
    with pytest.raises(errors.ForeignChange, match="found blue 0, green 100"):
        _plan(invoke, ASK)


def test_tasks_of_before_the_last_deployment_are_no_drift(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, live: Release
) -> None:
    """ECS may still show them in the slot that was just stopped; a minute later they are somebody's."""
    account.push("0.0.2")
    plan = account.plan()
    journal.holding.claim(plan)
    journal.holding.release(plan.hold, at(-5))
    account.run("green", account.spec.pattern.task_definition)
    with pytest.raises(errors.NotYetVisible, match="idle slot green stands at 2 tasks"):
        _plan(invoke, ASK)
    clock.seconds = 55
    with pytest.raises(errors.SlotDrift):
        _plan(invoke, ASK)


def test_what_a_quicker_deployment_does_meanwhile_is_no_drift(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, live: Release
) -> None:
    """Two tags of an image were pushed at once: the service was free when the slower plan began."""
    account.push("0.0.2")
    quicker = account.plan(deployment="d2", execution=f"{EXECUTION}:d2")
    begins = iter(
        [
            lambda: journal.holding.claim(quicker),
            lambda: account.run("green", account.spec.pattern.task_definition),
        ]
    )

    def overtake(answer: dict[str, Any]) -> dict[str, Any]:
        for begin in begins:
            begin()
        return answer

    aws.edit("DescribeTargetGroupAttributes", overtake)
    with pytest.raises(errors.NotYetVisible, match=f"green stands at 2 tasks.*{EXECUTION}:d2 was at work"):
        _plan(invoke, ASK)
    journal.holding.release(quicker.hold, at(-600))
    with pytest.raises(errors.SlotDrift, match="green stands at 2 tasks"):
        _plan(invoke, ASK)


# ---- where users' outcomes come from --------------------------------------------------------------------


@pytest.fixture
def feeding(account: Account) -> None:
    """Let the service want an outcome feed, and log where it can be read."""
    _log_to(account, LOGS)


def _streams(account: Account, release: Release) -> LogStreams:
    digest, revision = (
        release.digest.removeprefix("sha256:")[:12],
        account.spec.pattern.task_definition.rsplit(":", 1)[-1],
    )
    prefix = f"ecs/{release.version}-{digest}-{revision}-{mark(account.spec.parameter)}/app/"
    return LogStreams(group="/crossfade/web", prefix=prefix)


def test_the_feeds_of_both_sides_are_planned(
    account: Account, invoke: Invoke, feeding: None, live: Release
) -> None:
    """Each release's log streams have names of their own; the running one's are read from what runs."""
    release = account.release("0.0.2")
    plan = HeldPlan.model_validate(_plan(invoke, ASK)["plan"])
    assert plan.feed == Feed(candidate=_streams(account, release), stable=_streams(account, live))


def test_a_release_that_logs_elsewhere_has_no_feed(account: Account, invoke: Invoke, live: Release) -> None:
    """It was deployed before the service had one."""
    _log_to(account, LOGS)
    release = account.release("0.0.2")
    plan = HeldPlan.model_validate(_plan(invoke, ASK)["plan"])
    assert plan.feed == Feed(candidate=_streams(account, release), stable=None)


def test_a_release_whose_log_cannot_be_read_has_no_feed(
    account: Account, invoke: Invoke, feeding: None, live: Release
) -> None:
    """It logs to a group that was deleted since, or that Crossfade may not read any more."""
    release = account.release("0.0.2")
    _log_to(account, LOGS | {"awslogs-group": "/crossfade/newer"})
    account.logs.create_log_group(logGroupName="/crossfade/newer")
    account.logs.delete_log_group(logGroupName=LOGS["awslogs-group"])
    plan = HeldPlan.model_validate(_plan(invoke, ASK)["plan"])
    expected = _streams(account, release).model_copy(update={"group": "/crossfade/newer"})
    assert plan.feed == Feed(candidate=expected, stable=None)


def test_a_first_release_has_a_feed_of_its_own(account: Account, invoke: Invoke, feeding: None) -> None:
    """There is nothing yet to compare it with."""
    release = account.release("0.0.2")
    plan = HeldPlan.model_validate(_plan(invoke, ASK)["plan"])
    assert plan.feed == Feed(candidate=_streams(account, release), stable=None)


def test_metrics_need_no_feed(account: Account, invoke: Invoke, feeding: None) -> None:
    """Though the container logs where one could be read."""
    gate = account.spec.gate.model_copy(update={"users": "metrics"})
    account.publish(account.spec.model_copy(update={"gate": gate}))
    account.push("0.0.2")
    assert _plan(invoke, ASK)["plan"]["feed"] is None


def test_alarms_that_exist_are_planned_with(account: Account, invoke: Invoke) -> None:
    """Whatever their state is: one may be in ALARM, and the release put it right."""
    account.push("0.0.2")
    account.alarm("errors", "ALARM")
    account.publish(account.spec.model_copy(update={"alarms": ("errors",)}))
    assert _plan(invoke, ASK)["plan"]["spec"]["alarms"] == ["errors"]


# ---- slots that are not as Crossfade left them ----------------------------------------------------------


def test_a_stable_slot_that_stands_still_is_refused(account: Account, invoke: Invoke, live: Release) -> None:
    """All clients go there: somebody has to say which version they are to get."""
    account.push("0.0.2")
    account.ecs.update_service(cluster=account.spec.cluster, service="web-blue", desiredCount=0)
    with pytest.raises(errors.SlotDrift, match="web-blue stands at 0 tasks"):
        _plan(invoke, ASK)


def test_tasks_that_an_old_version_is_kept_warm_with_are_no_drift(
    account: Account, invoke: Invoke, journal: Journal, live: Release
) -> None:
    """The next release takes their slot."""
    spec = account.spec.model_copy(update={"retire": warm_spec().retire})
    plan = account.plan(deployment="d2", execution=f"{EXECUTION}:d2").model_copy(update={"spec": spec})
    journal.holding.claim(plan)
    account.run("green", account.spec.pattern.task_definition)
    Traffic(account.elbv2, account.spec).write(GREEN)
    journal.live.wrote(plan, GREEN, START)
    journal.live.promote(plan, START)
    journal.holding.release(plan.hold, at(-60))
    account.push("0.0.2")
    assert _plan(invoke, ASK)["plan"]["candidate"] == "blue"
    journal.holding.reclaim(plan.hold)
    journal.holding.release(plan.hold, at(-60))
    with pytest.raises(errors.SlotDrift, match="idle slot blue stands at 2 tasks"):
        _plan(invoke, ASK)


def test_what_is_still_warm_is_gone_back_to(
    account: Account, invoke: Invoke, journal: Journal, live: Release
) -> None:
    """A person asks for the version of before: no stages for what ran a moment ago, and runs yet.

    A push of it means no such thing, and neither is a new configuration of it there.
    """
    warm = account.spec.model_copy(update={"retire": warm_spec().retire})
    plan = account.plan(previous=running_release(live)).model_copy(update={"spec": warm})
    own = f"{EXECUTION}:d2"
    plan = plan.model_copy(update={"deployment": "d2", "execution": own, "holder": own})
    journal.holding.claim(plan)
    account.run("green", account.spec.pattern.task_definition)
    Traffic(account.elbv2, account.spec).write(GREEN)
    journal.live.wrote(plan, GREEN, START)
    journal.live.promote(plan, START)
    journal.holding.release(plan.hold, at(-60))
    ask = ASK | {"image_tag": "0.0.1"}
    answer = _plan(invoke, ask)
    assert (answer["action"], answer["service"], answer["warm"]) == ("go_back", "web", "d2")
    assert answer["reason"] == "0.0.1 still runs in blue, which is warm"
    assert _plan(invoke, _push("0.0.1", live.digest))["action"] != "go_back"
    account.repattern(stopTimeout=90)
    assert _plan(invoke, ask)["action"] == "deploy"


# ---- whose turn it is -----------------------------------------------------------------------------------


def _pushed(aws: Aws, seconds: float) -> None:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for image in answer["imageDetails"]:
            image["imagePushedAt"] = at(seconds)
        return answer

    aws.edit("DescribeImages", edit)


def _tried(journal: Journal, plan: HeldPlan, seconds: float, digest: str = NEWER) -> None:
    """Let an image that was pushed at some time be deployed by a plan, and taken back again."""
    tried = {
        "deployment": "tried",
        "execution": f"{EXECUTION}:tried",
        "holder": f"{EXECUTION}:tried",
        "release": release("0.0.3", digest, at(seconds)),
    }
    journal.holding.claim(plan.model_copy(update=tried))
    journal.holding.release(plan.model_copy(update=tried).hold, at(0))


@pytest.mark.parametrize(("when_busy", "supersede"), [("queue", False), ("supersede", True)])
def test_a_release_waits_for_a_busy_service(
    account: Account, invoke: Invoke, clock: Clock, when_busy: str, supersede: bool
) -> None:
    """The plan is made when its turn has come; until then it is known what waits, and who asked when."""
    account.publish(account.spec.model_copy(update={"when_busy": when_busy}))
    digest = account.push("0.0.2")
    _hold(account)
    clock.seconds = 7
    assert _plan(invoke, ASK) == {
        "action": "busy",
        "reason": f"{EXECUTION}:theirs holds web",
        "plan": None,
        "service": "web",
        "waiting": {
            "version": "0.0.2",
            "digest": digest,
            "at": iso(at(7)),
            "execution": f"{EXECUTION}:d1",
            "supersede": supersede,
            "tagged": None,
        },
        "warm": None,
    }


def test_a_push_waits_with_the_time_of_its_push(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock
) -> None:
    """Not of its event, which may come late."""
    digest = account.push("0.0.2")
    _hold(account)
    _pushed(aws, 5)
    clock.seconds = 99
    assert _plan(invoke, _push(digest=digest))["waiting"]["at"] == iso(at(5))


def test_a_release_that_could_not_be_deployed_does_not_wait(account: Account, invoke: Invoke) -> None:
    """Whoever asks is told at once."""
    account.push("0.0.2")
    _hold(account)
    _remove_container(account)
    with pytest.raises(errors.PatternUnusable):
        _plan(invoke, ASK)


def _entered(*states: str, end: str | None = None) -> dict[str, Any]:
    """The newest events of an execution, the last one first."""
    events: list[dict[str, Any]] = [{"type": end}] if end else [{"type": "TaskScheduled"}]
    entered = [
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state}} for state in states[::-1]
    ]
    return {"events": [*events, *entered]}


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(_entered("WatchStage", end="ExecutionAborted"), id="stopped"),
        pytest.param(_entered("WatchStage", end="ExecutionTimedOut"), id="timed-out"),
        pytest.param(_entered("ShiftTraffic", "RollBack"), id="a-function-has-failed"),
    ],
)
def test_a_deployment_that_fails_is_no_answer_to_who_asks_again(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, history: dict[str, Any]
) -> None:
    """Its rollback has not begun yet: a person's request is a new one, a push that is told twice is none."""
    release = account.release("0.0.2")
    journal.holding.claim(
        account.first_plan(deployment="theirs", execution=f"{EXECUTION}:theirs", release=release)
    )
    aws.answer("GetExecutionHistory", history)
    answer = _plan(invoke, ASK)
    assert (answer["action"], answer["waiting"]["version"]) == ("busy", "0.0.2")
    assert _plan(invoke, _push(digest=release.digest))["action"] == "ignore"


def test_a_release_that_is_rolled_back_can_be_asked_for_again(
    account: Account, invoke: Invoke, journal: Journal
) -> None:
    """A rollback holds the service: by the spec's when_busy the request waits, or is refused by name."""
    plan = account.first_plan(
        deployment="theirs", execution=f"{EXECUTION}:theirs", release=account.release("0.0.2")
    )
    journal.holding.claim(plan)
    journal.holding.take_over(plan.hold, f"{ROLLBACKS}:r1", FIRST_TRY)
    answer = _plan(invoke, ASK)
    assert (answer["action"], answer["reason"]) == ("busy", f"{ROLLBACKS}:r1 holds web")
    account.publish(account.spec.model_copy(update={"when_busy": "reject"}))
    with pytest.raises(errors.ServiceBusy, match=f"held by {ROLLBACKS}:r1"):
        _plan(invoke, ASK)


def test_a_deployment_that_nobody_knows_yet_is_under_way(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal
) -> None:
    """Step Functions may not show an execution that has just begun."""
    mine = account.first_plan(release=account.release("0.0.2"))
    journal.holding.claim(mine)
    aws.refuse("GetExecutionHistory", "ExecutionDoesNotExist")
    assert _plan(invoke, ASK, "d2")["action"] == "nothing_to_do"


def test_who_asks_for_what_is_live_has_the_other_one_go_back(
    account: Account, invoke: Invoke, journal: Journal, live: Release
) -> None:
    """Though the spec rejects what comes meanwhile; a push of it that is told again does nothing."""
    account.publish(account.spec.model_copy(update={"when_busy": "reject"}))
    release = account.release("0.0.2").model_copy(update={"pushed": at(60)})
    journal.holding.claim(account.plan(deployment="theirs", execution=f"{EXECUTION}:theirs", release=release))
    account.live_is("0.0.1", live.digest)
    answer = _plan(invoke, ASK | {"image_tag": "0.0.1"})
    assert (answer["action"], answer["waiting"]["supersede"]) == ("busy", True)
    assert answer["reason"] == f"{EXECUTION}:theirs holds web, and theirs goes back"
    with pytest.raises(errors.ServiceBusy):
        _plan(invoke, ASK | {"image_tag": "0.0.1", "asked": iso(at(90))})


def test_what_is_being_deployed_is_nothing_to_do(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal
) -> None:
    """ECR's event came twice; for the deployment itself, whose first try's answer was lost, it is."""
    mine = account.first_plan(release=account.release("0.0.2"))
    journal.holding.claim(mine)
    aws.answer("GetExecutionHistory", _entered("WatchStage"))
    answer = _plan(invoke, ASK, "d2")
    assert (answer["action"], answer["reason"]) == ("nothing_to_do", "0.0.2 is being deployed by d1.")
    assert _plan(invoke, ASK)["action"] == "deploy"


def test_what_waits_is_nothing_to_do(account: Account, invoke: Invoke) -> None:
    """It waits already."""
    digest = account.push("0.0.2")
    _hold(account)
    account.waits(waiting(version="0.0.2", digest=digest))
    assert _plan(invoke, ASK)["reason"].startswith("0.0.2 waits already: waited-")


@pytest.mark.parametrize(
    ("tried", "action"),
    [
        pytest.param(4, "deploy", id="newer-than-all-that-were-tried"),
        pytest.param(5, "deploy", id="of-the-same-second"),
        pytest.param(6, "ignore", id="events-out-of-order"),
    ],
)
def test_an_old_push_gives_way(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, tried: float, action: str
) -> None:
    """The image was pushed after 5 s; a person may deploy it all the same."""
    digest = account.push("0.0.2")
    _tried(journal, account.first_plan(), tried)
    _pushed(aws, 5)
    assert _plan(invoke, _push(digest=digest))["action"] == action
    assert _plan(invoke, ASK)["action"] == "deploy"


def test_a_push_that_gives_way_tells_the_way_out(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, live: Release
) -> None:
    """An older build was tagged as a release: what is live, since when, and the input that deploys it."""
    digest = account.push("0.0.2")
    _tried(journal, account.plan(), 6)
    _pushed(aws, 5)
    reason = _plan(invoke, _push(digest=digest))["reason"]
    assert f"was pushed at {iso(at(5))}, and " in reason
    assert f"came later, at {iso(at(6))}." in reason
    by_hand = json.loads(reason.partition("start by hand: ")[2].removesuffix("."))
    _pushed(aws, 5)
    assert _plan(invoke, by_hand)["plan"]["release"]["digest"] == digest


def test_a_push_whose_event_came_twice_is_deployed_once(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal
) -> None:
    """Though it was rolled back meanwhile: the second event is no second opinion."""
    digest = account.push("0.0.2")
    _tried(journal, account.first_plan(), 5, digest)
    _pushed(aws, 5)
    assert _plan(invoke, _push(digest=digest))["action"] == "ignore"


PROMOTED = 900


def _tagged_later(digest: str, tag: str = "0.0.2", seconds: float = PROMOTED) -> dict[str, Any]:
    """The event of a tag that comes a quarter of an hour after its image, and after all that was pushed."""
    return _push(tag, digest) | {"time": iso(at(seconds))}


@pytest.fixture
def built(account: Account, aws: Aws, journal: Journal) -> str:
    """Return the digest of an image of after 5 s that was no release until now; one of 6 s was tried."""
    digest = account.push("build-7")
    _tried(journal, account.first_plan(), 6)
    account.tag(digest, "0.0.2")
    _pushed(aws, 5)
    return digest


def test_a_build_that_is_tagged_as_a_release_is_deployed(
    account: Account, invoke: Invoke, journal: Journal, built: str
) -> None:
    """Build once, promote by tag: in the order of the tags. The event that comes again does nothing."""
    plan = HeldPlan.model_validate(_plan(invoke, _tagged_later(built))["plan"])
    assert (plan.release.version, plan.release.digest) == ("0.0.2", built)
    journal.holding.claim(plan)
    journal.holding.release(plan.hold, at(PROMOTED + 60))
    assert _plan(invoke, _tagged_later(built), "d2")["action"] == "ignore"


def test_a_build_that_is_tagged_meanwhile_waits_in_the_place_of_its_tag(
    account: Account, invoke: Invoke, journal: Journal, built: str
) -> None:
    """And has it still when its turn comes."""
    theirs = _hold(account)
    waiting = Waiting.model_validate(_plan(invoke, _tagged_later(built))["waiting"])
    assert waiting.at == waiting.tagged == at(PROMOTED)
    account.waits(waiting)
    journal.holding.release(theirs.hold, at(-600))
    invoke("start_next", service="web")
    ((name, asked),) = account.started().items()
    plan = HeldPlan.model_validate(_plan(invoke, asked, name)["plan"])
    journal.holding.claim(plan)
    assert journal.state("web").newest == LatestImage(at=at(PROMOTED), digest=built)


@pytest.mark.parametrize("known", ["was-tried", "has-a-release-tag"])
def test_a_release_that_gets_one_more_tag_is_refused_by_name(
    account: Account, invoke: Invoke, journal: Journal, built: str, known: str
) -> None:
    """Whoever tags it may mean to go back, or to keep order; nothing goes back by itself, nor unseen."""
    if known == "was-tried":
        _tried(journal, account.first_plan(), 5, built)
    else:
        account.tag(built, "0.0.1")
    with pytest.raises(errors.ReleasedBefore, match=r"0\.0\.2 gives way: its tag came at") as refused:
        _plan(invoke, _tagged_later(built))
    by_hand = json.loads(str(refused.value).partition("start by hand: ")[2].removesuffix("."))
    assert _plan(invoke, by_hand)["plan"]["release"]["digest"] == built


def test_a_tag_whose_event_comes_late_gives_way(account: Account, invoke: Invoke, built: str) -> None:
    """Without an alarm at night: what is newer was pushed after the tag had come."""
    assert _plan(invoke, _tagged_later(built, seconds=5.5))["action"] == "ignore"


def test_an_old_push_does_not_drop_what_waits(account: Account, invoke: Invoke, aws: Aws) -> None:
    """The line keeps the newest."""
    digest = account.push("0.0.2")
    _hold(account)
    account.waits(waiting(seconds=6))
    _pushed(aws, 5)
    answer = _plan(invoke, _push(digest=digest))
    assert (answer["action"], answer["reason"]) == (
        "ignore",
        "0.0.2 gives way to 0.0.3, which is newer and waits.",
    )
    _pushed(aws, 7)
    assert _plan(invoke, _push(digest=digest))["action"] == "busy"


def test_what_has_waited_is_what_was_asked_for(account: Account, invoke: Invoke, live: Release) -> None:
    """Tag and digest: the tag may have moved on to another image, and the digest have got more tags."""
    digest = account.push("0.0.2")
    asked = {"service": "web", "image_tag": "a-branch", "image_digest": digest, "asked": iso(at(7))}
    plan = HeldPlan.model_validate(_plan(invoke, asked)["plan"])
    assert (plan.release.version, plan.release.digest) == ("a-branch", digest)


def test_what_has_waited_gives_way_to_a_later_push(
    account: Account, invoke: Invoke, journal: Journal, live: Release
) -> None:
    """A person was quicker with that one."""
    digest = account.push("0.0.2")
    _tried(journal, account.plan(), 8)
    asked = {"service": "web", "image_tag": "0.0.2", "image_digest": digest, "asked": iso(at(7))}
    assert _plan(invoke, asked)["action"] == "ignore"
    assert _plan(invoke, asked | {"asked": iso(at(9))})["action"] == "deploy"
