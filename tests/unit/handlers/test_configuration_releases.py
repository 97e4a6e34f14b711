"""The owner changes his ECS service and its task definition stays: the next release takes it along."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain import errors
from crossfade.domain.planning.plan import HeldPlan, Plan, Release
from crossfade.domain.traffic.weights import Weights
from tests.unit.account import TABLE, Account, running_release
from tests.unit.examples import EXECUTION, at, waiting, warm_spec
from tests.unit.handlers.conftest import Aws, Clock, Invoke

ASK = {"service": "web", "image_tag": "0.0.1"}


@pytest.fixture
def live(account: Account, journal: Journal) -> Release:
    """Return 0.0.1, live in blue."""
    release, blue = account.release("0.0.1"), Weights.share("blue", 100)
    before = account.first_plan(deployment="d0", execution=f"{EXECUTION}:d0")
    journal.holding.claim(before)
    account.run("blue", TaskDefinitions(account.ecs).register(account.spec, release))
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    Traffic(account.elbv2, account.spec).write(blue)
    journal.live.wrote(before, blue, at(-900))
    journal.holding.release(before.hold, at(-600))
    return release


def _plan(invoke: Invoke, given: dict[str, Any] = ASK, name: str = "d1") -> dict[str, Any]:
    return invoke("plan_release", input=given, execution=f"{EXECUTION}:{name}", deployment=name)


@pytest.fixture
def promoted(account: Account, journal: Journal, live: Release) -> Release:
    """Return the same, as the deployment that has promoted it has left the journal."""
    before = account.first_plan(deployment="d7", execution=f"{EXECUTION}:d7", stable="blue", release=live)
    journal.holding.claim(before)
    before = before.model_copy(update={"candidate": "blue"})
    (blue,) = account.ecs.describe_services(cluster="web", services=["web-blue"])["services"]
    journal.history.milestone(before.hold, "task_definition", blue["taskDefinition"])
    journal.live.promote(before, at(-900))
    journal.holding.release(before.hold, at(-600))
    return live


def test_without_a_change_there_is_nothing_to_do(invoke: Invoke, live: Release) -> None:
    """Whatever is read anew is the same."""
    assert _plan(invoke)["action"] == "nothing_to_do"


@pytest.mark.parametrize("changed", ["network", "tags"])
def test_a_change_of_the_service_alone_is_a_release(
    account: Account, invoke: Invoke, live: Release, changed: str
) -> None:
    """It goes live through the gate, as any other."""
    if changed == "tags":
        account.ecs.tag_resource(resourceArn=account.spec.like, tags=[{"key": "Team", "value": "shop"}])
    else:
        network = account.spec.pattern.settings["networkConfiguration"]["awsvpcConfiguration"]
        one_subnet = {"awsvpcConfiguration": network | {"subnets": network["subnets"][:1]}}
        account.ecs.update_service(cluster="web", service="web", networkConfiguration=one_subnet)

    answer = _plan(invoke)

    assert answer["action"] == "deploy"
    assert answer["plan"]["release"]["digest"] == live.digest


# ---- by force --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["image_tag", "image_digest", "none"])
def test_what_is_live_is_deployed_once_more_by_force(
    account: Account, invoke: Invoke, promoted: Release, named: str
) -> None:
    """As after a secret's value has changed, which no pattern shows; without an image it is the live one."""
    image = {"image_tag": promoted.version, "image_digest": promoted.digest}
    given = {"service": "web", **{key: value for key, value in image.items() if key == named}}

    plan = _plan(invoke, {**given, "force": True})["plan"]

    assert (plan["stable"], plan["candidate"]) == ("blue", "green")
    assert (plan["release"]["version"], plan["release"]["digest"]) == (promoted.version, promoted.digest)


def test_both_slots_logs_are_told_apart_where_they_run_one_release(
    account: Account, invoke: Invoke, promoted: Release
) -> None:
    """Else what users of the old tasks were answered would count for the new ones."""
    options = {"awslogs-group": "/web", "awslogs-stream-prefix": "ecs", "awslogs-region": "us-east-1"}
    account.repattern(logConfiguration={"logDriver": "awslogs", "options": options})
    prefixes = []
    for name in ("d2", "d3"):
        plan = Plan.model_validate(_plan(invoke, {"service": "web", "force": True}, name)["plan"])
        for _ in range(2):  # a try whose answer was lost is no other release
            made = invoke("register_task_definition", plan=plan.model_dump(mode="json"))["task_definition"]
            found = TaskDefinitions(account.ecs).log_streams(made, "app")
            assert found
            prefixes.append(found.prefix)
    assert prefixes[0] == prefixes[1] != prefixes[2] == prefixes[3]


def test_without_a_release_of_crossfade_force_names_no_image(account: Account, invoke: Invoke) -> None:
    """What its owner runs is no image that was released, so one is to be named."""
    with pytest.raises(errors.InvalidInput, match="is live by Crossfade, and the input names no image"):
        _plan(invoke, {"service": "web", "force": True})


def test_force_does_not_wait(account: Account, invoke: Invoke, journal: Journal, promoted: Release) -> None:
    """What waits is an image, and no more; what is being deployed is none to go back for."""
    journal.holding.claim(account.plan(release=account.release("0.0.2"), previous=running_release(promoted)))
    with pytest.raises(errors.ServiceBusy, match=r"d1\. Wait until that deployment ends"):
        _plan(invoke, {**ASK, "force": True}, "d2")


def test_force_takes_no_warm_slot_for_a_deployment(
    account: Account, invoke: Invoke, journal: Journal, promoted: Release
) -> None:
    """Its tasks have started before what has changed."""
    warm = account.spec.model_copy(update={"retire": warm_spec().retire})
    plan = account.plan(release=account.release("0.0.2"), previous=running_release(promoted))
    plan = plan.model_copy(update={"spec": warm})
    journal.holding.claim(plan)
    account.run("green", TaskDefinitions(account.ecs).register(account.spec, plan.release))
    Traffic(account.elbv2, account.spec).write(Weights.share("green", 100))
    journal.live.wrote(plan, Weights.share("green", 100), at(-900))
    journal.live.promote(plan, at(-900))
    journal.holding.release(plan.hold, at(-600))
    assert _plan(invoke, ASK)["action"] == "go_back"
    assert _plan(invoke, {**ASK, "force": True})["action"] == "deploy"


# ---- what changes ----------------------------------------------------------------------------------------


def test_the_plan_says_what_changes(
    account: Account, invoke: Invoke, journal: Journal, promoted: Release
) -> None:
    """In its reason and for the certificate: of the task definition, and of the service itself."""
    account.repattern(
        environment=[{"name": "COLOUR", "value": "green"}], definition={"cpu": "512", "memory": "1024"}
    )
    account.ecs.tag_resource(resourceArn=account.spec.like, tags=[{"key": "Team", "value": "shop"}])

    answer = _plan(invoke)

    said = [
        "containers.app.environment.COLOUR added",
        "cpu: 256 → 512",
        "memory: 512 → 1024",
        "service.tags.Team: none → shop",
    ]
    assert answer["plan"]["contents"]["changes"] == said
    assert answer["reason"] == f"0.0.1 → 0.0.1 in green: changed: {', '.join(said)}"


def test_an_image_alone_changes_nothing_else(account: Account, invoke: Invoke, promoted: Release) -> None:
    """As most releases."""
    account.push("0.0.2")
    assert _plan(invoke, {"service": "web", "image_tag": "0.0.2"})["reason"] == "0.0.1 → 0.0.2 in green"


# ---- an older release ------------------------------------------------------------------------------------


OLDER = {"service": "web", "release": 1}


@pytest.fixture
def second(account: Account, journal: Journal, promoted: Release) -> Release:
    """Return 0.0.2 with another configuration, live in green as release 2; 1 was 0.0.1."""
    account.repattern(
        environment=[{"name": "COLOUR", "value": "green"}], definition={"cpu": "512", "memory": "1024"}
    )
    release = account.release("0.0.2")
    plan = account.plan(
        release=release,
        previous=running_release(promoted).model_copy(update={"number": 1}),
        deployment="d8",
        execution=f"{EXECUTION}:d8",
        began=at(-500),
    )
    journal.holding.claim(plan)
    account.run("green", TaskDefinitions(account.ecs).register(account.spec, release))
    account.register_targets("green", "10.0.0.12", "10.0.0.13")
    account.resize("blue", 0)
    account.deregister_targets("blue", "10.0.0.10", "10.0.0.11")
    Traffic(account.elbv2, account.spec).write(Weights.share("green", 100))
    journal.live.wrote(plan, Weights.share("green", 100), at(-400))
    journal.live.promote(plan, at(-400))
    journal.holding.release(plan.hold, at(-300))
    return release


def _delete(account: Account, *task_definitions: str) -> None:
    for arn in task_definitions:
        account.ecs.deregister_task_definition(taskDefinition=arn)
    account.ecs.delete_task_definitions(taskDefinitions=list(task_definitions))


@pytest.mark.parametrize("registered", [True, False])
def test_an_older_release_comes_back_as_it_was(
    account: Account, invoke: Invoke, promoted: Release, second: Release, registered: bool
) -> None:
    """With its image and its configuration; the owner's tools remove what they replace."""
    if not registered:
        _delete(account, promoted.pattern)

    answer = _plan(invoke, OLDER)
    plan = Plan.model_validate(answer["plan"])
    made = invoke("register_task_definition", plan=answer["plan"])["task_definition"]

    assert (plan.stable, plan.candidate) == ("green", "blue")
    assert plan.release == promoted
    assert plan.contents
    assert plan.contents.changes[0] == "containers.app.environment.COLOUR removed"
    found = TaskDefinitions(account.ecs).definition(made)
    assert found["status"] == "ACTIVE"
    assert found["cpu"] == "256"
    assert not found["containerDefinitions"][0].get("environment")


def test_settings_tags_and_scaling_come_back_too(
    account: Account, invoke: Invoke, promoted: Release, second: Release
) -> None:
    """What the owner has changed since is the pattern's, and not the release's."""
    account.ecs.tag_resource(resourceArn=account.spec.like, tags=[{"key": "Team", "value": "shop"}])
    account.scale_pattern(least=3, most=9)
    plan = Plan.model_validate(_plan(invoke, OLDER)["plan"])
    assert (plan.spec.pattern.tags, plan.spec.pattern.scaling) == ({}, None)
    assert plan.spec.pattern.fingerprint == promoted.settings


def test_the_release_that_is_live_is_nothing_to_do(invoke: Invoke, second: Release) -> None:
    """By its number as by its image."""
    assert _plan(invoke, {"service": "web", "release": 2})["action"] == "nothing_to_do"


def test_a_push_after_it_is_no_older_one(
    account: Account, invoke: Invoke, journal: Journal, second: Release
) -> None:
    """The order of the pushes stays what it was."""
    plan = HeldPlan.model_validate(_plan(invoke, OLDER)["plan"])
    before = journal.state("web").newest
    journal.holding.claim(plan)
    assert journal.state("web").newest == before


def test_an_older_release_does_not_wait(
    account: Account, invoke: Invoke, journal: Journal, second: Release
) -> None:
    """What waits is an image, and no more."""
    plan = account.plan(release=account.release("0.0.3"), stable="green", candidate="blue")
    journal.holding.claim(plan.model_copy(update={"began": at(0)}))
    with pytest.raises(errors.ServiceBusy):
        _plan(invoke, OLDER, "d2")


@pytest.mark.parametrize("gone", ["number", "image", "task_definition"])
def test_what_is_gone_of_an_older_release_is_named(
    account: Account,
    invoke: Invoke,
    promoted: Release,
    second: Release,
    gone: str,
) -> None:
    """Before anything is changed."""
    given, said = OLDER, f"has no image {promoted.digest}"
    if gone == "number":
        given, said = {**OLDER, "release": 7}, "no release of that number of the last 400 days"
    elif gone == "image":
        image = [{"imageDigest": promoted.digest}]
        account.client("ecr").batch_delete_image(repositoryName="web", imageIds=image)
    else:
        own = account.ecs.list_task_definitions(familyPrefix=account.spec.family)["taskDefinitionArns"]
        _delete(account, promoted.pattern, own[0])
        said = "does not exist any more"
    with pytest.raises(errors.NotAsItWas, match=f"Release {given['release']} of web .*{said}"):
        _plan(invoke, given)


# ---- a pattern that is followed --------------------------------------------------------------------------


@pytest.fixture
def followed(account: Account, promoted: Release) -> None:
    """Let the owner choose that a change of the pattern is released by itself."""
    settings = account.spec.release.model_copy(update={"follow_pattern": True})
    account.publish(account.declared.model_copy(update={"release": settings}))


def _looks(account: Account, invoke: Invoke, clock: Clock, *minutes: float) -> list[bool]:
    """Whether an execution was begun by a look of the schedule at each of these times; each ends at once."""
    found = []
    for minute in minutes:
        clock.seconds = 60 * minute
        before = account.started().keys()
        invoke("catch_up")
        new = account.started().keys() - before
        for name in new:
            account.end(f"{EXECUTION}:{name}")
        found.append(bool(new))
    return found


def _change(account: Account, value: str = "shop") -> None:
    account.ecs.tag_resource(resourceArn=account.spec.like, tags=[{"key": "Team", "value": value}])


@pytest.mark.parametrize("changed", ["tags", "task_definition", "scaling"])
@pytest.mark.usefixtures("followed")
def test_a_change_of_the_pattern_is_released_once_it_has_settled(
    account: Account, invoke: Invoke, clock: Clock, promoted: Release, changed: str
) -> None:
    """By the live image; and once, however often is looked."""
    assert _looks(account, invoke, clock, 0) == [False]
    if changed == "tags":
        _change(account)
    elif changed == "scaling":
        account.scale_pattern()
    else:
        account.repattern(environment=[{"name": "COLOUR", "value": "green"}])
    assert _looks(account, invoke, clock, 1, 3, 6.1, 6.2, 15) == [False, False, True, False, False]
    ((name, asked),) = account.started().items()
    plan = Plan.model_validate(_plan(invoke, asked, name)["plan"])
    assert plan.release.digest == promoted.digest
    assert plan.contents
    assert plan.contents.changes


@pytest.mark.usefixtures("followed")
def test_a_pattern_that_goes_on_changing_is_waited_for(
    account: Account, invoke: Invoke, clock: Clock
) -> None:
    """An update of a stack changes one thing after the other."""
    began = []
    for minute in range(0, 12, 2):
        if minute < 6:
            _change(account, str(minute))
        began += _looks(account, invoke, clock, minute)
    assert began == [False, False, False, False, False, True]


@pytest.mark.usefixtures("followed")
def test_a_release_without_a_number_is_followed_too(
    account: Account, invoke: Invoke, clock: Clock, promoted: Release
) -> None:
    """As an earlier Crossfade has promoted it."""
    account.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"service": {"S": "web"}, "item": {"S": "state"}},
        UpdateExpression="REMOVE release_number",
    )
    assert _looks(account, invoke, clock, 0, 6) == [False, False]
    _change(account)
    assert _looks(account, invoke, clock, 10, 16) == [False, True]


@pytest.mark.usefixtures("followed")
def test_bounds_that_a_scheduled_action_sets_are_no_change(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal
) -> None:
    """Else there would be a deployment each morning and each evening."""
    scaling = account.client("application-autoscaling")
    account.scale_pattern(least=1, most=4)
    scaling.put_scheduled_action(
        **account.target_of("web"),
        ScheduledActionName="day",
        Schedule="cron(0 8 * * ? *)",
        ScalableTargetAction={"MinCapacity": 3},
    )
    assert _looks(account, invoke, clock, 0, 6) == [False, True]
    ((name, asked),) = account.started().items()
    plan = HeldPlan.model_validate(_plan(invoke, asked, name)["plan"])
    journal.holding.claim(plan)
    account.run(
        "green", invoke("register_task_definition", plan=plan.model_dump(mode="json"))["task_definition"]
    )
    journal.live.promote(plan, at(400))
    journal.holding.release(plan.hold, at(500))
    scaling.register_scalable_target(**account.target_of("web"), MinCapacity=3, MaxCapacity=4)
    assert _looks(account, invoke, clock, 20, 40) == [False, False]


@pytest.mark.usefixtures("followed")
def test_a_pattern_that_may_not_be_read_stops_no_other_service(
    account: Account, invoke: Invoke, aws: Aws
) -> None:
    """The look fails all the same, so that its alarm says so."""
    account.publish(account.declared.model_copy(update={"service": "worker"}))
    aws.refuse("DescribeServices", "AccessDeniedException")
    with pytest.raises(errors.AwsRefused, match="AccessDenied"):
        invoke("catch_up")
    assert [asked["service"] for asked in account.started().values()] == ["worker"]


@pytest.mark.parametrize("state", ["not_chosen", "busy", "waits", "unchanged", "of_its_owner"])
def test_a_pattern_is_not_followed(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, followed: None, state: str
) -> None:
    """Where that was not chosen, where another deployment takes it along, and where nothing has changed.

    Crossfade's own writes to the owner's service are no change: its count, and the slot that it leaves to it.
    """
    if state == "not_chosen":
        account.publish(account.declared)
    if state in {"unchanged", "of_its_owner"}:
        account.resize_pattern(3)
    else:
        _change(account)
    if state in {"busy", "waits"}:
        plan = account.plan(release=account.release("0.0.2")).model_copy(update={"began": at(0)})
        journal.holding.claim(plan)
        if state == "waits":
            account.waits(waiting("0.0.3"))
    if state == "of_its_owner":
        _change(account)
        account.client("dynamodb").update_item(
            TableName=TABLE,
            Key={"service": {"S": "web"}, "item": {"S": "state"}},
            UpdateExpression="SET origin = stable",
        )
    invoke("catch_up")
    before = account.started().keys()
    clock.seconds = 600
    invoke("catch_up")
    assert account.started().keys() == before


@pytest.mark.usefixtures("followed")
def test_a_configuration_that_was_tried_is_not_tried_again_until_it_changes(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal
) -> None:
    """Rolled back, or started by hand: what was refused once would be refused in a circle."""
    _change(account)
    assert _looks(account, invoke, clock, 0, 6) == [False, True]
    ((name, asked),) = account.started().items()
    plan = HeldPlan.model_validate(_plan(invoke, asked, name)["plan"])
    journal.holding.claim(plan)
    assert _looks(account, invoke, clock, 30) == [False]
    journal.holding.release(plan.hold, at(60 * 31))
    assert _looks(account, invoke, clock, 60, 24 * 60) == [False, False]
    _change(account, "another")
    assert _looks(account, invoke, clock, 25 * 60, 26 * 60) == [False, True]


@pytest.mark.usefixtures("followed")
def test_what_a_deployment_tries_stays_known_to_a_look_at_the_same_time(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal
) -> None:
    """The look has read the service while it was free."""
    _change(account)
    _looks(account, invoke, clock, 0, 6)
    ((name, asked),) = account.started().items()
    plan = HeldPlan.model_validate(_plan(invoke, asked, name)["plan"])
    assert plan.noticed
    journal.holding.claim(plan)
    journal.notice("web", plan.noticed.model_copy(update={"tried": False}))
    assert journal.state("web").noticed == plan.noticed


@pytest.mark.usefixtures("followed")
def test_a_configuration_whose_plan_was_refused_is_tried_again(
    account: Account, invoke: Invoke, clock: Clock
) -> None:
    """As an image is: no event says when the reason is gone."""
    _change(account)
    assert _looks(account, invoke, clock, 0, 6, 10, 21, 30, 51) == [False, True, False, True, False, True]


@pytest.mark.usefixtures("followed")
def test_a_service_that_is_busy_by_then_is_left_alone(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal
) -> None:
    """That is no failure: the next look sees what has become of it."""
    _change(account)
    _looks(account, invoke, clock, 0, 6)
    ((name, asked),) = account.started().items()
    journal.holding.claim(account.plan(release=account.release("0.0.2"), began=at(400)))
    answer = _plan(invoke, asked, name)
    assert answer["action"] == "ignore"
    assert "is held by" in answer["reason"]


@pytest.mark.usefixtures("followed")
def test_an_older_release_is_not_undone_by_the_pattern_of_today(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, second: Release
) -> None:
    """A person has meant its configuration; the next change of the pattern takes it away, or a push."""
    plan = HeldPlan.model_validate(_plan(invoke, OLDER)["plan"])
    account.publish(
        account.declared.model_copy(
            update={"release": account.spec.release.model_copy(update={"follow_pattern": True})}
        )
    )
    journal.holding.claim(plan)
    account.run(
        "blue", invoke("register_task_definition", plan=plan.model_dump(mode="json"))["task_definition"]
    )
    journal.live.promote(plan, at(60))
    journal.holding.release(plan.hold, at(120))
    assert _looks(account, invoke, clock, 10, 30, 24 * 60) == [False, False, False]
    _change(account)
    assert _looks(account, invoke, clock, 25 * 60, 26 * 60) == [False, True]
