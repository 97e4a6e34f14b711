"""An owner deletes the stack of a service that Crossfade has live, and has not taken it back before.

The deletion ends, and says what keeps it; nothing is live by then. One command removes what Crossfade made,
and tells what that was; then the stack goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.figures import FIGURES
from tests.sandbox.beginning import deployed_alone, started
from tests.sandbox.client import Client
from tests.sandbox.cloud import Cloud
from tests.sandbox.machine import answers
from tests.sandbox.owner import Owner, push_images, template
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage
from tests.sandbox.takeover import Takeover

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]


@dataclass
class Story:
    """What happened, and what was seen of it."""

    cloud: Cloud
    owner: Owner
    release: Rehearsal
    first: list[str] = field(default_factory=list)
    answered: bool = True
    said: str = ""
    second: list[str] = field(default_factory=list)
    left: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Story]:
    """Adopted, released, deleted, and cleaned up after."""
    state, home, folder = (tmp_path_factory.mktemp(name) for name in ("deleted", "home", "clients"))
    with started(state, pytestconfig) as sandbox:
        cloud = deployed_alone(sandbox, home, pytestconfig, "web")
        push_images(cloud, "plain")
        owner = Owner(cloud, "plain", template("plain", {80: sandbox.production_port}))
        owner.deploy()
        stage = Stage(cloud, sandbox, folder, pytestconfig.stash[FIGURES])
        with Client(cloud.url, folder / "client.txt", 5) as client:
            takeover = Takeover(stage, owner, client, folder / "web.crossfade.json")
            takeover.adopt()
            release = takeover.release(
                "good", takeover.pushed("sample_app", "1.0.1", "team/plain", VERSION="1.0.1")
            )
        told = Story(cloud, owner, release)
        told.first = owner.delete("DELETE_FAILED")
        told.answered = answers(sandbox.production_port)
        told.said = cloud.run("crossfade", "leave", "web", "--gone").stdout
        told.second = owner.delete()
        told.left = left(cloud)
        yield told
        until(
            lambda: not any("-m app" in command for command in sandbox.children().values()),
            "the tasks to end",
        )


def left(cloud: Cloud) -> dict[str, Any]:
    """What there is in the account that was the service's, or Crossfade's for it."""
    elbv2, ecs = cloud.client("elbv2"), cloud.client("ecs")
    parameters = cloud.client("ssm").get_parameters_by_path(Path="/crossfade", Recursive=True)["Parameters"]
    return {
        "clusters": ecs.list_clusters()["clusterArns"],
        "target groups": elbv2.describe_target_groups()["TargetGroups"],
        "load balancers": elbv2.describe_load_balancers()["LoadBalancers"],
        "parameters": [one["Name"] for one in parameters if one["Name"].endswith("/web")],
        "releases": ecs.list_task_definitions(familyPrefix="crossfade-web", status="ACTIVE")[
            "taskDefinitionArns"
        ],
    }


def test_a_slot_was_live(story: Story) -> None:
    """And the owner's own service stood at 0 tasks."""
    assert story.release.execution.status == "SUCCEEDED"


def test_the_deletion_ends_and_names_what_keeps_it(story: Story) -> None:
    """The cluster, in which the slots are."""
    assert any("luster" in reason for reason in story.first), story.first


def test_nothing_is_live_by_then(story: Story) -> None:
    """The listener has gone, and with it the rule that led to the slot."""
    assert not story.answered


def test_one_command_removes_the_rest_and_tells_it(story: Story) -> None:
    """The slots' services, the target groups, the secret."""
    for name in ("web-blue", "cf-web-", "preview/web"):
        assert name in story.said, story.said


def test_then_the_stack_goes_and_nothing_is_left(story: Story) -> None:
    """Of the service, and of what Crossfade made for it."""
    assert story.second == []
    assert not any(story.left.values()), story.left
