"""Two Crossfades of an account, each with a service `web`, and one push to the repository that both name.

Each releases its own one, and then one of them hands its service back, which removes all that it has made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.figures import FIGURES
from tests.sandbox.beginning import deployed_alone, deployed_beside, started
from tests.sandbox.cloud import Cloud
from tests.sandbox.executions import Execution
from tests.sandbox.machine import free_ports
from tests.sandbox.owner import Owner, push_images, template
from tests.sandbox.takeover import PACE

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

REPOSITORY = "team/plain"
SECOND = "staging"


@dataclass
class Side:
    """One Crossfade and the owner of its service."""

    cloud: Cloud
    owner: Owner
    execution: Execution | None = None
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def parameter(self) -> str:
        """The SSM parameter of the spec."""
        return f"/{self.cloud.stack}/services/web"

    def adopt(self, file: Path) -> None:
        """Have `crossfade adopt` propose the spec, set the pace in it, apply it, and give the rights."""
        service = self.owner.service()
        like = f"{service['clusterArn'].rpartition('/')[2]}/{service['serviceName']}"
        command = ["crossfade", "adopt", "--like", like, "--name", "web", "--json"]
        command += ["--out", str(file), "--stack", self.cloud.stack]
        self.cloud.run(*command)
        proposed = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**proposed, **PACE}), encoding="utf-8")
        said = json.loads(self.cloud.run(*command, "--apply").stdout)
        self.cloud.sam_deploy(**said["parameters"])

    def released(self, tag: str) -> None:
        """See the deployment that a push has started here to its end."""
        self.execution = self.cloud.ended(self.cloud.started_by_push(REPOSITORY, tag))
        self.cloud.settled()

    def look(self, name: str) -> None:
        """Note what there is of this one: services, tasks, weights, groups, releases, journal, ledgers."""
        cluster, ecs = self.owner.resource("AWS::ECS::Cluster"), self.cloud.client("ecs")
        arns = ecs.list_services(cluster=cluster)["serviceArns"]
        services = ecs.describe_services(cluster=cluster, services=arns, include=["TAGS"])["services"]
        self.seen[name] = {
            "services": {
                one["serviceName"]: {
                    "spec": _tags(one["tags"]).get("crossfade:spec"),
                    "groups": [balancer["targetGroupArn"] for balancer in one["loadBalancers"]],
                    "counts": (one["desiredCount"], one["runningCount"]),
                    "task_definition": one["taskDefinition"],
                }
                for one in services
            },
            "tasks": sorted(ecs.list_tasks(cluster=cluster)["taskArns"]),
            "weights": self._weights(),
            "groups": self._groups(),
            "releases": self._releases(),
            "journal": self.cloud.journal(),
            "ledgers": self._ledgers(),
            "answers": _answers(self.cloud.url),
        }

    def _weights(self) -> dict[str, dict[str, int]]:
        """The weight of each target group, by the priority of the rule."""
        listener = self.owner.resource("AWS::ElasticLoadBalancingV2::Listener")
        rules = self.cloud.client("elbv2").describe_rules(ListenerArn=listener)["Rules"]
        return {
            rule["Priority"]: {
                group["TargetGroupArn"]: group["Weight"]
                for action in rule["Actions"]
                for group in action.get("ForwardConfig", {}).get("TargetGroups", [])
            }
            for rule in rules
        }

    def _groups(self) -> dict[str, str]:
        """The target groups that name this spec, and what they are called."""
        elbv2 = self.cloud.client("elbv2")
        found = {
            one["TargetGroupArn"]: one["TargetGroupName"]
            for one in elbv2.describe_target_groups()["TargetGroups"]
        }
        shown = elbv2.describe_tags(ResourceArns=list(found))["TagDescriptions"]
        own = {"Key": "crossfade:spec", "Value": self.parameter}
        return {one["ResourceArn"]: found[one["ResourceArn"]] for one in shown if own in one["Tags"]}

    def _releases(self) -> list[str]:
        ecs, own = self.cloud.client("ecs"), {"key": "crossfade:spec", "value": self.parameter}
        arns = ecs.list_task_definitions(familyPrefix="crossfade-web", status="ACTIVE")["taskDefinitionArns"]
        shown = {arn: ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"]) for arn in arns}
        return sorted(arn for arn, one in shown.items() if own in one["tags"])

    def _ledgers(self) -> list[str]:
        logs, group = self.cloud.client("logs"), f"/crossfade/{self.cloud.stack}/ledger"
        return sorted(
            one["logStreamName"] for one in logs.describe_log_streams(logGroupName=group)["logStreams"]
        )


def _tags(listed: list[dict[str, str]]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in listed}


def _answers(url: str) -> set[str]:
    return {requests.get(f"{url}/version", timeout=10).json()["version"] for _ in range(20)}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[dict[str, Side]]:
    """Both, after one push, and after the second one has handed its service back."""
    state, home, other, folder = (tmp_path_factory.mktemp(name) for name in ("two", "home", "other", "specs"))
    with started(state, pytestconfig) as sandbox:
        first = deployed_alone(sandbox, home, pytestconfig, "web")
        push_images(first, "plain")
        (port,) = free_ports(1)
        second = deployed_beside(first, port, other, SECOND)
        found = {
            cloud.stack: Side(cloud, Owner(cloud, f"plain-{cloud.stack}", template("plain", {80: at})))
            for cloud, at in ((first, sandbox.production_port), (second, port))
        }
        for name, side in found.items():
            side.owner.deploy()
            side.adopt(folder / f"{name}.crossfade.json")
        first.push("sample_app", "1.0.1", REPOSITORY, VERSION="1.0.1")
        for side in found.values():
            side.released("1.0.1")
        for side in found.values():
            side.look("released")
        second.run("crossfade", "leave", "web", "--stack", SECOND)
        for side in found.values():
            side.look("one has left")
        ends = [side.execution.seconds for side in found.values() if side.execution]
        pytestconfig.stash[FIGURES].append(f"two Crossfades, one push: {ends[0]:.0f} s and {ends[1]:.0f} s")
        yield found


@pytest.mark.parametrize("name", ["crossfade", SECOND])
def test_each_releases_its_own(sides: dict[str, Side], name: str) -> None:
    """The push starts one deployment in each, which has a journal, a ledger and a release of its own."""
    side = sides[name]
    assert side.execution
    assert (side.execution.status, side.execution.error) == ("SUCCEEDED", "")
    seen = side.seen["released"]
    assert seen["answers"] == {"1.0.1"}
    deployments = [key for key in seen["journal"] if key.startswith("deployment#")]
    assert deployments == [f"deployment#{side.execution.name}"]
    assert seen["ledgers"] == [f"web/{side.execution.name}"]
    assert len(seen["releases"]) == 1


def test_all_of_it_is_told_apart(sides: dict[str, Side]) -> None:
    """Slots of one name by their tags; neither rule leads to a group of the other's."""
    groups = {name: set(side.seen["released"]["groups"]) for name, side in sides.items()}
    assert {len(own) for own in groups.values()} == {2}
    assert not groups["crossfade"] & groups[SECOND]
    for name, side in sides.items():
        slot = side.seen["released"]["services"]["web-blue"]
        assert (slot["spec"], slot["counts"]) == (side.parameter, (2, 2))
        assert set(slot["groups"]) <= groups[name]
        assert [slot["task_definition"]] == side.seen["released"]["releases"]
        led = {group for rule in side.seen["released"]["weights"].values() for group in rule}
        (theirs,) = (own for other, own in groups.items() if other != name)
        assert groups[name] <= led
        assert not led & theirs
    executions = {side.execution.name for side in sides.values() if side.execution}
    assert len(executions) == 2


def test_what_one_removes_is_its_own(sides: dict[str, Side]) -> None:
    """Of the other one nothing has changed: no service, task, weight, release, nor a word in the journal."""
    left = sides[SECOND].seen["one has left"]
    (owners,) = left["services"].values()
    assert (owners["spec"], left["groups"], left["answers"]) == (None, {}, {"1.0.1"})
    assert left["releases"] == [owners["task_definition"]]
    stays = sides["crossfade"].seen
    assert stays["one has left"] == stays["released"]
