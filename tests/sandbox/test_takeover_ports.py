"""A service with two ports, which its owner has made with `aws` commands, is taken over and handed back.

A rule of one listener leads its customers to one port, a rule of another one its staff to the other. A client
of each asks from before the adoption until after the owner's last update.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from probe.record import RequestRecord
from tests.figures import FIGURES
from tests.sandbox.beginning import deployed_alone, started
from tests.sandbox.client import Client, failed, versions
from tests.sandbox.cloud import Weights
from tests.sandbox.machine import free_ports
from tests.sandbox.rehearsal import Rehearsal, Sample, Sampler
from tests.sandbox.shopkeeper import REPOSITORY, SHOP, Shopkeeper
from tests.sandbox.stage import Stage
from tests.sandbox.takeover import NO_USERS, Takeover

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

READERS = ("customers", "staff")
WRITES = {"deploy": "ShiftTraffic", "rollback": "RestoreWeights"}
"""The states that write the rules, by machine."""
A_LOOK = 1.0
"""Seconds that a look at both rules may take on a busy machine."""


@dataclass
class Story:
    """What happened, and what was seen of it; ``lives`` are what the staff were answered after a step."""

    takeover: Takeover
    clients: dict[str, Client]
    requests: dict[str, list[RequestRecord]] = field(default_factory=dict)
    lives: dict[str, set[tuple[int | None, str | None]]] = field(default_factory=dict)
    releases: dict[str, Rehearsal] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    writes: list[tuple[float, float]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)

    def see(self, step: str) -> None:
        """A step has ended: what both clients are answered from now on, and how the rules stand."""
        self.takeover.see(step)
        self.lives[step] = self.clients["staff"].last()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Story]:
    """All of it, in a sandbox of its own."""
    state, home, folder = (tmp_path_factory.mktemp(name) for name in ("ports", "home", "clients"))
    (staff,) = free_ports(1)
    with started(state, pytestconfig) as sandbox:
        cloud = deployed_alone(sandbox, home, pytestconfig, "shop")
        ports = sandbox.production_port, staff
        owner = Shopkeeper(cloud, tmp_path_factory.mktemp("shop"), ports)
        owner.create()
        stage = Stage(cloud, sandbox, folder, pytestconfig.stash[FIGURES])
        with ExitStack() as stack:
            clients = {
                readers: stack.enter_context(Client(f"http://localhost:{port}", folder / f"{readers}.txt"))
                for readers, port in zip(READERS, ports, strict=True)
            }
            takeover = Takeover(stage, owner, clients["customers"], folder / "shop.crossfade.json", NO_USERS)
            told = Story(takeover, clients)
            tell(told, owner)
        told.requests = {readers: client.requests for readers, client in clients.items()}
        told.writes = [
            span
            for machine, wrote in WRITES.items()
            for execution in cloud.executions(machine)
            for span in cloud.spans(execution, wrote)
        ]
        apart = [sample for sample in told.samples if len(set(sample.rules)) > 1]
        stage.note(
            f"two rules: apart in {len(apart)} of {len(told.samples)} looks, for "
            f"{apart_seconds(told.samples):.1f} s at most"
        )
        for readers, found in told.requests.items():
            stage.note(
                f"taken over with two ports: {len(failed(found))} of {len(found)} failed for {readers}"
            )
        yield told


def tell(story: Story, owner: Shopkeeper) -> None:
    """Adopt, release well, badly, and with a port that is down; leave. The owner updates all the while."""
    takeover, seen = story.takeover, story.seen

    def pushed(tag: str, **build_args: str) -> Any:
        return takeover.pushed(SHOP, tag, REPOSITORY, **build_args)

    story.see("before")
    seen["rules_before"] = owner.rules()
    seen["adopted"] = takeover.adopt()
    story.see("adopted")
    story.releases["good"] = takeover.release_in_halves(
        "good",
        pushed("1.0.1", VERSION="1.0.1"),
        lambda: owner.update("1.0.0", 512),
        lambda: owner.tag("during"),
    )
    story.see("good")
    seen["journal"] = takeover.cloud.state()
    seen["weights"] = takeover.cloud.weights_of_rules()
    owner.update("1.0.0", 256, "--desired-count", "0")
    owner.tag("between")
    story.see("updated between")
    story.releases["bad"] = takeover.release("bad", pushed("1.0.2", VERSION="9.9.9"))
    story.see("bad")
    story.releases["down"] = takeover.release("down", pushed("1.0.3", VERSION="1.0.3", STAFF_STATUS="503"))
    story.see("down")
    with Sampler(takeover.cloud) as leaving:
        takeover.leave()
    story.see("left")
    owner.update("1.0.1", 256, "--desired-count", "2")
    story.see("updated after")
    seen["rules_after"] = owner.rules()
    elbv2 = takeover.cloud.client("elbv2")
    seen["groups_after"] = [
        group["TargetGroupName"] for group in elbv2.describe_target_groups()["TargetGroups"]
    ]
    story.samples = leaving.samples
    for release in story.releases.values():
        story.samples += release.samples


@pytest.mark.parametrize("readers", READERS)
def test_no_client_failed(story: Story, readers: str) -> None:
    """Of either rule, by its own record, from before the adoption until after all of it."""
    assert failed(story.requests[readers]) == []
    assert len(story.requests[readers]) > 1000


@pytest.mark.parametrize("readers", READERS)
def test_clients_met_the_good_versions_alone(story: Story, readers: str) -> None:
    """In their order; nobody met a bad one, and nobody met the old one once the new one was live."""
    assert versions(story.requests[readers]) == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize(
    ("step", "version"),
    [
        ("before", "1.0.0"),
        ("adopted", "1.0.0"),
        ("good", "1.0.1"),
        ("updated between", "1.0.1"),
        ("bad", "1.0.1"),
        ("down", "1.0.1"),
        ("left", "1.0.1"),
        ("updated after", "1.0.1"),
    ],
)
def test_both_ports_have_one_version_after_each_step(story: Story, step: str, version: str) -> None:
    """The owner's task definition says 1.0.0 until the end, and that goes live no more."""
    assert (story.takeover.lives[step], story.lives[step]) == ({(200, version)}, {(200, version)})


def test_the_spec_names_both_rules(story: Story) -> None:
    """That of the customers first: it names the host by which the probe comes."""
    named = [rule["RuleArn"] for rule in story.seen["rules_before"] if not rule["IsDefault"]]
    assert story.takeover.cloud.spec["traffic"] == [{"rule": arn} for arn in named]


def test_the_good_release_is_promoted(story: Story) -> None:
    """Up the whole ladder, compared with what ran before, in the middle of an update of the owner's."""
    good = story.releases["good"]
    assert (good.seen["status"], 50 in good.seen["weights"]) == ("RUNNING", True)
    assert (good.certificate["outcome"], good.certificate["from"]["version"]) == ("promoted", "1.0.0")
    assert [stage["weight"] for stage in good.certificate["reported"]["stages"]] == [0, 10, 50, 100]
    assert good.unrest == []


@pytest.mark.parametrize(("name", "error"), [("bad", "CandidateWorse"), ("down", "CandidateNotHealthy")])
def test_a_bad_release_is_rolled_back(story: Story, name: str, error: str) -> None:
    """Judged by its version; or never launched, because one of its two ports is not healthy."""
    bad = story.releases[name]
    assert (bad.certificate["outcome"], bad.execution.error) == ("rolled_back", error)
    assert bad.unrest == []


def test_the_rules_differ_only_while_they_are_written(story: Story) -> None:
    """Whenever they were seen to lead to different slots, a state of the workflow was writing them."""
    apart = [sample for sample in story.samples if len(set(sample.rules)) > 1]
    for sample in apart:
        assert any(began - A_LOOK <= sample.at <= ended + A_LOOK for began, ended in story.writes), sample


def test_the_rules_differ_no_longer_than_a_shift_takes(story: Story) -> None:
    """From when they were last seen to agree until they were seen to agree again."""
    longest = max(ended - began for began, ended in story.writes)
    assert apart_seconds(story.samples) <= longest + 2 * A_LOOK


def apart_seconds(samples: list[Sample]) -> float:
    """For how long rules have differed at most."""
    longest, since = 0.0, None
    for before, sample in pairwise(sorted(samples, key=lambda one: one.at)):
        together = len(set(sample.rules)) == 1
        if since is None and not together:
            since = before.at
        if since is not None and together:
            longest, since = max(longest, sample.at - since), None
    assert since is None
    return longest


def test_each_rule_is_read_back(story: Story) -> None:
    """The journal has what the load balancer has answered of each, and that is how it stands."""
    journal = story.seen["journal"]
    known = [journal["last_rule"], *journal["last_also"]]
    live = (journal["weights"]["blue"], journal["weights"]["green"])
    assert {rule["arn"] for rule in known} == {
        route["rule"] for route in story.takeover.cloud.spec["traffic"]
    }
    assert [shares(json.loads(rule["actions"])) for rule in known] == [live, live]
    assert story.seen["weights"] == (live, live)


def shares(actions: list[dict[str, Any]]) -> Weights:
    """Of blue and green, in whose order Crossfade writes them."""
    blue, green = (group["Weight"] for group in actions[-1]["ForwardConfig"]["TargetGroups"])
    return blue, green


def test_nothing_of_crossfades_is_left(story: Story) -> None:
    """Both listeners are as they were, but for how a forward to one group is written."""
    before, after = (_by_group(story.seen[name]) for name in ("rules_before", "rules_after"))
    assert before == after
    assert not [name for name in story.seen["groups_after"] if name.startswith("cf-")]


def _by_group(found: list[dict[str, Any]]) -> list[tuple[str, list[Any], list[str]]]:
    """Each rule's ARN, its conditions, and where it leads."""
    return [
        (
            rule["RuleArn"],
            rule["Conditions"],
            [
                group["TargetGroupArn"]
                for group in rule["Actions"][-1].get("ForwardConfig", {}).get("TargetGroups", [])
            ],
        )
        for rule in found
    ]
