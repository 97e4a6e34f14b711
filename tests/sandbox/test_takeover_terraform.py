"""A service that Terraform made is taken over, released, applied to meanwhile, handed back, and destroyed.

By the real Terraform and its provider where they are, and elsewhere by their calls (terraform_player.py). A
client asks from before the adoption until the last apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from probe.record import RequestRecord
from tests.figures import FIGURES
from tests.sandbox.beginning import deployed_alone, started
from tests.sandbox.client import Client, failed, versions
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage
from tests.sandbox.takeover import Takeover
from tests.sandbox.terraform_player import TerraformPlayer
from tests.sandbox.terraformed import MODULE, TerraformOwner, Variables, network, why_no_terraform

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

REPOSITORY = "team/shop"
SERVICE, TARGET = "aws_ecs_service.shop", "aws_appautoscaling_target.shop"


@dataclass
class Story:
    """What happened. ``planned`` is what Terraform would have changed after a step, by its name."""

    takeover: Takeover
    requests: list[RequestRecord] = field(default_factory=list)
    releases: dict[str, Rehearsal] = field(default_factory=dict)
    planned: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Story]:
    """All of it, in a sandbox of its own."""
    why = why_no_terraform(tmp_path_factory.mktemp("provider"))
    made_by = TerraformPlayer if why else TerraformOwner
    state, home, folder = (tmp_path_factory.mktemp(name) for name in ("terraform", "home", "clients"))
    with started(state, pytestconfig) as sandbox:
        cloud = deployed_alone(sandbox, home, pytestconfig, "web")
        cloud.aws("ecr", "create-repository", "--repository-name", REPOSITORY)
        cloud.push("sample_app", "1.0.0", REPOSITORY, VERSION="1.0.0")
        variables = network(cloud) | {
            "port": sandbox.production_port,
            "paths": ["/*"],
            "image_tag": "1.0.0",
            "cpu": 256,
            "team": "before",
        }
        owner = made_by(
            cloud, tmp_path_factory.mktemp("module"), MODULE.read_text(encoding="utf-8"), variables
        )
        owner.apply()
        cloud.client("ecs").get_waiter("services_stable").wait(cluster="shop", services=["shop"])
        stage = Stage(cloud, sandbox, folder, pytestconfig.stash[FIGURES])
        with Client(cloud.url, folder / "client.txt") as client:
            told = Story(Takeover(stage, owner, client, folder / "web.crossfade.json"))
            tell(told, owner)
        told.requests = client.requests
        stage.note(f"of {made_by.__name__}: {len(failed(told.requests))} of {len(told.requests)} failed")
        owner.destroy()
        told.seen["state"] = owner.state()
        told.seen["clusters"] = cloud.client("ecs").list_clusters()["clusterArns"]
        yield told


def given(**values: Any) -> Callable[[Variables], None]:
    """A change of the module's variables."""
    return lambda variables: variables.update(values)


def tell(story: Story, owner: TerraformOwner) -> None:
    """Adopt, let the code leave alone what is Crossfade's, release and apply, and leave."""
    takeover, seen, planned = story.takeover, story.seen, story.planned
    takeover.see("before")
    planned["before"] = owner.planned()
    takeover.adopt("--push-tags", r"^\d+\.\d+\.\d+$")
    owner.edit(
        "target_group_arn = aws_lb_target_group.shop.arn\n  }\n}",
        "target_group_arn = aws_lb_target_group.shop.arn\n  }\n  lifecycle {\n"
        "    ignore_changes = [action]\n  }\n}",
    )
    owner.edit(
        "  depends_on = [aws_lb_listener_rule.shop]\n",
        "  lifecycle {\n    ignore_changes = [desired_count]\n  }\n"
        "  depends_on = [aws_lb_listener_rule.shop]\n",
    )
    planned["adopted"] = owner.planned()

    story.releases["good"] = takeover.release_in_halves(
        "good",
        takeover.pushed("sample_app", "1.0.1", REPOSITORY, VERSION="1.0.1"),
        partial(owner.update, given(team="during")),
        partial(owner.update, given(cpu=512)),
    )
    planned["good"] = owner.planned()
    seen["origin"] = counts(owner)
    owner.update(given(team="between"))
    owner.update(given(cpu=256))
    owner.update(given(paths=["/*", "/shop"]))
    takeover.see("applied between")
    seen["idle"] = counts(owner)
    seen["pattern"] = owner.service()["taskDefinition"]
    planned["between"] = owner.planned()
    owner.update(given(image_tag="1.0.1"))
    takeover.leave()
    planned["left"] = owner.planned()
    owner.apply()
    takeover.cloud.client("ecs").get_waiter("services_stable").wait(cluster="shop", services=["shop"])
    takeover.see("applied after")
    planned["after"] = owner.planned()


def counts(owner: TerraformOwner) -> tuple[int, int]:
    """How many tasks the owner's service is to run, and runs."""
    service = owner.service()
    return service["desiredCount"], service["runningCount"]


def test_no_client_failed(story: Story) -> None:
    """By its own record, from before the adoption until after the last apply."""
    assert failed(story.requests) == []
    assert len(story.requests) > 1000


def test_clients_met_the_good_versions_alone(story: Story) -> None:
    """In their order."""
    assert versions(story.requests) == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize(
    ("step", "version"),
    [
        ("before", "1.0.0"),
        ("adopted", "1.0.0"),
        ("good", "1.0.1"),
        ("applied between", "1.0.1"),
        ("left", "1.0.1"),
        ("applied after", "1.0.1"),
    ],
)
def test_one_version_is_live_after_each_step(story: Story, step: str, version: str) -> None:
    """The module says 1.0.0 until it leaves, and that goes live no more."""
    assert story.takeover.lives[step] == {(200, version)}


def test_terraform_applied_in_the_middle_of_the_release(story: Story) -> None:
    """Twice, while each side had half of the traffic."""
    good = story.releases["good"]
    assert (good.execution.status, good.certificate["outcome"]) == ("SUCCEEDED", "promoted")
    assert (good.seen["status"], 50 in good.seen["weights"]) == ("RUNNING", True)


@pytest.mark.parametrize("step", ["good", "between", "after"])
def test_the_plan_is_empty(story: Story, step: str) -> None:
    """What Crossfade has changed of the module's is left alone by the two lists in docs/adopting.md."""
    assert story.planned[step] == {}


def test_adopting_changes_no_plan(story: Story) -> None:
    """The emulator forgets the tags that a scalable target is registered with; nothing else differs."""
    assert story.planned["adopted"] == story.planned["before"]
    assert set(story.planned["before"]) <= {TARGET}


def test_applies_between_releases_start_no_task(story: Story) -> None:
    """The count that the module says, 2, is not written; its task definition is, for the next release."""
    assert (story.seen["origin"], story.seen["idle"]) == ((0, 0), (0, 0))
    assert "task-definition/shop:" in story.seen["pattern"]


def test_after_leaving_only_the_task_definition_differs(story: Story) -> None:
    """It is the live release's; the next apply brings the module's own, with the tag that stands there."""
    assert story.planned["left"] == {SERVICE: {"task_definition"}}


def test_nothing_is_left(story: Story) -> None:
    """Terraform destroys all that it made."""
    assert (story.seen["state"], story.seen["clusters"]) == ([], [])
