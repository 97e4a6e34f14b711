"""Another Crossfade of the account and region has a service of the same name: neither touches the other's."""

from typing import Any

import pytest

from crossfade.aws.ecs_services import OwnServices
from crossfade.aws.journal import Journal
from crossfade.aws.preparation import Preparation
from crossfade.aws.scaling_copies import OwnScaling
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain import errors
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.slots import Slot
from crossfade.domain.spec.names import target_group_name
from tests.unit.account import SERVICE_TAGS, SPECS, Account
from tests.unit.examples import EXECUTION, at
from tests.unit.handlers.conftest import Invoke

THEIRS = "/production/services/web"
OF_THEIRS = [{"key": "crossfade:service", "value": "web"}, {"key": "crossfade:spec", "value": THEIRS}]
OF_NOBODY = OF_THEIRS[:1]
"""As an earlier Crossfade has tagged a slot."""
ASK = {"service": "web", "image_tag": "0.0.2"}


def _made(account: Account, slot: Slot, tags: list[dict[str, str]], group: str | None = None) -> None:
    """There is an ECS service of a slot's name, with a target group."""
    account.ecs.create_service(
        cluster="web",
        serviceName=f"web-{slot}",
        taskDefinition=account.spec.pattern.task_definition,
        desiredCount=2,
        tags=tags,
        loadBalancers=[
            {
                "targetGroupArn": group or account.spec.target_groups.of(slot),
                "containerName": "app",
                "containerPort": 8080,
            }
        ],
    )


def _shown(account: Account, slot: Slot) -> dict[str, Any]:
    (found,) = account.ecs.describe_services(cluster="web", services=[f"web-{slot}"], include=["TAGS"])[
        "services"
    ]
    return {key: found[key] for key in ("status", "desiredCount", "taskDefinition", "tags", "loadBalancers")}


def _their_group() -> str:
    name = target_group_name(THEIRS.removesuffix("web"), "web", "blue")
    return f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/1"


@pytest.fixture
def held(account: Account, journal: Journal) -> HeldPlan:
    """Return a first deployment, into blue, that holds the service."""
    plan = account.first_plan(release=account.release("0.0.2"))
    journal.holding.claim(plan)
    return plan


@pytest.fixture
def push(account: Account) -> dict[str, Any]:
    """What PlanRelease is asked for a release that was pushed."""
    account.push("0.0.2")
    return {"input": ASK, "execution": f"{EXECUTION}:d1", "deployment": "d1"}


def test_a_slot_of_another_crossfade_is_refused_by_name(
    account: Account, invoke: Invoke, push: dict[str, Any]
) -> None:
    """Before anything is changed; the sentence names both specs."""
    _made(account, "blue", OF_THEIRS)
    named = (
        rf"web-blue is another Crossfade's: .* {THEIRS}, and this one's spec is {SPECS}web\. It is left alone"
    )
    with pytest.raises(errors.SlotDrift, match=named):
        invoke("plan_release", **push)


def test_a_service_with_another_crossfades_slot_is_not_prepared(account: Account) -> None:
    """`crossfade adopt` and the custom resource say so, before anything is made."""
    _made(account, "green", OF_THEIRS)
    before = account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"]
    clients = account.ecs, account.elbv2, account.ssm
    preparation = Preparation(*clients, "web", SPECS)
    for prepare in (preparation.missing, preparation.prepare):
        with pytest.raises(errors.SlotDrift, match=f"web-green is another Crossfade's: .* {THEIRS}"):
            prepare(account.declared)
    assert account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"] == before


@pytest.mark.parametrize(
    ("tags", "theirs", "given"),
    [
        pytest.param(OF_NOBODY, False, True, id="own-of-an-earlier-version"),
        pytest.param(OF_NOBODY, True, False, id="of-another-earlier-one"),
        pytest.param([], False, False, id="without-a-tag"),
    ],
)
def test_a_slot_of_an_earlier_version_is_known_by_its_target_group(
    account: Account,
    invoke: Invoke,
    push: dict[str, Any],
    tags: list[dict[str, str]],
    theirs: bool,
    given: bool,
) -> None:
    """It is not tagged with a spec; its group's name is of one stack alone."""
    _made(account, "blue", tags, _their_group() if theirs else None)
    account.ecs.update_service(cluster="web", service="web-blue", desiredCount=0)
    if given:
        assert invoke("plan_release", **push)["action"] == "deploy"
    else:
        with pytest.raises(
            errors.SlotDrift, match="web-blue is not Crossfade's: it has no tag crossfade:spec"
        ):
            invoke("plan_release", **push)


def test_a_slot_of_an_earlier_version_is_tagged_at_its_next_launch(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """From then on its tags tell whose it is."""
    _made(account, "blue", OF_NOBODY)
    _made(account, "green", OF_NOBODY)
    definition = account.spec.pattern.task_definition
    invoke("launch_candidate", plan=held, task_definition=definition, deadline=at(60))
    assert _shown(account, "blue")["tags"] == SERVICE_TAGS
    assert _shown(account, "green")["tags"] == OF_NOBODY


def test_a_slot_that_another_crossfade_has_made_since_the_plan_is_left_alone(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """Of two first releases the faster one has the name, and the way back of the other keeps off."""
    _made(account, "blue", OF_THEIRS)
    account.scale("blue")
    before = _shown(account, "blue")
    definition = account.spec.pattern.task_definition
    with pytest.raises(errors.SlotDrift, match="web-blue is another Crossfade's"):
        invoke("launch_candidate", plan=held, task_definition=definition, deadline=at(60))
    invoke("suspend_scaling", plan=held, loser="blue")
    invoke("stop_loser", plan=held, slot="blue", deadline=at(60), undecided=False)
    assert _shown(account, "blue") == before
    scaling = account.scaling("blue")
    assert scaling is not None
    assert not any(scaling["SuspendedState"].values())


def test_a_removal_leaves_the_others_services_scaling_and_releases(account: Account) -> None:
    """Each removes what its own tags name."""
    spec, ours = account.declared, account.spec.parameter
    _made(account, "blue", OF_THEIRS)
    _made(account, "green", OF_NOBODY)
    assert OwnServices(account.ecs, spec, ours).made() == ["green"]
    assert OwnServices(account.ecs, spec, THEIRS).made() == ["blue"]

    account.scale("blue")
    target = account.scaling("blue")
    assert target is not None
    tags = {tag["key"]: tag["value"] for tag in OF_THEIRS}
    account.autoscaling.tag_resource(ResourceARN=target["ScalableTargetARN"], Tags=tags)
    OwnScaling(account.autoscaling, account.cloudwatch, spec, ours).remove("web-blue", "cf-web-")
    assert account.scaling("blue") is not None
    OwnScaling(account.autoscaling, account.cloudwatch, spec, THEIRS).remove("web-blue", "cf-web-")
    assert account.scaling("blue") is None

    definitions, release = TaskDefinitions(account.ecs), account.release("0.0.3")
    other = account.spec.model_copy(update={"preview_secret": "/production/preview/web"})
    own, theirs = definitions.register(account.spec, release), definitions.register(other, release)
    assert own != theirs
    assert list(definitions.releases(spec, ours)) == [own]
    assert list(definitions.releases(spec, THEIRS)) == [theirs]
