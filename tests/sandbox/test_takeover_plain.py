"""A service that the CDK made, behind a load balancer of its own, is taken over, released, and handed back.

Its owner knows nothing of Crossfade but the command, and updates the stack meanwhile. A client asks from
before the adoption until after the last update.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from probe.record import RequestRecord
from tests.figures import FIGURES
from tests.sandbox.beginning import deployed_alone, started
from tests.sandbox.client import Client, failed, versions
from tests.sandbox.guide import Reader, by_hand, commands
from tests.sandbox.owner import Owner, push_images, template
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage
from tests.sandbox.takeover import Takeover, cpu, image, tagged, tasks

pytestmark = pytest.mark.enable_socket

REPOSITORY = "team/plain"
MOST_COMMANDS, MOST_LINES = 8, 40
"""What docs/adopting.md may ask of a person: commands, and lines of text."""


@dataclass
class Story:
    """What happened, and what was seen of it."""

    takeover: Takeover
    requests: list[RequestRecord] = field(default_factory=list)
    releases: dict[str, Rehearsal] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Story]:
    """All of it, in a sandbox of its own."""
    state, home, folder = (tmp_path_factory.mktemp(name) for name in ("plain", "home", "clients"))
    with started(state, pytestconfig) as sandbox:
        cloud = deployed_alone(sandbox, home, pytestconfig, "web")
        push_images(cloud, "plain")
        owner = Owner(cloud, "plain", template("plain", {80: sandbox.production_port}))
        owner.deploy()
        stage = Stage(cloud, sandbox, folder, pytestconfig.stash[FIGURES])
        with Client(cloud.url, folder / "client.txt") as client:
            told = Story(Takeover(stage, owner, client, folder / "web.crossfade.json"))
            tell(told, Reader(cloud, tmp_path_factory.mktemp("project")))
        told.requests = client.requests
        stage.note(f"taken over and handed back: {len(failed(told.requests))} of {len(told.requests)} failed")
        yield told


def tell(story: Story, guide: Reader) -> None:
    """Adopt and leave by docs/adopting.md, release well and badly, and update the stack all the while."""
    takeover, seen = story.takeover, story.seen
    owner = takeover.owner
    takeover.see("before")
    seen["rules_before"] = rules(takeover)
    seen["said"] = takeover.follow(guide)

    story.releases["good"] = takeover.release_and_update(
        "good",
        takeover.pushed("sample_app", "1.0.1", REPOSITORY, VERSION="1.0.1"),
        tagged("during"),
        cpu("512"),
    )
    seen["origin"] = counts(owner)
    takeover.update(tasks(0))
    takeover.see("count 0")
    story.releases["bad"] = takeover.release(
        "bad", takeover.pushed("sample_app", "1.0.2", REPOSITORY, VERSION="1.0.2", FAULT_VERSION="9.9.9")
    )
    takeover.update(tagged("between"))
    takeover.update(cpu("256"))
    takeover.see("updated between")
    seen["idle"] = counts(owner)
    seen["printed"] = takeover.leave(guide)
    takeover.update(tasks(2), image("1.0.0", "1.0.1"))
    takeover.see("updated after")
    seen["rules_after"] = rules(takeover)
    seen["groups_after"] = groups(takeover)
    seen["services_after"] = services(takeover)


def counts(owner: Owner) -> tuple[int, int]:
    """How many tasks the owner's service is to run, and runs."""
    service = owner.service()
    return service["desiredCount"], service["runningCount"]


def rules(takeover: Takeover) -> list[dict[str, Any]]:
    """All rules of the owner's listener."""
    listener = takeover.owner.resource("AWS::ElasticLoadBalancingV2::Listener")
    found = takeover.cloud.client("elbv2").describe_rules(ListenerArn=listener)["Rules"]
    return list(found)


def groups(takeover: Takeover) -> list[str]:
    """The names of all target groups."""
    found = takeover.cloud.client("elbv2").describe_target_groups()["TargetGroups"]
    return [group["TargetGroupName"] for group in found]


def services(takeover: Takeover) -> list[str]:
    """The ARNs of the ECS services in the owner's cluster."""
    cluster = takeover.owner.resource("AWS::ECS::Cluster")
    return list(takeover.cloud.client("ecs").list_services(cluster=cluster)["serviceArns"])


def test_the_guide_is_short() -> None:
    """Each command of it is one that is typed above, as it stands there."""
    sections = ("Fifteen minutes", "How to leave")
    assert sum(len(commands(section)) for section in sections) <= MOST_COMMANDS
    assert sum(len(by_hand(section)) for section in sections) <= MOST_LINES


def test_no_client_failed(story: Story) -> None:
    """By its own record, from before the adoption until after all of it."""
    assert failed(story.requests) == []
    assert len(story.requests) > 1000


def test_clients_met_the_good_versions_alone(story: Story) -> None:
    """In their order; nobody met the bad one."""
    assert versions(story.requests) == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize(
    ("step", "version"),
    [
        ("before", "1.0.0"),
        ("adopted", "1.0.0"),
        ("good", "1.0.1"),
        ("count 0", "1.0.1"),
        ("bad", "1.0.1"),
        ("updated between", "1.0.1"),
        ("left", "1.0.1"),
        ("updated after", "1.0.1"),
    ],
)
def test_one_version_is_live_after_each_step(story: Story, step: str, version: str) -> None:
    """The owner's code says 1.0.0 until the end, and that goes live no more."""
    assert story.takeover.lives[step] == {(200, version)}


def test_the_good_release_is_compared_with_what_ran_before(story: Story) -> None:
    """Traffic went up the whole ladder, from the owner's service to a slot, and the owner's was stopped."""
    good = story.releases["good"]

    assert (good.execution.status, good.certificate["outcome"]) == ("SUCCEEDED", "promoted")
    assert good.certificate["from"]["version"] == "1.0.0"
    assert [stage["weight"] for stage in good.certificate["reported"]["stages"]] == [0, 10, 50, 100]
    assert story.seen["origin"] == (0, 0)


def test_the_owner_updated_the_stack_in_the_middle_of_it(story: Story) -> None:
    """Twice, while each side had half of the traffic."""
    seen = story.releases["good"].seen
    assert (seen["status"], 50 in seen["weights"]) == ("RUNNING", True)


def test_the_bad_release_is_rolled_back(story: Story) -> None:
    """Before it had any traffic."""
    bad = story.releases["bad"]
    assert (bad.execution.status, bad.certificate["outcome"]) == ("FAILED", "rolled_back")
    assert bad.unrest == []


def test_updates_between_releases_start_no_task(story: Story) -> None:
    """The owner's code says count 0 by now."""
    assert story.seen["idle"] == (0, 0)


def test_nothing_of_crossfades_is_left(story: Story) -> None:
    """The listener is as it was, the owner's service is the only one, and no target group is left."""
    seen = story.seen
    assert seen["rules_after"] == seen["rules_before"]
    assert len(seen["services_after"]) == 1
    assert not [name for name in seen["groups_after"] if name.startswith("cf-")]
