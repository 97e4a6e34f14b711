"""A service whose tasks have two ports, each behind a listener and a target group of its own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox_parts.containers.cluster import REGISTRY, Cluster
from tests.sandbox_parts.containers.conftest import free_port, until

pytestmark = pytest.mark.enable_socket

SHOP = Path(__file__).parents[2] / "sandbox/shop"
READERS = {8080: "customers", 8081: "staff"}
"""Whom each port of the container is for."""


@pytest.fixture
def listeners(cluster: Cluster) -> Iterator[dict[int, int]]:
    """The service, and the load balancer's ports by those of the container."""
    ecs, elb = cluster.ecs, cluster.sandbox.client("elbv2")
    push = cluster.sandbox.push(
        SHOP, "--repository", "tasks", "--tag", "shop", "--build-arg", "VERSION=1.2.3"
    )
    assert push.returncode == 0, push.stderr
    balancer = elb.create_load_balancer(Name="shop")["LoadBalancers"][0]["LoadBalancerArn"]
    ports, behind = {}, []
    for port in READERS:
        group = elb.create_target_group(Name=f"shop-{port}", Port=port, Protocol="HTTP", TargetType="ip")[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        ports[port] = free_port()
        forward = {"Type": "forward", "TargetGroupArn": group}
        elb.create_listener(
            LoadBalancerArn=balancer, Port=ports[port], Protocol="HTTP", DefaultActions=[forward]
        )
        behind.append({"targetGroupArn": group, "containerName": "shop", "containerPort": port})
    shop = {
        "name": "shop",
        "image": f"{REGISTRY}/tasks:shop",
        "portMappings": [{"containerPort": port} for port in READERS],
    }
    ecs.register_task_definition(family="shop", networkMode="awsvpc", containerDefinitions=[shop])
    ecs.create_service(
        cluster="tasks", serviceName="shop", taskDefinition="shop", desiredCount=1, loadBalancers=behind
    )
    yield ports
    ecs.delete_service(cluster="tasks", service="shop", force=True)
    elb.delete_load_balancer(LoadBalancerArn=balancer)


def answer(port: int) -> object:
    """What is answered there; None for an error."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=5) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError:
        return None


def test_each_port_is_reached_by_its_own_group(listeners: dict[int, int]) -> None:
    """Of one task, which registers in both."""
    for port, readers in READERS.items():
        assert until(lambda asked=listeners[port]: answer(asked)) == {"version": "1.2.3", "for": readers}
