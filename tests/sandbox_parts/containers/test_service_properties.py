"""What a service is made with, by calls: kept, shown, and when it begins a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_parts.containers.conftest import Sandbox

pytestmark = pytest.mark.enable_socket

CLUSTER = "properties"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"], "assignPublicIp": "DISABLED"}}
ROLLOUT = {"maximumPercent": 150, "minimumHealthyPercent": 50}
GIVEN: dict[str, Any] = {
    "healthCheckGracePeriodSeconds": 60,
    "enableExecuteCommand": True,
    "enableECSManagedTags": True,
    "propagateTags": "SERVICE",
    "availabilityZoneRebalancing": "DISABLED",
    "deploymentController": {"type": "ECS"},
    "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
    "networkConfiguration": NETWORK,
}


@pytest.fixture(scope="module")
def ecs(sandbox: Sandbox) -> Any:
    """A client, and a cluster with Fargate's capacity providers."""
    client = sandbox.client("ecs")
    client.create_cluster(clusterName=CLUSTER, capacityProviders=["FARGATE"])
    container = {"name": "app", "image": "nothing"}
    client.register_task_definition(family="properties", containerDefinitions=[container])
    return client


def create(ecs: Any, name: str, **given: Any) -> dict[str, Any]:
    """A service that runs nothing, as it is described."""
    ecs.create_service(
        cluster=CLUSTER, serviceName=name, taskDefinition="properties", desiredCount=0, **given
    )
    return described(ecs, name)


def described(ecs: Any, name: str, **asked: Any) -> dict[str, Any]:
    """DescribeServices of one service."""
    return dict(ecs.describe_services(cluster=CLUSTER, services=[name], **asked)["services"][0])


def deployments_begun_by(ecs: Any, name: str, **change: Any) -> int:
    """How many deployments an update begins: one or none."""
    before = described(ecs, name)["deployments"][0]["id"]
    ecs.update_service(cluster=CLUSTER, service=name, **change)
    return int(described(ecs, name)["deployments"][0]["id"] != before)


def test_all_is_described(ecs: Any):
    """Of the service, and what belongs to a deployment there."""
    service = create(ecs, "all", **GIVEN, launchType="FARGATE", deploymentConfiguration=ROLLOUT)
    breaker = {"enable": False, "rollback": False}

    assert {name: service[name] for name in GIVEN} == GIVEN
    assert service["deploymentConfiguration"] == {
        **ROLLOUT,
        "deploymentCircuitBreaker": breaker,
        "strategy": "ROLLING",
    }
    assert (service["platformVersion"], service["platformFamily"]) == ("LATEST", "Linux")
    deployment = service["deployments"][0]
    assert (deployment["platformVersion"], deployment["launchType"]) == ("1.4.0", "FARGATE")
    assert deployment["networkConfiguration"] == NETWORK


def test_rebalancing_is_on_where_nothing_is_said(ecs: Any):
    """Says CreateService's documentation; an update that does not name it leaves it."""
    created = create(ecs, "rebalanced")
    ecs.update_service(cluster=CLUSTER, service="rebalanced", availabilityZoneRebalancing="DISABLED")
    ecs.update_service(cluster=CLUSTER, service="rebalanced", enableExecuteCommand=True)

    assert created["availabilityZoneRebalancing"] == "ENABLED"
    assert described(ecs, "rebalanced")["availabilityZoneRebalancing"] == "DISABLED"


def test_tags_are_shown_when_asked_for(ecs: Any):
    """With `include`."""
    tags = [{"key": "CostCenter", "value": "4711"}]
    without = create(ecs, "tagged", tags=tags)

    assert "tags" not in without
    assert described(ecs, "tagged", include=["TAGS"])["tags"] == tags


def test_what_begins_a_deployment(ecs: Any):
    """UpdateService's documentation says it of each parameter; the same value again begins none."""
    create(ecs, "updated", networkConfiguration=NETWORK, launchType="FARGATE")
    swapped = {"awsvpcConfiguration": {"subnets": ["subnet-2", "subnet-1"], "assignPublicIp": "DISABLED"}}
    other = {"awsvpcConfiguration": {"subnets": ["subnet-3"]}}
    begun = {
        "the order of subnets": deployments_begun_by(ecs, "updated", networkConfiguration=swapped),
        "other subnets": deployments_begun_by(ecs, "updated", networkConfiguration=other),
        "the same platform": deployments_begun_by(ecs, "updated", platformVersion="LATEST"),
        "another platform": deployments_begun_by(ecs, "updated", platformVersion="1.3.0"),
        "grace": deployments_begun_by(ecs, "updated", healthCheckGracePeriodSeconds=9),
        "percents": deployments_begun_by(ecs, "updated", deploymentConfiguration=ROLLOUT),
        "Exec": deployments_begun_by(ecs, "updated", enableExecuteCommand=True),
        "volumes": deployments_begun_by(
            ecs,
            "updated",
            volumeConfigurations=[{"name": "data", "managedEBSVolume": {"roleArn": "arn:r", "sizeInGiB": 1}}],
        ),
    }
    service = described(ecs, "updated")

    assert begun == {
        "the order of subnets": 0,
        "other subnets": 1,
        "the same platform": 0,
        "another platform": 1,
        "grace": 0,
        "percents": 0,
        "Exec": 0,
        "volumes": 1,
    }
    assert service["deployments"][0]["volumeConfigurations"][0]["name"] == "data"
    assert service["deployments"][0]["platformVersion"] == "1.3.0"
    assert (service["healthCheckGracePeriodSeconds"], service["enableExecuteCommand"]) == (9, True)
    assert service["deploymentConfiguration"].items() >= ROLLOUT.items()


def test_a_part_of_the_rollout_s_configuration_leaves_the_rest(ecs: Any):
    """A circuit breaker is removed by one that is off."""
    breaker, off = {"enable": True, "rollback": True}, {"enable": False, "rollback": False}
    create(ecs, "broken", deploymentConfiguration={"deploymentCircuitBreaker": breaker})
    seen = []
    for change in (ROLLOUT, {"deploymentCircuitBreaker": off}):
        ecs.update_service(cluster=CLUSTER, service="broken", deploymentConfiguration=change)
        seen.append(described(ecs, "broken")["deploymentConfiguration"])

    assert seen[0]["deploymentCircuitBreaker"] == breaker
    assert seen[1]["deploymentCircuitBreaker"] == off
    assert seen[1].items() >= ROLLOUT.items()


def test_each_deployment_has_its_revision(ecs: Any):
    """Where alone `monitoring` is described; an old one stays as it was."""
    service = create(ecs, "revised", networkConfiguration=NETWORK)
    first = service["currentServiceRevisions"][0]["arn"]
    resolution = {"metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 20}]}
    other = {"awsvpcConfiguration": {"subnets": ["subnet-3"]}}
    ecs.update_service(cluster=CLUSTER, service="revised", networkConfiguration=other, monitoring=resolution)
    second = described(ecs, "revised")["currentServiceRevisions"][0]["arn"]
    found = ecs.describe_service_revisions(serviceRevisionArns=[first, second, f"{second}0"])
    before, after = found["serviceRevisions"]

    assert first.startswith(service["serviceArn"].replace(":service/", ":service-revision/"))
    assert before["networkConfiguration"] == NETWORK
    assert "monitoring" not in before
    assert (after["networkConfiguration"], after["monitoring"]) == (other, resolution)
    assert after["containerImages"] == [{"containerName": "app", "image": "nothing"}]
    assert [failure["reason"] for failure in found["failures"]] == ["MISSING"]


def test_a_capacity_provider_must_be_of_the_cluster(ecs: Any):
    """And none is taken away that a service names."""
    spot, fargate = ([{"capacityProvider": name, "weight": 1}] for name in ("FARGATE_SPOT", "FARGATE"))
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="not associated with the cluster"):
        create(ecs, "spot", capacityProviderStrategy=spot)
    create(ecs, "provided", capacityProviderStrategy=fargate)
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="not associated with the cluster"):
        ecs.update_service(cluster=CLUSTER, service="provided", capacityProviderStrategy=spot)
    nothing: dict[str, Any] = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
    with pytest.raises(ecs.exceptions.ResourceInUseException, match="in use and cannot be removed"):
        ecs.put_cluster_capacity_providers(cluster=CLUSTER, **nothing)
    ecs.delete_service(cluster=CLUSTER, service="provided", force=True)
    ecs.put_cluster_capacity_providers(cluster=CLUSTER, **nothing)
    (cluster,) = ecs.describe_clusters(clusters=[CLUSTER])["clusters"]
    ecs.put_cluster_capacity_providers(
        cluster=CLUSTER, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
    )

    assert cluster["capacityProviders"] == []
