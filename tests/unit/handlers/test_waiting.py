"""What waits for its turn, what is started then, and what nobody has heard of."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.domain import errors
from crossfade.domain.journal import DELETION, Waiting
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from tests.unit.account import SPECS, Account
from tests.unit.examples import EXECUTION, NEWER, OLD, at, release, waiting
from tests.unit.handlers.conftest import Aws, Clock, Invoke

FIRST = waiting()
WAITS = f"0.0.3 waits until web is free; then {FIRST.deployment} deploys it, unless a newer one comes."
SECOND = waiting(version="0.0.4", digest=OLD, seconds=40, execution=f"{EXECUTION}:w2")


@pytest.fixture
def held(account: Account, journal: Journal) -> HeldPlan:
    """Return a deployment that holds the service."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    return plan


# ---- QueueRelease ---------------------------------------------------------------------------------------


def test_a_release_is_queued(invoke: Invoke, journal: Journal, held: HeldPlan) -> None:
    """Twice it is the same."""
    for _ in range(2):
        answer = invoke("queue_release", service="web", waiting=FIRST)
        assert answer == {"action": "queued", "reason": WAITS}
    assert journal.state("web").waiting == FIRST


def test_who_waits_is_told_for_whom(invoke: Invoke, held: HeldPlan) -> None:
    """In the words of the plan, which has seen who holds the service."""
    answer = invoke("queue_release", service="web", waiting=FIRST, held=f"{held.execution} holds web")
    assert answer["reason"] == f"{WAITS} {held.execution} holds web."


def test_only_the_newest_waits(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """Whom it drops is told, and stands in the journal."""
    invoke("queue_release", service="web", waiting=FIRST)
    clock.seconds = 45
    answer = invoke("queue_release", service="web", waiting=SECOND)
    assert answer["reason"].startswith("0.0.4 waits until web is free; then waited-")
    assert answer["reason"].endswith(" 0.0.3, which waited, is dropped.")
    assert journal.state("web").waiting == SECOND
    item = account.item("deployment#w1")
    assert (item["outcome"], item["ended"]) == ("dropped", iso(at(45)))


def test_the_same_image_drops_nobody(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """It was asked for once more, and waits as the last one who asked wants it."""
    again = FIRST.model_copy(update={"execution": f"{EXECUTION}:w2", "at": at(40)})
    invoke("queue_release", service="web", waiting=FIRST)
    assert "is dropped" not in invoke("queue_release", service="web", waiting=again)["reason"]
    assert journal.state("web").waiting == again
    assert account.item("deployment#w1") == {}


def test_a_service_that_was_freed_meanwhile_is_planned_anew(
    invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Nobody would start what waits for a free service."""
    journal.holding.release(held.hold, at(60))
    with pytest.raises(errors.ServiceChanged, match="was freed"):
        invoke("queue_release", service="web", waiting=FIRST)
    state = journal.state("web")
    assert (state.holder, state.waiting, state.freed) == (None, None, at(60))


# ---- StartNext ------------------------------------------------------------------------------------------


def _waits(account: Account, journal: Journal, plan: HeldPlan, found: Waiting = FIRST) -> None:
    """Let a release wait for a service that was freed."""
    account.waits(found)
    journal.holding.release(plan.hold, at(60))


def test_what_waits_is_started(account: Account, invoke: Invoke, journal: Journal, held: HeldPlan) -> None:
    """With tag and digest, and its place in time: it gives way to whatever is pushed later."""
    _waits(account, journal, held)
    assert invoke("start_next", service="web") == {"started": ["web 0.0.3"]}
    (asked,) = account.started().values()
    assert asked == {
        "service": "web",
        "image_tag": "0.0.3",
        "image_digest": NEWER,
        "asked": iso(at(30)),
        "asked_by": FIRST.execution,
    }
    assert journal.state("web").waiting is None


def test_where_nothing_waits_nothing_is_started(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Twice as well; and for a service that never was deployed."""
    _waits(account, journal, held)
    invoke("start_next", service="web")
    assert invoke("start_next", service="web") == {"started": []}
    assert invoke("start_next", service="shop") == {"started": []}
    assert len(account.started()) == 1


def test_what_waits_for_a_held_service_waits_on(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Another deployment was quicker: what waits is started at its end."""
    account.waits(FIRST)
    for service in ("web", None):
        assert invoke("start_next", service=service) == {"started": []}
    assert journal.state("web").waiting == FIRST
    assert account.started() == {}


def test_all_services_are_looked_at(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """By a rollback that does not know which one was forgotten."""
    account.publish(account.spec.model_copy(update={"service": "shop"}))
    _waits(account, journal, held)
    assert invoke("start_next", service=None) == {"started": ["web 0.0.3"]}


def test_what_waits_for_a_service_without_a_spec_is_started(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Its plan says that the spec is gone: the release is not forgotten without a word."""
    account.unpublish("web")
    _waits(account, journal, held)
    assert invoke("start_next", service=None) == {"started": ["web 0.0.3"]}
    ((name, asked),) = account.started().items()
    with pytest.raises(errors.UnknownService, match="There is no service web"):
        invoke("plan_release", input=asked, execution=f"{EXECUTION}:{name}", deployment=name)


def test_a_start_that_was_cut_off_is_done_once(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan
) -> None:
    """The execution was started, and still stands in the line: the second try finds it, ended or not."""
    _waits(account, journal, held)
    aws.refuse("UpdateItem", "ThrottlingException")
    with pytest.raises(errors.AwsUnavailable):
        invoke("start_next", service="web")
    assert journal.state("web").waiting == FIRST
    first = account.started()
    aws.allow("UpdateItem")
    account.end(f"{EXECUTION}:{next(iter(first))}")
    invoke("start_next", service="web")
    assert account.started() == first
    assert journal.state("web").waiting is None


def test_two_that_have_waited_are_two(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Even of the same image: whoever has asked is told apart."""
    _waits(account, journal, held)
    invoke("start_next", service="web")
    account.waits(FIRST.model_copy(update={"execution": f"{EXECUTION}:w9"}))
    invoke("start_next", service="web")
    assert len(account.started()) == 2


def test_what_was_started_and_not_yet_dequeued_is_deployed(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """It does not wait for itself."""
    found = account.release("0.0.3")
    _waits(account, journal, held, waiting(digest=found.digest))
    invoke("start_next", service="web")
    ((name, asked),) = account.started().items()
    account.waits(waiting(digest=found.digest))
    answer = invoke("plan_release", input=asked, execution=f"{EXECUTION}:{name}", deployment=name)
    assert (answer["action"], answer["plan"]["release"]["digest"]) == ("deploy", found.digest)


def test_a_new_configuration_that_has_waited_is_deployed(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal
) -> None:
    """The pattern was changed while its image was deployed: from the wait to the plan nothing is lost."""
    image = account.release("0.0.2").model_copy(update={"pushed": at(-60)})
    plan = account.first_plan(release=image)
    journal.holding.claim(plan)
    newer = account.repattern(stopTimeout=90).pattern.task_definition
    ask = {"service": "web", "image_tag": "0.0.2"}
    busy = invoke("plan_release", input=ask, execution=f"{EXECUTION}:w1", deployment="w1")
    assert busy["action"] == "busy"
    invoke("queue_release", service="web", waiting=busy["waiting"])
    journal.holding.release(plan.hold, at(60))
    invoke("start_next", service="web")
    ((name, asked),) = account.started().items()
    answer = invoke("plan_release", input=asked, execution=f"{EXECUTION}:{name}", deployment=name)
    assert answer["plan"]["release"]["pattern"] == newer


# ---- the schedule's function ----------------------------------------------------------------------------


def _pushed(aws: Aws, seconds: float) -> None:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for image in answer["imageDetails"]:
            image["imagePushedAt"] = at(seconds)
        return answer

    aws.edit("DescribeImages", edit)


def test_an_image_that_nobody_has_heard_of_is_deployed(account: Account, invoke: Invoke, aws: Aws) -> None:
    """Its push event never came; the time of its push is its place in the line."""
    digest = account.push("0.0.3")
    _pushed(aws, 20)
    assert invoke("catch_up") == {"started": ["web 0.0.3"]}
    (asked,) = account.started().values()
    assert asked == {"service": "web", "image_tag": "0.0.3", "image_digest": digest, "asked": iso(at(20))}


def test_what_is_started_so_is_planned(account: Account, invoke: Invoke) -> None:
    """As any push is."""
    digest = account.push("0.0.3")
    invoke("catch_up")
    ((name, asked),) = account.started().items()
    answer = invoke("plan_release", input=asked, execution=f"{EXECUTION}:{name}", deployment=name)
    assert (answer["action"], answer["plan"]["release"]["digest"]) == ("deploy", digest)


def _catch_up(account: Account, invoke: Invoke) -> int:
    """How many executions a look starts; each of them ends without a claim, as one that is refused does."""
    before = account.started()
    invoke("catch_up")
    new = account.started().keys() - before.keys()
    for name in new:
        account.end(f"{EXECUTION}:{name}")
    return len(new)


def test_what_was_refused_is_tried_again(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal
) -> None:
    """Say that the service stood at 0 tasks: once it was scaled up again, the image is deployed."""
    digest = account.push("0.0.3")
    _pushed(aws, 0)
    assert _catch_up(account, invoke) == 1
    clock.seconds = 15 * 60
    assert invoke("catch_up") == {"started": ["web 0.0.3"]}
    newest = next(name for name in account.started() if account.runs(f"{EXECUTION}:{name}"))
    answer = invoke(
        "plan_release", input=account.started()[newest], execution=f"{EXECUTION}:m", deployment="m"
    )
    assert (answer["action"], answer["plan"]["release"]["digest"]) == ("deploy", digest)


def test_what_is_refused_all_the_time_makes_little_noise(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock
) -> None:
    """A look every quarter of an hour for two days: the waits grow from a quarter of an hour to six hours."""
    account.push("0.0.3")
    _pushed(aws, 0)
    began, ended = [], set()
    for minutes in range(0, 2 * 24 * 60, 15):
        clock.seconds = 60 * minutes
        if invoke("catch_up")["started"]:
            began.append(minutes)
            (name,) = account.started().keys() - ended
            ended.add(name)
            account.end(f"{EXECUTION}:{name}")
    assert account.started().keys() == ended
    assert began[:7] == [0, 15, 45, 105, 225, 465, 825]
    assert len(began) <= 13


def test_what_was_tried_and_taken_back_is_not_tried_again(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal
) -> None:
    """Its plan was claimed; whoever wants it all the same starts it by hand."""
    digest = account.push("0.0.3")
    _pushed(aws, 0)
    assert _catch_up(account, invoke) == 1
    plan = account.first_plan(release=release("0.0.3", digest, at(0)))
    journal.holding.claim(plan)
    journal.holding.release(plan.hold, at(60))
    clock.seconds = 24 * 3600
    assert _catch_up(account, invoke) == 0


@pytest.mark.parametrize(
    "known",
    [
        pytest.param("live", id="already-live"),
        pytest.param("running", id="is-being-deployed"),
        pytest.param("waits", id="waits"),
        pytest.param("tried", id="was-rolled-back"),
        pytest.param("newer-tried", id="a-later-push-was-tried"),
    ],
)
def test_what_is_known_is_not_started(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, known: str
) -> None:
    """The image was pushed after 20 s, and is the newest in the repository."""
    digest = account.push("0.0.3")
    _pushed(aws, 20)
    image = release("0.0.3", digest, at(20))
    if known == "waits":
        image = release(pushed=at(10))
    if known == "newer-tried":
        image = release(pushed=at(21))
    plan = account.first_plan(release=image)
    journal.holding.claim(plan)
    if known == "waits":
        account.waits(waiting(digest=digest, seconds=20))
    elif known == "live":
        journal.live.promote(plan, at(50))
    if known not in {"waits", "running"}:
        journal.holding.release(plan.hold, at(60))
    assert invoke("catch_up") == {"started": []}
    assert account.started() == {}


@pytest.mark.parametrize("tags", [[], ["latest"]], ids=["no-image", "no-matching-tag"])
def test_where_nothing_was_pushed_nothing_is_missed(
    account: Account, invoke: Invoke, tags: list[str]
) -> None:
    """Only tags that the spec deploys count."""
    for tag in tags:
        account.push(tag)
    assert invoke("catch_up") == {"started": []}


def _second_service(account: Account, **changes: Any) -> None:
    account.publish(account.spec.model_copy(update={"service": "shop", **changes}))


def test_one_service_may_be_named(account: Account, invoke: Invoke) -> None:
    """Else all are looked at."""
    account.push("0.0.3")
    _second_service(account)
    assert invoke("catch_up", service="shop") == {"started": ["shop 0.0.3"]}
    assert "web 0.0.3" in invoke("catch_up")["started"]
    assert sorted(asked["service"] for asked in account.started().values()) == ["shop", "web"]


def test_a_service_that_is_named_has_to_be_there(account: Account, invoke: Invoke) -> None:
    """That nothing was missed would be no answer."""
    with pytest.raises(errors.UnknownService, match=r"no service wbe: .* Known services: web"):
        invoke("catch_up", service="wbe")


def test_long_names_of_services_are_told_apart(account: Account, invoke: Invoke) -> None:
    """An execution's name is shorter than a service's may be."""
    account.push("0.0.3")
    services = [f"{'a' * 62}{n}" for n in range(2)]
    for service in services:
        account.publish(account.spec.model_copy(update={"service": service}))
        invoke("catch_up", service=service)
    assert sorted(asked["service"] for asked in account.started().values()) == services


def test_a_malformed_spec_stops_nobody_else(account: Account, invoke: Invoke) -> None:
    """It is left out, and said so in the log."""
    account.push("0.0.3")
    account.ssm.put_parameter(Name=f"{SPECS}broken", Value='{"service": 1}', Type="String")
    account.ssm.put_parameter(Name=f"{SPECS}secret", Value="{}", Type="SecureString")
    assert invoke("catch_up") == {"started": ["web 0.0.3"]}


def test_a_repository_that_is_gone_stops_nobody_else(account: Account, invoke: Invoke) -> None:
    """Of a service whose stack is half deleted, say."""
    account.push("0.0.3")
    _second_service(account, release=account.spec.release.model_copy(update={"repository": "gone"}))
    assert invoke("catch_up") == {"started": ["web 0.0.3"]}


def test_nothing_is_caught_up_with_while_the_service_goes(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Should it be started all the same, its plan is refused."""
    digest = account.push("0.0.3")
    journal.holding.seize("web", DELETION)
    invoke("catch_up")
    asked = {"service": "web", "image_tag": "0.0.3", "image_digest": digest, "asked": iso(at(20))}
    with pytest.raises(errors.ServiceBusy, match=DELETION):
        invoke("plan_release", input=asked, execution=f"{EXECUTION}:d9", deployment="d9")
