"""The end: the service's stack goes in the middle of a deployment, then Crossfade's own, then the sandbox.

Only the proof stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud import Cloud
from tests.sandbox.executions import Execution
from tests.sandbox.machine import Sandbox, answers
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.shell import SERVICE, STACK
from tests.sandbox.stage import Stage

pytestmark = pytest.mark.enable_socket


@dataclass(frozen=True)
class Deleted:
    """What was there before the service's stack was deleted, and how the deployment ended that ran then."""

    outputs: dict[str, str]
    deployments: set[str]
    running: Execution


@pytest.fixture(scope="module")
def without_service(stage: Stage, good_release: Rehearsal) -> Deleted:
    """The service's own stack is deleted while Crossfade stays, and while a release of it is at weight 10.

    Somebody has deleted its spec before, and its listener: what is to be removed is known by the journal, and
    the rule has gone with the listener.
    """
    cloud = stage.cloud
    running = stage.push("0.9.1")()
    stage.reach(10)
    outputs = cloud.outputs
    deployments = {key for key in cloud.journal() if key != "state"}
    cloud.aws("ssm", "delete-parameter", "--name", f"{outputs['SpecsPath']}{SERVICE}")
    cloud.aws("elbv2", "delete-listener", "--listener-arn", cloud.listener)
    found = cloud.aws(
        *("cloudformation", "describe-stack-resource", "--stack-name", STACK),
        *("--logical-resource-id", "Sample"),
    )
    cloud.delete_stack(found["StackResourceDetail"]["PhysicalResourceId"])
    return Deleted(outputs, deployments, cloud.ended(running))


@pytest.fixture(scope="module")
def without_crossfade(cloud: Cloud, without_service: Deleted) -> Deleted:
    """The rest."""
    cloud.delete_stack(STACK)
    return without_service


def test_the_deployment_was_stopped(without_service: Deleted) -> None:
    """It could have brought back what was just removed."""
    assert without_service.running.status == "ABORTED"
    assert f"deployment#{without_service.running.name}" in without_service.deployments


def test_the_slots_are_gone(cloud: Cloud, without_service: Deleted) -> None:
    """Both ECS services with all their tasks, and the cluster that they ran in."""
    clusters = cloud.client("ecs").list_clusters()["clusterArns"]

    assert cloud.cluster not in clusters


def test_no_release_is_registered_any_more(cloud: Cloud, without_service: Deleted) -> None:
    """Every task definition that Crossfade registered is inactive, and the pattern's has gone with its stack.

    A neighbour's job of that name stays.
    """
    active = cloud.client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    names = [arn.rpartition("/")[2] for arn in active]

    assert [name for name in names if SERVICE in name] == [f"{SERVICE}:2"]


def test_nothing_listens_any_more(sandbox: Sandbox, without_service: Deleted) -> None:
    """The load balancer has gone with its rules, Crossfade's own among them."""
    assert not answers(sandbox.production_port)


def test_no_task_is_left(sandbox: Sandbox, without_service: Deleted) -> None:
    """Neither an application nor a probe runs on."""

    def look() -> bool:
        commands = sandbox.children().values()
        return not any("-m app" in command or "-m probe" in command for command in commands)

    until(look, "the tasks to end; each serves on for its grace time")


def test_the_journal_forgets_the_service_and_keeps_its_history(
    cloud: Cloud, without_service: Deleted
) -> None:
    """A service of the same name begins anew; what was deployed remains on record."""
    assert set(cloud.journal()) == without_service.deployments


def test_the_service_is_unknown(cloud: Cloud, without_service: Deleted) -> None:
    """Crossfade itself goes on, and says so."""
    execution = cloud.ended(cloud.start({"service": SERVICE, "image_tag": "0.0.1"}))

    assert (execution.status, execution.error) == ("FAILED", "UnknownService")
    assert "Known services: none." in execution.cause


def test_the_stack_is_gone(cloud: Cloud, without_crossfade: Deleted) -> None:
    """With its state machines."""
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client("cloudformation").describe_stacks(StackName=STACK)

    machines = cloud.client("stepfunctions").list_state_machines()["stateMachines"]
    assert [machine["name"] for machine in machines] == []


def test_the_evidence_stays(cloud: Cloud, without_crossfade: Deleted, first_release: Rehearsal) -> None:
    """Proof outlives the tool that made it."""
    key = f"{SERVICE}/{first_release.execution.name}/certificate.json"

    found = cloud.client("s3").get_object(Bucket=without_crossfade.outputs["EvidenceBucket"], Key=key)

    assert found["ContentLength"] > 0


def test_the_sandbox_leaves_no_process_and_no_port(sandbox: Sandbox, without_crossfade: Deleted) -> None:
    """SIGTERM ends all that it has started."""
    assert sandbox.stop() == []
