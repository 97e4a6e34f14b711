"""The owner changes his ECS service and its task definition stays: the next release takes it along."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain import errors
from crossfade.domain.planning.plan import Plan, Release
from crossfade.domain.traffic.weights import Weights
from tests.unit.account import Account, running_release
from tests.unit.examples import EXECUTION, at, warm_spec
from tests.unit.handlers.conftest import Invoke

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
    journal.live.promote(before.model_copy(update={"candidate": "blue"}), at(-900))
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
