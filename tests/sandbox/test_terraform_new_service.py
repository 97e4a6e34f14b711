"""docs/examples/service.tf in the real Terraform: a new service is prepared, released, and destroyed.

A destroy ends before anything is destroyed while Crossfade has the service live.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from probe.record import RequestRecord
from tests.figures import FIGURES
from tests.sandbox.beginning import deployed_alone, started
from tests.sandbox.client import Client, failed
from tests.sandbox.cloud import Cloud
from tests.sandbox.shell import PROJECT
from tests.sandbox.stage import Stage
from tests.sandbox.takeover import PACE
from tests.sandbox.terraformed import TerraformOwner, network, skip_without_terraform

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

EXAMPLE = PROJECT / "docs/examples/service.tf"
SOON = "interval = 5\n    timeout = 4\n    healthy_threshold = 2\n    "
PROVIDER = 'provider "aws" {\n  skip_credentials_validation = true\n  skip_metadata_api_check = true\n}\n'


@dataclass
class Story:
    """What happened. ``planned`` is what Terraform would have changed after a step, by its name."""

    cloud: Cloud
    first: str = ""
    refused: str = ""
    requests: list[RequestRecord] = field(default_factory=list)
    planned: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    state: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)


def example(port: int) -> str:
    """The module, on a port of this machine and at the pace of a rehearsal."""
    module = EXAMPLE.read_text(encoding="utf-8")
    module = re.sub(r"port( +)= 80\n", rf"port\1= {port}\n", module).replace(
        "web.dns_name}", f"web.dns_name}}:{port}"
    )
    module = module.replace('path = "/healthz"', f'{SOON}path = "/healthz"')
    module = module.replace("  health_check {", "  deregistration_delay = 5\n  health_check {")
    module = module.replace(
        "portMappings", 'environment = [{ name = "SHUTDOWN_GRACE_SECONDS", value = "1" }], portMappings'
    )
    for key, value in (("stages", PACE["stages"]), ("launch", PACE["launch"]), ("retire", PACE["retire"])):
        module = re.sub(
            rf"    {key} += (\[.*?\n    \]|\{{.*?\}})\n",
            f"    {key} = {json.dumps(value)}\n",
            module,
            flags=re.DOTALL,
        )
    return module + PROVIDER


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Story]:
    """All of it, in a sandbox of its own."""
    skip_without_terraform(tmp_path_factory.mktemp("provider"))
    state, home, folder = (tmp_path_factory.mktemp(name) for name in ("terraform", "home", "clients"))
    with started(state, pytestconfig) as sandbox:
        cloud = deployed_alone(sandbox, home, pytestconfig, "web")
        told = Story(cloud)
        variables = network(cloud) | {"cleanup_function_arn": cloud.outputs["CleanupFunction"]}
        module = example(sandbox.production_port)
        owner = TerraformOwner(cloud, tmp_path_factory.mktemp("module"), module, variables)
        owner.apply()
        told.planned["prepared"] = owner.planned()
        cloud.sam_deploy(Adopted=owner.output("adopted"))
        stage = Stage(cloud, sandbox, folder, pytestconfig.stash[FIGURES])
        cloud.push("sample_app", "1.0.0", "web", VERSION="1.0.0")
        stage.rehearse("first", lambda: cloud.started_by_push("web", "1.0.0"))
        told.planned["released"] = owner.planned()
        with Client(cloud.url, folder / "client.txt") as client:
            told.refused = owner.refused()
            told.planned["refused"] = owner.planned()
            cloud.run("crossfade", "leave", "web")
            client.more(20)
        told.requests = client.requests
        owner.destroy()
        told.state = owner.state()
        elbv2 = cloud.client("elbv2")
        told.groups = [group["TargetGroupName"] for group in elbv2.describe_target_groups()["TargetGroups"]]
        told.clusters = cloud.client("ecs").list_clusters()["clusterArns"]
        yield told


@pytest.mark.parametrize("step", ["prepared", "released", "refused"])
def test_the_plan_is_empty(story: Story, step: str) -> None:
    """After the first apply, after a release, and after the destroy that ended at once."""
    assert story.planned[step] == {}


def test_a_destroy_ends_where_a_slot_is_live(story: Story) -> None:
    """With the error's name, and clients notice nothing, nor of the way back."""
    assert "StillLive" in story.refused
    assert failed(story.requests) == []
    assert len(story.requests) > 100


def test_after_leaving_nothing_is_left(story: Story) -> None:
    """Of Terraform's and of Crossfade's."""
    assert (story.state, story.groups, story.clusters) == ([], [], [])
