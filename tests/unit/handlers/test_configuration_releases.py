"""The owner changes his ECS service and its task definition stays: the next release takes it along."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain.planning.plan import Release
from crossfade.domain.traffic.weights import Weights
from tests.unit.account import Account
from tests.unit.examples import EXECUTION, at
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


def _plan(invoke: Invoke) -> dict[str, Any]:
    return invoke("plan_release", input=ASK, execution=f"{EXECUTION}:d1", deployment="d1")


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
