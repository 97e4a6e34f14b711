"""A service behind an HTTPS listener that it shares, with a login, a sidecar and scaling, is taken over.

Two services of others stand on that listener. Their clients, and a user of the service who has logged in, ask
from before the adoption until after the last update of its owner's.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from probe.record import RequestRecord
from tests.figures import FIGURES
from tests.sandbox.beginning import deployed_alone, started
from tests.sandbox.client import Client, failed, versions
from tests.sandbox.cloud import Cloud
from tests.sandbox.machine import free_ports
from tests.sandbox.owner import LET_GO, SOON, Owner, push_images, template
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage
from tests.sandbox.takeover import Takeover, cpu, image, tagged, tasks, variable

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

OTHERS = {"blog": 50, "shop": 200}
"""Services of others, by name: the priorities of their rules, before and behind the owner's."""
OTHERS_RATE = 5
REPOSITORY = "team/web"


@dataclass
class Story:
    """What happened, and what was seen of it."""

    takeover: Takeover
    requests: list[RequestRecord] = field(default_factory=list)
    others: dict[str, list[RequestRecord]] = field(default_factory=dict)
    adopted: dict[str, Any] = field(default_factory=dict)
    releases: dict[str, Rehearsal] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Story]:
    """All of it, in a sandbox of its own."""
    state, home, folder = (tmp_path_factory.mktemp(name) for name in ("shared", "home", "clients"))
    (http,) = free_ports(1)
    with started(state, pytestconfig) as sandbox:
        https = sandbox.production_port
        cloud = deployed_alone(sandbox, home, pytestconfig, "web")
        owner = deployed_by_its_owner(cloud, http, https)
        listener = next(
            rule["RuleArn"].replace(":listener-rule/", ":listener/").rpartition("/")[0]
            for rule in rules(cloud, owner)
        )
        for name, priority in OTHERS.items():
            stand_beside(cloud, owner, listener, name, priority)

        def client(host: str, rate: int, *more: str) -> Client:
            options = ("--connect-to", f"localhost:{https}", *more)
            file = folder / f"{host}.txt"
            return Client(f"https://{host}.example.com", file, rate, options, state / "authority.pem")

        stage = Stage(cloud, sandbox, folder, pytestconfig.stash[FIGURES])
        with ExitStack() as stack:
            others = {name: stack.enter_context(client(name, OTHERS_RATE)) for name in OTHERS}
            user = stack.enter_context(client("web", 20, "--header", f"Cookie: {session()}"))
            told = Story(Takeover(stage, owner, user, folder / "web.crossfade.json"))
            tell(told, https)
        told.requests = user.requests
        told.others = {name: other.requests for name, other in others.items()}
        stage.note(
            f"taken over on a shared listener: {len(failed(told.requests))} of {len(told.requests)} failed, "
            f"of others' {sum(len(failed(found)) for found in told.others.values())}"
        )
        yield told


def deployed_by_its_owner(cloud: Cloud, http: int, https: int) -> Owner:
    """The stack, with what it needs in the account."""
    push_images(cloud, "shared")
    cloud.aws("secretsmanager", "create-secret", "--name", "web/login", "--secret-string", "hush")
    certificate = cloud.aws(
        *("acm", "request-certificate", "--domain-name", "*.example.com"),
    )
    parameters = {"CertificateArn": certificate["CertificateArn"]}
    owner = Owner(cloud, "shared", template("shared", {80: http, 443: https}), **parameters)
    owner.deploy()
    return owner


def stand_beside(cloud: Cloud, owner: Owner, listener: str, name: str, priority: int) -> None:
    """Let another service be there, for its own host name on the owner's listener."""
    ecs, elbv2 = cloud.client("ecs"), cloud.client("elbv2")
    theirs = owner.service()
    cloud.aws("ecr", "create-repository", "--repository-name", name)
    cloud.push("sample_app", "1.0.0", name, VERSION=f"{name}-1")
    (like,) = elbv2.describe_target_groups(TargetGroupArns=[theirs["loadBalancers"][0]["targetGroupArn"]])[
        "TargetGroups"
    ]
    group = elbv2.create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=like["VpcId"], TargetType="ip", **SOON
    )["TargetGroups"][0]["TargetGroupArn"]
    elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=[LET_GO])
    elbv2.create_rule(
        ListenerArn=listener,
        Priority=priority,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [f"{name}.example.com"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    definition = ecs.describe_task_definition(taskDefinition=theirs["taskDefinition"])["taskDefinition"]
    account = definition["taskDefinitionArn"].split(":")[4]
    ecs.register_task_definition(
        family=name,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=definition["executionRoleArn"],
        containerDefinitions=[
            {
                "name": name,
                "image": f"{account}.dkr.ecr.us-east-1.amazonaws.com/{name}:1.0.0",
                "portMappings": [{"containerPort": 8080}],
            }
        ],
    )
    ecs.create_service(
        cluster=theirs["clusterArn"],
        serviceName=name,
        taskDefinition=name,
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=theirs["networkConfiguration"],
        loadBalancers=[{"targetGroupArn": group, "containerName": name, "containerPort": 8080}],
    )
    until(
        lambda: [
            target
            for target in elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            if target["TargetHealth"]["State"] == "healthy"
        ],
        f"a healthy target of {name}",
    )


def session() -> str:
    """The cookie of a person who has logged in, as the sandbox's load balancer writes it."""
    found = {"claims": {"sub": "somebody"}, "access_token": "token", "exp": int(time.time()) + 7200}
    text = base64.urlsafe_b64encode(json.dumps(found).encode()).decode().rstrip("=")
    return f"AWSELBAuthSessionCookie-0={text}"


def rules(cloud: Cloud, owner: Owner) -> list[dict[str, Any]]:
    """All rules of the HTTPS listener."""
    elbv2 = cloud.client("elbv2")
    balancer = owner.resource("AWS::ElasticLoadBalancingV2::LoadBalancer")
    found = elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
    (https,) = (each["ListenerArn"] for each in found if each["Protocol"] == "HTTPS")
    return list(elbv2.describe_rules(ListenerArn=https)["Rules"])


def tell(story: Story, https: int) -> None:
    """Adopt, release well, release badly, leave; and an update of the owner's stack wherever it may come."""
    takeover, seen = story.takeover, story.seen
    cloud, owner = takeover.cloud, takeover.owner
    takeover.see("before")
    seen["rules_before"] = rules(cloud, owner)
    story.adopted = takeover.adopt(
        *("--url", "https://web.example.com", "--connect-to", f"localhost:{https}", "--login-bypass"),
        *("--expect", "^prod-(.*)$"),
    )

    story.releases["good"] = takeover.release_and_update(
        "good",
        takeover.pushed("sample_app", "prod-1.2.4", REPOSITORY, VERSION="1.2.4"),
        tagged("during"),
        cpu("1024"),
    )
    seen["slot"] = slot_service(cloud)
    # ECS shows a write late: the forced release may still see the owner's last update but one.
    takeover.update(variable("MODE", "rehearsal"))
    takeover.update(tasks(0))
    takeover.see("count 0")
    seen["before"] = configuration(cloud)
    story.releases["configured"] = takeover.release("configured", takeover.asked(force=True))
    seen["configured"] = configuration(cloud)
    story.releases["returned"] = takeover.release("returned", takeover.asked(release=1))
    seen["returned"] = configuration(cloud)
    story.releases["bad"] = takeover.release(
        "bad", takeover.pushed("sample_app", "prod-1.2.5", REPOSITORY, VERSION="1.2.5", FAULT_VERSION="9.9.9")
    )
    takeover.update(tagged("between"))
    takeover.update(cpu("512"))
    takeover.see("updated between")
    seen["printed"] = takeover.leave()
    takeover.update(tasks(2), image("prod-1.2.3", "prod-1.2.4"))
    takeover.see("updated after")
    seen["rules_after"] = rules(cloud, owner)


def slot_service(cloud: Cloud) -> dict[str, Any]:
    """The live slot's ECS service, and its containers' images by name."""
    service = cloud.slots()["blue"]
    definition = cloud.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    containers = definition["taskDefinition"]["containerDefinitions"]
    return {**service, "images": {each["name"]: each["image"] for each in containers}}


def configuration(cloud: Cloud) -> tuple[str, str]:
    """CPU and the variable MODE of the tasks that run in the live slot: all have the same."""
    ecs, slot = cloud.client("ecs"), cloud.slots()[cloud.state()["stable"]]
    cluster = slot["clusterArn"]
    running = ecs.list_tasks(cluster=cluster, serviceName=slot["serviceName"])["taskArns"]
    (arn,) = {
        task["taskDefinitionArn"] for task in ecs.describe_tasks(cluster=cluster, tasks=running)["tasks"]
    }
    definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    (web,) = [each for each in definition["containerDefinitions"] if each["name"] == "web"]
    (mode,) = [each["value"] for each in web["environment"] if each["name"] == "MODE"]
    return definition["cpu"], mode


def test_no_user_failed(story: Story) -> None:
    """By their own record, from before the adoption until after all of it: nobody had to log in again."""
    assert failed(story.requests) == []
    assert len(story.requests) > 1000


def test_users_met_the_good_versions_alone(story: Story) -> None:
    """In their order; nobody met the bad one."""
    assert versions(story.requests) == ["1.2.3", "1.2.4"]


@pytest.mark.parametrize("name", OTHERS)
def test_clients_of_others_noticed_nothing(story: Story, name: str) -> None:
    """None of their requests failed, and none was answered by another service."""
    found = story.others[name]
    assert failed(found) == []
    assert versions(found) == [f"{name}-1"]


@pytest.mark.parametrize(
    ("step", "version"),
    [
        ("before", "1.2.3"),
        ("adopted", "1.2.3"),
        ("good", "1.2.4"),
        ("count 0", "1.2.4"),
        ("configured", "1.2.4"),
        ("returned", "1.2.4"),
        ("bad", "1.2.4"),
        ("updated between", "1.2.4"),
        ("left", "1.2.4"),
        ("updated after", "1.2.4"),
    ],
)
def test_one_version_is_live_after_each_step(story: Story, step: str, version: str) -> None:
    """The owner's code says 1.2.3 until the end, and that goes live no more."""
    assert story.takeover.lives[step] == {(200, version)}


def test_the_slot_is_a_copy(story: Story) -> None:
    """Of the owner's service: capacity, Exec, and the sidecar with its own image."""
    slot = story.seen["slot"]

    assert [item["capacityProvider"] for item in slot["capacityProviderStrategy"]] == [
        "FARGATE",
        "FARGATE_SPOT",
    ]
    assert slot["enableExecuteCommand"]
    assert slot["images"]["sidecar"].endswith("/team/sidecar:1.0.0")
    assert "/team/web@sha256:" in slot["images"]["web"]


def test_the_owner_updated_the_stack_in_the_middle_of_it(story: Story) -> None:
    """Twice, while each side had half of the traffic."""
    seen = story.releases["good"].seen
    assert (seen["status"], 50 in seen["weights"]) == ("RUNNING", True)


def test_the_releases_end_as_they_should(story: Story) -> None:
    """The good one is compared with what ran before, the bad one is rolled back."""
    good, bad = story.releases["good"], story.releases["bad"]

    assert (good.certificate["outcome"], bad.certificate["outcome"]) == ("promoted", "rolled_back")
    assert good.certificate["from"]["version"] == "prod-1.2.3"


def test_a_configuration_goes_live_and_comes_back(story: Story) -> None:
    """By a deployment of its own, of the same image; and the older release by its number, as it was."""
    cpu, before = story.seen["before"]
    assert (cpu, before) == ("512", "production"), "the owner has changed CPU since the plan"
    assert story.seen["configured"] == ("1024", "rehearsal")
    assert story.seen["returned"] == (cpu, before)
    for name, said in {
        "configured": {"containers.web.environment.MODE changed", f"cpu: {cpu} → 1024"},
        "returned": {"containers.web.environment.MODE changed", f"cpu: 1024 → {cpu}"},
    }.items():
        certificate = story.releases[name].certificate
        assert certificate["outcome"] == "promoted"
        assert said <= set(certificate["reported"]["contents"]["changes"])


def test_the_listener_is_as_it_was(story: Story) -> None:
    """With its login, its conditions and others' rules; a forward to one group may be shown otherwise."""
    before, after = (_without_groups(story.seen[name]) for name in ("rules_before", "rules_after"))
    assert before == after


def _without_groups(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules without how a forward to one group is written."""
    kept = []
    for rule in found:
        *gates, last = rule["Actions"]
        groups = [group["TargetGroupArn"] for group in last.get("ForwardConfig", {}).get("TargetGroups", [])]
        kept.append({**rule, "Actions": [*gates, {"Type": last["Type"], "groups": groups}]})
    return kept
