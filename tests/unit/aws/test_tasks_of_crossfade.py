"""Task definitions and the probe task: registered, started and stopped, each as often as one likes."""

import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from crossfade.aws.probe_tasks import ATTEMPTS, Asked, ProbeTasks
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.aws.unknown_fields import tell_unknown_fields
from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.planning.task_definition import COPIED
from crossfade.domain.spec.placed import Placed
from probe.settings import read_settings
from tests.unit.account import PROBE, SESSION, SPECS, Account, running_release
from tests.unit.examples import EXECUTION, ROLLBACKS, at

ROLES = ("arn:aws:iam::123456789012:role/crossfade/tasks/*",)


def _revisions(account: Account) -> list[str]:
    return account.ecs.list_task_definitions(familyPrefix="crossfade-web", status="ACTIVE")[
        "taskDefinitionArns"
    ]


def test_registering_twice_is_registering_once(account: Account) -> None:
    """The newest revision tells by its tags that it is the release."""
    definitions, release = TaskDefinitions(account.ecs), account.release("0.0.2")
    arn = definitions.register(account.spec, release)
    assert arn == definitions.register(account.spec, release)
    assert definitions.release(arn) == running_release(release)


def test_an_older_release_is_registered_anew(account: Account) -> None:
    """Going back to it is a release like any other."""
    definitions = TaskDefinitions(account.ecs)
    old, new = account.release("0.0.1"), account.release("0.0.2")
    arns = [definitions.register(account.spec, release) for release in (old, new, old)]
    assert len(set(arns)) == 3


def test_a_release_that_logs_elsewhere_is_registered_anew(account: Account) -> None:
    """An earlier Crossfade registered it, and its streams are not told from the other slot's."""
    options = {"awslogs-group": "/crossfade/web", "awslogs-stream-prefix": "ecs"}
    logs = {"logDriver": "awslogs", "options": options}
    account.repattern(logConfiguration=logs)
    definitions, release = TaskDefinitions(account.ecs), account.release("0.0.2")
    first = definitions.register(account.spec, release)
    found = account.ecs.describe_task_definition(taskDefinition=first, include=["TAGS"])
    container = found["taskDefinition"]["containerDefinitions"][0] | {"logConfiguration": logs}
    account.ecs.register_task_definition(
        family="crossfade-web", containerDefinitions=[container], tags=found["tags"]
    )
    again = definitions.register(account.spec, release)
    assert definitions.log_streams(again, "app") == definitions.log_streams(first, "app")
    assert [first, again] == [_revisions(account)[place] for place in (0, 2)]


def test_a_revision_that_a_person_made_of_a_release_is_not_it(account: Account) -> None:
    """The console makes a new revision with the old one's tags; what was changed in it is not the release."""
    definitions, release = TaskDefinitions(account.ecs), account.release("0.0.2")
    first = definitions.register(account.spec, release)
    found = account.ecs.describe_task_definition(taskDefinition=first, include=["TAGS"])
    container = found["taskDefinition"]["containerDefinitions"][0]
    variable = {"name": "DEBUG", "value": "1"}
    _register_like(account, found, containerDefinitions=[container | {"environment": [variable]}])

    again = definitions.register(account.spec, release)

    described = account.ecs.describe_task_definition(taskDefinition=again)["taskDefinition"]
    assert described["containerDefinitions"] == [container]


def test_a_revision_of_an_earlier_crossfade_is_not_taken_again(account: Account) -> None:
    """It had no tags of the pattern's, and one image of several."""
    own = {"name": "migrate", "image": account.release("0.0.1").image, "memory": 512}
    account.repattern(own, tags={"CostCenter": "7"})
    definitions, release = TaskDefinitions(account.ecs), account.release("0.0.2")
    wanted = definitions.register(account.spec, release)
    found = account.ecs.describe_task_definition(taskDefinition=wanted, include=["TAGS"])
    found["tags"] = [tag for tag in found["tags"] if tag["key"] != "CostCenter"]
    _register_like(account, found)
    assert definitions.register(account.spec, release) not in _revisions(account)[:2]


def _register_like(account: Account, found: dict[str, Any], **changes: Any) -> None:
    """Register what was described, changed, in the same family."""
    definition = found["taskDefinition"]
    copied = {key: definition[key] for key in COPIED if definition.get(key)}
    containers = {"containerDefinitions": definition["containerDefinitions"]}
    account.ecs.register_task_definition(
        family="crossfade-web", tags=found["tags"], **copied | containers | changes
    )


def test_an_init_container_runs_the_pushed_image_too(account: Account) -> None:
    """A migration of the version before would be run by the release."""
    old = account.release("0.0.1").image.partition("@")[0] + ":0.0.1"
    init = {"name": "migrate", "image": old, "memory": 128, "essential": False}
    proxy = {"name": "proxy", "image": "proxy:1", "memory": 128}
    account.repattern(init, proxy)
    release = account.release("0.0.2")

    arn = TaskDefinitions(account.ecs).register(account.spec, release)

    found = account.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    images = {one["name"]: one["image"] for one in found["containerDefinitions"]}
    assert images == {"app": release.image, "migrate": release.image, "proxy": "proxy:1"}


def test_the_patterns_tags_are_kept(account: Account) -> None:
    """AWS's own can be set by nobody, and would be refused."""
    tags = {"CostCenter": "7", "crossfade:version": "of-the-pattern"}
    account.repattern(tags=tags)
    describe = account.ecs.describe_task_definition
    release = account.release("0.0.2")

    def with_aws_tags(**given: Any) -> dict[str, Any]:
        answer: dict[str, Any] = describe(**given)
        answer["tags"].append({"key": "aws:cloudformation:stack-name", "value": "web"})
        return answer

    with patch.object(account.ecs, "describe_task_definition", with_aws_tags):
        arn = TaskDefinitions(account.ecs).register(account.spec, release)

    registered = account.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])["tags"]
    found = {tag["key"]: tag["value"] for tag in registered}
    assert found == {
        "CostCenter": "7",
        "crossfade:version": "0.0.2",
        "crossfade:digest": release.digest,
        "crossfade:pattern": account.spec.pattern.task_definition,
        "crossfade:settings": account.spec.pattern.fingerprint,
        "crossfade:cluster": "web",
        "crossfade:spec": f"{SPECS}web",
    }


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"portMappings": [{"containerPort": 3000}]}, "maps 3000, .* at 8080", id="port"),
        pytest.param(
            {"definition": {"requiresCompatibilities": ["EC2"], "networkMode": "bridge"}},
            "it is for EC2, .* networkMode is bridge",
            id="ec2-and-bridge",
        ),
    ],
)
def test_what_cannot_run_is_refused_by_the_plan(account: Account, changes: Any, named: str) -> None:
    """It was left to AWS, which refused it when the deployment was under way."""
    spec = account.repattern(**changes)
    with pytest.raises(PatternUnusable, match=named):
        TaskDefinitions(account.ecs).check(spec, account.release("0.0.2"), ROLES)


def test_what_boto3_would_drop_is_told(account: Account) -> None:
    """ECS is newer than Lambda's boto3: what that does not know is in no answer, and so in no release."""
    ecs = SESSION.client("ecs")
    tell_unknown_fields(ecs)
    tell_unknown_fields(ecs)  # once more is no more
    raw = {
        "taskDefinition": {
            "taskDefinitionArn": account.spec.pattern.task_definition,
            "compatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": "arn:aws:iam::123456789012:role/crossfade/tasks/web",
            "containerDefinitions": [
                {
                    "name": "app",
                    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1",
                    "portMappings": [{"containerPort": 8080, "newest": "x"}],
                    "sandboxed": True,
                    "quiet": False,
                }
            ],
            "schedule": {"at": "night"},
        },
        "tags": [],
    }
    body = json.dumps(raw).encode()
    answer = AWSResponse(
        "https://ecs.us-east-1.amazonaws.com", 200, {}, SimpleNamespace(stream=lambda: [body])
    )
    ecs.meta.events.register_first("before-send.ecs.DescribeTaskDefinition", lambda **_: answer)

    checked = TaskDefinitions(ecs).check(account.spec, account.release("0.0.2"), ROLES)

    assert checked.contents.left_out == (
        "containerDefinitions.app.portMappings.0.newest",
        "containerDefinitions.app.sandboxed",
        "schedule",
    )


def test_a_refused_question_has_no_unknown_fields(account: Account) -> None:
    """There is no task definition in such an answer."""
    ecs = SESSION.client("ecs")
    tell_unknown_fields(ecs)
    with pytest.raises(ClientError, match="Unable to describe task definition"):
        ecs.describe_task_definition(taskDefinition=f"{account.spec.pattern.task_definition}0")


def test_the_image_is_pinned_and_the_rest_is_the_patterns(account: Account) -> None:
    """What runs is what was pushed."""
    release = account.release("0.0.2")
    arn = TaskDefinitions(account.ecs).register(account.spec, release)
    found = account.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    container = found["containerDefinitions"][0]
    assert (container["image"], container["stopTimeout"]) == (release.image, 60)


def test_what_others_registered_is_unknown(account: Account) -> None:
    """The pattern's own, for one."""
    assert TaskDefinitions(account.ecs).release(account.spec.pattern.task_definition) is None


def test_checking_changes_nothing(account: Account) -> None:
    """A plan may still be refused."""
    before = _revisions(account)
    TaskDefinitions(account.ecs).check(account.spec, account.release("0.0.2"), ROLES)
    assert before == _revisions(account)


def test_a_pattern_that_is_gone_is_unusable(account: Account) -> None:
    """Its service was updated in the moment since it was read; the sentence says what to deploy."""
    missing = account.spec.pattern.model_copy(
        update={"task_definition": f"{account.spec.pattern.task_definition}7"}
    )
    gone = account.spec.model_copy(update={"pattern": missing})
    with pytest.raises(PatternUnusable, match="does not exist"):
        TaskDefinitions(account.ecs).check(gone, account.release("0.0.2"), ROLES)


@pytest.mark.parametrize(("ask", "given"), [("check", (ROLES,)), ("register", ())])
def test_other_refusals_are_passed_on(
    account: Account, monkeypatch: pytest.MonkeyPatch, ask: str, given: tuple[Any, ...]
) -> None:
    """A refused question does not mean that there is no task definition."""
    release = account.release("0.0.2")

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeTaskDefinition")

    monkeypatch.setattr(account.ecs, "describe_task_definition", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(TaskDefinitions(account.ecs), ask)(account.spec, release, *given)


def _deregister(definitions: TaskDefinitions, account: Account) -> None:
    for release in definitions.releases(account.spec, account.spec.parameter):
        definitions.deregister(release)


def test_a_deleted_service_leaves_no_release(account: Account) -> None:
    """Twice; the pattern's is its owner's and stays."""
    definitions = TaskDefinitions(account.ecs)
    definitions.register(account.spec, account.release("0.0.2"))
    for _ in range(2):
        _deregister(definitions, account)
    assert _revisions(account) == []
    assert account.ecs.describe_task_definition(taskDefinition="web-stack")


def test_what_crossfade_did_not_register_stays(account: Account) -> None:
    """A family is shared by all who name a service so: a person, and a service of another cluster."""
    container = {"name": "app", "image": "app", "memory": 512}
    account.ecs.register_task_definition(family="crossfade-web", containerDefinitions=[container])
    staging = account.spec.like.replace("service/web/", "service/staging/")
    theirs = account.spec.model_copy(update={"like": staging})
    definitions, release = TaskDefinitions(account.ecs), account.release("0.0.2")
    other = definitions.register(theirs, release)
    own = definitions.register(account.spec, release)
    before = _revisions(account)

    _deregister(definitions, account)

    assert set(before) - set(_revisions(account)) == {own}
    assert other in _revisions(account)


def test_what_the_owners_service_runs_stays(account: Account) -> None:
    """It has left Crossfade; of a deregistered revision no update could be made any more."""
    definitions = TaskDefinitions(account.ecs)
    left = definitions.register(account.spec, account.release("0.0.2"))
    account.ecs.update_service(cluster="web", service="web", taskDefinition=left)
    definitions.register(account.spec, account.release("0.0.3"))

    _deregister(definitions, account)

    assert _revisions(account) == [left]


@pytest.mark.parametrize("gone", ["service", "cluster"])
def test_without_the_owners_service_every_release_goes(
    account: Account, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """Its stack may be deleted first, and the cluster with it."""
    definitions = TaskDefinitions(account.ecs)
    definitions.register(account.spec, account.release("0.0.2"))

    def missing(**_: Any) -> dict[str, Any]:
        if gone == "cluster":
            raise ClientError(
                {"Error": {"Code": "ClusterNotFoundException", "Message": ""}}, "DescribeServices"
            )
        return {"services": []}

    monkeypatch.setattr(account.ecs, "describe_services", missing)
    _deregister(definitions, account)
    assert _revisions(account) == []


def test_the_image_of_a_container(account: Account) -> None:
    """As it is written; nothing of one that is not there."""
    definitions, arn = TaskDefinitions(account.ecs), account.spec.pattern.task_definition
    assert definitions.image(arn, "app").endswith("/web:0.0.0")
    assert definitions.image(arn, "proxy") == ""


@pytest.fixture
def probes(account: Account) -> ProbeTasks:
    """Return the account's probe tasks."""
    return ProbeTasks(account.ecs, account.spec)


def _ask(probes: ProbeTasks, plan: HeldPlan, attempt: int = 1, ask: int = 1) -> Asked:
    return probes.start(plan, attempt, ask, task_definition=PROBE, container="probe", log_group="ledger")


def _start(probes: ProbeTasks, plan: HeldPlan, attempt: int = 1) -> str:
    task = _ask(probes, plan, attempt).task
    assert task
    return task


def _stopped(probes: ProbeTasks, task: str) -> str | None:
    return probes.stopped(task, asked=at(0), now=at(0))


def _environment(account: Account, task: str) -> dict[str, str]:
    found = account.ecs.describe_tasks(cluster=account.spec.cluster, tasks=[task])["tasks"][0]
    (container,) = found["overrides"]["containerOverrides"]
    return {pair["name"]: pair["value"] for pair in container["environment"]}


def test_a_probe_is_told_all_by_its_environment(account: Account, probes: ProbeTasks) -> None:
    """Names as the probe reads them; the deadline is the longest deployment's."""
    environment = _environment(account, _start(probes, account.plan()))
    lanes = json.loads(environment.pop("PROBE_LANES"))
    assert environment == {
        "PROBE_DEPLOYMENT": "d1",
        "PROBE_LOG_GROUP": "ledger",
        "PROBE_LOG_STREAM": "web/d1",
        "PROBE_DEADLINE_SECONDS": "14400",
        "PROBE_TIMEOUT_SECONDS": "5",
        "PROBE_SECRET_PARAMETER": "/Staging/preview/web",
    }
    assert [(lane["name"], lane["starts"], lane["pauses"], lane["headers"]) for lane in lanes] == [
        ("production", "at_once", False, {}),
        ("blue", "at_once", True, {"x-crossfade-slot": "{secret}-blue"}),
        ("green", "when_answered", True, {"x-crossfade-slot": "{secret}-green"}),
    ]
    assert {lane["url"] for lane in lanes} == {"http://web.example:80/version"}


def test_production_behind_a_login_is_met_by_the_rule_without_it(account: Account) -> None:
    """The third preview rule leads where users get to."""
    spec = account.spec.model_copy(update={"login_bypass": True})
    plan = account.plan().model_copy(update={"spec": spec})
    environment = _environment(account, _start(ProbeTasks(account.ecs, spec), plan))
    assert json.loads(environment["PROBE_LANES"])[0]["headers"] == {"x-crossfade-slot": "{secret}-live"}


def test_a_probe_asks_as_the_spec_says(account: Account) -> None:
    """Each lane: where to connect to, what to send, where the version is, and what is good."""
    probe = {"connect_to": "lb.example", "headers": {"X-Probe": "1"}}
    version = {"path": "/", "from": {"header": "X-Version"}, "ok": ["200-299", "302"]}
    spec = Placed.model_validate(
        account.spec.model_dump() | {"version": version, "probe": account.spec.probe.model_dump() | probe}
    )
    probes, plan = ProbeTasks(account.ecs, spec), account.plan().model_copy(update={"spec": spec})
    lanes = json.loads(_environment(account, _start(probes, plan))["PROBE_LANES"])
    assert {lane["connect_to"] for lane in lanes} == {"lb.example"}
    assert {lane["version_from"] for lane in lanes} == {"header:X-Version"}
    assert [lane["ok"] for lane in lanes] == 3 * [["200-299", "302"]]
    assert lanes[0]["url"] == "http://web.example:80/"
    assert [lane["headers"] for lane in lanes] == [
        {"X-Probe": "1"},
        {"X-Probe": "1", "x-crossfade-slot": "{secret}-blue"},
        {"X-Probe": "1", "x-crossfade-slot": "{secret}-green"},
    ]


def test_the_probe_understands_what_it_is_told(account: Account, probes: ProbeTasks) -> None:
    """Both are built from one source, and deployed one after the other."""
    settings = read_settings(_environment(account, _start(probes, account.plan())))
    assert [lane.name for lane in settings.lanes] == ["production", "blue", "green"]


def test_lanes_of_a_first_release_wait_for_an_answer(account: Account, probes: ProbeTasks) -> None:
    """Before it nobody answers, and that is no failure."""
    environment = _environment(account, _start(probes, account.first_plan()))
    assert {lane["starts"] for lane in json.loads(environment["PROBE_LANES"])} == {"when_answered"}


def test_starting_twice_is_starting_once(account: Account, probes: ProbeTasks) -> None:
    """The second start finds the first one's task."""
    assert _start(probes, account.plan()) == _start(probes, account.plan())


def test_a_probe_that_died_is_started_once_more(account: Account, probes: ProbeTasks) -> None:
    """Under a name of its own, and that one once as well; it writes to the same ledger."""
    first = _start(probes, account.plan())
    second = _start(probes, account.plan(), attempt=2)
    assert first != second
    assert second == _start(probes, account.plan(), attempt=2)
    assert _environment(account, first) == _environment(account, second)


def test_a_rollback_has_a_probe_of_its_own(account: Account, probes: ProbeTasks) -> None:
    """The execution counts, and not the deployment."""
    mine = account.plan(holder=f"{ROLLBACKS}:mine")
    assert _start(probes, account.plan()) != _start(probes, mine)


def test_whoever_has_started_a_probe_is_enough_to_stop_it(account: Account, probes: ProbeTasks) -> None:
    """Every attempt of every execution; other deployments' probes run on."""
    mine = account.plan(holder=f"{ROLLBACKS}:mine")
    started = [_start(probes, account.plan()), _start(probes, account.plan(), 2), _start(probes, mine, 2)]
    theirs = _start(probes, account.plan(execution=f"{EXECUTION}:d2"))
    assert probes.stop_all([account.plan().holder, mine.holder]) == started
    assert all(_stopped(probes, task) for task in started)
    assert _stopped(probes, theirs) is None


def test_where_no_probe_runs_none_is_stopped(probes: ProbeTasks) -> None:
    """Nor is one looked for that nobody has started."""
    assert probes.stop_all([f"{EXECUTION}:d1"]) == []
    assert probes.stop_all([]) == []


def test_each_deployment_has_a_probe_of_its_own(account: Account, probes: ProbeTasks) -> None:
    """Known by a name that ECS takes, whatever the execution is called."""
    names = ["deploy-0.0.2", "deploy 'x'!", "d" * 80 + "1", "d" * 80 + "2"]
    plans = [account.plan(deployment=name, execution=f"{EXECUTION}:{name}") for name in names]
    tasks = [_start(probes, plan, attempt) for plan in plans for attempt in ATTEMPTS]
    found = account.ecs.describe_tasks(cluster=account.spec.cluster, tasks=tasks)["tasks"]
    assert len({task["startedBy"] for task in found}) == len(names) * len(ATTEMPTS)
    for task in found:
        assert len(task["startedBy"]) <= 64
        assert task["startedBy"].replace("-", "").isalnum()


def test_a_probe_that_has_no_place_is_asked_for_by_a_new_token(
    account: Account, probes: ProbeTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RunTask can answer 200 and run nothing, and gives the same answer to the same token again.

    Whatever number it has, the task is known by who started it.
    """
    asked: list[dict[str, Any]] = []
    answer = {"tasks": [], "failures": [{"reason": "RESOURCE:ENI\n"}]}
    monkeypatch.setattr(account.ecs, "run_task", lambda **given: asked.append(given) or answer)
    for ask in (1, 1, 2, 100):
        assert _ask(probes, account.plan(), ask=ask) == Asked(None, r"RESOURCE:ENI\n")
    tokens = [given["clientToken"] for given in asked]
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3
    assert max(map(len, tokens)) <= 64
    assert len({given["startedBy"] for given in asked}) == 1


def test_a_running_probe_has_not_stopped(account: Account, probes: ProbeTasks) -> None:
    """Until it is stopped; stopping twice is harmless."""
    task = _start(probes, account.plan())
    assert _stopped(probes, task) is None
    probes.stop(task)
    probes.stop(task)
    assert _stopped(probes, task) is not None


@pytest.mark.parametrize("asked", [None, 0], ids=["nobody-knows-when", "a-minute-ago"])
def test_a_task_that_ecs_forgot_has_stopped(
    account: Account, probes: ProbeTasks, monkeypatch: pytest.MonkeyPatch, asked: float | None
) -> None:
    """ECS forgets stopped tasks after an hour or so."""
    monkeypatch.setattr(account.ecs, "describe_tasks", lambda **_: {"tasks": []})
    moment = None if asked is None else at(asked)
    assert probes.stopped("task", asked=moment, now=at(60)) == "ECS no longer knows the task"


def test_a_task_that_ecs_does_not_show_yet_has_not_stopped(
    account: Account, probes: ProbeTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a minute after it was asked for."""
    missing = {"tasks": [], "failures": [{"arn": "task", "reason": "MISSING"}]}
    monkeypatch.setattr(account.ecs, "describe_tasks", lambda **_: missing)
    assert probes.stopped("task", asked=at(0), now=at(59)) is None


@pytest.mark.parametrize(("code", "passed_on"), [("InvalidParameterException", False), ("Other", True)])
def test_stopping_what_is_forgotten_is_harmless(
    account: Account, probes: ProbeTasks, monkeypatch: pytest.MonkeyPatch, code: str, passed_on: bool
) -> None:
    """Other refusals are passed on."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "StopTask")

    monkeypatch.setattr(account.ecs, "stop_task", refuse)
    if passed_on:
        with pytest.raises(ClientError):
            probes.stop("task")
    else:
        assert not probes.stop("task")
