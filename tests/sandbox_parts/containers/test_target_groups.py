"""A service and its target group: no load balancer, no service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox_parts.containers.conftest import Sandbox, free_port, until

pytestmark = pytest.mark.enable_socket

NAME = "behind"


@pytest.fixture
def group(sandbox: Sandbox) -> Iterator[str]:
    """A target group that no rule forwards to, and a cluster and a task definition beside it."""
    ecs, elb = sandbox.client("ecs"), sandbox.client("elbv2")
    ecs.create_cluster(clusterName=NAME)
    app = {"name": "app", "image": "none", "portMappings": [{"containerPort": 8080}]}
    ecs.register_task_definition(family=NAME, containerDefinitions=[app])
    made = elb.create_target_group(Name=NAME, Port=8080, Protocol="HTTP", TargetType="ip")
    arn = str(made["TargetGroups"][0]["TargetGroupArn"])
    yield arn
    elb.delete_target_group(TargetGroupArn=arn)
    ecs.delete_cluster(cluster=NAME)


def behind(group: str) -> list[dict[str, Any]]:
    return [{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}]


def create(sandbox: Sandbox, **more: Any) -> None:
    sandbox.client("ecs").create_service(
        cluster=NAME, serviceName=NAME, taskDefinition=NAME, desiredCount=0, **more
    )


def test_a_service_cannot_be_behind_an_unused_group(sandbox, group):
    """Neither made nor changed so; it can once a rule forwards there, with weight 0 too."""
    ecs, elb = sandbox.client("ecs"), sandbox.client("elbv2")
    with pytest.raises(ClientError, match=f"targetGroupArn {group} does not have an associated load"):
        create(sandbox, loadBalancers=behind(group))
    create(sandbox)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        ecs.update_service(cluster=NAME, service=NAME, loadBalancers=behind(group))
    balancer = elb.create_load_balancer(Name=NAME)["LoadBalancers"][0]["LoadBalancerArn"]
    weight = {"TargetGroups": [{"TargetGroupArn": group, "Weight": 0}]}
    elb.create_listener(
        LoadBalancerArn=balancer,
        Port=free_port(),
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "ForwardConfig": weight}],
    )
    ecs.update_service(cluster=NAME, service=NAME, loadBalancers=behind(group))
    ecs.delete_service(cluster=NAME, service=NAME, force=True)
    elb.delete_load_balancer(LoadBalancerArn=balancer)


def test_a_stack_cannot_make_one_either(sandbox, group):
    """Its listener has to come first."""
    service = {
        "Cluster": NAME,
        "ServiceName": "of-a-stack",
        "TaskDefinition": NAME,
        "DesiredCount": 0,
        "LoadBalancers": [{"TargetGroupArn": group, "ContainerName": "app", "ContainerPort": 8080}],
    }
    template = {"Resources": {"Service": {"Type": "AWS::ECS::Service", "Properties": service}}}
    stacks = sandbox.client("cloudformation")
    stacks.create_stack(StackName=NAME, TemplateBody=json.dumps(template))
    until(
        lambda: stacks.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"].startswith("ROLLBACK_COMP")
    )
    events = stacks.describe_stack_events(StackName=NAME)["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("does not have an associated load balancer" in reason for reason in reasons)
    stacks.delete_stack(StackName=NAME)
